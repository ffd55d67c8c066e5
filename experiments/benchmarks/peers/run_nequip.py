"""One case of nequip-allegro (PyTorch), eager or compiled; run in its own environment.

Modes: "eager"; "aot" is their `nequip-compile` by AOTInductor, for inference; "compile" is their
train-time `torch.compile`, which falls back to eager for a single structure.
"""

import os
import tempfile
from pathlib import Path

# Their check of a compiled model evaluates the eager one, which needs 22 GB at size L on 500 atoms.
os.environ["NEQUIP_SKIP_AOTI_MODEL_CHECK"] = "1"

import numpy as np
import stopwatch
import torch
from allegro.model import AllegroModel
from nequip.data import AtomicDataDict as Keys
from nequip.nn.compile import DictInputOutputWrapper
from nequip.scripts._compile_utils import COMPILE_TARGET_DICT
from nequip.utils.aot import aot_export_model
from nequip.utils.global_state import set_global_state

_BOX = 100.0  # Å; their compiled models want a cell, molecules get a large one


def build(request):
    """Returns the model, as large as ours by the same numbers."""
    size = request["size"]
    scalars = size["scalars"]
    return AllegroModel(
        seed=0,
        model_dtype=request["dtype"],
        r_max=request["cutoff"],
        type_names=request["types"],
        l_max=size["l_max"],
        parity=True,
        radial_chemical_embed={
            "_target_": "allegro.nn.TwoBodyBesselScalarEmbed",
            "num_bessels": 8,
            "bessel_trainable": False,
            "polynomial_cutoff_p": 6,
        },
        scalar_embed_mlp_hidden_layers_depth=1,
        scalar_embed_mlp_hidden_layers_width=scalars,
        num_layers=size["layers"],
        num_scalar_features=scalars,
        num_tensor_features=size["tensors"],
        allegro_mlp_hidden_layers_depth=1,
        allegro_mlp_hidden_layers_width=scalars,
        readout_mlp_hidden_layers_depth=1,
        readout_mlp_hidden_layers_width=scalars,
        avg_num_neighbors=request["avg_num_neighbors"],
        per_type_energy_scales=1.0,
        per_type_energy_shifts=dict.fromkeys(request["types"], -1.0),
        compile_mode="compile" if request["mode"] == "compile" else "eager",
    )


def read(arrays, device):
    """Returns their dictionary of tensors, and the labels (energies, forces)."""

    def tensor(values, dtype=torch.float64):
        return torch.tensor(values, dtype=dtype, device=device)

    cell = arrays["cell"]
    data = {
        Keys.POSITIONS_KEY: tensor(arrays["positions"]),
        Keys.ATOM_TYPE_KEY: tensor(arrays["species"], torch.long),
        Keys.EDGE_INDEX_KEY: tensor(np.stack([arrays["centres"], arrays["neighbors"]]), torch.long),
        Keys.CELL_KEY: tensor(cell if cell.any() else cell + _BOX * np.eye(3)),
        Keys.EDGE_CELL_SHIFT_KEY: tensor(arrays["shifts"]),
        Keys.BATCH_KEY: tensor(arrays["graph"], torch.long),
        Keys.NUM_NODES_KEY: tensor(arrays["n_atoms"], torch.long),
    }
    return data, tensor(arrays["energy"])[:, None], tensor(arrays["forces"])


def example(clusters):
    """Clusters of eight atoms to trace a model with: the compiled one takes any number of atoms."""
    corners = np.stack(np.meshgrid(*[[0.0, 1.0]] * 3), axis=-1).reshape(-1, 3)
    pairs = np.argwhere(~np.eye(8, dtype=bool))
    edges = np.concatenate([pairs + 8 * k for k in range(clusters)])
    return {
        "positions": np.concatenate([corners + 0.01 * k * corners**2 for k in range(clusters)]),
        "species": np.zeros(8 * clusters),
        "centres": edges[:, 0],
        "neighbors": edges[:, 1],
        "shifts": np.zeros((len(edges), 3)),
        "cell": np.zeros((clusters, 3, 3)),
        "graph": np.repeat(np.arange(clusters), 8),
        "n_atoms": np.full(clusters, 8),
        "energy": np.zeros(clusters),
        "forces": np.zeros((8 * clusters, 3)),
    }


def single(data):
    """The dictionary of a single structure, as their targets for it expect."""
    return {k: v for k, v in data.items() if k not in (Keys.BATCH_KEY, Keys.NUM_NODES_KEY)}


def compiled_ahead(model, batch, device):
    """Compiles by AOTInductor for their target of one structure ("ase") or of many ("batch")."""
    target = COMPILE_TARGET_DICT["ase" if batch == 1 else "batch"]
    names = {"graph": "num_frames", "node": "num_nodes", "edge": "num_edges"}
    dim = torch.export.dynamic_shapes.Dim
    sizes = {key: dim(name, min=2, max=torch.inf) for key, name in names.items()}
    settings = target["batch_map_settings"](sizes)
    data, _, _ = read(example(clusters=min(batch, 2)), device)
    data = single(data) if batch == 1 else data
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model.nequip.pt2")
        aot_export_model(model, device, target["input"], target["output"], data, settings, path)
        package = torch._inductor.aoti_load_package(path)
    return DictInputOutputWrapper(package, target["input"], target["output"])


def inference(model, data, request, device):
    """Returns the evaluation of energy, forces and stress."""
    batch = request["batch"]
    model.eval()
    data = single(data) if batch == 1 else data
    if request["mode"] == "aot":
        model = compiled_ahead(model, batch, device)

    def call():
        result = model(dict(data))
        return float(result[Keys.TOTAL_ENERGY_KEY].sum()) + float(result[Keys.FORCE_KEY].sum())

    return call


def training(model, data, energy, forces):
    """Returns one step of Adam on mean squared errors of energies per atom and of forces."""
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    atoms = data[Keys.NUM_NODES_KEY][:, None]

    def call():
        optimizer.zero_grad(set_to_none=True)
        result = model(dict(data))
        loss = (((result[Keys.TOTAL_ENERGY_KEY] - energy) / atoms) ** 2).mean()
        loss = loss + ((result[Keys.FORCE_KEY] - forces) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return call


def prepared(request, model, device):
    """Returns the function that is timed; float(tensor) waits for the device."""
    with np.load(request["arrays"]) as file:
        data, energy, forces = read({key: file[key] for key in file.files}, device)
    if request["task"] == "inference":
        return inference(model, data, request, device)
    call = training(model, data, energy, forces)
    if request["mode"] == "compile":
        call()  # compiles
    return call


def check_memory(request):
    """Stops before their eager tensor product, whose largest tensor has d³ entries per channel.

    Its backward pass holds two of them, training about six.
    """
    with np.load(request["arrays"]) as file:
        edges = len(file["centres"])
    size, components = request["size"], (request["size"]["l_max"] + 1) ** 2
    copies = 2 if request["task"] == "inference" else 6
    entries = copies * edges * size["tensors"] * components**3
    needed = entries * np.dtype(request["dtype"]).itemsize / 2**20
    if needed > stopwatch.available_mb():
        raise MemoryError(f"nequip needs about {needed:.0f} MB here when it runs eagerly")


def main():
    """Measures the case that the request file describes."""
    request = stopwatch.request()
    if request["mode"] == "eager" and request["platform"] == "cpu":
        check_memory(request)
    set_global_state(allow_tf32=False)
    if request["threads"]:
        torch.set_num_threads(request["threads"])
    device = torch.device("cuda" if request["platform"] == "gpu" else "cpu")
    model = build(request).to(device)
    result = stopwatch.measurement(lambda: prepared(request, model, device), request["seconds"])
    if device.type == "cuda":
        result["device_peak_mb"] = torch.cuda.max_memory_allocated() / 2**20
    stopwatch.answer(
        parameters=sum(p.numel() for p in model.parameters()),
        device=torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        **result,
    )


if __name__ == "__main__":
    main()
