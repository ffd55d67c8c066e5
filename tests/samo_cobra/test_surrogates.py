import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import qmc

from samo_cobra import surrogates
from samo_cobra.padding import pad_rows

RNG = np.random.default_rng(0)
POINTS = RNG.uniform(-1.0, 1.0, size=(20, 2))


def outputs(z):
    smooth = np.sin(2.0 * z[:, 0]) + z[:, 1] ** 2
    return np.stack([smooth, 1e4 * np.exp(2.0 * z[:, 0]), z[:, 0] - 0.3], axis=1)


def fit(points, values, length=32):
    n = len(points)
    return surrogates.fit(
        jnp.asarray(pad_rows(points, length)),
        jnp.asarray(pad_rows(values, length)),
        jnp.arange(length) < n,
        n_objectives=2,
    )


def test_every_model_interpolates_its_data(x64):
    models = fit(POINTS, outputs(POINTS))
    for z, y in zip(POINTS, outputs(POINTS), strict=True):
        predicted = surrogates.predict_all(models, jnp.asarray(z))
        np.testing.assert_allclose(
            predicted, np.broadcast_to(y, (surrogates.N_MODELS, 3)), rtol=1e-5, atol=1e-6
        )


def test_padding_does_not_change_predictions(x64):
    z = jnp.array([0.2, -0.4])
    short = surrogates.predict_all(fit(POINTS, outputs(POINTS), 32), z)
    long = surrogates.predict_all(fit(POINTS, outputs(POINTS), 128), z)
    np.testing.assert_allclose(short, long, rtol=1e-6)


def test_separable_quadratics_are_reproduced_exactly_by_untransformed_models(x64):
    def quadratic(z):
        y = 3.0 - z[:, 0] + 2.0 * z[:, 1] ** 2
        return np.stack([y, y, y], axis=1)

    models = fit(POINTS, quadratic(POINTS))
    fresh = RNG.uniform(-1.0, 1.0, size=(5, 2))
    for z, y in zip(fresh, quadratic(fresh), strict=True):
        predicted = np.asarray(surrogates.predict_all(models, jnp.asarray(z)))
        np.testing.assert_allclose(
            predicted[:: surrogates.N_VERSIONS], np.broadcast_to(y, (6, 3)), rtol=1e-6
        )


def test_with_few_points_the_tail_is_the_linear_one_of_minimum_norm(x64):
    # Three points in ten dimensions, where 21 tail coefficients are free.
    points = RNG.uniform(-1.0, 1.0, size=(3, 10))
    values = np.tile(RNG.normal(size=(3, 1)), (1, 3))
    models = fit(points, values)
    tail = np.concatenate([np.ones((3, 1)), points], axis=1)
    expected = np.linalg.pinv(tail) @ ((values[:, 0] - values[:, 0].mean()) / values[:, 0].std())
    np.testing.assert_allclose(models.weights[0, 32:43, 0, 0], expected, atol=1e-6)
    np.testing.assert_allclose(models.weights[0, 43:, 0, 0], 0.0, atol=1e-6)


def test_products_of_variables_are_terms_of_the_tail_with_a_ridge_of_one(x64):
    points = RNG.uniform(-1.0, 1.0, size=(20, 4))
    y = np.sum(points, axis=1) ** 2 + np.sin(3.0 * points[:, 0])
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    pairs = np.triu_indices(4, 1)
    products = points[:, pairs[0]] * points[:, pairs[1]]
    tail = np.concatenate([np.ones((20, 1)), points, points**2], axis=1)
    rows = np.concatenate([tail, products], axis=1)
    ridge = np.concatenate([np.zeros(9), np.ones(6)])
    system = np.block([[distances**3, rows], [rows.T, -np.diag(ridge)]])
    right = np.concatenate([(y - y.mean()) / y.std(), np.zeros(15)])
    solution = np.linalg.solve(system, right)
    models = fit(points, np.repeat(y[:, None], 3, axis=1))
    np.testing.assert_allclose(models.weights[0, :20, 0, 0], solution[:20], atol=1e-6)
    np.testing.assert_allclose(models.weights[0, 32:, 0, 0], solution[20:29], atol=1e-6)
    form = np.asarray(surrogates.select(models, jnp.zeros(3, int)).products[0])
    np.testing.assert_allclose(2.0 * form[pairs], solution[29:], atol=1e-6)


def test_linear_outputs_are_reproduced_exactly_from_d_plus_one_points_on(x64):
    points = RNG.uniform(-1.0, 1.0, size=(5, 4))
    coefficients = np.array([1.0, -2.0, 0.5, 3.0])
    values = np.tile((7.0 + points @ coefficients)[:, None], (1, 3))
    z = RNG.uniform(-1.0, 1.0, size=4)
    predicted = np.asarray(surrogates.predict_all(fit(points, values), jnp.asarray(z)))
    np.testing.assert_allclose(
        predicted[:: surrogates.N_VERSIONS], 7.0 + z @ coefficients, rtol=1e-6
    )


@pytest.mark.parametrize("versions", [[0, 1, 2], [2, 0, 1]])
@pytest.mark.parametrize("kernel", range(6))
def test_jacobians_are_the_derivatives_of_predictions(x64, kernel, versions):
    models = fit(POINTS, outputs(POINTS))
    choice = 3 * kernel + jnp.array(versions)
    model = surrogates.select(models, choice)
    z = jnp.asarray(RNG.uniform(-1.0, 1.0, size=(4, 2)))
    _, jacobian = surrogates.predict(model, z)
    for row, expected in zip(z, jacobian, strict=True):
        derived = jax.jacfwd(lambda q: surrogates.predict(model, q[None])[0][0])(row)
        np.testing.assert_allclose(derived, expected, rtol=1e-8, atol=1e-8)


def test_selected_models_predict_what_all_models_predict(x64):
    models = fit(POINTS, outputs(POINTS))
    z = jnp.array([0.1, 0.7])
    everything = surrogates.predict_all(models, z)
    for choice in ([0, 5, 17], [7, 2, 13]):
        model = surrogates.select(models, jnp.array(choice))
        predicted = surrogates.predict(model, z[None])[0][0]
        np.testing.assert_allclose(predicted, everything[jnp.array(choice), jnp.arange(3)])


def test_derivatives_are_finite_on_top_of_a_data_point(x64):
    models = fit(POINTS, outputs(POINTS))
    for kernel in range(6):
        model = surrogates.select(models, 3 * kernel + jnp.arange(3))
        _, jacobian = surrogates.predict(model, jnp.asarray(POINTS[:1]))
        assert np.all(np.isfinite(jacobian))


def test_duplicates_and_constant_outputs_stay_finite(x64):
    points = np.concatenate([POINTS, POINTS[:3]])
    values = np.concatenate([np.full((23, 2), 0.1), np.ones((23, 1))], axis=1)
    predicted = surrogates.predict_all(fit(points, values), jnp.array([0.3, 0.3]))
    np.testing.assert_allclose(predicted[:, :2], 0.1, rtol=1e-6)
    np.testing.assert_allclose(predicted[:, 2], 1.0, rtol=1e-6)


@pytest.mark.parametrize("huge", [1e20, 1e100])
def test_one_absurd_value_leaves_every_model_finite(x64, huge):
    values = np.abs(outputs(POINTS))
    values[3] = huge
    models = fit(POINTS, values)
    places = jnp.asarray(np.concatenate([POINTS, RNG.uniform(-1.0, 1.0, size=(20, 2))]))
    for number in range(surrogates.N_MODELS):
        model = surrogates.select(models, jnp.full(3, number))
        predicted, jacobian = surrogates.predict(model, places)
        assert np.all(np.isfinite(predicted))
        assert np.all(np.isfinite(jacobian))


def test_the_reciprocal_version_models_a_pole(x64):
    """1 / (x1 x2), the form of stresses and deflections, which spans a factor of 450 here."""

    def flow(z):
        x = 0.05 + 0.5 * (z + 1.0)
        return np.repeat(1.0 / (x[:, :1] * x[:, 1:]), 3, axis=1)

    # The Halton set has no point in the corner of the pole.
    points = 2.0 * qmc.Halton(2, scramble=False).random(21)[1:] - 1.0
    fresh = 2.0 * qmc.Halton(2, scramble=False).random(121)[21:] - 1.0
    models = fit(points, flow(points))
    errors = [
        np.abs(surrogates.predict_all(models, jnp.asarray(z))[:, 0] - y[0])
        for z, y in zip(fresh, flow(fresh), strict=True)
    ]
    plain, logarithmic, reciprocal = np.median(errors, axis=0).reshape(6, 3).min(axis=0)
    assert reciprocal < 0.5 * logarithmic < 0.5 * plain
