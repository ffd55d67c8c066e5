import jax
import jax.numpy as jnp
import numpy as np

from samo_cobra import criterion, pareto

FRONT = np.array([[0.1, 0.9], [0.4, 0.5], [0.8, 0.2]])
REFERENCE = np.array([1.0, 1.0])


def test_gain_is_the_difference_of_hypervolumes(x64):
    lower, upper = pareto.pad_boxes(*pareto.non_dominated_boxes(FRONT, REFERENCE), 16)
    before = pareto.hypervolume(FRONT, REFERENCE)
    for v in np.random.default_rng(0).uniform(-0.3, 1.1, size=(30, 2)):
        after = pareto.hypervolume(np.vstack([FRONT, v]), REFERENCE)
        gain = criterion.gain(jnp.asarray(v), jnp.asarray(lower), jnp.asarray(upper))
        np.testing.assert_allclose(gain, after - before, atol=1e-12)


def test_penalty_is_zero_where_there_is_a_gain_and_grows_behind_the_front(x64):
    def penalty(v):
        return criterion.penalty(jnp.array(v), jnp.asarray(FRONT), jnp.asarray(REFERENCE))

    assert penalty([0.2, 0.6]) == 0.0
    assert 0.0 < penalty([0.5, 0.6]) < penalty([0.6, 0.7])
    assert penalty([0.05, 1.5]) == 0.5


def test_penalty_leads_out_of_the_dominated_region(x64):
    slope = jax.grad(criterion.penalty)(
        jnp.array([0.6, 0.7]), jnp.asarray(FRONT), jnp.asarray(REFERENCE)
    )
    assert np.all(slope > 0.0)
