"""How far the models of the constraints can be trusted: safety margins, and chances.

The search exploits every error of a constraint's model, so that its errors are mostly violations.
Margins by outcomes are those of SAMO-COBRA (steps 6 and 8), margins by errors are ours: a model is
right where it was fitted and errs the more the further a point is from there, so they grow with the
distance to the nearest trial, at the rate that recent errors have shown. The same errors say what
the chance is that a point beyond these margins is feasible.
"""

import dataclasses

import numpy as np
from jaxtyping import Float

# Violation, in units of the range, that counts as none: searches end on borders, to rounding.
TOLERANCE = 1e-7
# By outcomes: they enter squared.
_FIRST, _LARGEST = 0.04, 0.08
_SHRINK, _GROW = 0.9, 1.1
# By errors: what is left of a rate after one more trial, and the largest margin.
_FADE, LARGEST_BY_ERRORS = 0.9, 0.05
# Distance below which a point is a repetition.
_NO_DISTANCE = 1e-6
# Chance of a point that every recent error speaks against, as the weight of one more trial that
# does not: models improve with every trial, and what is never tried is never learnt.
_HOPE = 0.5


@dataclasses.dataclass(frozen=True)
class Margins:
    """Margins of all constraints, in units of the range of each.

    Attributes:
        by_outcomes: the same everywhere.
        slopes: errors at the latest trials, the newest last, per distance to the nearest trial
            before; positive where the model was too hopeful.
        distances: these distances.
    """

    by_outcomes: Float[np.ndarray, " constraints"]
    slopes: Float[np.ndarray, "recent constraints"]
    distances: Float[np.ndarray, " recent"]

    @classmethod
    def none(cls, n_constraints: int) -> "Margins":
        """No margins."""
        return cls(np.zeros(n_constraints), np.zeros((0, n_constraints)), np.zeros(0))

    @property
    def rate(self) -> Float[np.ndarray, " constraints"]:
        """Growth of the margins by errors with the distance: the largest slope, faded."""
        return np.max(self._fading[:, None] * self.slopes, axis=0, initial=0.0)

    @property
    def _fading(self) -> Float[np.ndarray, " recent"]:
        return _FADE ** np.arange(len(self.slopes))[::-1]

    def at(self, distance: float) -> Float[np.ndarray, " constraints"]:
        """The margins at a distance from the nearest trial."""
        return self.by_outcomes + np.minimum(self.rate * distance, LARGEST_BY_ERRORS)

    def chances(
        self,
        predicted: Float[np.ndarray, "rows constraints"],
        distances: Float[np.ndarray, " rows"],
    ) -> Float[np.ndarray, " rows"]:
        """The weight of recent trials by whose errors, scaled to the distance, a place is feasible.

        A trial that was nearer to the others says less of the place: errors grow faster than
        distances, and a search that refines what it has would make distant promises look safe.

        Args:
            predicted: constraints at the places, in units of their ranges.
            distances: from the places to the nearest trial.
        """
        if len(self.slopes) == 0:
            return np.ones(len(predicted))
        errors = self.slopes[None] * distances[:, None, None]
        errors = np.clip(errors, -LARGEST_BY_ERRORS, LARGEST_BY_ERRORS)
        feasible = np.all(predicted[:, None] + errors <= TOLERANCE, axis=2)
        reach = self.distances[None] / np.maximum(distances, _NO_DISTANCE)[:, None]
        weights = self._fading[None] * np.minimum(reach, 1.0)
        return (np.sum(weights * feasible, axis=1) + _HOPE) / (np.sum(weights, axis=1) + _HOPE)


def by_outcomes(
    constraints: Float[np.ndarray, "infills constraints"],
) -> Float[np.ndarray, " constraints"]:
    """Squared margins after the outcomes of all infills.

    A margin shrinks by 10 % where its constraint was satisfied and grows by 10 % where not.
    """
    margin = np.full(constraints.shape[1], _FIRST)
    for row in constraints:
        grown = np.minimum(_GROW * margin, _LARGEST)
        margin = np.where(row <= 0.0, _SHRINK * margin, grown)
    return margin**2


def slopes(
    errors: Float[np.ndarray, "recent constraints"], distances: Float[np.ndarray, " recent"]
) -> Float[np.ndarray, "recent constraints"]:
    """Errors per distance.

    Args:
        errors: truth minus prediction at the latest trials, in units of the ranges.
        distances: from each of these trials to the nearest one before it, on the cube of side 2.
    """
    # Repetitions tell nothing about distances.
    return errors / np.maximum(distances, _NO_DISTANCE)[:, None]
