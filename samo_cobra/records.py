"""What each infill decided and why, for people who want to see the models at work."""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Record:
    """One suggestion that came from the models; initial points have none.

    Attributes:
        id: number of the trial.
        kernels: chosen kernel of every output; "exact" for inexpensive ones.
        versions: what the chosen model is a model of: "plain", the output itself, "logarithmic",
            its signed logarithm, or "reciprocal", which straightens a pole.
        errors: mean absolute error by which the model was chosen (root mean square of
            leave-one-out errors); 0 for exact outputs.
        predicted: predicted objectives and constraints, in the user's signs.
        gain: predicted gain in hypervolume, in units of the extent of the front; 0 where the
            search fell back on the most promising point without one.
        margins: safety margin of every constraint at the point, in its own units; where the
            chance is below 1 the search kept less.
        reference_point: reference point of the moment, in the user's signs.
        n_trials: number of trials known.
        n_pending: number of points under way.
        steps: gradient steps that the search took.
        cpu_s: processor time of the suggestion.
        converged: with the published preset, whether every run of COBYLA converged; ``gain`` and
            ``margins`` are in raw units then, ``steps`` counts calls of the criterion.
        chance: that the point is feasible, by recent errors of the models; None with the
            published preset.
    """

    id: int
    kernels: tuple[str, ...]
    versions: tuple[str, ...]
    errors: tuple[float, ...]
    predicted: tuple[float, ...]
    gain: float
    margins: tuple[float, ...]
    reference_point: tuple[float, ...]
    n_trials: int
    n_pending: int
    steps: int
    cpu_s: float
    converged: bool | None = None
    chance: float | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Record":
        """Reads what :func:`dataclasses.asdict` wrote."""
        fields: dict[str, Any] = {
            name: tuple(v) if isinstance(v, list) else v for name, v in data.items()
        }
        return cls(**fields)
