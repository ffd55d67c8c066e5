"""One case of ours, in a process of its own: `python -m experiments.benchmarks.worker REQUEST`.

Inference is what a calculator or an evaluation calls, energy, forces and stress of a padded batch;
training is one step of the training loop. Indices and shapes are arguments, padding is included.
"""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Callable
from typing import Any

from experiments.benchmarks.cases import SIZES, SYSTEMS, Case
from experiments.benchmarks.counts import number_of_blocks

_PACKAGES = ("allegro-jax", "jax", "jaxlib", "flax", "numpy")


def config_of(case: Case) -> Any:
    """Returns the `AllegroConfig` of a case."""
    from allegro_jax.configs import AllegroConfig, MLPConfig, Precision

    size, system = SIZES[case.size], SYSTEMS[case.system]
    perceptron = MLPConfig(depth=1, width=size.scalars)
    return AllegroConfig(
        type_names=system.types,
        cutoff=system.cutoff,
        l_max=size.l_max,
        parity=True,
        num_layers=size.layers,
        num_scalar_features=size.scalars,
        num_tensor_features=size.tensors,
        scalar_embed_mlp=perceptron,
        allegro_mlp=perceptron,
        readout=_readout_of(case, (size.scalars,)),
        avg_num_neighbors=system.avg_num_neighbors,
        per_type_energy_scales=1.0,
        per_type_energy_shifts=-1.0,
        precision=Precision(*(case.dtype,) * 3),
    )


def _readout_of(case: Case, hidden: tuple[int, ...]) -> Any:
    from allegro_jax.configs import MLPReadout, QDIReadout

    if case.readout == "mlp":
        return MLPReadout(hidden)
    qubits, depth = map(int, (case.readout.removeprefix("qdi-").replace("qdi", "4x3")).split("x"))
    return QDIReadout(hidden, features=qubits, n_qubits=qubits, depth=depth)


def program_of(case: Case, seed: int = 0) -> tuple[Callable, tuple]:
    """Returns the function that a case times, and its arguments: parameters first, graph last."""
    import jax
    import jax.numpy as jnp

    from allegro_jax.models.build import build_model
    from allegro_jax.models.energy import initial_params, predict
    from allegro_jax.training.config import TrainingConfig
    from allegro_jax.training.step import initial_state, train_step
    from experiments.benchmarks.structures import graphs_of, padded_batch

    config, system = config_of(case), SYSTEMS[case.system]
    model, params = build_model(config), initial_params(config)
    graph = jax.device_put(padded_batch(graphs_of(system, seed), system, case.dtype))
    if case.task == "inference":
        return functools.partial(predict, model), (params, graph)
    training = TrainingConfig(clip_norm=1e3)
    step = functools.partial(train_step, model, training)
    rate = jnp.asarray(1e-3, case.dtype)
    return lambda state, graph: step(state, graph, rate), (initial_state(params, training), graph)


def measure(case: Case, seconds: float) -> dict[str, Any]:
    """Compiles and times a case in this process."""
    import jax

    from allegro_jax.models.energy import precision_scope
    from experiments.benchmarks.measuring import jax_program

    with precision_scope(config_of(case).precision):
        function, arguments = program_of(case)
        result, program = jax_program.measure(function, arguments, seconds)
    parameters, graph = arguments[0], arguments[-1]
    if case.task == "training":
        parameters = parameters.params
    cost = program.cost_analysis() or {}
    # The compiler counts the body of the loop over blocks, nearly all of the work, once.
    blocks = number_of_blocks(config_of(case), graph)
    return {
        **result,
        "parameters": jax_program.parameter_count(parameters),
        "edges": int(graph.n_edge[: SYSTEMS[case.system].batch].sum()),
        "padded_edges": len(graph.senders),
        "blocks": blocks,
        "xla_flops": blocks * cost.get("flops", 0.0),
        "xla_bytes": blocks * cost.get("bytes accessed", 0.0),
        "platform": jax.default_backend(),
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def main() -> None:
    """Answers the request file that the first argument names."""
    from experiments.benchmarks.measuring import stopwatch

    request = stopwatch.request()
    stopwatch.answer(**measure(Case(**request["case"]), request["seconds"]))


if __name__ == "__main__":
    main()
