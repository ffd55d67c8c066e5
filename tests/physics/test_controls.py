"""The controls of QDI are potentials like any others: smooth, conservative, blind to padding."""

import numpy as np
import pytest

from allegro_jax.graphs import Capacity
from tests.small_models import CONTROLS

from .conftest import make_potential
from .test_cutoff import assert_continuous
from .test_derivatives import assert_forces_are_gradients
from .test_padding import padded


@pytest.fixture(params=CONTROLS)
def control(request):
    return make_potential("2025", request.param, num_layers=1)


def test_energy_forces_and_curvature_are_continuous_at_the_cutoff(control):
    assert_continuous(control)


def test_forces_are_minus_the_energy_gradient(control, ethanol):
    assert_forces_are_gradients(control, ethanol)


def test_predictions_do_not_depend_on_the_padding(control, ethanol):
    capacities = Capacity(10, 66, 2), Capacity(40, 200, 5)
    tight, loose = (control.predict(padded(ethanol, control, c)) for c in capacities)
    n = len(ethanol)
    np.testing.assert_allclose(tight.energy[0], loose.energy[0], rtol=1e-14)
    np.testing.assert_allclose(tight.forces[:n], loose.forces[:n], atol=1e-13)
    np.testing.assert_array_equal(loose.energy[1:], 0.0)
    np.testing.assert_array_equal(loose.forces[n:], 0.0)
