"""Prediction and training lower for CPU, CUDA and TPU without that hardware or the host.

`jax.export` runs the lowering of every platform. What could still tie a program to the host or to
one machine are custom calls, so each of them must be known to exist on all three.
"""

import dataclasses
import functools
import itertools
import re

import jax
import jax.numpy as jnp
import jraph
import numpy as np
import pytest
from ase.build import bulk
from jax import export

from allegro_jax.configs import ZBL, QDILayer
from allegro_jax.datasets.dataset import Structure
from allegro_jax.graphs import batch_structures
from allegro_jax.graphs.batches import MaxNeighbors
from allegro_jax.models import energy
from allegro_jax.models.blocks import Plan
from allegro_jax.models.build import build_model
from allegro_jax.models.energy import Predictions, initial_params, predict
from allegro_jax.potential import Potential
from allegro_jax.training.config import TrainingConfig
from allegro_jax.training.step import initial_state, train_step
from tests.small_models import READOUTS, SIZES, small_config

PLATFORMS = ("cpu", "cuda", "tpu")
SAFE_CALLS = {"Sharding", "SPMDFullToShardShape", "SPMDShardToFullShape"}
"""Annotations for the compiler that leave no call in the program."""

ALL_READOUTS = READOUTS | {"qdi by qnode": dataclasses.replace(READOUTS["qdi"], simulator="qnode")}
EVERYDAY = [("2025", "qdi")]
"""It has the perceptron of the plain readout as well."""

MODELS = [
    pytest.param(*names, marks=[] if names in EVERYDAY else pytest.mark.slow)
    for names in itertools.product(SIZES, ALL_READOUTS)
]

export.register_namedtuple_serialization(jraph.GraphsTuple, serialized_name="jraph.GraphsTuple")
export.register_namedtuple_serialization(Predictions, serialized_name="allegro_jax.Predictions")
export.register_pytree_node_serialization(
    MaxNeighbors,
    serialized_name="allegro_jax.MaxNeighbors",
    serialize_auxdata=lambda bound: str(bound.number).encode(),
    deserialize_auxdata=lambda stored: MaxNeighbors(int(stored)),
)


def model_config(architecture, readout):
    options = {"type_names": ("Cu",), "cutoff": 3.0, "pair_potential": ZBL()}
    return dataclasses.replace(small_config(architecture, **options), readout=ALL_READOUTS[readout])


@pytest.fixture(scope="module")
def graph():
    """Two labelled crystals."""
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.05, seed=0)
    structure = Structure(
        atoms.numbers,
        atoms.positions,
        atoms.cell.array,
        atoms.pbc,
        energy=-1.0,
        forces=np.zeros((4, 3)),
        stress=np.zeros((3, 3)),
    )
    return batch_structures([structure, structure], 3.0, (29,))


def params_like(config):
    """Numbers in the shapes of the parameters, without compiling their initialisation."""
    shapes = jax.eval_shape(lambda: initial_params(config))
    return jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.1, leaf.dtype), shapes)


def exported(function, *arguments, platforms=PLATFORMS):
    return export.export(jax.jit(function), platforms=platforms)(*arguments)


def custom_calls(text: str) -> set[str]:
    """Targets of all custom calls in StableHLO."""
    short = re.findall(r"stablehlo\.custom_call @([\w.$]+)", text)
    return {*short, *re.findall(r'call_target_name = "([^"]+)"', text)}


@pytest.fixture(params=["in one piece", "in blocks"])
def plan(request, monkeypatch):
    """What `plan_blocks` answers; otherwise it asks the platform that traces."""
    plan = Plan(edges=64, atoms=8) if request.param == "in blocks" else None
    monkeypatch.setattr(energy, "plan_blocks", lambda *_: plan)


@pytest.mark.usefixtures("plan")
@pytest.mark.parametrize(("architecture", "readout"), MODELS)
def test_energies_forces_and_stress_lower_for_all_platforms(architecture, readout, graph):
    config = model_config(architecture, readout)
    program = exported(functools.partial(predict, build_model(config)), params_like(config), graph)
    assert program.platforms == PLATFORMS
    assert custom_calls(program.mlir_module()) <= SAFE_CALLS
    assert not program.ordered_effects and not program.unordered_effects  # noqa: PT018
    assert "f64" not in program.mlir_module()


@pytest.mark.usefixtures("plan")
@pytest.mark.parametrize(("architecture", "readout"), MODELS)
def test_a_training_step_lowers_for_all_platforms(architecture, readout, graph):
    config = model_config(architecture, readout)
    training = TrainingConfig(stress_weight=1.0)
    step = functools.partial(train_step, build_model(config), training)
    state = initial_state(params_like(config), training)
    program = exported(step, state, graph, jnp.float32(0.01))
    assert program.platforms == PLATFORMS
    assert custom_calls(program.mlir_module()) <= SAFE_CALLS
    assert not program.ordered_effects and not program.unordered_effects  # noqa: PT018


@pytest.mark.usefixtures("plan")
def test_circuits_in_the_latents_lower_for_all_platforms_layer_by_layer(graph):
    layer = QDILayer(2, 2, simulator="layers", drop_dead_weights=True)
    config = dataclasses.replace(model_config("2025", "mlp"), latent_circuit=layer, num_layers=1)
    program = exported(functools.partial(predict, build_model(config)), params_like(config), graph)
    assert program.platforms == PLATFORMS
    assert custom_calls(program.mlir_module()) <= SAFE_CALLS
    assert "f64" not in program.mlir_module()


@pytest.mark.usefixtures("plan")
def test_a_sharded_structure_lowers_for_all_platforms():
    config = model_config("2025", "mlp")
    sharded = Potential(config, params_like(config)).sharded(jax.devices()[:1])
    program = sharded.lowered(bulk("Cu", cubic=True), PLATFORMS)
    assert custom_calls(program.as_text()) <= SAFE_CALLS


def test_a_host_callback_would_be_noticed():
    def ask_the_host(x):
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    assert custom_calls(jax.jit(ask_the_host).lower(jnp.ones(3)).as_text()) - SAFE_CALLS
    with pytest.raises(NotImplementedError, match="callback"):
        exported(ask_the_host, jnp.ones(3))


def test_a_stored_program_gives_the_same_numbers(graph):
    pytest.importorskip("flatbuffers", reason="jax.export stores programs by flatbuffers")
    config = model_config("2025", "qdi")
    function = functools.partial(predict, build_model(config))
    params = initial_params(config)
    stored = exported(function, params, graph, platforms=("cpu",)).serialize()
    found = export.deserialize(stored).call(params, graph)
    for left, right in zip(found, jax.jit(function)(params, graph), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-6)
