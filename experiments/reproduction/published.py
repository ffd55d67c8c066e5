"""The numbers of the paper, kept apart from everything that is measured here.

They are in `published.json`, with where each stands in Laskaris et al. (2026). Errors are in meV
and meV/Å. Those that the paper labels meV/atom are almost surely meV per structure: its figures 5
and 6 plot the same numbers as energies in eV, and the literature values beside them are totals.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

DATASETS = ("rmd17-aspirin", "rmd17-benzene", "qm9", "culi")
VARIANTS = ("allegro", "allegro-mlp", "allegro-qdi")

TITLES = {
    "rmd17-aspirin": "aspirin (rMD17)",
    "rmd17-benzene": "benzene (rMD17)",
    "qm9": "QM9",
    "culi": "Cu-Li",
}


@functools.cache
def _all() -> dict[str, Any]:
    return json.loads(_text())


@functools.cache
def _printed() -> dict[str, Any]:
    return json.loads(_text(), parse_float=str, parse_int=str)


def _text() -> str:
    return resources.files(__package__).joinpath("published.json").read_text("utf-8")


def paper() -> Mapping[str, str]:
    """Returns citation, doi and licence."""
    return _all()["paper"]


def source(what: str) -> str:
    """Says where in the paper a group of numbers stands."""
    return _all()["sources"][what]


def hyperparameters(variant: str, dataset: str) -> Mapping[str, float]:
    """Returns the best hyperparameters, those that are printed."""
    return _all()["hyperparameters"][variant][dataset]


def error(quantity: str, dataset: str, model: str) -> float | None:
    """Returns a validation error, None where the paper has none.

    Args:
        quantity: "forces_mae" or "energy_mae".
        dataset: Name of a data set.
        model: A variant, or "musaelian2023": Allegro, rerun by the authors with the
            hyperparameters of 2023.
    """
    return _all()[quantity].get(dataset, {}).get(model)


def printed(quantity: str, dataset: str, model: str) -> str:
    """Returns the same as it is printed, with its zeros at the end; "" where there is none."""
    return _printed()[quantity].get(dataset, {}).get(model, "")


def literature() -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    """Returns errors of other models by name, data set and quantity."""
    return _all()["literature"]


def front(dataset: str, variant: str) -> Sequence[tuple[float, float]]:
    """Returns validation error and seconds of a front; empty where the paper has none."""
    rows = _all()["fronts"][dataset].get(variant, [])
    return [(float(error), float(seconds)) for error, seconds in rows]


def musaelian2023(dataset: str) -> Mapping[str, float] | None:
    """Returns the hyperparameters of 2023, None for a set that did not exist then."""
    return _all()["musaelian2023"].get(dataset)


def minutes_per_evaluation(dataset: str) -> float:
    """Returns the mean length of one evaluation of the search."""
    return _all()["minutes_per_evaluation"][dataset]


def evaluations() -> int:
    """Returns the evaluations of one variant on one data set."""
    return _all()["evaluations"]
