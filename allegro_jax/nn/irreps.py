"""Which irreps the tensor track carries after each layer, and the paths between them.

Everything here is static: it depends on the config alone and is cached by value.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Irrep(NamedTuple):
    """Degree l and parity p = ±1 of an irreducible representation of O(3)."""

    l: int  # noqa: E741 - the name of the degree everywhere in the field
    p: int

    @property
    def dim(self) -> int:
        """Number of components, 2l + 1."""
        return 2 * self.l + 1

    @property
    def name(self) -> str:
        """As the field writes it: 0e, 1o, ..."""
        return f"{self.l}{'e' if self.p > 0 else 'o'}"

    def couples(self, other: "Irrep", out: "Irrep") -> bool:
        """Whether `self` ⊗ `other` contains `out`."""
        return self.p * other.p == out.p and abs(self.l - other.l) <= out.l <= self.l + other.l


Irreps = tuple[Irrep, ...]
SCALAR = Irrep(0, 1)


def harmonic_irreps(l_max: int) -> Irreps:
    """0e+1o+2e+... up to `l_max`: the irreps of the spherical harmonics."""
    return tuple(Irrep(degree, (-1) ** degree) for degree in range(l_max + 1))


def dimension(irreps: Irreps) -> int:
    """Total number of components."""
    return sum(irrep.dim for irrep in irreps)


@lru_cache
def track_irreps(
    l_max: int, parity: bool, num_layers: int, *, never_again: bool = False
) -> tuple[Irreps, ...]:
    """Irreps before the first layer and after each layer; after the last only 0e is left.

    An irrep is kept after a layer if it can be made there from what came before and if it still
    can reach something that the next layer keeps.

    Args:
        l_max: highest degree.
        parity: allow 0o, 1e, 2o, ... in the track, not only those of the harmonics.
        num_layers: number of tensor products.
        never_again: an irrep that one layer cannot make is not made by later layers either, as
            in the architecture of 2023; this matters from 5 layers on, where it excludes 0o.
    """
    harmonics = harmonic_irreps(l_max)
    both = tuple(Irrep(degree, p) for degree in range(l_max + 1) for p in (1, -1))
    track = [harmonics]
    for layer in range(num_layers):
        wanted = (SCALAR,) if layer == num_layers - 1 else (both if parity else harmonics)
        if never_again and 0 < layer < num_layers - 1:
            wanted = track[-1]
        track.append(tuple(out for out in wanted if _reachable(track[-1], harmonics, out)))
    for layer in range(num_layers - 1, 0, -1):
        useful = [ir for ir in track[layer] if _reaches(ir, harmonics, track[layer + 1])]
        track[layer] = tuple(useful)
    return tuple(track)


def _reachable(irreps: Irreps, harmonics: Irreps, out: Irrep) -> bool:
    return any(first.couples(second, out) for first in irreps for second in harmonics)


def _reaches(irrep: Irrep, harmonics: Irreps, targets: Irreps) -> bool:
    return any(irrep.couples(second, out) for second in harmonics for out in targets)


class Path(NamedTuple):
    """One coupling (first, second) → out with the offsets of the three in their arrays."""

    first: Irrep
    second: Irrep
    out: Irrep
    first_offset: int
    second_offset: int
    out_offset: int


@lru_cache
def coupling_paths(first: Irreps, second: Irreps, out: Irreps) -> tuple[Path, ...]:
    """All allowed paths, ordered by output irrep, then first, then second."""
    return tuple(
        Path(a, b, c, dimension(first[:i]), dimension(second[:j]), dimension(out[:k]))
        for k, c in enumerate(out)
        for i, a in enumerate(first)
        for j, b in enumerate(second)
        if a.couples(b, c)
    )


@lru_cache
def coupling_coefficients(first: int, second: int, out: int) -> np.ndarray:
    """√(2 l_out + 1) C^{l1 l2 l_out}_{ijk} with Σ C² = 1, from e3nn; float64, read-only."""
    import e3nn_jax as e3nn  # here: two seconds that only models need

    coefficients = np.asarray(e3nn.clebsch_gordan(first, second, out), np.float64)
    coefficients = coefficients * np.sqrt(2 * out + 1)
    coefficients[np.abs(coefficients) < 1e-12] = 0.0
    coefficients.setflags(write=False)
    return coefficients
