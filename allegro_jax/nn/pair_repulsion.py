"""Ziegler-Biersack-Littmark screened nuclear repulsion."""

from collections.abc import Sequence
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from allegro_jax.nn.radial import polynomial_envelope

COULOMB_EV_ANGSTROM = 14.399645
_SCREENING = ((0.02817, 0.20162), (0.28022, 0.40290), (0.50986, 0.94229), (0.18175, 3.19980))


def zbl_edge_energies(
    lengths: Float[Array, "edges"],
    x: Float[Array, "edges"],
    numbers: tuple[Int[Array, "edges"], Int[Array, "edges"]],
    p: float,
) -> Float[Array, "edges"]:
    """Half of the pair energy of every directed edge (eV).

    ½ k Z_i Z_j / r ψ(y) u_p(x) with y = (Z_i^0.23 + Z_j^0.23) r / 0.46850 Å (Ziegler, Biersack,
    Littmark 1985, as in LAMMPS `pair_style zbl`).

    Args:
        lengths: edge lengths r (Å), not zero.
        x: lengths over the cutoff of each edge.
        numbers: atomic numbers of centres and neighbours.
        p: exponent of the envelope.
    """
    z_i, z_j = (z.astype(lengths.dtype) for z in numbers)
    y = (z_i**0.23 + z_j**0.23) * lengths / 0.46850
    screening = sum((c * jnp.exp(-a * y) for c, a in _SCREENING), start=np.zeros((), y.dtype))
    half_coulomb = 0.5 * COULOMB_EV_ANGSTROM * z_i * z_j / lengths
    return half_coulomb * screening * polynomial_envelope(x, p)


def repulsion_cutoffs(
    cutoff: float | Literal["covalent"], numbers: Sequence[int]
) -> Float[np.ndarray, "types types"]:
    """Returns the distance (Å) at which the repulsion of every pair of types vanishes.

    Args:
        cutoff: one distance for all pairs (Å), or "covalent": the sum of the covalent radii of
            Cordero et al., Dalton Trans. 2832 (2008), 0.2 Å for elements that have none there.
        numbers: atomic number of every type.
    """
    if cutoff != "covalent":
        return np.full((len(numbers),) * 2, float(cutoff))
    from ase.data import covalent_radii  # here, to keep imports quick

    radii = covalent_radii[list(numbers)]
    return radii[:, None] + radii[None, :]
