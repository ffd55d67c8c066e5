import jax.numpy as jnp
import numpy as np
import pytest

from samo_cobra import Optimizer, Settings, hypervolume, smoothing, surrogates, transforms
from samo_cobra.padding import pad_rows
from tests.samo_cobra.bowls import CORNER, PLANE, bowls, free, optimise

RNG = np.random.default_rng(0)
POINTS = RNG.uniform(-1.0, 1.0, size=(12, 2))
SIZE = 32


def outputs(z):
    return np.stack([np.sin(2.0 * z[:, 0]) + z[:, 1] ** 2, np.exp(z[:, 0]) - 0.5], axis=1)


def arrays(values):
    points, mask = pad_rows(POINTS, SIZE), np.arange(SIZE) < len(POINTS)
    return jnp.asarray(points), jnp.asarray(pad_rows(values, SIZE)), jnp.asarray(mask)


def without(kernel, j, targets, nugget, tail):
    """Prediction at point ``j`` of one kernel fitted to the others, by a dense solve."""
    keep = np.delete(np.arange(len(POINTS)), j)
    left = kernel[np.ix_(keep, keep)] + nugget * np.eye(len(keep))
    corner = np.zeros((tail.shape[1], tail.shape[1]))
    system = np.block([[left, tail[keep]], [tail[keep].T, corner]])
    right = np.concatenate([targets[keep], np.zeros(len(corner))])
    solution = np.linalg.solve(system, right)
    return np.concatenate([kernel[j, keep], tail[j]]) @ solution


def brute_force(fitted, values, nuggets, tail):
    """Errors in original units of models fitted without each point, scaled as with it."""
    points, mask = fitted.points[: len(POINTS)], jnp.ones(len(POINTS), bool)
    kernels = np.asarray(surrogates.kernel_matrices(points, mask))
    targets = np.asarray(transforms.apply(jnp.asarray(values), fitted.affine))
    left_out = np.empty((len(POINTS), len(kernels), *targets.shape[1:]))
    for j, k, output, version in np.ndindex(left_out.shape):
        nugget = nuggets[k, output, version]
        left_out[j, k, output, version] = without(
            kernels[k], j, targets[:, output, version], nugget, tail
        )
    original = np.asarray(transforms.invert(jnp.asarray(left_out), fitted.affine))
    errors = np.abs(original - values[:, None, :, None])
    return np.moveaxis(errors, 3, 2).reshape(len(POINTS), surrogates.N_MODELS, -1)


def test_leave_one_out_errors_of_interpolants_are_those_of_fits_without_the_point(x64):
    values = outputs(POINTS)
    points, padded, mask = arrays(values)
    fitted = surrogates.fit(points, padded, mask, n_objectives=1, with_inverse=True)
    errors = surrogates.leave_one_out_errors(fitted, padded)
    tail = np.asarray(surrogates.tail_terms(jnp.asarray(POINTS)))
    expected = brute_force(fitted, values, np.full((6, 2, 3), 1e-12), tail)
    np.testing.assert_allclose(errors[: len(POINTS)], expected, rtol=1e-6, atol=1e-9)
    assert not np.any(errors[len(POINTS) :])


def chosen_nuggets(fitted, values, tail):
    """The nugget of every kernel, output and version, from what the fit leaves over."""
    kernels = np.asarray(surrogates.kernel_matrices(fitted.points, fitted.mask))
    kernels = kernels[:, : len(POINTS), : len(POINTS)]
    targets = np.asarray(transforms.apply(jnp.asarray(values), fitted.affine))
    weights = np.asarray(fitted.weights)
    w, c = weights[:, : len(POINTS)], weights[:, SIZE:, :, :]
    c = c[:, : tail.shape[1]]
    fit = np.einsum("kij,kjot->kiot", kernels, w) + np.einsum("it,ktov->kiov", tail, c)
    rest = targets[None] - fit
    return np.sum(rest * w, axis=1) / np.sum(w * w, axis=1)


def test_leave_one_out_errors_of_smoothing_are_those_of_fits_without_the_point(x64):
    values = outputs(POINTS) + 0.2 * RNG.normal(size=(len(POINTS), 2))
    points, padded, mask = arrays(values)
    fitted, errors = smoothing.fit(points, padded, mask, n_objectives=1)
    # With twelve points and five coefficients of squares the tail is linear.
    tail = np.asarray(surrogates.tail_terms(jnp.asarray(POINTS)))[:, :3]
    nuggets = chosen_nuggets(fitted, values, tail)
    expected = brute_force(fitted, values, nuggets, tail)
    np.testing.assert_allclose(errors[: len(POINTS)], expected, rtol=1e-6, atol=1e-8)


def test_smoothing_picks_the_nugget_of_least_leave_one_out_error(x64):
    values = outputs(POINTS) + 0.2 * RNG.normal(size=(len(POINTS), 2))
    points, padded, mask = arrays(values)
    fitted, _ = smoothing.fit(points, padded, mask, n_objectives=1)
    tail = np.asarray(surrogates.tail_terms(jnp.asarray(POINTS)))[:, :3]
    nuggets = chosen_nuggets(fitted, values, tail)
    targets = np.asarray(transforms.apply(jnp.asarray(values), fitted.affine))
    kernels = np.asarray(surrogates.kernel_matrices(jnp.asarray(POINTS), mask[: len(POINTS)]))

    def score(k, nugget):
        y = targets[:, 0, 0]
        left_out = [without(kernels[k], j, y, nugget, tail) for j in range(len(POINTS))]
        return np.sum((y - left_out) ** 2)

    for k in range(6):
        best = nuggets[k, 0, 0]
        assert score(k, best) <= min(score(k, f * best) for f in (10**-0.5, 10**0.5)) * (1 + 1e-6)


def test_without_noise_smoothing_interpolates(x64):
    values = outputs(POINTS)
    points, padded, mask = arrays(values)
    fitted, errors = smoothing.fit(points, padded, mask, n_objectives=2)
    scores = np.sqrt(np.mean(np.asarray(errors)[: len(POINTS)] ** 2, axis=0))
    model = surrogates.select(fitted, jnp.asarray(np.argmin(scores, axis=0)))
    predicted, _ = surrogates.predict(model, jnp.asarray(POINTS))
    np.testing.assert_allclose(predicted, values, atol=1e-4 * np.ptp(values))


def test_repeated_points_are_averaged(x64):
    z = np.concatenate([np.zeros((8, 2)), POINTS, np.zeros((8, 2))])
    noise = np.concatenate([np.full(8, -0.5), np.zeros(len(POINTS)), np.full(8, 0.5)])
    values = np.stack([1.0 + z[:, 0] + noise, 1.0 + z[:, 0] + noise], axis=1)
    mask = jnp.arange(SIZE) < len(z)
    fitted, errors = smoothing.fit(
        jnp.asarray(pad_rows(z, SIZE)),
        jnp.asarray(pad_rows(values, SIZE)),
        mask,
        n_objectives=2,
    )
    assert np.all(np.isfinite(errors))
    chosen = jnp.asarray([3, 3])
    predicted, _ = surrogates.predict(surrogates.select(fitted, chosen), jnp.zeros((1, 2)))
    np.testing.assert_allclose(predicted, 1.0, atol=0.1)


def noisy(seed, n, **options):
    rng = np.random.default_rng(seed)
    optimizer = Optimizer(PLANE, 2, reference_point=CORNER, seed=seed, **options)
    # Five per cent of the range of the objectives.
    return optimise(optimizer, lambda x: (bowls(x) + 0.1 * rng.normal(size=2),), n)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_smoothed_front_is_truer_than_the_measured_one(seed):
    optimizer = noisy(seed, 40, settings=Settings(noise=True))
    smoothed, raw = optimizer.smoothed_front(), optimizer.front()
    means, truth = (np.array([bowls(p) for p in f.points]) for f in (smoothed, raw))
    assert hypervolume(means, np.array(CORNER)) > hypervolume(truth, np.array(CORNER))
    lies = np.mean(np.abs(raw.objectives - truth))
    assert np.mean(np.abs(smoothed.objectives - means)) < 0.5 * lies


def test_points_may_be_repeated_with_different_outcomes():
    optimizer = Optimizer(PLANE, 2, reference_point=CORNER, settings=Settings(noise=True))
    for noise in (-0.2, 0.0, 0.2):
        optimizer.tell({"x": 0.5, "y": 0.5}, [0.5 + noise, 0.5 - noise])
    optimise(optimizer, free, 6)
    assert len(optimizer.front().ids) >= 4
    means = optimizer.smoothed_front()
    assert np.all(np.isfinite(means.objectives))


def test_a_smoothed_front_needs_data():
    optimizer = Optimizer(PLANE, 2, settings=Settings(noise=True))
    with pytest.raises(ValueError, match="two complete trials, got 0"):
        optimizer.smoothed_front()


def test_no_reciprocal_version_is_chosen_where_there_is_noise():
    """It is measured from the least value, which noise decides; without noise it is chosen here."""

    def poles(x):
        return ([1.0 / (0.05 + x["x"]), 1.0 / (1.05 - x["x"])],)

    def chosen(noise):
        settings = Settings(noise=noise)
        optimizer = Optimizer(PLANE, 2, reference_point=[25.0, 25.0], settings=settings)
        records = optimise(optimizer, poles, 12).records
        return {version for record in records for version in record.versions}

    assert "reciprocal" in chosen(noise=False)
    assert "reciprocal" not in chosen(noise=True)
