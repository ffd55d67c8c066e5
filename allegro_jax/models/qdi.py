"""Allegro+QDI: the per-edge readout through a quantum circuit."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from allegro_jax.configs import Normalization, QDIReadout
from allegro_jax.nn.mlp import MLP
from allegro_jax.quantum.circuits import QDICircuit, qdi_expectations
from allegro_jax.quantum.unitaries import (
    CircuitBlocks,
    circuit_blocks,
    expectations_by_unitaries,
    expectations_of_blocks,
)

PREPARED = "prepared"
"""Collection of variables that `prepare` makes of the parameters."""

SIMULATORS: dict[str, Callable[..., Array]] = {
    "unitaries": expectations_by_unitaries,
    "qnode": qdi_expectations,
}


def qdi_circuit(config: QDIReadout) -> QDICircuit:
    """The circuit that a readout config asks for."""
    return QDICircuit(
        n_features=config.features,
        n_qubits=config.n_qubits,
        depth=config.depth,
        entangling=config.entangling,
        rotation=config.rotation,
        measure=config.measure,
    )


def uniform_angle(key: Array, shape: tuple[int, ...], dtype: jnp.dtype) -> Array:
    """Draws from U(0, 2π), every angle of a rotation being as likely as any other."""
    return jax.random.uniform(key, shape, dtype, 0.0, 2.0 * jnp.pi)


class QDIReadoutModule(nn.Module):
    """Allegro+QDI: E_ij = u(r_ij) Linear(Linear(QDI(MLP(h_ij; hidden; features)); final_width); 1).

    arXiv:2602.16908, Sec. 3.4 and Fig. 3a, with one difference: the paper has no factor u(r_ij).
    The circuit of a vector of zeros does not give zero, so without it the energy would jump
    whenever a neighbour crosses the cutoff. With it, energy, forces and their derivatives go to
    zero there however the layers inside are set.

    Where the paper leaves the choice open:

    * circuit weights start from U(0, 2π);
    * the features are the angles as they are, neither squashed nor scaled;
    * no activation between the two linear layers, so that the circuit is the last nonlinear map;
    * the first of them has a bias, zero at the start: expectation values are bounded and mostly
      centred on zero, edge energies need not be, and the envelope keeps the constant harmless.

    The circuit runs in float32 at least, since angles do not bear the rounding of bfloat16.

    Attributes:
        config: sizes, see `QDIReadout`.
        normalization: how linear weights are scaled; see `MLP`.
        dtype: type of the classical weights and of the result.
    """

    config: QDIReadout
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
        angles = self._mlp((*config.hidden, config.features), "mlp")(scalars)
        channels = self._mlp((config.final_width,), "fully_connected")(self._expectations(angles))
        bias = self.param("bias", nn.initializers.zeros, (config.final_width,), self.dtype)
        energies = self._mlp((1,), "output")(channels + bias[None, :])
        return energies * envelope.astype(self.dtype)[:, None]

    def _mlp(self, widths: tuple[int, ...], name: str) -> MLP:
        # A single layer has no activation: MLP applies it between layers only.
        return MLP(widths, self.config.activation, self.normalization, self.dtype, name=name)

    def _expectations(self, angles: Float[Array, "edges features"]) -> Float[Array, "edges qubits"]:
        circuit = qdi_circuit(self.config)
        dtype = jnp.promote_types(self.dtype, jnp.float32)
        weights = self.param("circuit_weights", uniform_angle, circuit.weight_shape, dtype)
        angles = angles.astype(dtype)
        if self.has_variable(PREPARED, "circuit"):
            blocks: CircuitBlocks = self.get_variable(PREPARED, "circuit")
            return expectations_of_blocks(angles, blocks, circuit).astype(self.dtype)
        simulate = SIMULATORS[self.config.simulator]
        return simulate(angles, weights, circuit).astype(self.dtype)


def prepare(config: QDIReadout, params: Mapping[str, Array]) -> dict[str, Any]:
    """Computes from the parameters of the readout what is the same for all edges.

    Returns:
        Variables of the readout in the collection `PREPARED`, none for the plain QNode. With them
        the block matrices are not computed again in every call of the module.
    """
    if config.simulator != "unitaries":
        return {}
    return {"circuit": circuit_blocks(params["circuit_weights"], qdi_circuit(config))}
