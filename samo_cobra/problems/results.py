"""Published results of the authors' own runs, from ``results.json`` beside this file.

The file names its provenance. Hypervolumes are medians of the final values at 40 evaluations per
variable, feasible points only.
"""

import dataclasses
import functools
import importlib.resources
import json
import math
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Results:
    """What the authors' programs reached on one problem.

    Attributes:
        hypervolumes: median final hypervolume by batch size (Multi-Point SAMO-COBRA).
        evaluations: median number of evaluations (batch size 1) to reach a share of the median
            final hypervolume; infinite where the budget was not enough.
        evaluations_samo: the same for SAMO-COBRA with predicted hypervolume.
        samo_hypervolume: median final hypervolume of SAMO-COBRA with predicted hypervolume.
        range: lowest and highest final hypervolume of the runs with batch size 1.
        design_hypervolumes: hypervolume after each of the first points of the Halton sequence,
            the authors' initial design.
        cpu_seconds: CPU seconds of one infill by number of evaluated points (SAMO-COBRA).
        cpu_seconds_of_run: CPU seconds per infill, median over whole runs (SAMO-COBRA).
    """

    hypervolumes: Mapping[int, float]
    evaluations: Mapping[float, float]
    evaluations_samo: Mapping[float, float]
    samo_hypervolume: float | None
    range: tuple[float, float] | None
    design_hypervolumes: tuple[float, ...]
    cpu_seconds: Mapping[int, float]
    cpu_seconds_of_run: float | None


def _evaluations(entry: Mapping[str, float | None]) -> dict[float, float]:
    return {float(k): math.inf if v is None else v for k, v in entry.items()}


def _of(entry: Mapping[str, Any]) -> Results:
    return Results(
        hypervolumes={int(k): v for k, v in entry["hypervolumes"].items()},
        evaluations=_evaluations(entry.get("evaluations", {})),
        evaluations_samo=_evaluations(entry.get("evaluations_samo", {})),
        samo_hypervolume=entry.get("samo_hypervolume"),
        range=tuple(entry["range"]) if "range" in entry else None,
        design_hypervolumes=tuple(entry.get("design_hypervolumes", ())),
        cpu_seconds={int(k): v for k, v in entry.get("cpu_seconds", {}).items()},
        cpu_seconds_of_run=entry.get("cpu_seconds_of_run"),
    )


@functools.cache
def published() -> dict[str, Results]:
    """Results by name of the problem."""
    text = importlib.resources.files("samo_cobra.problems").joinpath("results.json").read_text()
    return {name: _of(entry) for name, entry in json.loads(text)["problems"].items()}
