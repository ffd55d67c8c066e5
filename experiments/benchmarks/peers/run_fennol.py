"""One case of FeNNol's Allegro (JAX) with channels, degree and layers of ours; own environment."""

import jax
import jax_program
import numpy as np
import optax
import stopwatch
from fennol.models.fennix import FENNIX


def build(request):
    """Returns the model; every perceptron has one hidden layer as wide as the scalar track."""
    size = request["size"]
    scalars = size["scalars"]
    embedding = {
        "module_name": "ALLEGRO",
        "dim": scalars,
        "nchannels": size["tensors"],
        "nlayers": size["layers"],
        "lmax": size["l_max"],
        "twobody_hidden": [scalars],
        "latent_hidden": [scalars],
        "species_encoding": {"dim": scalars // 2},
        "radial_basis": {"dim": 8, "basis": "bessel", "trainable": False},
    }
    readout = {"module_name": "NEURAL_NET", "neurons": [scalars, 1], "input_key": "embedding"}
    total = {"module_name": "SCATTER_EDGES", "key": "pair", "output_key": "energy", "switch": True}
    return FENNIX(
        cutoff=request["cutoff"],
        rng_key=jax.random.PRNGKey(0),
        energy_terms=["energy"],
        energy_unit="eV",
        modules={"embedding": embedding, "pair": {**readout, "squeeze": True}, "energy": total},
    )


def read(arrays):
    """Returns their dictionary, with our edges in place of what their preprocessing would find."""
    graph = {
        "edge_src": arrays["centres"].astype(np.int32),
        "edge_dst": arrays["neighbors"].astype(np.int32),
    }
    data = {
        "species": arrays["numbers"].astype(np.int32),
        "coordinates": arrays["positions"].astype(np.float32),
        "natoms": arrays["n_atoms"].astype(np.int32),
        "batch_index": arrays["graph"].astype(np.int32),
        "graph": graph,
    }
    if arrays["cell"].any():
        data["cells"] = arrays["cell"].astype(np.float32)
        data["reciprocal_cells"] = np.linalg.inv(data["cells"])
        graph["pbc_shifts"] = arrays["shifts"].astype(np.int32)
    labels = arrays["energy"].astype(np.float32), arrays["forces"].astype(np.float32)
    return data, labels


def loss_of(model):
    """Mean squared errors of energies per atom and of forces, as ours."""

    def loss(parameters, data):
        data, (energy, forces) = data
        found, found_forces, _ = model._energy_and_forces(parameters, data)
        return (((found - energy) / data["natoms"]) ** 2).mean() + (
            (found_forces - forces) ** 2
        ).mean()

    return loss


def main():
    """Measures the case that the request file describes."""
    request = stopwatch.request()
    with np.load(request["arrays"]) as file:
        data, labels = jax.device_put(read(file))
    model = build(request)
    if request["task"] == "inference":

        def function(parameters, data):
            return model._energy_and_forces_and_virial(parameters, data)[:3]

        arguments = (model.variables, data)
    else:
        optimizer = optax.adam(1e-3)
        function = jax_program.training_step(optimizer, loss_of(model))
        arguments = (model.variables, optimizer.init(model.variables), (data, labels))
    result, _ = jax_program.measure(function, arguments, request["seconds"])
    parameters = jax_program.parameter_count(model.variables)
    edges = len(data["graph"]["edge_src"])
    stopwatch.answer(parameters=parameters, padded_edges=edges, **result)


if __name__ == "__main__":
    main()
