"""One case of the older allegro-jax (mariogeiger) with channels and degree of ours.

It is installed under the name of our own package, so it lives in an environment of its own, and
this script runs outside of our tree. Its model gives edge energies; their sum, forces and stress
are made here.
"""

import e3nn_jax as e3nn
import jax
import jax.numpy as jnp
import jax_program
import numpy as np
import optax
import stopwatch

from allegro_jax import Allegro


def build(request):
    """Returns the model; its perceptrons are as wide as our scalar track, of two layers."""
    size = request["size"]
    irreps = "+".join(f"{degree}{'eo'[degree % 2]}" for degree in range(size["l_max"] + 1))
    return Allegro(
        avg_num_neighbors=request["avg_num_neighbors"],
        max_ell=size["l_max"],
        irreps=size["tensors"] * e3nn.Irreps(irreps),
        mlp_n_hidden=size["scalars"],
        mlp_n_layers=2,
        num_layers=size["layers"],
        radial_cutoff=request["cutoff"],
    )


def read(arrays, types):
    """Returns positions, labels and edges as a dictionary of arrays."""
    single = {key: arrays[key].astype(np.float32) for key in ("positions", "energy", "forces")}
    owner = arrays["graph"][arrays["centres"]]
    offsets = np.einsum("es,esc->ec", arrays["shifts"], arrays["cell"][owner])
    return {
        **single,
        "species": np.eye(types, dtype=np.float32)[arrays["species"]],
        "centres": arrays["centres"],
        "neighbors": arrays["neighbors"],
        "offsets": offsets.astype(np.float32),
        "graph": arrays["graph"],
        "owner": owner,
        "n_atoms": arrays["n_atoms"],
        "volume": np.abs(np.linalg.det(arrays["cell"])).astype(np.float32),
    }


def prediction_of(model):
    """Energies, forces and stresses from one gradient with respect to the edge vectors."""

    def predict(parameters, data):
        i, j, graphs = data["centres"], data["neighbors"], len(data["n_atoms"])
        vectors = data["positions"][j] - data["positions"][i] + data["offsets"]

        def total(vectors):
            irreps = e3nn.IrrepsArray("1o", vectors)
            edges = model.apply(parameters, data["species"], irreps, i, j).array[:, 0]
            return edges.sum(), edges

        gradient, edges = jax.grad(total, has_aux=True)(vectors)
        forces = jnp.zeros_like(data["positions"]).at[i].add(gradient).at[j].add(-gradient)
        energy = jax.ops.segment_sum(edges, data["owner"], graphs)
        strain = vectors[:, :, None] * gradient[:, None, :]
        strain = jax.ops.segment_sum(strain, data["owner"], graphs)
        volume = jnp.where(data["volume"] > 0, data["volume"], jnp.inf)
        return energy, forces, strain / volume[:, None, None]

    return predict


def loss_of(predict):
    """Mean squared errors of energies per atom and of forces, as ours."""

    def loss(parameters, data):
        energy, forces, _ = predict(parameters, data)
        errors = (energy - data["energy"]) / data["n_atoms"]
        return (errors**2).mean() + ((forces - data["forces"]) ** 2).mean()

    return loss


def main():
    """Measures the case that the request file describes."""
    request = stopwatch.request()
    with np.load(request["arrays"]) as file:
        data = jax.device_put(read(file, len(request["types"])))
    model = build(request)
    some = e3nn.IrrepsArray("1o", jnp.ones((2, 3)))
    zeros = jnp.zeros(2, int)
    parameters = jax.jit(model.init)(jax.random.key(0), data["species"], some, zeros, zeros)
    function, arguments = prediction_of(model), (parameters, data)
    if request["task"] == "training":
        optimizer = optax.adam(1e-3)
        function = jax_program.training_step(optimizer, loss_of(function))
        arguments = (parameters, optimizer.init(parameters), data)
    result, _ = jax_program.measure(function, arguments, request["seconds"])
    stopwatch.answer(
        parameters=jax_program.parameter_count(parameters),
        padded_edges=len(data["centres"]),
        **result,
    )


if __name__ == "__main__":
    main()
