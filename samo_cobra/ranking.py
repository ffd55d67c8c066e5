"""Candidates by what they promise: which to improve, and which to suggest."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float

from samo_cobra import criterion
from samo_cobra.margins import TOLERANCE


@dataclasses.dataclass(frozen=True)
class Ranked:
    """Candidates with their predicted merits, all on the host."""

    z: Float[np.ndarray, "candidates dims"]
    chance: Float[np.ndarray, " candidates"]
    gain: Float[np.ndarray, " candidates"]
    penalty: Float[np.ndarray, " candidates"]
    violation: Float[np.ndarray, " candidates"]
    too_close: Float[np.ndarray, " candidates"]
    outputs: Float[np.ndarray, "candidates outputs"]

    @classmethod
    def of(
        cls,
        z: Float[np.ndarray, "candidates dims"],
        score: criterion.Score,
        chance: Float[np.ndarray, " candidates"],
    ) -> "Ranked":
        """Candidates with their ratings; what is not a number is the worst there is."""
        columns = [np.nan_to_num(np.asarray(c), nan=np.inf) for c in score]
        columns[0] = np.where(np.isfinite(columns[0]), columns[0], 0.0)
        return cls(z, chance, *columns)

    def without(self, forbidden: Bool[np.ndarray, " candidates"]) -> "Ranked":
        """Candidates that break a restriction are as good as taken."""
        return dataclasses.replace(self, too_close=np.where(forbidden, np.inf, self.too_close))

    def joined(self, other: "Ranked") -> "Ranked":
        """All candidates of both."""
        names = [f.name for f in dataclasses.fields(self)]
        return Ranked(*(np.concatenate([getattr(self, n), getattr(other, n)]) for n in names))

    def _sound(self) -> Bool[np.ndarray, " candidates"]:
        return (self.violation <= TOLERANCE) & (self.too_close <= 0.0)

    @property
    def expected(self) -> Float[np.ndarray, " candidates"]:
        """The gain times the chance that the constraints keep what their models promise."""
        return self.gain * self.chance

    def gain_unit(self) -> float:
        """The largest gain to be expected, or a small part of the largest."""
        known = np.max(self.expected[self._sound()], initial=0.0)
        return float(known) if known > 0.0 else float(max(1e-3 * np.max(self.gain), 1e-9))

    def merit(self) -> Float[np.ndarray, " candidates"]:
        """Criterion and violations in one number, lowest is best."""
        trouble = self.violation + np.minimum(self.too_close, 1e3)
        return self.penalty - self.expected / self.gain_unit() + 10.0 * trouble

    def distinct(self, n: int, radius: float) -> list[int]:
        """The ``n`` best that are further apart than ``radius``, filled up with the best others."""
        order = [int(i) for i in np.argsort(self.merit(), kind="stable")]
        chosen: list[int] = []
        for i in order:
            gaps = np.linalg.norm(self.z[chosen] - self.z[i], axis=1)
            if np.min(gaps, initial=np.inf) > radius:
                chosen.append(i)
            if len(chosen) == n:
                return chosen
        others = [i for i in order if i not in set(chosen)]
        return [*chosen, *others][:n]

    def gains(self, index: int) -> bool:
        """Whether a pick promises a gain."""
        return bool(self._sound()[index] and self.gain[index] > 0.0)

    def best(self) -> int:
        """Index of the pick: free, feasible, most to expect, and sensible steps back from there."""
        free = self.too_close <= 0.0
        least = np.min(self.too_close)
        pool = free if free.any() else self.too_close <= least
        sound = pool & (self.violation <= TOLERANCE)
        if not sound.any():
            return int(np.argmin(np.where(pool, self.violation, np.inf)))
        if np.any(self.gain[sound] > 0.0):
            return int(np.argmax(np.where(sound, self.expected, -np.inf)))
        return int(np.argmin(np.where(sound, self.penalty, np.inf)))
