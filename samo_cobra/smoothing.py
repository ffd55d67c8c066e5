"""Radial basis functions that smooth noisy outputs, with the nugget that predicts best.

The interpolation conditions give way to a penalty: [[Phi + nu, P], [P', 0]] [w; c] = [y; 0]. In
the eigenvectors of Phi on the complement of the tail, every nugget nu has its weights and its
leave-one-out errors in closed form (Golub, Heath and Wahba, Technometrics 21, 1979), so one
factorisation per kernel serves all nuggets, outputs and transforms.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from samo_cobra import surrogates, transforms

# In units of the mean eigenvalue of the kernel on the complement of the tail.
NUGGETS = tuple(10.0 ** (0.5 * k) for k in range(-20, 5))
_TINY = 1e-12


def _complement(
    points: Float[Array, "points dims"], mask: Bool[Array, " points"]
) -> tuple[Float[Array, "points tail"], Float[Array, "points points"]]:
    """The tail at the points, and the projector on what it cannot represent.

    The squares of the tail are left out while they would take more than a third of the points:
    noise must not find a parabola.
    """
    dims = points.shape[1]
    count = jnp.sum(mask)
    used = jnp.concatenate(
        [
            jnp.ones(1, bool),
            jnp.broadcast_to(count >= dims + 3, (dims,)),
            jnp.broadcast_to(count >= 3 * (2 * dims + 1), (dims,)),
        ]
    )
    tail = jnp.where(mask[:, None] & used[None], surrogates.tail_terms(points), 0.0)
    u, s, _ = jnp.linalg.svd(tail, full_matrices=False)
    kept = jnp.where(s > _TINY * jnp.max(s), u, 0.0)
    return tail, jnp.diag(mask.astype(float)) - kept @ kept.T


@functools.partial(jax.jit, static_argnames="n_objectives")
def fit(
    points: Float[Array, "points dims"],
    values: Float[Array, "points outputs"],
    mask: Bool[Array, " points"],
    *,
    n_objectives: int,
) -> tuple[surrogates.Surrogates, Float[Array, "points models outputs"]]:
    """Fits all kernels and transforms to all outputs, each with its best nugget.

    Args:
        points: evaluated points on [-1, 1]^d, padded; repetitions allowed.
        values: noisy outputs in original units, objectives first; padded rows are ignored.
        mask: true for rows that hold a point.
        n_objectives: number of leading output columns that are objectives.

    Returns:
        The smoothing functions, and their leave-one-out errors in original units.
    """
    affine = transforms.moments(values, mask, n_objectives)
    targets = jnp.where(mask[:, None, None], transforms.apply(values, affine), 0.0)
    y = targets.reshape(len(points), -1)
    tail, project = _complement(points, mask)
    pseudo_inverse = jnp.linalg.pinv(tail, rtol=_TINY)

    def one_kernel(phi: Float[Array, "points points"]) -> tuple[Array, Array]:
        inner = project @ phi @ project
        eigenvalues, vectors = jnp.linalg.eigh(0.5 * (inner + inner.T))
        vectors = project @ vectors
        scale = jnp.sum(jnp.maximum(eigenvalues, 0.0)) / jnp.maximum(jnp.sum(mask), 1)
        coordinates = vectors.T @ y

        def one_nugget(nugget: Array) -> tuple[Array, Array]:
            shrink = 1.0 / (jnp.maximum(eigenvalues, 0.0) + nugget * scale + _TINY)
            weights = vectors @ (shrink[:, None] * coordinates)
            diagonal = jnp.sum(vectors**2 * shrink[None], axis=1)
            residual = weights / jnp.maximum(diagonal, _TINY)[:, None]
            return weights, jnp.where(mask[:, None], residual, 0.0)

        weights, residuals = jax.lax.map(one_nugget, jnp.array(NUGGETS))
        best = jnp.argmin(jnp.sum(residuals**2, axis=1), axis=0)
        columns = jnp.arange(y.shape[1])
        nugget = jnp.array(NUGGETS)[best] * scale + _TINY
        chosen = weights[best, :, columns].T
        rest = y - phi @ chosen - nugget[None] * chosen
        return jnp.concatenate([chosen, pseudo_inverse @ rest]), residuals[best, :, columns].T

    solution, residual = jax.lax.map(one_kernel, surrogates.kernel_matrices(points, mask))
    solution = jnp.nan_to_num(solution, nan=0.0, posinf=0.0, neginf=0.0)
    shape = (values.shape[1], surrogates.N_VERSIONS)
    weights = solution.reshape(*solution.shape[:2], *shape)
    fitted = surrogates.Surrogates(points, mask, weights, affine)
    residual = residual.reshape(*residual.shape[:2], *shape)
    return fitted, surrogates.errors_of_residuals(fitted, residual, values)
