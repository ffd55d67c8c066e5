"""Modules of the controls: what stands in the place of a trained circuit.

They map (scalars, envelope) to edge energies as all readouts do; see `allegro_jax.configs.controls`
for what each takes away from QDI.
"""

import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from allegro_jax.configs import (
    LinearControl,
    MLPControl,
    Normalization,
    TrigonometricControl,
)
from allegro_jax.configs.controls import MAX_FREQUENCIES
from allegro_jax.nn.mlp import MLP, activation

FROZEN = ("circuit_weights", "frequencies", "input_scale")
"""Parameters of a QDI readout that the frozen one does not train, by how their names begin."""

Params = TypeVar("Params", bound=Mapping[str, Any])


class MLPControlModule(nn.Module):
    """E_ij = u(r_ij) Linear(φ(β_k + W_k ... φ(β_1 + W_1 z)); 1), z = MLP(h_ij; hidden; features).

    The biases start at zero; linear maps are scaled as those around the circuit of QDI.
    """

    config: MLPControl
    normalization: Normalization = "fan_in"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, scalars: Sequence[Float[Array, "edges ?features"]], envelope: Float[Array, "edges"]
    ) -> Float[Array, "edges 1"]:
        """Returns the energy of every edge (eV, before scale and shift)."""
        config = self.config
        x = self._mlp((*config.hidden, config.features), "mlp")(scalars)
        for index, width in enumerate(config.final_hidden):
            x = self._mlp((width,), f"final_{index}")(x)
            bias = self.param(f"bias_{index}", nn.initializers.zeros, (width,), self.dtype)
            x = activation(config.activation)(x + bias[None, :])
        return self._mlp((1,), "output")(x) * envelope.astype(self.dtype)[:, None]

    def _mlp(self, widths: tuple[int, ...], name: str) -> MLP:
        return MLP(widths, self.config.activation, self.normalization, self.dtype, name=name)


class LinearControlModule(nn.Module):
    """E_ij = u(r_ij) Linear(β + Linear(Linear(f(z)))), z = MLP(h_ij; hidden; features), f(z) = z.

    Named after the layers of QDI, with "coefficients" in the place of the circuit.
    """

    config: LinearControl
    normalization: Normalization = "fan_in"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, scalars: Sequence[Float[Array, "edges ?features"]], envelope: Float[Array, "edges"]
    ) -> Float[Array, "edges 1"]:
        """Returns the energy of every edge (eV, before scale and shift)."""
        config = self.config
        angles = self._mlp((*config.hidden, config.features), "mlp")(scalars)
        outputs = self._mlp((config.outputs,), "coefficients")(self._functions(angles))
        channels = self._mlp((config.final_width,), "fully_connected")(outputs)
        bias = self.param("bias", nn.initializers.zeros, (config.final_width,), self.dtype)
        energies = self._mlp((1,), "output")(channels + bias[None, :])
        return energies * envelope.astype(self.dtype)[:, None]

    def _mlp(self, widths: tuple[int, ...], name: str) -> MLP:
        return MLP(widths, self.config.activation, self.normalization, self.dtype, name=name)

    def _functions(self, angles: Float[Array, "edges features"]) -> Float[Array, "edges functions"]:
        return angles


class TrigonometricControlModule(LinearControlModule):
    """The same with f(z) = [cos(ω·z), sin(ω·z)] for all frequencies ω; see `frequencies`."""

    config: TrigonometricControl

    def _functions(self, angles: Float[Array, "edges features"]) -> Float[Array, "edges functions"]:
        # As in QDI: angles do not bear the rounding of bfloat16.
        dtype = jnp.promote_types(self.dtype, jnp.float32)
        phases = angles.astype(dtype) @ jnp.asarray(frequencies(self.config).T, dtype)
        return jnp.concatenate([jnp.cos(phases), jnp.sin(phases)], axis=1).astype(self.dtype)


@functools.lru_cache
def frequencies(config: TrigonometricControl) -> Int[np.ndarray, "frequencies features"]:
    """Returns ω in {-1, 0, 1}^features but zero, one of each pair ±ω: all, or as many as asked for.

    The first entry that is not zero is 1. Drawn ones are distinct, every subset alike likely.
    """
    rng = np.random.default_rng(config.seed)
    if 3**config.features <= MAX_FREQUENCIES:
        every = np.array(list(itertools.product((-1, 0, 1), repeat=config.features)))
        half = every[len(every) // 2 + 1 :]  # the lexicographic order ends with those wanted
        rows = rng.choice(len(half), config.n_frequencies, replace=False)
        return half[np.sort(rows)]
    found: dict[tuple[int, ...], None] = {}
    while len(found) < config.n_frequencies:
        omega = rng.integers(-1, 2, config.features)
        leading = omega[np.flatnonzero(omega)[:1]]
        if leading.size:
            found[tuple((leading[0] * omega).tolist())] = None
    return np.array(list(found))


def without_circuit_gradient(params: Params) -> dict[str, Any]:
    """Returns the parameters of a QDI readout such that no gradient reaches its circuit."""
    return {
        name: jax.lax.stop_gradient(value) if name.startswith(FROZEN) else value
        for name, value in params.items()
    }


def frozen(module: type[nn.Module]) -> type[nn.Module]:
    """Returns the QDI module whose circuit is not trained; parameters and results are the same."""

    def freeze(variables: Mapping[str, Any]) -> dict[str, Any]:
        params = variables.get("params", {})
        return {**variables, "params": without_circuit_gradient(params)} if params else {}

    return nn.map_variables(module, "params", freeze, init=True)
