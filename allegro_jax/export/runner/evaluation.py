"""Calls the programs of a file with padded arrays, in one piece or in blocks of whole centres.

The energy of an atom depends on the edges of which it is the centre alone, so a block of centres
can be evaluated on its own. Blocks bound the memory, and on CPU they keep features in the cache.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from .files import Contents, platform

_STEPS_PER_DOUBLING = 4  # sizes are rounded to 16, 20, 24, 28, 32, 40, ...
_FEW_ATOMS, _FEW_EDGES = 16, 32
_ONE_PIECE = 2.5  # on CPU, blocks pay from so many blocks on


class Edges(NamedTuple):
    """Pairs of atoms and their vectors.

    Attributes:
        centres: i, ascending, [edges].
        neighbor_species: index of the type of j, [edges].
        vectors: r_ij (Å), [edges, 3].
    """

    centres: np.ndarray
    neighbor_species: np.ndarray
    vectors: np.ndarray


class Evaluation(NamedTuple):
    """What the program says about a structure in one piece.

    Attributes:
        energies: of the atoms (eV), without reference energies.
        forces: eV/Å.
        strain_gradient: ∂E/∂strain (eV).
    """

    energies: np.ndarray
    forces: np.ndarray
    strain_gradient: np.ndarray


class Evaluator:
    """The programs of a file, the parameters on the device, and array sizes.

    Sizes are rounded up, and do not shrink by less than a half, so that numbers of pairs that
    fluctuate compile nothing.

    Attributes:
        sizes: (program, atoms, edges) met so far; each of them was compiled.
    """

    def __init__(self, contents: Contents) -> None:
        header = contents.header
        self._x64 = bool(header["needs_x64"])
        self._num_types = len(header["type_names"])
        self._ranges = [
            (item["fewest_atoms"], item["most_atoms"] or math.inf) for item in header["programs"]
        ]
        self._block_edges = _block_edges(header["edges_per_block"])
        self._last: dict[str, _Size] = {}
        self.dtype = np.dtype(header["geometry_dtype"])
        self.sizes: set[tuple[int, int, int]] = set()
        with self._scope():
            self._params = jax.device_put(contents.params)
            self._programs = [jax.jit(program.call) for program in contents.programs]

    def fits_one_piece(self, n_edges: int) -> bool:
        """Whether a structure of so many edges is best evaluated in one call."""
        return n_edges <= (_ONE_PIECE if platform() == "cpu" else 1.0) * self._block_edges

    def structure(
        self,
        positions: np.ndarray,
        species: np.ndarray,
        centres: np.ndarray,
        neighbors: np.ndarray,
        offsets: np.ndarray,
    ) -> Evaluation:
        """Evaluates a structure in one piece; arguments as in the program."""
        n_atoms = len(species)
        size = self._grown("structure", n_atoms + 1, len(centres))
        results = self._call(
            size,
            _padded(positions, size.atoms, self.dtype),
            _padded(species, size.atoms, np.int32),
            n_atoms,
            _padded(centres, size.edges, np.int32, size.atoms - 1),
            _padded(neighbors, size.edges, np.int32, size.atoms - 1),
            _padded(offsets, size.edges, self.dtype),
        )
        energies, forces, strain, _ = jax.device_get(results)
        return Evaluation(energies[:n_atoms], forces[:n_atoms], strain)

    def pairs(self, species: np.ndarray, edges: Edges) -> tuple[np.ndarray, np.ndarray]:
        """Energies of atoms (eV) and ∂E/∂r_ij of edges (eV/Å), block by block where there are many.

        Args:
            species: index of the type of every centre.
            edges: what surrounds them.
        """
        blocks = list(self._blocks(len(species), edges.centres))
        size = self._block_size(blocks)
        parts = [self._block(species, edges, block, size) for block in blocks]
        energies = np.empty(len(species))
        gradients = np.empty((len(edges.centres), 3))
        for block, part in zip(blocks, parts, strict=True):
            found = jax.device_get(part)
            n_atoms = block.atoms.stop - block.atoms.start
            n_edges = block.edges.stop - block.edges.start
            energies[block.atoms] = found[0][:n_atoms]
            gradients[block.edges] = found[3][:n_edges]
        return energies, gradients

    def _block(self, species: np.ndarray, edges: Edges, block: _Block, size: _Size) -> Any:
        """Neighbours stand in the last rows, one per type; only their types matter."""
        own, part = species[block.atoms], Edges(*(array[block.edges] for array in edges))
        last = size.atoms - 1
        first_ghost = last - self._num_types
        types = _padded(own, size.atoms, np.int32)
        types[first_ghost:last] = np.arange(self._num_types)
        return self._call(
            size,
            np.zeros((size.atoms, 3), self.dtype),
            types,
            len(own),
            _padded(part.centres - block.atoms.start, size.edges, np.int32, last),
            _padded(part.neighbor_species + first_ghost, size.edges, np.int32, last),
            _padded(part.vectors, size.edges, self.dtype),
        )

    def _blocks(self, n_atoms: int, centres: np.ndarray) -> Iterator[_Block]:
        """Runs of whole centres with at most `_block_edges` edges, if no centre has more."""
        if self.fits_one_piece(len(centres)):
            yield _Block(slice(0, n_atoms), slice(0, len(centres)))
            return
        most = int(1.1 * self._block_edges * n_atoms / len(centres)) + 1  # about the mean
        ends = np.searchsorted(centres, np.arange(n_atoms), side="right")
        first = first_edge = 0
        while first < n_atoms:
            stop = int(np.searchsorted(ends, first_edge + self._block_edges, side="right"))
            stop = min(max(stop, first + 1), first + most)
            yield _Block(slice(first, stop), slice(first_edge, int(ends[stop - 1])))
            first, first_edge = stop, int(ends[stop - 1])

    def _block_size(self, blocks: list[_Block]) -> _Size:
        """One size for all blocks."""
        rows = max(block.atoms.stop - block.atoms.start for block in blocks)
        most = max(block.edges.stop - block.edges.start for block in blocks)
        many = len(blocks) > 1
        edges = max(most, self._block_edges) if many else most
        return self._grown("blocks" if many else "pairs", rows + self._num_types + 1, edges)

    def _grown(self, use: str, atoms: int, edges: int) -> _Size:
        """Rounded sizes, those before unless they are too small or more than twice too large."""
        needed = _Size(_rounded(atoms, _FEW_ATOMS), _rounded(edges, _FEW_EDGES))
        pairs = zip(needed, self._last.get(use, needed), strict=True)
        kept = [last if need <= last <= 2 * need else need for need, last in pairs]
        self._last[use] = _Size(*kept)
        return self._last[use]

    def _call(self, size: _Size, *arguments: Any) -> Any:
        index = next(k for k, (low, high) in enumerate(self._ranges) if low <= size.atoms <= high)
        self.sizes.add((index, *size))
        positions, species, n_own, *rest = arguments
        with self._scope():
            return self._programs[index](self._params, positions, species, np.int32(n_own), *rest)

    def _scope(self) -> contextlib.AbstractContextManager[Any]:
        """Allows float64 where the program needs it, and only there."""
        if not self._x64:
            return contextlib.nullcontext()
        if hasattr(jax, "enable_x64"):
            return jax.enable_x64(True)
        return importlib.import_module("jax.experimental").enable_x64(True)  # jax < 0.8


class _Size(NamedTuple):
    """Lengths of padded arrays."""

    atoms: int
    edges: int


class _Block(NamedTuple):
    """Rows of some centres and of their edges."""

    atoms: slice
    edges: slice


def _block_edges(stored: dict[str, int]) -> int:
    if platform() != "cpu":
        return stored["accelerator"]
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return stored["cpu_thread"] * (threads or 1)


def _padded(values: np.ndarray, size: int, dtype: Any, fill: int = 0) -> np.ndarray:
    padded = np.full((size, *np.shape(values)[1:]), fill, dtype)
    padded[: len(values)] = values
    return padded


def _rounded(size: int, floor: int) -> int:
    """Rounds up to quarters of a power of two."""
    size = max(size, floor)
    step = 2 ** math.floor(math.log2(size)) // _STEPS_PER_DOUBLING
    return -(-size // step) * step
