"""Steps 5 and 6: what the inner search minimises, and its constraints, all in raw units."""

import numpy as np
from jaxtyping import Float

from samo_cobra import pareto
from samo_cobra.published.models import Predictor

# Closest approach to an evaluated point, per dimension, on the cube of side 2.
_SPACING = 1e-4
_LARGEST = float(np.finfo(float).max)


class Infill:
    """The inner problem: minimise :meth:`criterion` where all of :meth:`constraints` are >= 0.

    COBYLA asks for both at the same point, so the predictions of the last one are kept.

    Args:
        predictor: chosen models of all outputs, objectives first.
        front: feasible non-dominated objectives.
        reference: upper corner of the hypervolume.
        margins: squared margins of the constraints.
        uncertainty: standard deviation of every objective by which its variance counts; None for
            the predicted hypervolume without uncertainties.
    """

    def __init__(
        self,
        predictor: Predictor,
        front: Float[np.ndarray, "front objectives"],
        reference: Float[np.ndarray, " objectives"],
        margins: Float[np.ndarray, " constraints"],
        uncertainty: Float[np.ndarray, " objectives"] | None = None,
    ) -> None:
        self._predictor = predictor
        self._front = front
        self._lower, self._upper = pareto.non_dominated_boxes(front, reference)
        self._margins = margins
        self._uncertainty = uncertainty
        self._last: tuple[bytes, float, np.ndarray] | None = None

    @property
    def dims(self) -> int:
        """Dimension of the cube."""
        return self._predictor.points.shape[1]

    def criterion(self, z: Float[np.ndarray, " dims"]) -> float:
        """Minus the gain in hypervolume, or a penalty for what the front dominates."""
        return self._at(z)[1]

    def constraints(self, z: Float[np.ndarray, " dims"]) -> Float[np.ndarray, " inner"]:
        """Spacing, predicted constraints with margin, lower and upper sides of the box."""
        return self._at(z)[2]

    def outputs(self, z: Float[np.ndarray, " dims"]) -> Float[np.ndarray, " outputs"]:
        """Predicted outputs."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self._predictor(z, self._predictor.distances(z), False)[0]

    def _at(self, z: Float[np.ndarray, " dims"]) -> tuple[bytes, float, np.ndarray]:
        key = z.tobytes()
        if self._last is None or self._last[0] != key:
            with np.errstate(over="ignore", invalid="ignore"):
                self._last = (key, *self._evaluated(z))
        return self._last

    def _evaluated(self, z: Float[np.ndarray, " dims"]) -> tuple[float, np.ndarray]:
        distances = self._predictor.distances(z)
        outputs, variance = self._predictor(z, distances, self._uncertainty is not None)
        k = self._front.shape[1]
        objectives = outputs[:k]
        if self._uncertainty is not None:
            objectives = objectives - variance[:k] * self._uncertainty
        inner = np.concatenate([[self._spacing(distances)], -(outputs[k:] + self._margins)])
        if np.isnan(inner).any():
            inner = np.full_like(inner, -_LARGEST)
        return self._value(objectives), np.concatenate([inner, z + 1.0, 1.0 - z])

    def _spacing(self, distances: Float[np.ndarray, " points"]) -> float:
        """Zero, or the negative inverse square of a distance that is too small."""
        nearest = float(np.min(distances))
        if nearest > _SPACING * self.dims:
            return 0.0
        return -(nearest**-2) if nearest > 0.0 else -_LARGEST

    def _value(self, objectives: Float[np.ndarray, " objectives"]) -> float:
        if not np.isfinite(objectives).all():
            return _LARGEST
        # The raw product mixes the units of the objectives.
        above = objectives - self._front[np.all(self._front <= objectives, axis=1)]
        penalty = float(np.max(np.prod(1.0 + above, axis=1) - 1.0, initial=0.0))
        if penalty != 0.0:
            return penalty
        sides = np.maximum(self._upper - np.maximum(objectives, self._lower), 0.0)
        return -float(np.sum(np.prod(sides, axis=1)))
