"""Bias-free linear layers and perceptrons of Allegro."""

import functools
import operator
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from allegro_jax.configs import Nonlinearity, Normalization


def uniform_unit_variance(key: Array, shape: Sequence[int], dtype: jnp.dtype) -> Array:
    """Draws from U(-√3, √3), the initial distribution of every linear weight."""
    return jax.random.uniform(key, tuple(shape), dtype, -(3.0**0.5), 3.0**0.5)


def silu(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Returns x / (1 + e^-x), by a hyperbolic tangent, which needs no division."""
    return x * (0.5 + 0.5 * jnp.tanh(0.5 * x))


def mish(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Returns x tanh(ln(1 + e^x))."""
    return x * jnp.tanh(jax.nn.softplus(x))


def activation(name: Nonlinearity | None) -> Callable[[Array], Array]:
    """Returns the nonlinearity called `name`; all of them map 0 to 0."""
    if name is None:
        return lambda x: x
    table: dict[str, Callable[[Array], Array]] = {
        "silu": silu,
        "mish": mish,
        "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    }
    return table[name]


SECOND_MOMENT_GAINS: dict[Nonlinearity, float] = {
    "silu": 1.6791767923989418,
    "mish": 1.486847581273208,
    "gelu": 1.533530441195535,
}
"""E[φ(z)²]^(-1/2) for normally distributed z. That of silu is e3nn's Monte Carlo estimate, part of
the definition of the 2023 architecture (the integral gives 1.6765); the others are integrals."""


_NARROW = 32
"""Rows up to so many numbers are better taken as one long row; wider ones lose a percent by it."""


def _elementwise(function: Callable[[Array], Array], x: Float[Array, "edges features"]) -> Array:
    """Applies a function to every number.

    Of a loop over narrow rows XLA's CPU compiler unrolls the row, and then vectorises over the
    rows, one load and one store per number: half the speed of a loop over a single row.
    """
    if x.shape[-1] > _NARROW:
        return function(x)
    return function(x.reshape(-1)).reshape(x.shape)


class MLP(nn.Module):
    """Perceptron without biases: y = (α_n W_n)ᵀ φ(... φ((α_0 W_0)ᵀ x)).

    α = g/√fan keeps the variance of the features near 1; g makes up for what the nonlinearity
    takes away, and is 1 without one:

    * "fan_in": the fan is the fan-in, g = √2 on every layer after the first;
    * "fan_out": the fan is the fan-out, g = √2 on every layer before the last;
    * "second_moment": the fan is the fan-in, g = E[φ(z)²]^(-1/2) on every layer after the first.

    Attributes:
        features: output widths of all layers, the last one being the output.
        nonlinearity: applied after every layer but the last.
        normalization: see above.
        dtype: type of weights and computation.
    """

    features: tuple[int, ...]
    nonlinearity: Nonlinearity | None = "silu"
    normalization: Normalization = "fan_in"
    dtype: jnp.dtype = jnp.float32

    def __call__(
        self, x: Float[Array, "edges inputs"] | Sequence[Float[Array, "edges ?inputs"]]
    ) -> Float[Array, "edges outputs"]:
        """Applies all layers.

        Args:
            x: the inputs; several arrays count as one after another, without being copied.
        """
        return self.in_parts(x, self.features[-1:])[0]

    @nn.compact
    def in_parts(
        self,
        x: Float[Array, "edges inputs"] | Sequence[Float[Array, "edges ?inputs"]],
        sizes: Sequence[int],
    ) -> list[Float[Array, "edges ?outputs"]]:
        """Applies all layers and returns the outputs in several arrays.

        They come from products of their own, so that neither they nor their cotangents are copied
        out of one array or into one.

        Args:
            x: the inputs, as in a call.
            sizes: widths of the parts of the output; they add up to the last of `features`.
        """
        act = activation(self.nonlinearity)
        parts = list(x) if isinstance(x, Sequence) else [x]
        for index in range(len(self.features) - 1):
            (y,) = self._layer(index, parts, self.features[index : index + 1])
            parts = [_elementwise(act, y)]
        return self._layer(len(self.features) - 1, parts, sizes)

    def _layer(self, index: int, parts: Sequence[Array], sizes: Sequence[int]) -> list[Array]:
        """One product of every part of the inputs with every part of the outputs."""
        inputs = [part.shape[-1] for part in parts]
        shape = (sum(inputs), self.features[index])
        weight = self.param(f"weight_{index}", uniform_unit_variance, shape, self.dtype)
        rows = jax.lax.split(weight * self._alpha(index, *shape), inputs, axis=0)
        blocks = [jax.lax.split(row, sizes, axis=1) for row in rows]
        return [
            functools.reduce(
                operator.add, (part @ block[k] for part, block in zip(parts, blocks, strict=True))
            )
            for k in range(len(sizes))
        ]

    def _alpha(self, index: int, fan_in: int, fan_out: int) -> float:
        backward = self.normalization == "fan_out"
        fan = fan_out if backward else fan_in
        plain_layer = len(self.features) - 1 if backward else 0
        if self.nonlinearity is None or index == plain_layer:
            return fan**-0.5
        if self.normalization == "second_moment":
            return SECOND_MOMENT_GAINS[self.nonlinearity] * fan**-0.5
        return (2.0 / fan) ** 0.5
