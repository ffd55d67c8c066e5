"""The inner search for the next point: candidates, multi-start refinement, final pick."""

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import distance

from samo_cobra import candidates, criterion
from samo_cobra.exact import ExactOutputs
from samo_cobra.modelling import Modelled
from samo_cobra.precision import float64_on_cpu
from samo_cobra.ranking import Ranked
from samo_cobra.space import Space

# Starts that are refined together. Few of them lead to the best optimum, the fewer the more
# dimensions there are, so many are begun and only the best go on.
N_STARTS = 32
_MOST_BATCHES = 4
_FIRST_STEPS = 6
# Further evaluations of those that go on.
STEPS = 12
# Rounds of varying the best candidates where there are discrete axes.
_VARIATIONS = 3


@dataclasses.dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        z: the point, on [-1, 1]^d.
        gain: its predicted scaled gain; 0 for none.
        chance: that it is feasible, by recent errors of the models.
        outputs: its predicted outputs, minimised, in original units.
        steps: gradient steps that the search took.
    """

    z: Float[np.ndarray, " dims"]
    gain: float
    chance: float
    outputs: Float[np.ndarray, " outputs"]
    steps: int


@dataclasses.dataclass(frozen=True)
class _Starts:
    """Where gradient searches begin, which axes they may move, and how cautious they are."""

    z: Float[np.ndarray, "starts dims"]
    free: Bool[np.ndarray, "starts dims"]
    caution: Float[np.ndarray, " starts"]

    @classmethod
    def of(
        cls,
        ranked: Ranked,
        movable: Bool[np.ndarray, "candidates dims"],
        n: int,
        rng: np.random.Generator,
    ) -> "_Starts":
        """A third the best candidates, the others any of them; every other one is bold.

        Where a search ends has little to do with the rating of its start. A bold one ignores the
        margins by errors: it finds gains that are larger and less likely.
        """
        order = np.argsort(ranked.merit(), kind="stable")
        best = order[: n // 3]
        rows = np.concatenate([best, rng.permutation(order[n // 3 :])[: n - len(best)]])
        return cls(ranked.z[rows], movable[rows], np.arange(n) % 2.0)

    def rows(self, chosen: list[int] | Int[np.ndarray, " chosen"]) -> "_Starts":
        """Some of them."""
        return _Starts(self.z[chosen], self.free[chosen], self.caution[chosen])

    def at(self, z: Float[np.ndarray, "starts dims"]) -> "_Starts":
        """The same searches from other points."""
        return dataclasses.replace(self, z=z)


@dataclasses.dataclass(frozen=True)
class Search:
    """One search for a point.

    Attributes:
        posed: surrogates, front and constraints.
        modelled: what they were made of.
        exact: outputs that need no model.
        space: what is searched.
        elite: places worth searching around.
        taken: places of all trials.
        sobol: an even set of points to draw candidates from.
    """

    posed: criterion.InfillProblem
    modelled: Modelled
    exact: ExactOutputs
    space: Space
    elite: Float[np.ndarray, "elite dims"]
    taken: Float[np.ndarray, "points dims"]
    sobol: Float[np.ndarray, "candidates dims"]

    def best(
        self, rng: np.random.Generator, first: Float[np.ndarray, "rows dims"] | None = None
    ) -> Found:
        """Finds the most promising point.

        The effort follows the need: a gradient search ends when all its starts have converged,
        and where no gain is found, a second search begins from other candidates, with more steps.

        Args:
            rng: draws the candidates.
            first: points to start from besides the candidates.

        Returns:
            The free, predicted-feasible point of largest gain times chance; without a gain, the one
            nearest to having one; without a feasible one, the one of least violation.
        """
        ranked, steps = self._attempt(STEPS, rng, first)
        if not ranked.gains(ranked.best()):
            more, further = self._attempt(2 * STEPS, rng, first)
            ranked, steps = ranked.joined(more), steps + further
        best = ranked.best()
        gain, chance = float(ranked.gain[best]), float(ranked.chance[best])
        return Found(ranked.z[best], gain, chance, ranked.outputs[best], steps)

    def _attempt(
        self, n: int, rng: np.random.Generator, first: Float[np.ndarray, "rows dims"] | None
    ) -> tuple[Ranked, int]:
        """Rates one pool of candidates and refines the best of them by at most ``n`` steps."""
        pool = candidates.draw(self.space, self.elite, self.taken, self.sobol, rng)
        if first is not None:
            pool[: len(first)] = first
        with float64_on_cpu():
            return self._improved(pool, n, rng)

    def _improved(
        self, pool: Float[np.ndarray, "candidates dims"], n: int, rng: np.random.Generator
    ) -> tuple[Ranked, int]:
        ranked = self._rated(pool)
        if self.space.discrete_axes.any() and self.space.size > candidates.N_CANDIDATES:
            ranked = self._varied(ranked, rng)
        pool = ranked.z
        movable = self.space.active_axes(0.5 * (pool + 1.0)) & ~self.space.discrete_axes[None]
        if not movable.any():
            return ranked, 0
        batches = min(_MOST_BATCHES, int(movable.any(axis=0).sum()))
        starts, used = _Starts.of(ranked, movable, batches * N_STARTS, rng), 0
        if batches > 1:
            ranked, starts, used = self._begun(ranked, starts, batches)
        refined, steps = self._refine(starts, ranked.gain_unit(), n)
        return refined.joined(ranked), used + steps

    def _begun(self, ranked: Ranked, starts: _Starts, batches: int) -> tuple[Ranked, _Starts, int]:
        """Takes some steps from all starts; the best ends go on."""
        parts = [np.arange(k, len(starts.z), batches) for k in range(batches)]
        unit = ranked.gain_unit()
        begun = [self._refine(starts.rows(part), unit, _FIRST_STEPS) for part in parts]
        ends = functools.reduce(Ranked.joined, [end for end, _ in begun])
        best = ends.distinct(N_STARTS, 0.01 * np.sqrt(ends.z.shape[1]))
        going = starts.rows(np.concatenate(parts)).at(ends.z).rows(best)
        return ends.joined(ranked), going, sum(steps for _, steps in begun)

    def _rated(self, pool: Float[np.ndarray, "candidates dims"]) -> Ranked:
        return self._ranked(
            pool, criterion.score(self.posed, jnp.asarray(pool), self.exact.at(pool))
        )

    def _ranked(self, z: Float[np.ndarray, "candidates dims"], score: criterion.Score) -> Ranked:
        history = self.modelled.history
        trials = history.z[: self.modelled.n_measured]
        constraints = np.asarray(score.outputs)[:, history.objectives.shape[1] :]
        nearest = distance.cdist(z, trials).min(axis=1)
        chance = self.modelled.margins.chances(constraints / history.ranges(), nearest)
        return Ranked.of(z, score, chance).without(~self.exact.allowed(z))

    def _varied(self, ranked: Ranked, rng: np.random.Generator) -> Ranked:
        """Adds variations of the best candidates: the search along the discrete axes."""
        for _ in range(_VARIATIONS):
            best = ranked.z[ranked.distinct(N_STARTS, 0.0)]
            drawn = rng.uniform(-1.0, 1.0, size=(candidates.N_CANDIDATES, self.space.dims))
            ranked = self._rated(
                candidates.snap(candidates.crossed(best, drawn, rng), self.space)
            ).joined(ranked)
        return ranked

    def _refine(self, starts: _Starts, gain_unit: float, n: int) -> tuple[Ranked, int]:
        """Improves starts by at most ``n`` evaluations each."""
        z, axes, caution = (jnp.asarray(a) for a in (starts.z, starts.free, starts.caution))
        unit = jnp.asarray(gain_unit)
        if len(self.exact) == 0:
            end, score = criterion.refine(self.posed, z, axes, unit, caution, jnp.asarray(n))
            return self._ranked(np.asarray(end.z), score), int(end.steps)
        state = criterion.begin(self.posed, z, n_exact=len(self.exact))
        working, steps = True, 0
        while working and steps < n:
            exact = self.exact.at(np.asarray(state.trial), starts.free)
            state, working = criterion.step(self.posed, state, exact, axes, unit, caution)
            steps += 1
        ends = np.asarray(state.z)
        return self._ranked(ends, criterion.score(self.posed, state.z, self.exact.at(ends))), steps
