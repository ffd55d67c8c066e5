"""Quantum circuits as layers of a model: their parameters, and where these start."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from allegro_jax.configs import CircuitReadout, Normalization, QDILayer, QDIReadout
from allegro_jax.nn.mlp import MLP
from allegro_jax.quantum.circuits import QDICircuit
from allegro_jax.quantum.expectations import chosen_simulator, expectations
from allegro_jax.quantum.memory import check_memory
from allegro_jax.quantum.registry import UserCircuit, registered_circuit
from allegro_jax.quantum.structure import live_weights, spread_weights
from allegro_jax.quantum.unitaries import CircuitBlocks, circuit_blocks, expectations_of_blocks
from allegro_jax.quantum.user_circuits import user_expectations

PREPARED = "prepared"
"""Collection of variables that `prepare` makes of the parameters."""

ANGLES = "intermediates"
"""Collection in which every circuit leaves its angles for a caller that makes it mutable."""

LINEARIZED = "linearized"
"""Collection of variables, each a `Linearization` that takes the place of a circuit."""

CircuitConfig = QDIReadout | QDILayer | CircuitReadout


class Linearization(NamedTuple):
    """A circuit that is known by its values and slopes at the angles a of every row alone.

    C(a') = v + J (a' - a), so that energies are made of v, and forces of J by the chain rule.

    Attributes:
        values: v.
        jacobians: J.
    """

    values: Float[Array, "rows outputs"]
    jacobians: Float[Array, "rows outputs features"]

    def at(self, angles: Float[Array, "rows features"]) -> Float[Array, "rows outputs"]:
        """Returns v, with J as its derivative by the angles."""
        change = angles - jax.lax.stop_gradient(angles)
        return self.values + jnp.einsum("rof,rf->ro", self.jacobians, change)


def circuit_suffix(index: int) -> str:
    """What the names of all but the first circuit of a module end with."""
    return f"_{index}" if index else ""


def qdi_circuit(config: QDIReadout | QDILayer) -> QDICircuit:
    """The circuit that a config of QDI asks for."""
    return QDICircuit(
        n_features=config.features,
        n_qubits=config.n_qubits,
        depth=config.depth,
        entangling=config.entangling,
        rotation=config.rotation,
        measure=config.measure,
        ranges=config.ranges,
        measurement_mode=config.measurement_mode,
    )


def circuit_of(config: CircuitConfig) -> QDICircuit | UserCircuit:
    """The circuit of any config, those of the user by their names."""
    if isinstance(config, CircuitReadout):
        return registered_circuit(config.circuit)
    return qdi_circuit(config)


def uniform_angle(key: Array, shape: tuple[int, ...], dtype: jnp.dtype) -> Array:
    """Draws from U(0, 2π), every angle of a rotation being as likely as any other."""
    return jax.random.uniform(key, shape, dtype, 0.0, 2.0 * jnp.pi)


def _initializer(config: CircuitConfig) -> nn.initializers.Initializer:
    return {
        "uniform": uniform_angle,
        "normal": nn.initializers.normal(config.initial_std),
        "zeros": nn.initializers.zeros,
    }[config.initialization]


def _weight_shape(config: CircuitConfig) -> tuple[int, ...]:
    """Shape of the weights that are parameters."""
    if not isinstance(config, CircuitReadout) and config.drop_dead_weights:
        return (int(live_weights(qdi_circuit(config)).sum()),)
    return circuit_of(config).weight_shape


def all_weights(config: CircuitConfig, weights: Array) -> Float[Array, "*shape"]:
    """The weights of the circuit from those that are parameters."""
    if not isinstance(config, CircuitReadout) and config.drop_dead_weights:
        return spread_weights(weights, qdi_circuit(config))
    return weights


def circuit_layer(
    module: nn.Module,
    config: CircuitConfig,
    features: Float[Array, "edges features"],
    index: int = 0,
) -> Float[Array, "edges outputs"]:
    """Sends features through a circuit whose parameters belong to `module`.

    It runs in float32 at least, since angles do not bear the rounding of bfloat16.

    Callers of the model may read the angles, after `input_scale` and frequencies, from the
    collection `ANGLES`, and put a `Linearization` in the place of the circuit.

    Args:
        module: gets the parameters ``circuit_weights``, and ``input_scale`` and ``frequencies`` if
            these are trained.
        config: circuit and options.
        features: before `input_scale` and frequencies multiply them.
        index: number of the circuit in the module; all but the first have it in their names.
    """
    suffix = circuit_suffix(index)
    dtype = jnp.promote_types(features.dtype, jnp.float32)
    angles = _scaled(module, config, features.astype(dtype), suffix)
    shape = _weight_shape(config)
    weights = module.param(f"circuit_weights{suffix}", _initializer(config), shape, dtype)
    name = f"circuit{suffix}"
    module.sow(ANGLES, name, angles)
    if module.has_variable(LINEARIZED, name):
        known: Linearization = module.get_variable(LINEARIZED, name)
        return known.at(angles).astype(features.dtype)
    blocks = module.get_variable(PREPARED, name) if module.has_variable(PREPARED, name) else None
    return _values(config, angles, weights, blocks).astype(features.dtype)


def _scaled(module: nn.Module, config: CircuitConfig, angles: Array, suffix: str) -> Array:
    """Angles times the factors that the options ask for."""
    if config.train_input_scale:
        start = nn.initializers.constant(config.input_scale)
        angles = angles * module.param(f"input_scale{suffix}", start, (), angles.dtype)
    elif config.input_scale != 1.0:
        angles = angles * np.asarray(config.input_scale, angles.dtype)
    if not config.learn_frequency:
        return angles
    shape = (angles.shape[1],)
    ones = nn.initializers.ones
    return angles * module.param(f"frequencies{suffix}", ones, shape, angles.dtype)[None, :]


def _values(
    config: CircuitConfig, angles: Array, weights: Array, blocks: CircuitBlocks | None
) -> Float[Array, "edges outputs"]:
    circuit = circuit_of(config)
    if isinstance(circuit, UserCircuit):
        return user_expectations(angles, weights, circuit)
    assert not isinstance(config, CircuitReadout)
    if blocks is not None:
        check_memory(circuit, angles.shape[0], "unitaries", angles.dtype)
        return expectations_of_blocks(angles, blocks, circuit)
    return expectations(angles, all_weights(config, weights), circuit, config.simulator)


def prepare(config: CircuitConfig, params: Mapping[str, Array], count: int = 1) -> dict[str, Any]:
    """Computes from the parameters of a module what is the same for all edges.

    Args:
        config: of its circuits.
        params: of the module.
        count: how many circuits it has.

    Returns:
        Variables of the module in the collection `PREPARED`: the block matrices, which are then
        not computed again in every call of the module. None for circuits without them.
    """
    if isinstance(config, CircuitReadout):
        return {}
    circuit = qdi_circuit(config)
    if chosen_simulator(circuit, config.simulator) != "unitaries":
        return {}
    check_memory(circuit, 1, "unitaries")
    suffixes = [circuit_suffix(index) for index in range(count)]
    return {
        f"circuit{suffix}": circuit_blocks(
            all_weights(config, params[f"circuit_weights{suffix}"]), circuit
        )
        for suffix in suffixes
    }


class LatentCircuit(nn.Module):
    """A circuit beside a perceptron of the trunk: Linear(QDI(Linear(x)) - QDI(0)).

    The scalars of an edge vanish at the cutoff, and every part of the trunk has to keep that: where
    only the radial basis carries the envelope, a circuit, which does not map zero to zero, would
    make the energy jump whenever a neighbour crosses the cutoff. Its value at zero is therefore
    subtracted. What is left is smooth in x and zero with it, so it goes to zero as x does, like
    the perceptron without biases beside it. (A factor of the envelope would do as well, but would
    weaken the circuit on long edges and leave the perceptron as it is.)

    It stands beside the perceptron and not in its place, since all that an edge knows would have
    to pass through one number per qubit.

    Attributes:
        config: the circuit.
        outputs: width of the latent.
        normalization: how linear weights are scaled; see `MLP`.
        dtype: type of the classical weights and of the result.
    """

    config: QDILayer
    outputs: int
    normalization: Normalization = "fan_in"
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(
        self, scalars: list[Float[Array, "edges ?features"]], sizes: tuple[int, ...]
    ) -> list[Float[Array, "edges ?outputs"]]:
        """Returns what is added to the latent, in parts of these sizes."""
        options = (None, self.normalization, self.dtype)
        features = MLP((self.config.features,), *options, name="encode")(scalars)
        zero = jnp.zeros((1, self.config.features), features.dtype)
        # One call for both, so that the circuit is built once.
        values = circuit_layer(self, self.config, jnp.concatenate([features, zero]))
        changes = values[:-1] - values[-1:]
        return MLP((self.outputs,), *options, name="decode").in_parts(changes, sizes)
