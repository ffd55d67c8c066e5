"""The channelwise ("uuu") tensor product of Allegro in three interchangeable back ends.

A path (l_1, l_2) → l_out couples

    T_k,u = √(2 l_out + 1) Σ_ij C_ijk first_i,u second_j,u

The current architecture sums the paths with weights (`tensor_product`), that of 2023 keeps each
(`path_products`). A tensor feature is a sequence of its components, arrays [edges, channels]; an
array [components, edges, channels] is one as well. Apart, they are never copied into one array
only to be taken out of it again.
"""

import functools
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from allegro_jax.nn.environment import Components
from allegro_jax.nn.irreps import (
    Irreps,
    Path,
    coupling_coefficients,
    coupling_paths,
    dimension,
)

Backend = Literal["sparse", "dense", "e3nn"]


def platform_backend() -> Backend:
    """The back end for the platform that JAX computes on.

    "sparse" has the least arithmetic and memory traffic; "dense" feeds the matrix units of a TPU,
    on which arrays of few channels leave most lanes of elementwise operations empty.
    """
    return "dense" if jax.default_backend() == "tpu" else "sparse"


def tensor_product(
    backend: Backend | Literal["auto"], irreps: tuple[Irreps, Irreps, Irreps]
) -> Callable[[Components, Components, Array], list[Array]]:
    """Returns `product(first, second, weights)` for (first, second, out) irreps.

    out_k,u = Σ_paths w_path,u T_path,k,u. The weights have shape [paths, channels], or [paths, 1]
    if all channels share them, in the order of `coupling_paths`.

    Args:
        backend: "sparse" (the non-zero coefficients unrolled), "dense" (outer products times a
            matrix per channel), "e3nn" (`e3nn_jax.tensor_product`, slow, the reference), or
            "auto" for `platform_backend`. All give the same numbers up to rounding.
        irreps: of both factors and of the result.
    """
    if backend == "auto":
        backend = platform_backend()
    product = {"sparse": _sparse_product, "dense": _dense_product, "e3nn": _e3nn_product}[backend]
    return lambda first, second, weights: product(irreps, first, second, weights)


def path_products(
    backend: Backend | Literal["auto"],
    irreps: tuple[Irreps, Irreps, Irreps],
    first: Components,
    second: Components,
) -> list[list[Array]]:
    """T of every path, without weights, in the order of `coupling_paths`."""
    paths = coupling_paths(*irreps)
    if backend == "e3nn":
        a, b = jnp.stack([*first]), jnp.stack([*second])
        return [[*_e3nn_path(path, a, b)] for path in paths]
    return [_sparse_path(path, first, second) for path in paths]


def _sparse_product(
    irreps: tuple[Irreps, Irreps, Irreps], first: Components, second: Components, weights: Array
) -> list[Array]:
    """Unrolled sum over the non-zero coefficients, 6 to 12 times fewer than the dense ones."""
    out: dict[int, Array] = {}
    edge_weights = _edge_weights(weights, first[0].shape[0])
    for path, weight in zip(coupling_paths(*irreps), edge_weights, strict=True):
        for k, component in enumerate(_sparse_path(path, first, second)):
            term = weight * component
            slot = path.out_offset + k
            out[slot] = out[slot] + term if slot in out else term
    return [out[slot] for slot in range(dimension(irreps[2]))]


def _edge_weights(weights: Array, num_edges: int) -> list[Float[Array, "edges channels"]]:
    """The weights of every path, the same on every edge.

    As a product with a column of ones, which XLA turns into a broadcast. Its transpose, the sum
    over the edges, stays a matrix product, which XLA's CPU code does faster than the reduction
    that the transpose of a broadcast is.
    """
    paths, channels = weights.shape
    spread = jnp.dot(jnp.ones((num_edges, 1), weights.dtype), weights.reshape(1, -1))
    return list(jax.lax.split(spread, (channels,) * paths, axis=1))


def _sparse_path(path: Path, first: Components, second: Components) -> list[Array]:
    """The components of T of one path."""
    coefficients = coupling_coefficients(path.first.l, path.second.l, path.out.l)
    a = first[path.first_offset : path.first_offset + path.first.dim]
    b = second[path.second_offset : path.second_offset + path.second.dim]
    return [_bilinear(coefficients[:, :, k], a, b) for k in range(path.out.dim)]


def _bilinear(matrix: np.ndarray, a: Components, b: Components) -> Array:
    """Σ_ij matrix_ij a_i b_j over the non-zero entries.

    Most entries agree up to their sign, so that a few multiplications by a number are enough, here
    and in all derivatives; programs compile faster, too.
    """
    groups: dict[float, list[tuple[int, int]]] = {}
    for i, j in np.argwhere(matrix):
        groups.setdefault(round(abs(matrix[i, j]), 12), []).append((i, j))
    total = None
    for pairs in groups.values():
        i, j = pairs[0]
        factor = float(matrix[i, j])
        partial = a[i] * b[j]
        for m, n in pairs[1:]:
            product = a[m] * b[n]
            partial = partial + product if matrix[m, n] * factor > 0 else partial - product
        term = partial if factor == 1.0 else factor * partial
        total = term if total is None else total + term
    assert total is not None
    return total


def _dense_product(
    irreps: tuple[Irreps, Irreps, Irreps], first: Components, second: Components, weights: Array
) -> list[Array]:
    """Outer products [channels, edges, ij] times a matrix [channels, ij, k] of every channel."""
    a, b = jnp.stack([*first], axis=-1), jnp.stack([*second], axis=-1)
    edges, channels = a.shape[:2]
    weights = jnp.broadcast_to(weights, (weights.shape[0], channels))
    coefficients = jnp.asarray(_dense_coefficients(irreps), weights.dtype)
    matrices = jnp.einsum("pijk,pu->uijk", coefficients, weights)
    outer = jnp.swapaxes(a[..., :, None] * b[..., None, :], 0, 1).reshape(channels, edges, -1)
    precise = jax.lax.Precision.HIGHEST  # matrix units must not round float32 features
    matrices = matrices.reshape(channels, outer.shape[-1], -1)
    product = jnp.matmul(outer, matrices, precision=precise)
    return [*jnp.transpose(product, (2, 1, 0))]


@functools.lru_cache
def _dense_coefficients(irreps: tuple[Irreps, Irreps, Irreps]) -> np.ndarray:
    """Coefficients [paths, first, second, out], mostly zeros."""
    paths = coupling_paths(*irreps)
    dense = np.zeros((len(paths), *(dimension(part) for part in irreps)))
    for index, path in enumerate(paths):
        block = coupling_coefficients(path.first.l, path.second.l, path.out.l)
        i, j, k = path.first_offset, path.second_offset, path.out_offset
        dense[index, i : i + path.first.dim, j : j + path.second.dim, k : k + path.out.dim] = block
    return dense


def _e3nn_product(
    irreps: tuple[Irreps, Irreps, Irreps], first: Components, second: Components, weights: Array
) -> list[Array]:
    """The same sum, one `e3nn_jax.tensor_product` per path; slow, for reference."""
    a, b = jnp.stack([*first]), jnp.stack([*second])
    out = jnp.zeros((dimension(irreps[2]), *a.shape[1:]), a.dtype)
    for index, path in enumerate(coupling_paths(*irreps)):
        weighted = _e3nn_path(path, a, b) * weights[index][None, None, :]
        out = out.at[path.out_offset : path.out_offset + path.out.dim].add(weighted)
    return [*out]


def _e3nn_path(
    path: Path, first: Array, second: Array
) -> Float[Array, "components edges channels"]:
    """T of one path by `e3nn_jax`."""
    import e3nn_jax as e3nn  # here: two seconds that only models need

    a = first[path.first_offset : path.first_offset + path.first.dim]
    b = second[path.second_offset : path.second_offset + path.second.dim]
    product = e3nn.tensor_product(
        e3nn.IrrepsArray(e3nn.Irrep(*path.first), jnp.moveaxis(a, 0, -1)),
        e3nn.IrrepsArray(e3nn.Irrep(*path.second), jnp.moveaxis(b, 0, -1)),
        filter_ir_out=[e3nn.Irrep(*path.out)],
        irrep_normalization="component",
    )
    return jnp.moveaxis(product.array, -1, 0)
