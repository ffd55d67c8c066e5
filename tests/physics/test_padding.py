"""Padding contributes exactly nothing: not to predictions, not to gradients, not as NaN."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms

from allegro_jax.datasets.dataset import Structure
from allegro_jax.graphs import Capacity, batch_structures
from allegro_jax.models.build import build_model
from allegro_jax.potential import predict

from .conftest import CAPACITY, evaluate, make_potential

CAPACITIES = Capacity(10, 66, 2), CAPACITY
"""The second is compiled for other tests, too."""


def padded(atoms, potential, capacity):
    structures = [Structure.from_atoms(atoms)]
    config = potential.config
    return batch_structures(
        structures, config.cutoff, config.atomic_numbers, capacity, dtype=np.float64
    )


def force_loss(potential, graph):
    """A loss on forces and energies, whose gradient takes second derivatives of the model."""

    def loss(params):
        result = predict(build_model(potential.config), params, graph)
        return jnp.sum(result.forces**2) + jnp.sum(result.energy**2)

    return loss


def test_predictions_do_not_depend_on_the_padding(each_potential, ethanol):
    potential = each_potential
    tight, loose = (potential.predict(padded(ethanol, potential, c)) for c in CAPACITIES)
    n = len(ethanol)
    np.testing.assert_allclose(tight.energy[0], loose.energy[0], rtol=1e-14)
    np.testing.assert_allclose(tight.forces[:n], loose.forces[:n], atol=1e-13)
    np.testing.assert_array_equal(loose.energy[1:], 0.0)
    np.testing.assert_array_equal(loose.forces[n:], 0.0)
    np.testing.assert_array_equal(loose.atomic_energies[n:], 0.0)
    np.testing.assert_array_equal(loose.stress, 0.0)


def test_gradients_of_a_force_loss_do_not_depend_on_the_padding(x64, everyday_potential, ethanol):
    potential = everyday_potential
    gradients = []
    for capacity in CAPACITIES:
        loss = force_loss(potential, padded(ethanol, potential, capacity))
        gradients.append(jax.jit(jax.grad(loss))(potential.params))
    for tight, loose in zip(*map(jax.tree.leaves, gradients), strict=True):
        assert np.isfinite(tight).all()
        np.testing.assert_allclose(tight, loose, rtol=1e-9, atol=1e-10)


def test_a_graph_of_padding_alone_has_finite_zero_gradients(x64):
    potential = make_potential(polynomial_cutoff_p=5.3)
    graph = padded(Atoms("O"), potential, Capacity(4, 32, 2))
    for leaf in jax.tree.leaves(jax.jit(jax.grad(force_loss(potential, graph)))(potential.params)):
        np.testing.assert_array_equal(leaf, 0.0)


def test_structures_of_one_batch_do_not_see_each_other(potential, ethanol, crystal):
    small = crystal[:3]
    together = evaluate(potential, [ethanol, small, crystal])
    for atoms, result in zip([ethanol, small, crystal], together, strict=True):
        alone = evaluate(potential, [atoms])[0]
        assert result.energy == pytest.approx(alone.energy, rel=1e-14)
        np.testing.assert_allclose(result.forces, alone.forces, atol=1e-13)
