"""The state of a simulation, and what follows from it.

Momenta are in ASE's units, u Å / (Å √(u/eV)), so p²/2m is in eV. Everything is float64, as in
`ase.Atoms`, whatever the potential computes in: a step changes positions by a hundredth of an Å.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


class State(NamedTuple):
    """Where a simulation is; arrays only.

    Attributes:
        step: steps done.
        positions: Å, not wrapped into the cell.
        momenta: of each atom.
        cell: lattice vectors as rows (Å), zeros for a molecule.
        forces: at these positions, eV/Å.
        energy: potential energy without reference energies, eV.
        virial: strain derivative of the energy, symmetric, eV: volume times stress.
        received: energy that noise, friction and changes of volume have given so far, eV.
        chain_positions: of a chain of thermostats; empty without one.
        chain_momenta: likewise, eV times the unit of time.
    """

    step: Int[Array, ""]
    positions: Float[Array, "atoms 3"]
    momenta: Float[Array, "atoms 3"]
    cell: Float[Array, "3 3"]
    forces: Float[Array, "atoms 3"]
    energy: Float[Array, ""]
    virial: Float[Array, "3 3"]
    received: Float[Array, ""]
    chain_positions: Float[Array, "chain"]
    chain_momenta: Float[Array, "chain"]


class Evaluation(NamedTuple):
    """What a potential says of positions, and whether its neighbour list could tell.

    Attributes:
        energy: eV, without reference energies.
        forces: eV/Å.
        virial: eV, see `State`.
        n_edges: edges within the cutoff.
        shortest: length of the shortest edge (Å), infinite without edges.
        margin: Å by which every pair that is not listed is beyond the cutoff; negative if one may
            be within it.
    """

    energy: Float[Array, ""]
    forces: Float[Array, "atoms 3"]
    virial: Float[Array, "3 3"]
    n_edges: Int[Array, ""]
    shortest: Float[Array, ""]
    margin: Float[Array, ""]


def evaluated(state: State, evaluation: Evaluation) -> State:
    """The state with the forces, energy and virial of its positions."""
    return state._replace(
        forces=evaluation.forces, energy=evaluation.energy, virial=evaluation.virial
    )


def kinetic_energy(momenta: Array, masses: Float[Array, "atoms"]) -> Float[Array, ""]:
    """Σ p²/2m, eV."""
    return 0.5 * jnp.sum(jnp.sum(momenta * momenta, axis=-1) / masses)


def volume(cell: Float[Array, "3 3"]) -> Float[Array, ""]:
    """Å³; zero of a molecule without a cell."""
    return jnp.abs(jnp.dot(cell[0], jnp.cross(cell[1], cell[2])))
