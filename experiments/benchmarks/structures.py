"""The structures of a case, for us as a padded batch and for the peers as a file of arrays."""

from __future__ import annotations

from pathlib import Path

import jraph
import numpy as np

from allegro_jax.datasets import Structure, load
from allegro_jax.graphs import GraphDataset, batch, capacity_for
from experiments.benchmarks.cases import System

_LATTICE_CONSTANT, _RATTLE = 3.615, 0.05  # Å


def graphs_of(system: System, seed: int = 0) -> GraphDataset:
    """Builds the structures that a batch is drawn from, with neighbour lists and random labels.

    There are twice as many molecules as a call takes, so that a capacity has to hold any batch of
    them, as in training.
    """
    make = {"molecule": _molecules, "copper": _copper}[system.kind]
    structures = [_labelled(item, seed + k) for k, item in enumerate(make(system, seed))]
    return GraphDataset.build(structures, system.cutoff, _numbers(system))


def padded_batch(graphs: GraphDataset, system: System, dtype: str) -> jraph.GraphsTuple:
    """Returns the first structures as one padded batch of numpy arrays."""
    capacity = capacity_for(graphs, system.batch)
    return batch(graphs, np.arange(system.batch), capacity, np.dtype(dtype))


def write_arrays(graphs: GraphDataset, system: System, path: Path) -> None:
    """Writes the same structures without padding, for programs that know nothing of ours.

    Arrays: `positions` and `forces` [atoms, 3], `species` [atoms] (index into the types),
    `numbers` [atoms], `graph` [atoms], `centres` and `neighbors` [edges] (rows of `positions`),
    `shifts` [edges, 3], `cell` [graphs, 3, 3] (zeros without periodicity), `energy`, `n_atoms` and
    `n_edges` [graphs].
    """
    atoms = slice(0, graphs.atom_offsets[system.batch])
    edges = slice(0, graphs.edge_offsets[system.batch])
    n_atoms, n_edges = graphs.n_atoms[: system.batch], graphs.n_edges[: system.batch]
    first = np.repeat(graphs.atom_offsets[: system.batch], n_edges)
    species = graphs.species_index[atoms]
    np.savez(
        path,
        positions=graphs.positions[atoms],
        forces=graphs.forces[atoms],
        species=species,
        numbers=np.array(graphs.species)[species],
        graph=np.repeat(np.arange(system.batch), n_atoms),
        centres=graphs.centres[edges] + first,
        neighbors=graphs.neighbors[edges] + first,
        shifts=graphs.shifts[edges],
        cell=graphs.cell[: system.batch],
        energy=graphs.energy[: system.batch],
        n_atoms=n_atoms,
        n_edges=n_edges,
    )


def _molecules(system: System, seed: int) -> list[Structure]:
    aspirin = load("rmd17-aspirin")
    chosen = np.random.default_rng(seed).permutation(len(aspirin))[: 2 * system.batch]
    return [aspirin[int(k)] for k in chosen]


def _copper(system: System, seed: int) -> list[Structure]:
    from ase.build import bulk

    cells = round((system.atoms / 4) ** (1 / 3))
    atoms = bulk("Cu", "fcc", a=_LATTICE_CONSTANT, cubic=True).repeat(cells)
    atoms.positions += np.random.default_rng(seed).normal(0.0, _RATTLE, atoms.positions.shape)
    return [Structure.from_atoms(atoms)]


def _labelled(item: Structure, seed: int) -> Structure:
    """The structure with labels of order one: what a step costs does not depend on them."""
    generator = np.random.default_rng(seed)
    forces = generator.normal(size=item.positions.shape)
    energy = float(generator.normal())
    return Structure(item.numbers, item.positions, item.cell, item.pbc, energy, forces)


def _numbers(system: System) -> list[int]:
    from ase.data import atomic_numbers

    return [atomic_numbers[symbol] for symbol in system.types]
