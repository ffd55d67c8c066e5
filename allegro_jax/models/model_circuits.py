"""Which circuits a model has, by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jaxtyping import Array, Float

from allegro_jax.configs import CircuitReadout, ModelConfig, QDIReadout
from allegro_jax.models.circuits import CircuitConfig, all_weights, circuit_suffix
from allegro_jax.models.readouts import latent_circuit_name


@dataclass(frozen=True)
class ModelCircuit:
    """A circuit of a model.

    Attributes:
        module: name of the module that it belongs to, in the parameters of the model.
        index: number of the circuit in the module.
        config: circuit and options.
    """

    module: str
    index: int
    config: CircuitConfig

    @property
    def variable(self) -> str:
        """Name of the circuit in collections of variables."""
        return f"circuit{circuit_suffix(self.index)}"

    @property
    def name(self) -> str:
        """Name of the circuit in the model."""
        return f"{self.module}/{self.variable}"

    def weights(self, params: Mapping[str, Any]) -> Float[Array, "*shape"]:
        """All weights of the circuit, dead ones that are no parameters included."""
        weights = params[self.module][f"circuit_weights{circuit_suffix(self.index)}"]
        return all_weights(self.config, weights)


def model_circuits(config: ModelConfig) -> tuple[ModelCircuit, ...]:
    """The circuits of a model in the order in which they run; none in classical models.

    Example:
        >>> from allegro_jax.configs import AllegroConfig, QDILayer, QDIReadout
        >>> options = {"readout": QDIReadout(n_circuits=2), "latent_circuit": QDILayer()}
        >>> config = AllegroConfig(type_names=("Cu",), cutoff=4.0, num_layers=1, **options)
        >>> [circuit.name for circuit in model_circuits(config)]
        ['latent_0_circuit/circuit', 'readout/circuit', 'readout/circuit_1']
    """
    found = []
    latent, readout = config.latent_circuit, config.readout
    if latent is not None:
        names = [latent_circuit_name(layer) for layer in range(config.num_layers)]
        found += [ModelCircuit(name, 0, latent) for name in names]
    if isinstance(readout, QDIReadout | CircuitReadout):
        found += [ModelCircuit("readout", index, readout) for index in range(readout.n_circuits)]
    return tuple(found)
