"""Radial distribution functions of trajectories, by ASE."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import ase

LARGEST = 6.0
"""Å; smaller in cells that are lower than twice as much."""

_BINS = 120


def radial_distributions(
    frames: Sequence[ase.Atoms], at_most: int = 12
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns g(r) for each pair of elements, averaged over frames.

    Of a molecule, which has no density, pairs are counted against as many spread over a sphere of
    the largest distance.

    Args:
        frames: Of a trajectory; those of its second half are taken.
        at_most: Frames, spread evenly, for each takes ASE up to a second.

    Returns:
        Distances (Å) and values, by names such as "Cu-Li".
    """
    from ase.geometry.rdf import get_rdf

    chosen = _spread(frames[len(frames) // 2 :], at_most)
    largest = min([LARGEST, *(0.499 * _lowest(frame) for frame in chosen if frame.pbc.any())])
    volume = None if chosen[0].pbc.any() else 4.0 / 3.0 * math.pi * largest**3
    found = {}
    elements = sorted(set(chosen[0].symbols))
    for pair in itertools.combinations_with_replacement(elements, 2):
        numbers = [chosen[0].numbers[list(chosen[0].symbols).index(name)] for name in pair]
        if pair[0] == pair[1] and list(chosen[0].symbols).count(pair[0]) < 2:
            continue
        curves = [
            get_rdf(frame, largest, _BINS, elements=numbers, volume=volume) for frame in chosen
        ]
        found["-".join(pair)] = (curves[0][1], np.mean([curve[0] for curve in curves], axis=0))
    return found


def _spread(frames: Sequence[ase.Atoms], number: int) -> list[ase.Atoms]:
    rows = np.unique(np.linspace(0, len(frames) - 1, min(number, len(frames))).round().astype(int))
    return [frames[row] for row in rows]


def _lowest(atoms: ase.Atoms) -> float:
    """Smallest distance of opposite faces of the cell in the periodic directions, Å."""
    heights = 1.0 / np.linalg.norm(np.asarray(atoms.cell.reciprocal()), axis=1)
    return float(heights[atoms.pbc].min())
