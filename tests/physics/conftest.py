"""Small float64 potentials with random weights, and structures to try them on."""

import functools

import jax
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from allegro_jax.graphs import Capacity
from allegro_jax.potential import Potential, initial_params
from tests.small_models import DOUBLE, MODELS, everyday, small_config

CAPACITY = Capacity(atoms=160, edges=1600, graphs=16)
"""Padded size of every evaluation, so that each model compiles once for all tests."""


@functools.cache
def make_potential(architecture="2025", readout="mlp", **options):
    """A potential for H, C, O, Na and Cl; weights are random, energies of the order of eV."""
    defaults = {
        "type_names": ("H", "C", "O", "Na", "Cl"),
        "cutoff": 3.5,
        "avg_num_neighbors": 8.0,
        "per_type_energy_shifts": (-1.0, -2.0, -3.0, -4.0, -5.0),
        "precision": DOUBLE,
    }
    config = small_config(architecture, readout, **(defaults | options))
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(lambda: initial_params(config))
    # Compiling the initialisation of every variant would take longer than the tests.
    params = jax.tree.map(lambda leaf: rng.uniform(-(3**0.5), 3**0.5, leaf.shape), shapes)
    references = {name: -10.0 * index for index, name in enumerate(config.type_names)}
    return Potential(config, params, references)


@pytest.fixture(params=MODELS, ids=" ".join)
def each_potential(request):
    """A potential of every model in turn."""
    return make_potential(*request.param)


@pytest.fixture(params=everyday(("2025", "qdi"), ("2023", "mlp")))
def everyday_potential(request):
    """Likewise, for tests that compile much: both architectures, and a circuit."""
    return make_potential(*request.param)


@pytest.fixture
def potential():
    return make_potential()


@pytest.fixture
def ethanol() -> Atoms:
    atoms = molecule("CH3CH2OH")
    atoms.rattle(0.1, seed=2)
    return atoms


@pytest.fixture
def crystal() -> Atoms:
    """Rattled and sheared rock salt, eight atoms."""
    atoms = bulk("NaCl", "rocksalt", a=5.5, cubic=True)
    strain = np.array([[0.02, 0.03, 0.0], [0.0, -0.01, 0.02], [0.01, 0.0, 0.0]])
    atoms.set_cell(atoms.cell @ (np.eye(3) + strain), scale_atoms=True)
    atoms.rattle(0.1, seed=3)
    return atoms


def evaluate(potential, structures):
    """Results of a list of structures, compiled once per potential."""
    return potential(structures, capacity=CAPACITY)
