"""Allegro+QDI: the per-edge readout through quantum circuits."""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from allegro_jax.configs import CircuitReadout, Normalization, QDIReadout
from allegro_jax.models.circuits import (
    PREPARED,
    circuit_layer,
    circuit_of,
    prepare,
    qdi_circuit,
    uniform_angle,
)
from allegro_jax.nn.mlp import MLP
from allegro_jax.quantum.expectations import SIMULATORS

__all__ = ["PREPARED", "SIMULATORS", "QDIReadoutModule", "prepare", "qdi_circuit", "uniform_angle"]


class QDIReadoutModule(nn.Module):
    """Allegro+QDI: E_ij = u(r_ij) Linear(Linear(QDI(MLP(h_ij; hidden; features)); final_width); 1).

    arXiv:2602.16908, Sec. 3.4 and Fig. 3a, with one difference: the paper has no factor u(r_ij).
    The circuit of a vector of zeros does not give zero, so without it the energy would jump
    whenever a neighbour crosses the cutoff. With it, energy, forces and their derivatives go to
    zero there however the layers inside are set.

    Where the paper leaves the choice open, by default:

    * circuit weights start from U(0, 2π);
    * the features are the angles as they are, neither squashed nor scaled;
    * no activation between the two linear layers, so that the circuit is the last nonlinear map;
    * the first of them has a bias, zero at the start: expectation values are bounded and mostly
      centred on zero, edge energies need not be, and the envelope keeps the constant harmless.

    The deeper hybrids are circuits in sequence, each after a linear map of the outputs of the one
    before, and a perceptron beside them, whose outputs join theirs before the last two layers.

    Attributes:
        config: sizes, see `QDIReadout`; or `CircuitReadout`, for a circuit of the user.
        normalization: how linear weights are scaled; see `MLP`.
        dtype: type of the classical weights and of the result.
    """

    config: QDIReadout | CircuitReadout
    normalization: Normalization = "fan_in"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, scalars: Sequence[Float[Array, "edges ?features"]], envelope: Float[Array, "edges"]
    ) -> Float[Array, "edges 1"]:
        """Returns the edge energies in units of the network.

        Args:
            scalars: all scalars h_ij of an edge.
            envelope: u(r_ij), zero at and beyond the cutoff.
        """
        config = self.config
        features = circuit_of(config).n_features
        angles = self._mlp((*config.hidden, features), "mlp")(scalars)
        parts = [self._circuits(angles)]
        if config.parallel_widths:
            parts.append(self._mlp(config.parallel_widths, "parallel")(angles))
        channels = self._mlp((config.final_width,), "fully_connected")(parts)
        bias = self.param("bias", nn.initializers.zeros, (config.final_width,), self.dtype)
        energies = self._mlp((1,), "output")(channels + bias[None, :])
        return energies * envelope.astype(self.dtype)[:, None]

    def _mlp(self, widths: tuple[int, ...], name: str) -> MLP:
        # A single layer has no activation: MLP applies it between layers only.
        return MLP(widths, self.config.activation, self.normalization, self.dtype, name=name)

    def _circuits(self, angles: Float[Array, "edges features"]) -> Float[Array, "edges outputs"]:
        """One circuit after another."""
        values: Array = circuit_layer(self, self.config, angles)
        for index in range(1, self.config.n_circuits):
            features = self._mlp((angles.shape[1],), f"between_{index}")(values)
            values = circuit_layer(self, self.config, features, index)
        return values
