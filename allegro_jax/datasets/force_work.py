"""Do forces belong to energies? Differences of energy between similar frames against the work.

For two frames of the same atoms, `E_b - E_a = -1/2 (F_a + F_b) . (r_b - r_a)` up to third order in
the displacement. The slope of one side against the other is 1 where both are in the same units.
"""

import dataclasses

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.distance import pdist

from allegro_jax.datasets.dataset import Structure
from allegro_jax.datasets.fingerprints import Structures, nearest_images, pair_distances

_RUNS, _RUN_LENGTH = 200, 3  # of successive frames, spread over the set
_PAIRS, _CANDIDATES = 60, 1000  # the most similar ones, of those with similar distances
_FAR = 0.35  # Å, rms of a component; beyond it the third order is not small
_ATOMS = 24  # whose distances are compared
_ENOUGH_PAIRS, _ENOUGH_CORRELATION = 8, 0.6


@dataclasses.dataclass(frozen=True)
class Work:
    """Evidence on the ratio of energies to forces.

    Attributes:
        ratio: Energy differences over the work of the forces; negative where forces are gradients.
        correlation: Of the two.
        pairs: How many pairs of frames.
    """

    ratio: float
    correlation: float
    pairs: int


def force_work(structures: Structures) -> Work | None:
    """Compares energies with forces; None where there is not enough evidence to say anything.

    Args:
        structures: With energies and forces; a few hundred of them are looked at.
    """
    rows = _runs(len(structures))
    items = [structures[int(k)] for k in rows]
    by_atoms: dict[bytes, list[Structure]] = {}
    for item in items:
        if len(item.numbers) > 1 and _is_labelled(item):
            by_atoms.setdefault(_key(item), []).append(item)
    groups = [group for group in by_atoms.values() if len(group) > 1]
    if not groups:
        return None
    parts = [_differences(group) for group in groups]
    moved, energy, work = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    nearest = np.argsort(moved)[:_PAIRS]
    nearest = nearest[moved[nearest] < _FAR]
    energy, work = energy[nearest], work[nearest]
    if len(nearest) < _ENOUGH_PAIRS or not (energy.any() and work.any()):
        return None
    correlation = float(energy @ work / np.sqrt((energy @ energy) * (work @ work)))
    if abs(correlation) < _ENOUGH_CORRELATION:
        return None
    # Both sides have errors, so neither is regressed on the other.
    size = float(np.sqrt((energy @ energy) / (work @ work)))
    return Work(float(np.copysign(size, correlation)), correlation, len(nearest))


def _runs(count: int) -> Int[np.ndarray, "rows"]:
    """Rows of short runs of successive structures, spread evenly."""
    starts = np.linspace(0, max(count - _RUN_LENGTH, 0), _RUNS).astype(int)
    rows = (starts[:, None] + np.arange(_RUN_LENGTH)).ravel()
    return np.unique(rows[rows < count])


def _is_labelled(item: Structure) -> bool:
    if item.energy is None or item.forces is None:
        return False
    return bool(np.isfinite(item.energy) and np.isfinite(item.forces).all())


def _key(item: Structure) -> bytes:
    """Frames with the same key have the same atoms in the same order, in the same cell."""
    cell = np.round(item.cell * item.pbc[:, None], 6) + 0.0
    return item.numbers.astype(np.uint8).tobytes() + item.pbc.tobytes() + cell.tobytes()


def _differences(
    items: list[Structure],
) -> tuple[Float[np.ndarray, "pairs"], Float[np.ndarray, "pairs"], Float[np.ndarray, "pairs"]]:
    """Rms displacement, energy difference and work of the forces for pairs of similar frames."""
    a, b = _similar(items)
    positions = np.stack([item.positions for item in items])
    forces = np.stack([item.forces for item in items if item.forces is not None])
    energy = np.array([item.energy for item in items])
    start, end, pull, push = positions[a], positions[b], forces[a], forces[b]
    if items[0].pbc.any():
        # Atoms may have been wrapped in one of the frames.
        moved = nearest_images(end - start, items[0].cell, items[0].pbc)
        moved = moved - moved.mean(axis=1, keepdims=True)
    else:
        rotation = _rotations(start, end)
        centred = end - end.mean(axis=1, keepdims=True)
        moved = centred @ rotation - (start - start.mean(axis=1, keepdims=True))
        push = push @ rotation
    work = -0.5 * np.einsum("pac,pac->p", pull + push, moved)
    return np.sqrt(np.mean(moved**2, axis=(1, 2))), energy[b] - energy[a], work


def _similar(items: list[Structure]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of frames whose interatomic distances, atom by atom, differ least."""
    unlike = pdist(pair_distances(items, _ATOMS))
    nearest = np.argsort(unlike)[:_CANDIDATES]
    a, b = np.triu_indices(len(items), k=1)
    return a[nearest], b[nearest]


def _rotations(
    start: Float[np.ndarray, "pairs atoms 3"], end: Float[np.ndarray, "pairs atoms 3"]
) -> Float[np.ndarray, "pairs 3 3"]:
    """Rotations that lay every end best on its start (Kabsch)."""
    start = start - start.mean(axis=1, keepdims=True)
    end = end - end.mean(axis=1, keepdims=True)
    left, _, right = np.linalg.svd(end.swapaxes(1, 2) @ start)
    sign = np.sign(np.linalg.det(left @ right))
    left[:, :, 2] *= sign[:, None]
    return np.asarray(left @ right)
