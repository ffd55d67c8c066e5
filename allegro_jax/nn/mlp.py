"""Bias-free linear layers and perceptrons of Allegro."""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from allegro_jax.configs import Nonlinearity


def uniform_unit_variance(key: Array, shape: Sequence[int], dtype: jnp.dtype) -> Array:
    """Draws from U(-√3, √3), the initial distribution of every linear weight."""
    return jax.random.uniform(key, tuple(shape), dtype, -(3.0**0.5), 3.0**0.5)


def mish(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Returns x tanh(ln(1 + e^x))."""
    return x * jnp.tanh(jax.nn.softplus(x))


def activation(name: Nonlinearity | None) -> Callable[[Array], Array]:
    """Returns the nonlinearity called `name`; all of them map 0 to 0."""
    if name is None:
        return lambda x: x
    table: dict[str, Callable[[Array], Array]] = {
        "silu": jax.nn.silu,
        "mish": mish,
        "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    }
    return table[name]


class MLP(nn.Module):
    """Perceptron without biases: y = (α_n W_n)ᵀ φ(... φ((α_0 W_0)ᵀ x)).

    α = g/√fan keeps the variance of the features near 1. With `forward_normalize` the fan is the
    fan-in and g = √2 on every layer after the first, which makes up for what the nonlinearity
    takes away; otherwise the fan is the fan-out and g = √2 on every layer before the last. Without
    a nonlinearity g = 1.

    Attributes:
        features: output widths of all layers, the last one being the output.
        nonlinearity: applied after every layer but the last.
        forward_normalize: see above.
        dtype: type of weights and computation.
    """

    features: tuple[int, ...]
    nonlinearity: Nonlinearity | None = "silu"
    forward_normalize: bool = True
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "edges inputs"]) -> Float[Array, "edges outputs"]:
        """Applies all layers."""
        act = activation(self.nonlinearity)
        last = len(self.features) - 1
        for index, width in enumerate(self.features):
            shape = (x.shape[-1], width)
            weight = self.param(f"weight_{index}", uniform_unit_variance, shape, self.dtype)
            x = x @ (weight * self._alpha(index, *shape))
            if index < last:
                x = act(x)
        return x

    def _alpha(self, index: int, fan_in: int, fan_out: int) -> float:
        fan = fan_in if self.forward_normalize else fan_out
        plain_layer = 0 if self.forward_normalize else len(self.features) - 1
        has_gain = self.nonlinearity is not None and index != plain_layer
        return ((2.0 if has_gain else 1.0) / fan) ** 0.5
