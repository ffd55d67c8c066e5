"""The inner search for the next point: candidates, multi-start refinement, final pick."""

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from samo_cobra import criterion, feasibility, pareto
from samo_cobra.exact import ExactOutputs
from samo_cobra.history import History
from samo_cobra.modelling import Modelled
from samo_cobra.padding import capacity, pad_rows
from samo_cobra.precision import float64_on_cpu
from samo_cobra.space import Space

N_CANDIDATES = 512
# Starts that are refined together. Few of them lead to the best optimum, the fewer the more
# dimensions there are, so many are begun and only the best go on.
N_STARTS = 32
_MOST_BATCHES = 4
_FIRST_STEPS = 6
# Further evaluations of those that go on.
STEPS = 12
# Rounds of varying the best candidates where there are discrete axes.
_VARIATIONS = 3
# Largest discrete space that is enumerated instead of sampled.
LARGEST_GRID = 2**14
# Normalised constraint violation that counts as none; the margins are wider.
_FEASIBLE = 1e-7


@dataclasses.dataclass(frozen=True)
class _Ranked:
    """Candidates with their predicted merits, all on the host."""

    z: Float[np.ndarray, "candidates dims"]
    gain: Float[np.ndarray, " candidates"]
    penalty: Float[np.ndarray, " candidates"]
    violation: Float[np.ndarray, " candidates"]
    too_close: Float[np.ndarray, " candidates"]
    outputs: Float[np.ndarray, "candidates outputs"]

    @classmethod
    def of(cls, z: Float[np.ndarray, "candidates dims"], score: criterion.Score) -> "_Ranked":
        columns = [np.nan_to_num(np.asarray(c), nan=np.inf) for c in score]
        columns[0] = np.where(np.isfinite(columns[0]), columns[0], 0.0)
        return cls(np.asarray(z), *columns)

    def without(self, forbidden: Bool[np.ndarray, " candidates"]) -> "_Ranked":
        """Candidates that break a restriction are as good as taken."""
        return dataclasses.replace(self, too_close=np.where(forbidden, np.inf, self.too_close))

    def joined(self, other: "_Ranked") -> "_Ranked":
        """All candidates of both."""
        names = [f.name for f in dataclasses.fields(self)]
        return _Ranked(*(np.concatenate([getattr(self, n), getattr(other, n)]) for n in names))

    def _sound(self) -> Bool[np.ndarray, " candidates"]:
        return (self.violation <= _FEASIBLE) & (self.too_close <= 0.0)

    def gain_unit(self) -> float:
        """The largest gain known to be feasible, or a small part of the largest."""
        known = np.max(self.gain[self._sound()], initial=0.0)
        return float(known) if known > 0.0 else float(max(1e-3 * np.max(self.gain), 1e-9))

    def merit(self) -> Float[np.ndarray, " candidates"]:
        """Criterion and violations in one number, lowest is best."""
        trouble = self.violation + np.minimum(self.too_close, 1e3)
        return self.penalty - self.gain / self.gain_unit() + 10.0 * trouble

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
        """Index of the pick: free, feasible, largest gain, and sensible steps back from there."""
        free = self.too_close <= 0.0
        least = np.min(self.too_close)
        pool = free if free.any() else self.too_close <= least
        sound = pool & (self.violation <= _FEASIBLE)
        if not sound.any():
            return int(np.argmin(np.where(pool, self.violation, np.inf)))
        if np.any(self.gain[sound] > 0.0):
            return int(np.argmax(np.where(sound, self.gain, -np.inf)))
        return int(np.argmin(np.where(sound, self.penalty, np.inf)))


@dataclasses.dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        z: the point, on [-1, 1]^d.
        gain: its predicted scaled gain; 0 for none.
        outputs: its predicted outputs, minimised, in original units.
        steps: gradient steps that the search took.
    """

    z: Float[np.ndarray, " dims"]
    gain: float
    outputs: Float[np.ndarray, " outputs"]
    steps: int


def _snap(z: Float[np.ndarray, "rows dims"], space: Space) -> Float[np.ndarray, "rows dims"]:
    return 2.0 * space.snap(0.5 * (z + 1.0)) - 1.0


def _near_elite(
    elite: Float[np.ndarray, "elite dims"],
    uniform: Float[np.ndarray, "rows dims"],
    space: Space,
    rng: np.random.Generator,
) -> Float[np.ndarray, "rows dims"]:
    """Points between neighbours of the front, moved by steps of many sizes."""
    rows, dims = uniform.shape
    first = rng.integers(len(elite), size=rows)
    second = np.minimum(first + 1, len(elite) - 1)
    share = rng.uniform(size=(rows, 1))
    steps = 10.0 ** rng.uniform(-3.0, -0.5, size=(rows, 1)) * rng.normal(size=(rows, dims))
    steps *= rng.uniform(size=(rows, dims)) < rng.uniform(0.2, 1.0, size=(rows, 1))
    z = elite[first] + share * (elite[second] - elite[first]) + steps
    # Small steps never leave a cell of a discrete axis, so some are drawn afresh.
    redrawn = space.discrete_axes[None] & (rng.uniform(size=(rows, dims)) < 0.2)
    return np.clip(np.where(redrawn, uniform, z), -1.0, 1.0)


def _crossed(
    elite: Float[np.ndarray, "elite dims"],
    uniform: Float[np.ndarray, "rows dims"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "rows dims"]:
    """Points of the front with a few coordinates drawn afresh, every other one from a bound."""
    rows, dims = uniform.shape
    changed = rng.uniform(size=(rows, dims)) < 2.0 / dims
    bound = rng.uniform(size=(rows, dims)) < 0.5
    drawn = np.where(bound, np.where(uniform > 0.0, 1.0, -1.0), uniform)
    return np.where(changed, drawn, elite[rng.integers(len(elite), size=rows)])


def fresh(
    rows: Float[np.ndarray, "rows dims"], taken: Float[np.ndarray, "points dims"]
) -> Bool[np.ndarray, " rows"]:
    """Marks rows that are none of the taken points."""
    known = {row.tobytes() for row in np.round(taken, 9) + 0.0}
    return np.array([row.tobytes() not in known for row in np.round(rows, 9) + 0.0], dtype=bool)


def unevaluated(
    space: Space, taken: Float[np.ndarray, "points dims"], rng: np.random.Generator
) -> Float[np.ndarray, "rows dims"]:
    """Points of a small discrete space that are still free; all of them if none is."""
    grid = 2.0 * space.grid() - 1.0
    free = fresh(grid, taken)
    left = grid[free] if free.any() else grid
    return left[rng.permutation(len(left))]


def candidates(
    space: Space,
    elite: Float[np.ndarray, "elite dims"],
    taken: Float[np.ndarray, "points dims"],
    sobol: Float[np.ndarray, "candidates dims"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "candidates dims"]:
    """Draws the candidates: half spread over the cube, half made from the front, all snapped."""
    if space.size - len(taken) <= N_CANDIDATES:
        return np.resize(unevaluated(space, taken, rng), (N_CANDIDATES, space.dims))
    # Shifting a fixed low-discrepancy set is as even as a new one and much cheaper.
    uniform = 2.0 * ((sobol + rng.uniform(size=space.dims)) % 1.0) - 1.0
    half, rest = N_CANDIDATES // 2, 3 * N_CANDIDATES // 4
    uniform[half:rest] = _near_elite(elite, uniform[half:rest], space, rng)
    uniform[rest:] = _crossed(elite, uniform[rest:], rng)
    return _snap(uniform, space)


def _starts(ranked: _Ranked, n: int, rng: np.random.Generator) -> list[int]:
    """Starts of the gradient search: a third the best candidates, the others any of them.

    Where a search ends has little to do with the rating of its start.
    """
    order = np.argsort(ranked.merit(), kind="stable")
    best = order[: n // 3]
    return [*best, *rng.permutation(order[n // 3 :])[: n - len(best)]]


@dataclasses.dataclass(frozen=True)
class Search:
    """One search for a point.

    Attributes:
        posed: surrogates, front and constraints.
        exact: outputs that need no model.
        space: what is searched.
        elite: places worth searching around.
        taken: places of all trials.
        sobol: an even set of points to draw candidates from.
    """

    posed: criterion.InfillProblem
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
            The free, predicted-feasible point of largest gain; without a gain, the one nearest to
            having one; without a feasible one, the one of least violation.
        """
        ranked, steps = self._attempt(STEPS, rng, first)
        if not ranked.gains(ranked.best()):
            more, further = self._attempt(2 * STEPS, rng, first)
            ranked, steps = ranked.joined(more), steps + further
        best = ranked.best()
        return Found(ranked.z[best], float(ranked.gain[best]), ranked.outputs[best], steps)

    def _attempt(
        self, n: int, rng: np.random.Generator, first: Float[np.ndarray, "rows dims"] | None
    ) -> tuple[_Ranked, int]:
        """Rates one pool of candidates and refines the best of them by at most ``n`` steps."""
        pool = candidates(self.space, self.elite, self.taken, self.sobol, rng)
        if first is not None:
            pool[: len(first)] = first
        with float64_on_cpu():
            return self._improved(pool, n, rng)

    def _improved(
        self, pool: Float[np.ndarray, "candidates dims"], n: int, rng: np.random.Generator
    ) -> tuple[_Ranked, int]:
        ranked = self._rated(pool)
        if self.space.discrete_axes.any() and self.space.size > N_CANDIDATES:
            ranked = self._varied(ranked, rng)
        pool = ranked.z
        movable = self.space.active_axes(0.5 * (pool + 1.0)) & ~self.space.discrete_axes[None]
        if not movable.any():
            return ranked, 0
        batches = min(_MOST_BATCHES, int(movable.any(axis=0).sum()))
        starts = _starts(ranked, batches * N_STARTS, rng)
        unit, used = ranked.gain_unit(), 0
        z, free = pool[starts], movable[starts]
        if batches > 1:
            parts = [slice(k, None, batches) for k in range(batches)]
            begun = [self._refine(z[p], free[p], unit, _FIRST_STEPS) for p in parts]
            used = sum(steps for _, steps in begun)
            joined = functools.reduce(_Ranked.joined, [ends for ends, _ in begun])
            ranked = joined.joined(ranked)
            best = joined.distinct(N_STARTS, 0.01 * np.sqrt(z.shape[1]))
            z, free = joined.z[best], np.concatenate([free[p] for p in parts])[best]
            unit = ranked.gain_unit()
        refined, steps = self._refine(z, free, unit, n)
        return refined.joined(ranked), used + steps

    def _rated(self, pool: Float[np.ndarray, "candidates dims"]) -> _Ranked:
        score = criterion.score(self.posed, jnp.asarray(pool), self.exact.at(pool))
        return _Ranked.of(pool, score).without(~self.exact.allowed(pool))

    def _varied(self, ranked: _Ranked, rng: np.random.Generator) -> _Ranked:
        """Adds variations of the best candidates: the search along the discrete axes."""
        for _ in range(_VARIATIONS):
            best = ranked.z[ranked.distinct(N_STARTS, 0.0)]
            drawn = rng.uniform(-1.0, 1.0, size=(N_CANDIDATES, self.space.dims))
            ranked = self._rated(_snap(_crossed(best, drawn, rng), self.space)).joined(ranked)
        return ranked

    def _refine(
        self,
        starts: Float[np.ndarray, "starts dims"],
        free: Bool[np.ndarray, "starts dims"],
        gain_unit: float,
        n: int,
    ) -> tuple[_Ranked, int]:
        """Improves starts by at most ``n`` evaluations each."""
        unit, z, axes = jnp.asarray(gain_unit), jnp.asarray(starts), jnp.asarray(free)
        if len(self.exact) == 0:
            end, score = criterion.refine(self.posed, z, axes, unit, jnp.asarray(n))
            return _Ranked.of(np.asarray(end.z), score), int(end.steps)
        state = criterion.begin(self.posed, z, n_exact=len(self.exact))
        working, steps = True, 0
        while working and steps < n:
            exact = self.exact.at(np.asarray(state.trial), free)
            state, working = criterion.step(self.posed, state, exact, axes, unit)
            steps += 1
        ends = np.asarray(state.z)
        rated = criterion.score(self.posed, state.z, self.exact.at(ends))
        return _Ranked.of(ends, rated).without(~self.exact.allowed(ends)), steps


def problem(
    modelled: Modelled,
    exact: ExactOutputs,
    reference: Float[np.ndarray, " objectives"],
) -> criterion.InfillProblem:
    """Collects the padded arrays of one infill search.

    Objectives are measured in units of the extent of the front, so that the search sees numbers
    of order one; scaling an axis scales every gain alike.
    """
    history = modelled.history
    front = history.objectives[history.front()]
    front = front[np.all(front < reference, axis=1)]
    centre, width = _units(history.objectives, front)
    front, corner = (front - centre) / width, (reference - centre) / width
    lower, upper = pareto.non_dominated_boxes(front, corner)
    # What lies further below all that was seen than all of it spreads is extrapolation gone
    # wild, mostly of a logarithm mapped back: it counts as lying there.
    floor = history.objectives.min(axis=0) - np.ptp(history.objectives, axis=0)
    lower = np.maximum(lower, (floor - centre) / width)
    n, boxes = capacity(len(history.taken)), capacity(len(lower))
    if len(reference) <= 2:
        boxes = n + 1
    lower, upper = pareto.pad_boxes(lower, upper, boxes)
    with float64_on_cpu():
        return criterion.InfillProblem(
            model=modelled.model,
            order=jnp.asarray(exact.order, dtype=int),
            centre=jnp.asarray(centre),
            width=jnp.asarray(width),
            optimism=jnp.asarray(history.objectives.std(axis=0)),
            reference=jnp.asarray(corner),
            # Padding of the front dominates nothing, that of the places is in nobody's way.
            front=jnp.asarray(pad_rows(front, n, 1e300)),
            lower=jnp.asarray(lower),
            upper=jnp.asarray(upper),
            constraint_range=jnp.asarray(history.ranges()),
            margin=jnp.asarray(modelled.margins.by_outcomes),
            margin_rate=jnp.asarray(modelled.margins.rate),
            measured=jnp.asarray(np.arange(len(modelled.model.mask)) < modelled.n_measured),
            taken=jnp.asarray(pad_rows(history.taken, n, 1e3)),
            clearance=jnp.asarray(pad_rows(history.clearances(), n, 1.0)),
            failures=feasibility.fit(history.z[history.eligible], history.failed),
        )


def _units(
    objectives: Float[np.ndarray, "points objectives"],
    front: Float[np.ndarray, "front objectives"],
) -> tuple[Float[np.ndarray, " objectives"], Float[np.ndarray, " objectives"]]:
    """Origin and extent of the front, or of all points where the front has none."""
    basis = front if len(front) else objectives
    everything = np.ptp(objectives, axis=0)
    extent = np.ptp(basis, axis=0)
    extent = np.where(extent > 1e-6 * everything, extent, everything)
    return basis.min(axis=0), np.where(extent > 0.0, extent, 1.0)


def reachable_reference(
    history: History, reference: Float[np.ndarray, " objectives"]
) -> Float[np.ndarray, " objectives"]:
    """A reference point that the best points so far lie below, at least the given one."""
    best = history.front()
    objectives = history.objectives[best] if best else history.objectives
    spread = np.ptp(history.objectives, axis=0)
    return np.maximum(reference, objectives.max(axis=0) + 0.1 * np.where(spread > 0, spread, 1.0))
