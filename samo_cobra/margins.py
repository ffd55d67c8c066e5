"""Safety margins of the constraints: how far inside the search has to stay.

The search exploits every error of a constraint's model, so that its errors are mostly violations.
Margins by outcomes are those of SAMO-COBRA (steps 6 and 8), margins by errors are ours.
"""

import numpy as np
from jaxtyping import Bool, Float

# By outcomes: they enter squared.
_FIRST, _LARGEST = 0.04, 0.08
_SHRINK, _GROW = 0.9, 1.1
# By errors: what is left of an error after one more trial, and a factor that grows with
# violations and falls back to one.
_FADING = 0.4
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
        excess: by how much the models were too hopeful at the latest trials, at least one.
        violated: which constraints were violated, at all infills.
    """
    fading = _FADING ** np.arange(len(excess))[::-1]
    caution = np.ones(violated.shape[1])
    for row in violated:
        factor = np.where(row, _CAUTION_GROWS, _CAUTION_FALLS)
        caution = np.clip(caution * factor, 1.0, _MOST_CAUTION)
    return caution * np.max(fading[:, None] * excess, axis=0)
