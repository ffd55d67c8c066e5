import jax.numpy as jnp
import numpy as np
import pytest

from samo_cobra import transforms


def test_plog_inverse_undoes_plog(x64):
    y = jnp.array([-1e8, -3.0, -1e-9, 0.0, 1e-12, 2.0, 1e20])
    np.testing.assert_allclose(transforms.plog_inverse(transforms.plog(y)), y, rtol=1e-12)


def test_plog_inverse_never_overflows(x64):
    far = transforms.plog_inverse(jnp.array([-1e6, 1e6]))
    assert np.all(np.isfinite(np.square(far)))


def test_share_inverse_undoes_share_up_to_the_largest_of_the_data(x64):
    r = jnp.array([0.0, 0.3, 1.0, 40.0])
    back, slope = transforms.share_inverse(transforms.share(r), transforms.share(r[-1]))
    np.testing.assert_allclose(back, r, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(slope, (1.0 + r) ** 2, rtol=1e-12)


def test_share_inverse_goes_on_straight_and_never_falls_below_minus_one(x64):
    most = jnp.array(0.8)
    at, slope = transforms.share_inverse(most, most)
    beyond = transforms.share_inverse(jnp.array([0.9, 1.0, 50.0]), most)[0]
    np.testing.assert_allclose(beyond, at + slope * jnp.array([0.1, 0.2, 49.2]), rtol=1e-12)
    assert transforms.share_inverse(jnp.array(-1e9), most)[0] >= -1.0


def test_the_reciprocal_version_runs_from_the_least_value_over_the_median_of_the_others(x64):
    values = jnp.array([[3.0, 5.0], [4.0, 5.0], [6.0, 5.0], [13.0, 5.0], [1e9, 1e9]])
    bend = transforms.bends(values, jnp.arange(5) < 4, n_objectives=2)
    assert [float(a[0]) for a in (bend.least, bend.half, bend.most)] == pytest.approx(
        [3, 3, 10 / 13]
    )
    # Nothing to bend in a constant.
    assert [float(a[1]) for a in (bend.least, bend.half, bend.most)] == [5.0, 1.0, 0.0]


def test_objectives_are_standardised_and_constraints_keep_their_sign(x64):
    values = jnp.array([[1.0, -2.0], [3.0, 6.0], [999.0, 999.0]])
    affine = transforms.moments(values, jnp.array([True, True, False]), n_objectives=1)
    scaled = transforms.apply(values[:2], affine)
    np.testing.assert_allclose(scaled[:, 0].mean(axis=0), 0.0, atol=1e-15)
    np.testing.assert_allclose(scaled[:, 0].std(axis=0), 1.0)
    np.testing.assert_allclose(scaled[:, 1, 0], [-0.25, 0.75])
    assert np.all(np.sign(scaled[:, 1, 1]) == [-1, 1])


def test_a_constant_output_gets_scale_one(x64):
    affine = transforms.moments(jnp.full((4, 2), 0.1), jnp.ones(4, bool), n_objectives=1)
    np.testing.assert_array_equal(affine.scale, 1.0)


def test_inverting_returns_the_original_values(x64):
    values = jnp.array([[1.0, -2.0], [30.0, 6.0], [-4.0, 0.5]])
    affine = transforms.moments(values, jnp.ones(3, bool), n_objectives=1)
    every = transforms.invert(transforms.apply(values, affine), affine)
    np.testing.assert_allclose(every, np.stack([values] * 3, axis=-1), rtol=1e-12)


def test_the_unit_of_an_objective_of_one_sign_is_its_smallest_value_and_else_the_median(x64):
    values = jnp.array([[-8.0, 3.0, 5.0], [-2.0, -1.0, 0.0], [0.0, 9.0, 1.0], [1e-9, 1e9, 1e9]])
    mask = jnp.array([True, True, True, False])
    np.testing.assert_array_equal(transforms.units(values, mask, n_objectives=2), [2.0, 3.0, 3.0])


def test_an_output_of_zeros_has_unit_one_and_rounding_errors_are_no_unit(x64):
    values = jnp.array([[0.0, 1e-30], [0.0, 4.0]])
    units = transforms.units(values, jnp.ones(2, bool), n_objectives=2)
    np.testing.assert_array_equal(units, [1.0, 2e-12])


def test_transformed_outputs_do_not_depend_on_the_unit_of_measurement(x64):
    values = jnp.array([[1.0, -2.0], [30.0, 6.0], [4.0, 0.5], [2.0, -7.0]])
    other = values * jnp.array([[1e-3, 2.54e6]])
    mask = jnp.ones(4, bool)
    for n_objectives in (1, 2):
        one, two = (
            transforms.apply(v, transforms.moments(v, mask, n_objectives)) for v in (values, other)
        )
        np.testing.assert_allclose(one, two, rtol=1e-12)
