"""What a search minimises, and what it keeps below a limit, by name.

A quantity is minimised (`config.objectives`), limited from above (`config.constraints`), both, or
only recorded. All are measured in every trial. Two of them are known before a trial trains, so a
trial that breaks a limit on them is not trained; see `experiments.searches.known`.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ml_collections import ConfigDict

if TYPE_CHECKING:
    from allegro_jax.datasets import Splits


@dataclasses.dataclass(frozen=True)
class Quantity:
    """A measured property of a trial; less is better.

    Attributes:
        title: What pictures call it.
        unit: Unit of the number.
        shown: Factor to, and name of, the unit of pictures and tables.
        label: The labels that the data must have ("energy", "forces", "stress"), or "".
        known: Whether it is known before the training.
        timed: Whether the final timing of the front measures it again.
    """

    title: str
    unit: str
    shown: tuple[float, str]
    label: str = ""
    known: bool = False
    timed: bool = False

    @property
    def axis(self) -> str:
        """Title and unit, for an axis."""
        return f"{self.title} ({self.shown[1]})" if self.shown[1] else self.title


QUANTITIES: Mapping[str, Quantity] = {
    "forces_mae": Quantity("validation force MAE", "eV/Å", (1e3, "meV/Å"), label="forces"),
    "energy_mae": Quantity("validation energy MAE", "eV", (1e3, "meV"), label="energy"),
    "stress_mae": Quantity("validation stress MAE", "eV/Å³", (1e3, "meV/Å³"), label="stress"),
    "inference_time": Quantity("time for the test set", "s", (1.0, "s"), timed=True),
    "us_per_atom": Quantity("time per atom", "µs", (1.0, "µs"), timed=True),
    "flops": Quantity("operations for the test set", "", (1e-9, "GFLOP"), known=True),
    "peak_memory": Quantity("memory of an evaluation", "bytes", (1e-6, "MB")),
    "parameters": Quantity("parameters", "", (1.0, ""), known=True),
    "training_time": Quantity("time of training", "s", (1.0, "s")),
}
"""All quantities by name.

* `forces_mae`, `energy_mae`, `stress_mae`: of the kept parameters, on the validation set; energies
  are those of whole structures.
* `inference_time`, `us_per_atom`: median of passes over the test set, energies and forces.
* `flops`: of such a pass, by XLA's count before it is compiled.
* `peak_memory`: what the evaluation of a batch of the test set holds, by XLA's plan.
* `parameters`: trainable numbers.
* `training_time`: of the whole run, without compilation and without waiting for others' timings.
"""

ERRORS = tuple(name for name, quantity in QUANTITIES.items() if quantity.label)
"""Quantities that training can lower."""


def resolved(config: ConfigDict, splits: Splits) -> ConfigDict:
    """Returns a copy of a config with its objectives named, after checking them and the limits.

    No objectives stand for the error of forces, of energies where the data have no forces, and
    the inference time: the setting of Laskaris et al. (2026).

    Raises:
        ValueError: If a name is unknown, objectives are not two or three different ones, a limit
            is not positive and finite, or the data lack the labels of an error.
    """
    config = config.copy_and_resolve_references()
    error = "energy_mae" if splits.train.forces is None else "forces_mae"
    config.objectives = tuple(config.objectives) or (error, "inference_time")
    for name in config.objectives:
        _check_name(name, "objective")
    if not 2 <= len(set(config.objectives)) == len(config.objectives) <= 3:
        raise ValueError(
            f"objectives must be two or three different quantities, got {config.objectives}; "
            "limit others by config.constraints"
        )
    for name, limit in limits(config).items():
        if not (math.isfinite(limit) and limit > 0):
            raise ValueError(f"the limit of {name} must be positive and finite, got {limit}")
    for name in {*config.objectives, *limits(config)}:
        _check_labels(name, splits)
    return config


def limits(config: ConfigDict) -> dict[str, float]:
    """Returns the upper limits that are set, by name.

    Raises:
        ValueError: If a limit is set on something unknown.
    """
    given = {name: value for name, value in config.constraints.items() if value is not None}
    for name in given:
        _check_name(name, "constraint")
    return {name: float(value) for name, value in sorted(given.items())}


def excesses(limits: Mapping[str, float], measured: Mapping[str, float]) -> dict[str, float]:
    """Returns by which share each measured quantity is above its limit; feasible where <= 0.

    Example:
        >>> excesses({"parameters": 1000}, {"parameters": 1500.0, "flops": 1e9})
        {'parameters': 0.5}
    """
    return {
        name: measured[name] / limit - 1.0 for name, limit in limits.items() if name in measured
    }


def broken(limits: Mapping[str, float], measured: Mapping[str, float]) -> str:
    """Says which limits are exceeded, "" for none."""
    parts = [
        f"{name} {measured[name]:.6g} is above the limit {limits[name]:.6g}"
        for name, excess in excesses(limits, measured).items()
        if excess > 0
    ]
    return ", ".join(parts)


def shown(name: str, value: float) -> str:
    """Writes a value with the unit of pictures and tables."""
    factor, unit = QUANTITIES[name].shown
    return f"{factor * value:.4g} {unit}".strip()


def leading_error(objectives: Sequence[str]) -> str:
    """Returns the error that comes first among the objectives, "" if none is an error."""
    return next((name for name in objectives if name in ERRORS), "")


def _check_name(name: str, kind: str) -> None:
    if name not in QUANTITIES:
        close = difflib.get_close_matches(name, QUANTITIES, 1)
        meant = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"unknown {kind} {name!r}{meant} Known: {', '.join(QUANTITIES)}")


def _check_labels(name: str, splits: Splits) -> None:
    label = QUANTITIES[name].label
    for part in ("train", "valid"):
        if label and not _has(getattr(splits, part), label):
            raise ValueError(
                f"{name} needs {label} labels, and the {part} structures of "
                f"{splits.train.name!r} have none; take other objectives, such as "
                "config.objectives=('energy_mae', 'inference_time')"
            )


def _has(data: object, label: str) -> bool:
    """Whether a data set has a label; a missing attribute means that it cannot be told."""
    return getattr(data, label, True) is not None
