"""float32 differs from float64 by rounding alone, for every model."""

import pytest
from ase import Atoms

from tests.small_models import MODELS

from .measurements import float32_errors


@pytest.mark.parametrize(("architecture", "readout"), MODELS)
def test_float32_agrees_with_float64(architecture, readout, ethanol: Atoms, crystal: Atoms):
    errors = float32_errors(architecture, readout, [ethanol, crystal])
    assert 0 < errors["energy_eV_per_atom"] < 1e-5
    assert 0 < errors["forces_relative"] < 3e-5
    assert 0 < errors["stress_relative"] < 3e-5
