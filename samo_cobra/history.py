"""What has been evaluated: trials, and the arrays that the models are fitted to."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from samo_cobra import pareto

# Margins of the constraints (SAMO-COBRA steps 6 and 8); they enter squared, in units of the range.
_FIRST_MARGIN, _LARGEST_MARGIN = 0.04, 0.08
_MARGIN_SHRINK, _MARGIN_GROW = 0.9, 1.1
# Closest approach to an evaluated point, per dimension, on the cube of side 2.
_SPACING = 1e-4
# Radius around a failed point that is avoided, in units of the square root of the dimension.
_FAILURE_RADIUS = 0.25
# At most this share of the way from a failed point to the nearest success is avoided, so that
# the border between them is closed in on slowly, from the side of success.
_FAILURE_SHARE = 0.75


@dataclasses.dataclass(frozen=True)
class Trial:
    """One evaluated point; a failed one has no objectives."""

    x: dict[str, Any]
    objectives: tuple[float, ...] | None
    constraints: tuple[float, ...]

    @property
    def failed(self) -> bool:
        """Whether the evaluation gave no usable outputs."""
        return self.objectives is None


@dataclasses.dataclass(frozen=True)
class Front:
    """Feasible non-dominated trials."""

    points: list[dict[str, Any]]
    objectives: Float[np.ndarray, "front objectives"]
    constraints: Float[np.ndarray, "front constraints"]


@dataclasses.dataclass(frozen=True)
class History:
    """Outputs of the successful trials, and the places of all, on the cube [-1, 1]^d."""

    z: Float[np.ndarray, "points dims"]
    objectives: Float[np.ndarray, "points objectives"]
    constraints: Float[np.ndarray, "points constraints"]
    failed: Float[np.ndarray, "failures dims"]

    @classmethod
    def of(
        cls,
        trials: Sequence[Trial],
        units: Sequence[Float[np.ndarray, " dims"]],
        sizes: tuple[int, int, int],
    ) -> "History":
        """Collects trials.

        Args:
            trials: trials in the order they were told.
            units: their places in the unit cube.
            sizes: number of dimensions, objectives and constraints.
        """
        dims, n_objectives, n_constraints = sizes
        z = 2.0 * np.array(units, dtype=float).reshape(-1, dims) - 1.0
        failed = np.array([t.failed for t in trials], dtype=bool)
        good = [t for t in trials if not t.failed]
        return cls(
            z=z[~failed],
            objectives=np.array([t.objectives for t in good]).reshape(len(good), n_objectives),
            constraints=np.array([t.constraints for t in good]).reshape(len(good), n_constraints),
            failed=z[failed],
        )

    def __len__(self) -> int:
        return len(self.z)

    @property
    def values(self) -> Float[np.ndarray, "points outputs"]:
        """All outputs, objectives first."""
        return np.concatenate([self.objectives, self.constraints], axis=1)

    @property
    def feasible(self) -> Bool[np.ndarray, " points"]:
        """Which points satisfy every constraint."""
        return np.all(self.constraints <= 0.0, axis=1)

    @property
    def taken(self) -> Float[np.ndarray, "trials dims"]:
        """Places of successful and failed trials."""
        return np.concatenate([self.z, self.failed])

    def extended(
        self, z: Float[np.ndarray, "more dims"], values: Float[np.ndarray, "more outputs"]
    ) -> "History":
        """Appends points with believed outputs."""
        k = self.objectives.shape[1]
        return dataclasses.replace(
            self,
            z=np.concatenate([self.z, z]),
            objectives=np.concatenate([self.objectives, values[:, :k]]),
            constraints=np.concatenate([self.constraints, values[:, k:]]),
        )

    def front(self) -> list[int]:
        """Indices of the feasible non-dominated points, sorted by the first objective."""
        good = np.flatnonzero(self.feasible)
        good = good[pareto.non_dominated(self.objectives[good])]
        return [int(i) for i in good[np.argsort(self.objectives[good, 0], kind="stable")]]

    def ranges(self) -> Float[np.ndarray, " constraints"]:
        """Range of every constraint, the unit of its margin; 1 for a constant one."""
        if self.constraints.size == 0:
            return np.ones(self.constraints.shape[1])
        extent = np.ptp(self.constraints, axis=0)
        return np.where(extent > 0.0, extent, 1.0)

    def elite(self) -> Float[np.ndarray, "elite dims"]:
        """Places worth searching around: the front, or else the least infeasible points."""
        front = self.front()
        if front:
            return self.z[front]
        violation = np.sum(np.maximum(self.constraints, 0.0) / self.ranges()[None], axis=1)
        return self.z[np.argsort(violation, kind="stable")[:5]]

    def margins(self, n_initial: int) -> Float[np.ndarray, " constraints"]:
        """Squared safety margins after the outcomes of all infills, in units of the range.

        A satisfied constraint shrinks its margin, a violated one widens it.
        """
        margin = np.full(self.constraints.shape[1], _FIRST_MARGIN)
        for row in self.constraints[n_initial:]:
            margin = np.minimum(
                margin * np.where(row <= 0.0, _MARGIN_SHRINK, _MARGIN_GROW), _LARGEST_MARGIN
            )
        return margin**2

    def clearances(self) -> Float[np.ndarray, " trials"]:
        """Radius around each of :attr:`taken` that a suggestion keeps out of.

        Around a failure it is larger, but never reaches the nearest success.
        """
        dims = self.z.shape[1]
        spacing = _SPACING * dims
        radii = [spacing] * len(self.z)
        for z in self.failed:
            nearest = np.min(np.linalg.norm(self.z - z[None], axis=1), initial=np.inf)
            radii.append(max(spacing, min(_FAILURE_SHARE * nearest, _FAILURE_RADIUS * dims**0.5)))
        return np.array(radii)
