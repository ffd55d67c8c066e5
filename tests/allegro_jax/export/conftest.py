"""A small potential, and the file that it is exported to."""

import numpy as np
import pytest
from ase.build import bulk, molecule

from allegro_jax.configs import Precision
from tests.physics.conftest import make_potential


@pytest.fixture(scope="session")
def small():
    """One layer in float32, for rock salt and organic molecules."""
    return make_potential(num_layers=1, precision=Precision())


@pytest.fixture(scope="session")
def exported_file(small, tmp_path_factory):
    return small.export(tmp_path_factory.mktemp("exported") / "model.aj")


def rock_salt(repeats=1):
    """Rattled and sheared, in a cell of 5.5 Å that is narrower than two cutoffs."""
    atoms = bulk("NaCl", "rocksalt", a=5.5, cubic=True) * (repeats, 1, 1)
    strain = np.array([[0.02, 0.03, 0.0], [0.0, -0.01, 0.02], [0.01, 0.0, 0.0]])
    atoms.set_cell(atoms.cell @ (np.eye(3) + strain), scale_atoms=True)
    atoms.rattle(0.1, seed=3)
    return atoms


def structures():
    """Three sizes: a molecule, a crystal narrower than two cutoffs, a longer one."""
    ethanol = molecule("CH3CH2OH")
    ethanol.rattle(0.1, seed=2)
    return [ethanol, rock_salt(), rock_salt(4)]
