"""Points to begin the inner search from: spread over the cube, and made from the front."""

import numpy as np
from jaxtyping import Bool, Float

from samo_cobra.space import Space

N_CANDIDATES = 512
# Largest discrete space that is enumerated instead of sampled.
LARGEST_GRID = 2**14


def snap(z: Float[np.ndarray, "rows dims"], space: Space) -> Float[np.ndarray, "rows dims"]:
    """The nearest points of the cube [-1, 1]^d that are points of the space."""
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


def crossed(
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


def draw(
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
    uniform[rest:] = crossed(elite, uniform[rest:], rng)
    return snap(uniform, space)
