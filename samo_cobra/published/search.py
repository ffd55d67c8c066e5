"""Step 7: COBYLA from random starts, their number and length adapted to how they ended."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy.optimize
from jaxtyping import Float

from samo_cobra.published.infill import Infill

_FIRST_RADIUS, _LAST_RADIUS = 1.0, 1e-6
# SciPy's default until 1.15; the present one is smaller.
_TOLERANCE = 2e-4


@dataclasses.dataclass(frozen=True)
class Effort:
    """Number of starts, and calls of the criterion that each of them may take."""

    starts: int
    calls: int

    @classmethod
    def first(cls, size: int) -> "Effort":
        """Effort of the first infill; ``size`` is dimensions + objectives + constraints."""
        return cls(2 * size, 50 * size)

    def adapted(self, converged: bool, size: int) -> "Effort":
        """More and shorter runs after all have converged, fewer and longer ones otherwise."""
        if converged:
            return Effort(
                min(int(self.starts * 1.1), 10 * size), max(int(self.calls * 0.9), 20 * size)
            )
        return Effort(
            max(int(self.starts * 0.9), 2 * size), min(int(self.calls * 1.1), 1000 * size)
        )


@dataclasses.dataclass(frozen=True)
class End:
    """Where one run of COBYLA ended.

    Attributes:
        z: the point.
        value: criterion there.
        violation: largest violation of a constraint.
        success: whether the run converged, within the tolerance of the constraints.
        calls: calls of the criterion.
    """

    z: Float[np.ndarray, " dims"]
    value: float
    violation: float
    success: bool
    calls: int


def search(infill: Infill, effort: Effort, seed: int) -> list[End]:
    """Runs COBYLA from uniform random starts in the cube [-1, 1]^d."""
    # The generator of the authors' program, which makes the same starts of the same seed.
    rng = np.random.RandomState(seed)
    starts = 2.0 * rng.uniform(size=(effort.starts, infill.dims)) - 1.0
    return [_run(infill, start, effort.calls) for start in starts]


def _run(infill: Infill, start: Float[np.ndarray, " dims"], calls: int) -> End:
    found = scipy.optimize.minimize(
        infill.criterion,
        start,
        method="COBYLA",
        constraints=[{"type": "ineq", "fun": infill.constraints}],
        options={
            "rhobeg": _FIRST_RADIUS,
            "tol": _LAST_RADIUS,
            "maxiter": calls,
            "catol": _TOLERANCE,
        },
    )
    return End(
        np.asarray(found.x, dtype=float),
        float(found.fun),
        float(found.maxcv),
        bool(found.success),
        int(found.nfev),
    )


def choose(ends: Sequence[End]) -> End:
    """The published choice among the end points.

    The successful run with the lowest criterion, if that is below zero. If there are successes but
    none below zero, the first run, however it ended: as published, such a point may be dominated
    or infeasible. If there is no success, the run with the smallest violation.
    """
    if not any(end.success for end in ends):
        return min(ends, key=lambda end: (end.violation, end.value))
    gaining = [end for end in ends if end.success and end.value < 0.0]
    return min(gaining, key=lambda end: end.value) if gaining else ends[0]
