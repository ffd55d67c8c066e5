"""Radial basis function interpolants with a polynomial tail, six kernels at once.

The model of one output is, with r_i = |z - z_i| on the cube [-1, 1]^d,

    s(z) = sum_i w_i (phi(r_i) + x(z, z_i)) + c . [1, z_1..z_d, z_1^2..z_d^2]

from the saddle-point system [[Phi, P], [P', 0]] [w; c] = [y; 0] (de Winter et al., EMO 2021).
One factorisation per kernel serves all outputs and all transforms.

x(z, z') = sum_{j<k} z_j z_k z'_j z'_k is ours. It is what terms z_j z_k of the tail with a ridge of
one come to: variables often act together, which distances show only near the points, and there are
too many such terms to leave them free.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from samo_cobra import transforms

KERNELS = (
    "cubic",
    "gaussian",
    "multiquadric",
    "inverse_quadratic",
    "inverse_multiquadric",
    "thin_plate",
)
N_VERSIONS = len(transforms.VERSIONS)
N_MODELS = len(KERNELS) * N_VERSIONS

# Ridge on the kernel block: above rounding, far below any signal.
_NUGGET = 1e-12
# Ridge on the tail: where it is not determined it picks the one of minimum norm.
_TAIL_RIDGE = 1e-10
# Ridge on the squares while there are fewer points than tail terms. The tail could take in all
# data then and leave nothing to the kernels, but a minimum-norm parabola splits even a linear
# trend between z and z^2; the squares are small instead, and kernels and linear terms explain.
_SQUARES_RIDGE = 1.0
# Keeps the logarithm of the thin-plate kernel finite at a data point.
_TINY = 1e-300


def _cubic(q: Array) -> tuple[Array, Array]:
    r = jnp.sqrt(q)
    return q * r, 1.5 * r


def _gaussian(q: Array) -> tuple[Array, Array]:
    value = jnp.exp(-q)
    return value, -value


def _multiquadric(q: Array) -> tuple[Array, Array]:
    # The sign makes it conditionally positive definite like the others.
    root = jnp.sqrt(1.0 + q)
    return -root, -0.5 / root


def _inverse_quadratic(q: Array) -> tuple[Array, Array]:
    value = 1.0 / (1.0 + q)
    return value, -(value**2)


def _inverse_multiquadric(q: Array) -> tuple[Array, Array]:
    value = jax.lax.rsqrt(1.0 + q)
    return value, -0.5 * value**3


def _thin_plate(q: Array) -> tuple[Array, Array]:
    half_log = 0.5 * jnp.log(q + _TINY)
    return q * half_log, half_log + 0.5


# Each maps squared distances q to the kernel and its derivative with respect to q.
_KERNEL_FUNCTIONS: tuple[Callable[[Array], tuple[Array, Array]], ...] = (
    _cubic,
    _gaussian,
    _multiquadric,
    _inverse_quadratic,
    _inverse_multiquadric,
    _thin_plate,
)


class Surrogates(NamedTuple):
    """All models of every output, fitted to one (padded) history."""

    points: Float[Array, "points dims"]
    mask: Bool[Array, " points"]
    weights: Float[Array, "kernels rows outputs versions"]
    affine: transforms.Affine
    inverse: Float[Array, "kernels rows rows"] | None = None


class Model(NamedTuple):
    """One chosen kernel and transform per output."""

    points: Float[Array, "points dims"]
    mask: Bool[Array, " points"]
    weights: Float[Array, "points outputs"]
    tail: Float[Array, "tail outputs"]
    kernel: Int[Array, " outputs"]
    version: Int[Array, " outputs"]
    shift: Float[Array, " outputs"]
    scale: Float[Array, " outputs"]
    products: Float[Array, "outputs dims dims"]
    bend: transforms.Bend
    inverse: Float[Array, "outputs rows rows"] | None = None


def squared_distances(
    a: Float[Array, "rows dims"], b: Float[Array, "columns dims"]
) -> Float[Array, "rows columns"]:
    """Squared distances from differences, accurate for close points."""
    return jnp.sum((a[:, None, :] - b[None, :, :]) ** 2, axis=-1)


def n_tail(dims: int) -> int:
    """Number of polynomial terms."""
    return 2 * dims + 1


def tail_terms(points: Float[Array, "points dims"]) -> Float[Array, "points tail"]:
    """The polynomial terms 1, z_1..z_d, z_1^2..z_d^2."""
    return jnp.concatenate([jnp.ones_like(points[:, :1]), points, points**2], axis=1)


def _kernels(
    a: Float[Array, "rows dims"], b: Float[Array, "columns dims"]
) -> Float[Array, "kernels rows columns"]:
    """All kernels with the products of variables, between two sets of points."""
    q = squared_distances(a, b)
    products = 0.5 * ((a @ b.T) ** 2 - a**2 @ (b**2).T)
    return jnp.stack([f(q)[0] for f in _KERNEL_FUNCTIONS]) + products[None]


def kernel_matrices(
    points: Float[Array, "points dims"], mask: Bool[Array, " points"]
) -> Float[Array, "kernels points points"]:
    """Kernel values between all points, zero where there is padding."""
    both = mask[:, None] & mask[None, :]
    return jnp.where(both[None], _kernels(points, points), 0.0)


def _tail_ridges(dims: int, n_points: Int[Array, ""]) -> Float[Array, " tail"]:
    """Ridge on each of the polynomial terms."""
    undetermined = n_points < n_tail(dims)
    squares = jnp.where(undetermined, _SQUARES_RIDGE, _TAIL_RIDGE)
    return jnp.where(jnp.arange(n_tail(dims)) > dims, squares, _TAIL_RIDGE)


def _system(
    points: Float[Array, "points dims"], mask: Bool[Array, " points"]
) -> Float[Array, "kernels rows rows"]:
    """Saddle-point matrices of all kernels; padded rows are rows of the identity."""
    phi = kernel_matrices(points, mask) + jnp.diag(jnp.where(mask, _NUGGET, 1.0))[None]
    tail = jnp.where(mask[:, None], tail_terms(points), 0.0)
    tail = jnp.broadcast_to(tail, (len(KERNELS), *tail.shape))
    corner = -jnp.diag(_tail_ridges(points.shape[1], jnp.sum(mask)))
    corner = jnp.broadcast_to(corner, (len(KERNELS), *corner.shape))
    top = jnp.concatenate([phi, tail], axis=2)
    bottom = jnp.concatenate([jnp.swapaxes(tail, 1, 2), corner], axis=2)
    return jnp.concatenate([top, bottom], axis=1)


@functools.partial(jax.jit, static_argnames=("n_objectives", "with_inverse"))
def fit(
    points: Float[Array, "points dims"],
    values: Float[Array, "points outputs"],
    mask: Bool[Array, " points"],
    *,
    n_objectives: int,
    with_inverse: bool = False,
) -> Surrogates:
    """Fits all kernels and transforms to all outputs.

    Args:
        points: evaluated points on [-1, 1]^d, padded.
        values: outputs in original units, objectives first; padded rows are ignored.
        mask: true for rows that hold a point.
        n_objectives: number of leading output columns that are objectives.
        with_inverse: keep the inverse matrices, for leave-one-out errors and variances.

    Returns:
        The interpolants together with the moments they were fitted with.
    """
    affine = transforms.moments(values, mask, n_objectives)
    targets = jnp.where(mask[:, None, None], transforms.apply(values, affine), 0.0)
    targets = targets.reshape(len(points), -1)
    right = jnp.concatenate([targets, jnp.zeros((n_tail(points.shape[1]), targets.shape[1]))])
    right = jnp.broadcast_to(right, (len(KERNELS), *right.shape))
    system = _system(points, mask)
    inverse = jnp.linalg.inv(system) if with_inverse else None
    solution = jnp.linalg.solve(system, right) if inverse is None else inverse @ right
    # A kernel whose system broke down must lose the choice, not poison the arithmetic.
    solution = jnp.nan_to_num(solution, nan=0.0, posinf=0.0, neginf=0.0)
    weights = solution.reshape(*solution.shape[:2], values.shape[1], N_VERSIONS)
    return Surrogates(points, mask, weights, affine, inverse)


@jax.jit
def leave_one_out_errors(
    surrogates: Surrogates, values: Float[Array, "points outputs"]
) -> Float[Array, "points models outputs"]:
    """Absolute errors, in original units, of predicting each point without it.

    In closed form, w_i / (M^-1)_ii in transformed units (Rippa, Adv. Comput. Math. 11, 1999).

    Args:
        surrogates: fitted with ``with_inverse``.
        values: outputs that they were fitted to; rows of padding give zero.
    """
    assert surrogates.inverse is not None
    n = len(surrogates.points)
    diagonal = jnp.diagonal(surrogates.inverse, axis1=1, axis2=2)[:, :n, None, None]
    residual = surrogates.weights[:, :n] / jnp.where(jnp.abs(diagonal) > _TINY, diagonal, _TINY)
    return errors_of_residuals(surrogates, residual, values)


def errors_of_residuals(
    surrogates: Surrogates,
    residual: Float[Array, "kernels points outputs versions"],
    values: Float[Array, "points outputs"],
) -> Float[Array, "points models outputs"]:
    """Absolute errors in original units of residuals in transformed ones; zero for padding."""
    left_out = transforms.apply(values, surrogates.affine)[None] - residual
    error = jnp.abs(transforms.invert(left_out, surrogates.affine) - values[None, :, :, None])
    error = jnp.where(surrogates.mask[None, :, None, None], error, 0.0)
    return jnp.moveaxis(error, 3, 1).reshape(N_MODELS, len(values), -1).swapaxes(0, 1)


@jax.jit
def predict_all(
    surrogates: Surrogates, point: Float[Array, " dims"]
) -> Float[Array, "models outputs"]:
    """Predictions of all models in original units.

    They are mapped back with the moments that the models were fitted with: an exact model then
    shows no error when the point's true outputs arrive.
    """
    kernels = _kernels(point[None], surrogates.points)[:, 0]
    tail = jnp.broadcast_to(tail_terms(point[None]), (len(KERNELS), n_tail(len(point))))
    rows = jnp.concatenate([kernels, tail], axis=1)
    transformed = jnp.einsum("kr,krot->kot", rows, surrogates.weights)
    original = transforms.invert(transformed, surrogates.affine)
    return jnp.swapaxes(original, 1, 2).reshape(N_MODELS, -1)


@jax.jit
def select(surrogates: Surrogates, choice: Int[Array, " outputs"]) -> Model:
    """Picks one model per output; models are numbered by kernel, then version."""
    kernel, version = jnp.divmod(choice, N_VERSIONS)
    outputs = jnp.arange(len(choice))
    weights = surrogates.weights[kernel, :, outputs, version].T
    n = len(surrogates.points)
    return Model(
        points=surrogates.points,
        mask=surrogates.mask,
        weights=weights[:n],
        products=_products(surrogates.points, weights[:n]),
        tail=weights[n:],
        kernel=kernel,
        version=version,
        shift=surrogates.affine.shift[outputs, version],
        scale=surrogates.affine.scale[outputs, version],
        bend=surrogates.affine.bend,
        inverse=None if surrogates.inverse is None else surrogates.inverse[kernel],
    )


def _products(
    points: Float[Array, "points dims"], weights: Float[Array, "points outputs"]
) -> Float[Array, "outputs dims dims"]:
    """The products of variables in models as quadratic forms."""
    form = 0.5 * jnp.einsum("no,ni,nj->oij", weights, points, points)
    return form * (1.0 - jnp.eye(points.shape[1]))[None]


def _kernel_terms(
    model: Model, z: Float[Array, "candidates dims"]
) -> tuple[Float[Array, "candidates outputs"], Float[Array, "candidates outputs dims"]]:
    """Kernel part of the transformed predictions and its Jacobian; idle kernels are skipped."""
    q = squared_distances(z, model.points)
    n_points, n_outputs = model.weights.shape
    value = jnp.zeros((len(z), n_outputs))
    jacobian = jnp.zeros((len(z), n_outputs, z.shape[1]))
    for index, function in enumerate(_KERNEL_FUNCTIONS):
        used = model.kernel == index

        def add(
            function: Callable[[Array], tuple[Array, Array]] = function, used: Array = used
        ) -> tuple[Array, Array]:
            phi, slope = function(q)
            weights = jnp.where(used[None], model.weights, 0.0)
            moment = weights[:, :, None] * model.points[:, None, :]
            pull = slope @ moment.reshape(n_points, -1)
            lever = (slope @ weights)[:, :, None] * z[:, None, :]
            return phi @ weights, 2.0 * (lever - pull.reshape(lever.shape))

        skipped = (jnp.zeros_like(value), jnp.zeros_like(jacobian))
        more, steeper = jax.lax.cond(jnp.any(used), add, lambda skipped=skipped: skipped)
        value, jacobian = value + more, jacobian + steeper
    return value, jacobian


@jax.jit
def predict(
    model: Model, z: Float[Array, "candidates dims"]
) -> tuple[Float[Array, "candidates outputs"], Float[Array, "candidates outputs dims"]]:
    """Predictions in original units and their exact Jacobians."""
    value, jacobian = _kernel_terms(model, z)
    dims = z.shape[1]
    value = value + tail_terms(z) @ model.tail
    linear, square = model.tail[1 : dims + 1].T, model.tail[dims + 1 :].T
    jacobian = jacobian + linear[None] + 2.0 * square[None] * z[:, None, :]
    slope_of_products = jnp.einsum("oij,sj->soi", model.products, z)
    value = value + jnp.einsum("soi,si->so", slope_of_products, z)
    jacobian = jacobian + 2.0 * slope_of_products
    raw = value * model.scale[None] + model.shift[None]
    original, slope = transforms.unbent(raw, model.version, model.bend)
    return original, jacobian * (slope * model.scale[None])[:, :, None]


def variance(model: Model, z: Float[Array, " dims"]) -> Float[Array, " outputs"]:
    """Kriging-like variance |k(z, z) - b' M^-1 b| of a model that has its inverse matrices.

    k is phi + x, b holds it and the tail at ``z``. It is zero at evaluated points, in units of
    the kernel (SMS criterion of SAMO-COBRA, step 5).
    """
    assert model.inverse is not None
    phi = jnp.where(model.mask[None], _kernels(z[None], model.points)[:, 0], 0.0)
    at_itself = _kernels(z[None], z[None])[model.kernel, 0, 0]
    tail = jnp.broadcast_to(tail_terms(z[None]), (len(model.kernel), model.tail.shape[0]))
    b = jnp.concatenate([phi[model.kernel], tail], axis=1)
    return jnp.abs(at_itself - jnp.einsum("or,ors,os->o", b, model.inverse, b))
