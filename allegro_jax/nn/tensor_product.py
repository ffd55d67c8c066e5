"""The channelwise ("uuu") tensor product of Allegro in two interchangeable back ends.

A path (l_1, l_2) → l_out couples

    T_k,u = √(2 l_out + 1) Σ_ij C_ijk first_i,u second_j,u

The current architecture sums the paths with weights (`tensor_product`), that of 2023 keeps each
(`path_products`). Arrays are component-first, [components, edges, channels].
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from allegro_jax.nn.irreps import (
    Irreps,
    Path,
    coupling_coefficients,
    coupling_paths,
    dimension,
)

Components = Float[Array, "components edges channels"]


def tensor_product(
    backend: str, irreps: tuple[Irreps, Irreps, Irreps]
) -> Callable[[Components, Components, Array], Components]:
    """Returns `product(first, second, weights)` for (first, second, out) irreps.

    out_k,u = Σ_paths w_path,u T_path,k,u. The weights have shape [paths, channels], or [paths, 1]
    if all channels share them, in the order of `coupling_paths`.
    """
    product = {"sparse": _sparse_product, "e3nn": _e3nn_product}[backend]
    return lambda first, second, weights: product(irreps, first, second, weights)


def path_products(
    backend: str, irreps: tuple[Irreps, Irreps, Irreps], first: Components, second: Components
) -> list[Components]:
    """T of every path, without weights, in the order of `coupling_paths`."""
    paths = coupling_paths(*irreps)
    if backend == "e3nn":
        return [_e3nn_path(path, first, second) for path in paths]
    a, b = _components(first), _components(second)
    return [jnp.concatenate(_sparse_path(path, a, b), axis=0) for path in paths]


def _sparse_product(
    irreps: tuple[Irreps, Irreps, Irreps], first: Components, second: Components, weights: Array
) -> Components:
    """Unrolled sum over the non-zero coefficients, 6 to 12 times fewer than the dense ones."""
    a, b = _components(first), _components(second)
    w = _components(weights[:, None, :])
    out: dict[int, Array] = {}
    for index, path in enumerate(coupling_paths(*irreps)):
        for k, component in enumerate(_sparse_path(path, a, b)):
            term = w[index] * component
            slot = path.out_offset + k
            out[slot] = out[slot] + term if slot in out else term
    return jnp.concatenate([out[slot] for slot in range(dimension(irreps[2]))], axis=0)


def _sparse_path(path: Path, a: list[Array], b: list[Array]) -> list[Array]:
    """The components of T of one path, [1, edges, channels] each."""
    coefficients = coupling_coefficients(path.first.l, path.second.l, path.out.l)
    components = []
    for k in range(path.out.dim):
        terms = [
            float(coefficients[i, j, k]) * a[path.first_offset + i] * b[path.second_offset + j]
            for i, j in np.argwhere(coefficients[:, :, k])
        ]
        components.append(sum(terms[1:], start=terms[0]))
    return components


def _components(array: Array) -> list[Array]:
    """Takes an array apart along its first axis.

    The transpose of `lax.split` is one concatenation: with `array[i]` every component would be
    padded and added in the gradient, 4 times slower.
    """
    return list(jax.lax.split(array, (1,) * array.shape[0], axis=0))


def _e3nn_product(
    irreps: tuple[Irreps, Irreps, Irreps], first: Components, second: Components, weights: Array
) -> Components:
    """The same sum, one `e3nn_jax.tensor_product` per path; slow, for reference."""
    out = jnp.zeros((dimension(irreps[2]), *first.shape[1:]), first.dtype)
    for index, path in enumerate(coupling_paths(*irreps)):
        weighted = _e3nn_path(path, first, second) * weights[index][None, None, :]
        out = out.at[path.out_offset : path.out_offset + path.out.dim].add(weighted)
    return out


def _e3nn_path(path: Path, first: Components, second: Components) -> Components:
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
