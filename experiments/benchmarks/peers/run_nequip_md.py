"""Langevin dynamics with nequip's ASE calculator (PyTorch); run in its own environment.

The model is one of ours, exported by `Potential.save_nequip`, so both compute the same forces.
Modes: "eager"; "aot" is their `nequip-compile` by AOTInductor.
"""

import json
import time

import ase.io
import numpy as np
import run_nequip
import stopwatch
import torch
from allegro.model import AllegroModel
from ase import units
from ase.md.langevin import Langevin
from nequip.data.transforms import ChemicalSpeciesToAtomTypeMapper, NeighborListTransform
from nequip.integrations.ase import NequIPCalculator
from nequip.utils.global_state import set_global_state


def calculator(path, device, mode):
    """Returns their calculator with the weights of an exported potential."""
    with np.load(path) as vector:
        arguments = json.loads(str(vector["config_json"]))
        model = AllegroModel(**arguments)
        state = {key[3:]: torch.as_tensor(vector[key]) for key in vector.files if key[:3] == "sd/"}
    model.load_state_dict(state)
    types = arguments["type_names"]
    transforms = [
        ChemicalSpeciesToAtomTypeMapper(model_type_names=types),
        NeighborListTransform(r_max=arguments["r_max"]),
    ]
    model = model.to(device).eval()
    if mode == "aot":
        model = run_nequip.compiled_ahead(model, 1, device).eval()
    return NequIPCalculator(model, device, transforms=transforms)


def main():
    """Measures what the request file describes."""
    request = stopwatch.request()
    set_global_state(allow_tf32=False)
    device = torch.device("cuda" if request["platform"] == "gpu" else "cpu")
    atoms = ase.io.read(request["atoms"])
    atoms.calc = calculator(request["model"], device, request["mode"])
    options = {
        "temperature_K": request["temperature_K"],
        "friction": request["friction_per_fs"] / units.fs,
        "fixcm": False,
        "rng": np.random.default_rng(0),
    }
    dynamics = Langevin(atoms, request["timestep_fs"] * units.fs, **options)
    first = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()[0].tolist()}
    dynamics.run(request["warm_up"])
    begin = time.perf_counter()
    temperatures = [atoms.get_temperature() for _ in dynamics.irun(request["steps"])]
    stopwatch.answer(
        seconds=time.perf_counter() - begin,
        steps=request["steps"],
        temperature_K=float(np.mean(temperatures)),
        threads=torch.get_num_threads(),
        **first,
    )


if __name__ == "__main__":
    main()
