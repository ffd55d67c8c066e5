"""Per-edge readouts: from the scalars of an edge to its energy.

Every module maps (scalars, envelope [edges]) to [edges, 1], the scalars being one array [edges,
features] or several that count as one after another, and vanishes smoothly
at the cutoff: perceptrons because they have no biases and the scalars vanish there, others by
multiplying with the envelope.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from allegro_jax.configs import (
    CircuitReadout,
    FrozenQDIReadout,
    LinearControl,
    MLPControl,
    MLPReadout,
    ModelConfig,
    Normalization,
    QDIReadout,
    Readout,
    StackedMLPReadout,
    TrigonometricControl,
)
from allegro_jax.models import controls
from allegro_jax.nn.mlp import MLP


class MLPReadoutModule(nn.Module):
    """Allegro: E_ij = MLP(h_ij; hidden; 1)."""

    config: MLPReadout
    normalization: Normalization = "fan_in"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self,
        scalars: Sequence[Float[Array, "edges ?features"]],
        envelope: Float[Array, "edges"],  # noqa: ARG002 - without biases h = 0 gives E = 0
    ) -> Float[Array, "edges 1"]:
        """Returns the energy of every edge (eV, before scale and shift)."""
        widths = (*self.config.hidden, 1)
        mlp = MLP(widths, self.config.activation, self.normalization, self.dtype, name="mlp")
        return mlp(scalars)


class StackedMLPReadoutModule(nn.Module):
    """Allegro+MLP: E_ij = MLP(MLP(h_ij; hidden; features); final_hidden; 1)."""

    config: StackedMLPReadout
    normalization: Normalization = "fan_in"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self,
        scalars: Sequence[Float[Array, "edges ?features"]],
        envelope: Float[Array, "edges"],  # noqa: ARG002 - without biases h = 0 gives E = 0
    ) -> Float[Array, "edges 1"]:
        """Returns the energy of every edge (eV, before scale and shift)."""
        config = self.config
        options = (config.activation, self.normalization, self.dtype)
        features = MLP((*config.hidden, config.features), *options, name="mlp")(scalars)
        return MLP((*config.final_hidden, 1), *options, name="final_mlp")(features)


CLASSICAL: Mapping[type, type[nn.Module]] = {
    MLPReadout: MLPReadoutModule,
    StackedMLPReadout: StackedMLPReadoutModule,
    MLPControl: controls.MLPControlModule,
    TrigonometricControl: controls.TrigonometricControlModule,
    LinearControl: controls.LinearControlModule,
}
"""Modules that need no circuit."""


def build_readout(
    config: Readout, *, normalization: Normalization, dtype: jnp.dtype, name: str
) -> nn.Module:
    """Returns the readout module that a config asks for.

    Args:
        config: readout config.
        normalization: how the weights of the perceptrons are scaled; see `MLP`.
        dtype: type of weights and computation.
        name: name of the readout in the parameters.
    """
    if isinstance(config, QDIReadout | CircuitReadout):
        # PennyLane takes seconds to import, and only this readout needs it.
        from allegro_jax.models.qdi import QDIReadoutModule

        fixed = isinstance(config, FrozenQDIReadout)
        qdi = controls.frozen(QDIReadoutModule) if fixed else QDIReadoutModule
        return qdi(config, normalization, dtype, name=name)
    return CLASSICAL[type(config)](config, normalization, dtype, name=name)


def prepared_variables(config: ModelConfig, params: Mapping[str, Any]) -> dict[str, Any]:
    """Computes once what a model would compute from its parameters in every block of edges.

    Args:
        config: config of the model.
        params: parameters of the whole model.

    Returns:
        Collections of variables to pass to the model beside its parameters.
    """
    readout, latent = config.readout, config.latent_circuit
    if latent is None and not isinstance(readout, QDIReadout):
        return {}
    from allegro_jax.models.circuits import PREPARED, prepare  # as in `build_readout`

    prepared = {}
    if isinstance(readout, QDIReadout):
        own = params["readout"]
        if isinstance(readout, FrozenQDIReadout):
            own = controls.without_circuit_gradient(own)
        prepared["readout"] = prepare(readout, own, readout.n_circuits)
    if latent is not None:
        names = [latent_circuit_name(layer) for layer in range(config.num_layers)]
        prepared |= {name: prepare(latent, params[name]) for name in names}
    return {PREPARED: prepared}


def latent_circuit_name(layer: int) -> str:
    """Name of the circuit of an Allegro layer in the parameters."""
    return f"latent_{layer}_circuit"
