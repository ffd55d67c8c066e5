"""Safety margins of the constraints: how far inside the search has to stay.

The search exploits every error of a constraint's model, so that its errors are mostly violations.
Margins by outcomes are those of SAMO-COBRA (steps 6 and 8), margins by errors are ours.
"""

import numpy as np
from jaxtyping import Bool, Float

# By outcomes: they enter squared.
_FIRST, _LARGEST = 0.04, 0.08
_SHRINK, _GROW = 0.9, 1.1
# By errors: what is left of an error after one more trial, and the largest margin of that kind. A
# large error widens the margin for a few trials; a trace of it stays for many, since fronts lie on
# borders of the feasible region, and what is a hair outside of one is lost.
_FAST, _LARGEST_FAST = 0.4, 0.05
_SLOW, _LARGEST_SLOW = 0.9, 1e-4
# A factor that grows with violations and falls back to one.
_CAUTION_GROWS, _CAUTION_FALLS, _MOST_CAUTION = 1.5, 0.8, 5.0


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


def by_errors(
    excess: Float[np.ndarray, "recent constraints"],
    violated: Bool[np.ndarray, "infills constraints"],
) -> Float[np.ndarray, " constraints"]:
    """The largest recent error, the older the less, times the caution that violations taught.

    Args:
        excess: by how much the models were too hopeful at the latest trials, at least one, in
            units of the range of the constraint.
        violated: which constraints were violated, at all infills.

    Returns:
        Margins in the same units.
    """
    age = np.arange(len(excess))[::-1, None]
    caution = np.ones(violated.shape[1])
    for row in violated:
        factor = np.where(row, _CAUTION_GROWS, _CAUTION_FALLS)
        caution = np.clip(caution * factor, 1.0, _MOST_CAUTION)
    fast = caution * np.max(_FAST**age * excess, axis=0)
    slow = caution * np.max(_SLOW**age * excess, axis=0)
    return np.maximum(np.minimum(fast, _LARGEST_FAST), np.minimum(slow, _LARGEST_SLOW))
