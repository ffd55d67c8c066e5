"""The inner search for the next point: candidates, multi-start refinement, final pick."""

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from samo_cobra import criterion, pareto, surrogates
from samo_cobra.history import History
from samo_cobra.padding import capacity, pad_rows
from samo_cobra.precision import float64_on_cpu
from samo_cobra.space import Space

N_CANDIDATES = 512
N_STARTS = 16
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

    @classmethod
    def of(cls, z: Float[np.ndarray, "candidates dims"], score: criterion.Score) -> "_Ranked":
        columns = [np.nan_to_num(np.asarray(c), nan=np.inf) for c in score]
        columns[0] = np.where(np.isfinite(columns[0]), columns[0], 0.0)
        return cls(np.asarray(z), *columns)

    def best(self) -> int:
        """Index of the pick: free, feasible, largest gain, and sensible steps back from there."""
        free = self.too_close <= 0.0
        pool = free if free.any() else np.ones_like(free)
        sound = pool & (self.violation <= _FEASIBLE)
        if not sound.any():
            return int(np.argmin(np.where(pool, self.violation, np.inf)))
        if np.any(self.gain[sound] > 0.0):
            return int(np.argmax(np.where(sound, self.gain, -np.inf)))
        return int(np.argmin(np.where(sound, self.penalty, np.inf)))


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """A point of [-1, 1]^d with its predicted scaled gain."""

    z: Float[np.ndarray, " dims"]
    gain: float


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
    """Draws the candidates: half spread over the cube, half around the front, all snapped."""
    if space.size <= LARGEST_GRID:
        return np.resize(unevaluated(space, taken, rng), (N_CANDIDATES, space.dims))
    # Shifting a fixed low-discrepancy set is as even as a new one and much cheaper.
    uniform = 2.0 * ((sobol + rng.uniform(size=space.dims)) % 1.0) - 1.0
    half = N_CANDIDATES // 2
    uniform[half:] = _near_elite(elite, uniform[half:], space, rng)
    return _snap(uniform, space)


def _starts(ranked: _Ranked, gain_unit: float) -> Float[np.ndarray, "starts dims"]:
    """Best candidates: half of them far apart, half simply the best of the rest."""
    merit = ranked.penalty - ranked.gain / gain_unit + 10.0 * ranked.violation
    merit = merit + 10.0 * ranked.too_close
    order = np.argsort(merit, kind="stable")
    radius = 0.1 * np.sqrt(ranked.z.shape[1])
    chosen: list[int] = []
    for index in order:
        gaps = np.linalg.norm(ranked.z[chosen] - ranked.z[index], axis=1)
        if np.min(gaps, initial=np.inf) > radius:
            chosen.append(int(index))
        if len(chosen) == N_STARTS // 2:
            break
    rest = [int(i) for i in order if int(i) not in set(chosen)]
    return ranked.z[(chosen + rest)[:N_STARTS]]


def search(
    posed: criterion.InfillProblem,
    pool: Float[np.ndarray, "candidates dims"],
    free: Bool[np.ndarray, " dims"],
) -> Suggestion:
    """Finds the most promising point.

    Args:
        posed: surrogates, front and constraints.
        pool: representable candidates on [-1, 1]^d.
        free: real axes, along which candidates are refined.

    Returns:
        The free, predicted-feasible point of largest gain; without a gain, the one nearest to
        having one; without a feasible one, the one of least violation.
    """
    with float64_on_cpu():
        ranked = _Ranked.of(pool, criterion.score(posed, jnp.asarray(pool)))
        if free.any():
            sound = (ranked.violation <= _FEASIBLE) & (ranked.too_close <= 0.0)
            known = np.max(ranked.gain[sound], initial=0.0)
            gain_unit = known if known > 0.0 else max(1e-3 * np.max(ranked.gain), 1e-9)
            starts, unit = jnp.asarray(_starts(ranked, gain_unit)), jnp.asarray(gain_unit)
            ends, score = criterion.refine(posed, starts, jnp.asarray(free), unit)
            refined = _Ranked.of(np.asarray(ends), score)
            ranked = _Ranked(
                *(
                    np.concatenate([getattr(refined, f.name), getattr(ranked, f.name)])
                    for f in dataclasses.fields(_Ranked)
                )
            )
    best = ranked.best()
    return Suggestion(ranked.z[best], float(ranked.gain[best]))


def problem(
    history: History,
    model: surrogates.Model,
    reference: Float[np.ndarray, " objectives"],
    margins: Float[np.ndarray, " constraints"],
) -> criterion.InfillProblem:
    """Collects the padded arrays of one infill search.

    Objectives are measured in units of the extent of the front, so that the search sees numbers
    of order one; scaling an axis scales every gain alike.
    """
    front = history.objectives[history.front()]
    front = front[np.all(front < reference, axis=1)]
    centre, width = _units(history.objectives, front)
    front, corner = (front - centre) / width, (reference - centre) / width
    lower, upper = pareto.non_dominated_boxes(front, corner)
    n, boxes = capacity(len(history.taken)), capacity(len(lower))
    if len(reference) <= 2:
        boxes = n + 1
    lower, upper = pareto.pad_boxes(lower, upper, boxes)
    with float64_on_cpu():
        return criterion.InfillProblem(
            model=model,
            centre=jnp.asarray(centre),
            width=jnp.asarray(width),
            reference=jnp.asarray(corner),
            # Padding of the front dominates nothing, that of the places is in nobody's way.
            front=jnp.asarray(pad_rows(front, n, 1e300)),
            lower=jnp.asarray(lower),
            upper=jnp.asarray(upper),
            constraint_range=jnp.asarray(history.ranges()),
            margin=jnp.asarray(margins),
            taken=jnp.asarray(pad_rows(history.taken, n, 1e3)),
            clearance=jnp.asarray(pad_rows(history.clearances(), n, 1.0)),
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
