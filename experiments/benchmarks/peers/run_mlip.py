"""One case of mlip's NequIP (JAX) with our tensor channels and two layers; own environment."""

import jax
import jax.numpy as jnp
import jax_program
import numpy as np
import optax
import stopwatch
from mlip.data import DatasetInfo
from mlip.graph import Graph
from mlip.graph.batching_helpers import pad_with_graphs
from mlip.graph.edge_ordering import DEFAULT_EDGE_ORDERING
from mlip.graph.graph import GraphEdges, GraphGlobals, GraphNodes
from mlip.models import ForceField, Nequip
from mlip.typing.properties import Properties

_LAYERS = 2


def build(request):
    """Returns NequIP with the tensor channels of the case for every degree."""
    size = request["size"]
    info = DatasetInfo(
        atomic_energies_map=dict.fromkeys(request["numbers"], -1.0),
        graph_cutoff_angstrom=request["cutoff"],
        avg_num_neighbors=request["avg_num_neighbors"],
        avg_r_min_angstrom=1.0,
    )
    irreps = [
        f"{size['tensors']}x{degree}{'eo'[degree % 2]}" for degree in range(size["l_max"] + 1)
    ]
    config = Nequip.Config(
        num_layers=_LAYERS,
        l_max=size["l_max"],
        target_irreps="+".join(irreps),
        radial_mlp_hidden=[size["scalars"]],
    )
    wanted = Properties(stress=request["task"] == "inference")
    return ForceField.from_mlip_network(Nequip(config, info), wanted)


def read(arrays):
    """Returns their graph, padded by the one graph that they mask."""
    sizes, edges = arrays["n_atoms"].astype(np.int32), arrays["n_edges"].astype(np.int32)
    nodes = GraphNodes(
        positions=arrays["positions"].astype(np.float32),
        atomic_numbers=arrays["numbers"].astype(np.int32),
        forces=arrays["forces"].astype(np.float32),
    )
    globals_ = GraphGlobals(
        cell=arrays["cell"].astype(np.float32),
        energy=arrays["energy"].astype(np.float32),
        weight=np.ones(len(sizes), np.float32),
    )
    graph = Graph(
        nodes=nodes,
        edges=GraphEdges(shifts=arrays["shifts"].astype(np.float32)),
        globals=globals_,
        n_node=sizes,
        n_edge=edges,
        senders=arrays["centres"].astype(np.int32),  # ascending, as their default ordering
        receivers=arrays["neighbors"].astype(np.int32),
        ordering=DEFAULT_EDGE_ORDERING,
    )
    return pad_with_graphs(graph, int(sizes.sum()) + 1, int(edges.sum()) + 1, len(sizes) + 1)


def loss_of(predictor):
    """Mean squared errors of energies per atom and of forces, as ours."""

    def loss(parameters, graph):
        result = predictor.apply(parameters, graph)
        atoms = jnp.maximum(graph.n_node, 1)
        energy = jnp.where(
            graph.graph_mask(), (result.globals.energy - graph.globals.energy) / atoms, 0.0
        )
        forces = jnp.where(
            graph.node_mask()[:, None], result.nodes.forces - graph.nodes.forces, 0.0
        )
        return (energy**2).mean() + (forces**2).mean()

    return loss


def main():
    """Measures the case that the request file describes."""
    request = stopwatch.request()
    with np.load(request["arrays"]) as file:
        graph = jax.device_put(read(file))
    field = build(request)
    if request["task"] == "inference":
        # What leaves the function: energies, forces and stresses, not the whole graph.
        def function(parameters, graph):
            result = field.predictor.apply(parameters, graph)
            return result.globals.energy, result.nodes.forces, result.globals.stress

        arguments = (field.params, graph)
    else:
        optimizer = optax.adam(1e-3)
        function = jax_program.training_step(optimizer, loss_of(field.predictor))
        arguments = (field.params, optimizer.init(field.params), graph)
    result, _ = jax_program.measure(function, arguments, request["seconds"])
    parameters = jax_program.parameter_count(field.params)
    stopwatch.answer(parameters=parameters, padded_edges=len(graph.senders), **result)


if __name__ == "__main__":
    main()
