"""What has been evaluated, as the arrays that the models are fitted to."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from samo_cobra import pareto
from samo_cobra.trials import Trial

# Closest approach to an evaluated point, per dimension, on the cube of side 2.
_SPACING = 1e-4
# Radius around a failed point that is avoided, in units of the square root of the dimension.
_FAILURE_RADIUS = 0.25
# At most this share of the way from a failed point to the nearest success is avoided, so that
# the border between them is closed in on slowly, from the side of success.
_FAILURE_SHARE = 0.75
# Outputs beyond this are all equally absurd.
_LARGEST = 1e100


@dataclasses.dataclass(frozen=True)
class History:
    """Places on the cube [-1, 1]^d and outputs of the trials; objectives are minimised.

    Attributes:
        z, objectives, constraints: trials with every output.
        eligible: which of these may be on the front: all but failed ones.
        partial_z, partial, partial_eligible: trials with some outputs; NaN where one is missing.
        failed: places of failed trials, with or without outputs.
    """

    z: Float[np.ndarray, "points dims"]
    objectives: Float[np.ndarray, "points objectives"]
    constraints: Float[np.ndarray, "points constraints"]
    eligible: Bool[np.ndarray, " points"]
    partial_z: Float[np.ndarray, "partials dims"]
    partial: Float[np.ndarray, "partials outputs"]
    partial_eligible: Bool[np.ndarray, " partials"]
    failed: Float[np.ndarray, "failures dims"]

    @classmethod
    def of(
        cls,
        trials: Sequence[Trial],
        units: Sequence[Float[np.ndarray, " dims"]],
        dims: int,
        signs: Float[np.ndarray, " objectives"],
        n_constraints: int,
    ) -> "History":
        """Collects trials.

        Args:
            trials: trials in the order they were told.
            units: their places in the unit cube.
            dims: dimension of the cube.
            signs: -1 for objectives to maximise, 1 for the others.
            n_constraints: number of constraints.
        """
        k = len(signs)
        z = 2.0 * np.array(units, dtype=float).reshape(-1, dims) - 1.0
        values = np.array([t.objectives + t.constraints for t in trials], dtype=float)
        values = values.reshape(len(trials), k + n_constraints)
        values[:, :k] *= signs
        failed = np.array([t.failed for t in trials], dtype=bool)
        complete = np.array([t.complete for t in trials], dtype=bool)
        some = ~complete & np.any(np.isfinite(values), axis=1)
        return cls(
            z[complete],
            values[complete, :k],
            values[complete, k:],
            np.ones(int(complete.sum()), dtype=bool),
            z[some],
            values[some],
            ~failed[some],
            z[failed],
        )

    def __len__(self) -> int:
        return len(self.z)

    @property
    def values(self) -> Float[np.ndarray, "points outputs"]:
        """All outputs, objectives first."""
        return np.concatenate([self.objectives, self.constraints], axis=1)

    @property
    def feasible(self) -> Bool[np.ndarray, " points"]:
        """Which points satisfy every constraint and may be on the front."""
        return self.eligible & np.all(self.constraints <= 0.0, axis=1)

    @property
    def taken(self) -> Float[np.ndarray, "trials dims"]:
        """Places of all trials."""
        # A failed trial with some outputs is listed twice, which is in nobody's way.
        return np.concatenate([self.z, self.partial_z, self.failed])

    def bounded(self) -> "History":
        """The same trials with outputs whose squares do not overflow, as the models need them."""
        return dataclasses.replace(
            self.replaced(np.clip(self.values, -_LARGEST, _LARGEST)),
            partial=np.clip(self.partial, -_LARGEST, _LARGEST),
        )

    def replaced(self, values: Float[np.ndarray, "points outputs"]) -> "History":
        """The same places with other outputs, for instance the means of a noisy model."""
        k = self.objectives.shape[1]
        return dataclasses.replace(self, objectives=values[:, :k], constraints=values[:, k:])

    def extended(
        self,
        z: Float[np.ndarray, "more dims"],
        values: Float[np.ndarray, "more outputs"],
        eligible: Bool[np.ndarray, " more"] | None = None,
    ) -> "History":
        """Appends points with believed outputs, by default such as may be on the front."""
        k = self.objectives.shape[1]
        marks = np.ones(len(z), dtype=bool) if eligible is None else eligible
        return dataclasses.replace(
            self,
            z=np.concatenate([self.z, z]),
            objectives=np.concatenate([self.objectives, values[:, :k]]),
            constraints=np.concatenate([self.constraints, values[:, k:]]),
            eligible=np.concatenate([self.eligible, marks]),
        )

    def front(self) -> list[int]:
        """Indices of the feasible non-dominated points, sorted by the first objective."""
        good = np.flatnonzero(self.feasible)
        good = good[pareto.non_dominated(self.objectives[good])]
        return [int(i) for i in good[np.argsort(self.objectives[good, 0], kind="stable")]]

    def distance(self, z: Float[np.ndarray, " dims"], n: int) -> float:
        """Distance from a place to the nearest of the first ``n`` points."""
        return float(np.min(np.linalg.norm(self.z[:n] - z[None], axis=1)))

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

    def clearances(self) -> Float[np.ndarray, " trials"]:
        """Radius around each of :attr:`taken` that a suggestion keeps out of.

        Around a failure it is larger, but never reaches the nearest success.
        """
        dims = self.z.shape[1]
        spacing = _SPACING * dims
        radii = [spacing] * (len(self.z) + len(self.partial_z))
        good = self.z[self.eligible]
        for z in self.failed:
            nearest = np.min(np.linalg.norm(good - z[None], axis=1), initial=np.inf)
            radii.append(max(spacing, min(_FAILURE_SHARE * nearest, _FAILURE_RADIUS * dims**0.5)))
        return np.array(radii)
