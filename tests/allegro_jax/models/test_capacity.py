"""Parameters are counted as they are made, and the perceptron of equal size has as many."""

import jax
import pytest

from allegro_jax.configs import FrozenQDIReadout, QDIReadout, TrigonometricControl
from allegro_jax.models.capacity import count_parameters, equal_mlp
from allegro_jax.models.energy import initial_params
from tests.small_models import CONTROLS, READOUTS, small_config

PAPER = [
    QDIReadout(hidden=(16,), features=21, n_qubits=7, depth=4, final_width=4),
    QDIReadout(hidden=(32,), features=4, n_qubits=4, depth=1, final_width=16),
    QDIReadout(hidden=(4,), features=4, n_qubits=4, depth=3, final_width=128),
]
"""Aspirin (of the numbers of qubits that divide 21, the larger), benzene, Cu-Li: Table 3."""


@pytest.mark.parametrize("name", {**READOUTS, **CONTROLS})
def test_parameters_are_counted_as_a_model_has_them(name):
    config = small_config("2025", name, num_layers=1)
    params = jax.eval_shape(lambda: initial_params(config))["readout"]
    n_scalars = 2 * config.num_scalar_features
    made = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert count_parameters(config.readout, n_scalars) == made


def test_the_paper_circuit_and_its_linear_maps_have_120_parameters():
    qdi = PAPER[1]
    perceptron = 64 * 32 + 32 * 4
    assert count_parameters(qdi, 64) == perceptron + 24 + 4 * 16 + 16 + 16
    frozen = FrozenQDIReadout.of(qdi)
    assert count_parameters(frozen, 64) == count_parameters(qdi, 64)
    assert count_parameters(frozen, 64, trained=True) == count_parameters(qdi, 64) - 24
    assert count_parameters(qdi, 64, trained=True) == count_parameters(qdi, 64)


def test_the_trigonometric_control_of_the_paper_has_80_coefficients_per_output():
    control = TrigonometricControl.of(PAPER[1])
    assert count_parameters(control, 64) - count_parameters(PAPER[1], 64) == 4 * 80 - 24


@pytest.mark.parametrize("qdi", PAPER, ids=["aspirin", "benzene", "culi"])
def test_the_equal_mlp_of_the_paper_readouts_has_exactly_as_many_parameters(qdi):
    match = equal_mlp(qdi, 64)
    assert match.wanted == count_parameters(qdi, 64)
    assert match.parameters == count_parameters(match.config, 64) == match.wanted


@pytest.mark.parametrize("final_width", [1, 7, 33])
@pytest.mark.parametrize("features", [1, 6, 12])
@pytest.mark.parametrize("entangling", ["strong", "basic"])
def test_the_equal_mlp_is_within_three_percent_and_has_no_bottleneck(
    final_width, features, entangling
):
    qdi = QDIReadout(
        (8,), features, 1 if features == 1 else 3, 2, entangling, "Z", "Y", final_width=final_width
    )
    match = equal_mlp(qdi, 16)
    assert match.parameters == count_parameters(match.config, 16)
    assert abs(match.parameters - match.wanted) <= 0.03 * match.wanted
    widths = match.config.final_hidden
    assert max(widths) <= 3 * min(widths)
    assert (match.config.hidden, match.config.features) == (qdi.hidden, qdi.features)
