"""Safety margins of the constraints: how far inside the search has to stay.

The search exploits every error of a constraint's model, so that its errors are mostly violations.
Margins by outcomes are those of SAMO-COBRA (steps 6 and 8), margins by errors are ours: a model is
right where it was fitted and errs the more the further a point is from there, so they grow with the
distance to the nearest trial, at the rate that recent errors have shown.
"""

import dataclasses

import numpy as np
from jaxtyping import Float

# By outcomes: they enter squared.
_FIRST, _LARGEST = 0.04, 0.08
_SHRINK, _GROW = 0.9, 1.1
# By errors: what is left of a rate after one more trial, and the largest margin.
_FADE, LARGEST_BY_ERRORS = 0.9, 0.05


@dataclasses.dataclass(frozen=True)
class Margins:
    """Margins of all constraints, in units of the range of each.

    Attributes:
        by_outcomes: the same everywhere.
        rate: growth of the margins by errors with the distance to the nearest trial.
    """

    by_outcomes: Float[np.ndarray, " constraints"]
    rate: Float[np.ndarray, " constraints"]

    @classmethod
    def none(cls, n_constraints: int) -> "Margins":
        """No margins."""
        return cls(np.zeros(n_constraints), np.zeros(n_constraints))

    def at(self, distance: float) -> Float[np.ndarray, " constraints"]:
        """The margins at a distance from the nearest trial."""
        return self.by_outcomes + np.minimum(self.rate * distance, LARGEST_BY_ERRORS)


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


def rate_of_errors(
    excess: Float[np.ndarray, "recent constraints"], distances: Float[np.ndarray, " recent"]
) -> Float[np.ndarray, " constraints"]:
    """The largest recent error per distance, the older the less.

    Args:
        excess: by how much the models were too hopeful at the latest trials, at least one, in
            units of the range of the constraint.
        distances: from each of these trials to the nearest one before it, on the cube of side 2.

    Returns:
        Margin per distance in the same units.
    """
    age = np.arange(len(excess))[::-1]
    # Repetitions tell nothing about distances.
    share = _FADE**age / np.maximum(distances, 1e-6)
    return np.max(share[:, None] * excess, axis=0)
