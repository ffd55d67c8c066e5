"""A potential of this library as a checkpoint of nequip, for its own LAMMPS pair styles.

To be run in nequip's environment, which needs nothing of this library:

    python -m experiments.convert DIR home.npz                              # here
    python experiments/nequip_checkpoint.py home.npz frames.xyz home.ckpt   # there, and the rest
    nequip-compile home.ckpt home.nequip.pt2 --mode aotinductor --device cpu --target pair_allegro

and in the input of a LAMMPS with `pair_style allegro`, whose version of torch must be the same:

    pair_style allegro
    pair_coeff * * home.nequip.pt2 Cu Li

`frames.xyz` is any file of ASE with a structure of these elements, of four atoms or more; nequip
traces the model on one of them. `nequip-package build home.ckpt home.nequip.zip` works as well, and
its file is compiled in the same way.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

MODULE = "nequip.train.NequIPLightningModule"


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", help="npz file of experiments.convert")
    parser.add_argument("frames", help="file of ASE with structures of the potential's elements")
    parser.add_argument("checkpoint", help="file to be written; ends in .ckpt")
    given = parser.parse_args()
    write_checkpoint(Path(given.weights), Path(given.frames), Path(given.checkpoint))
    print(f"{given.checkpoint}: for nequip-compile and nequip-package")


def write_checkpoint(weights: Path, frames: Path, checkpoint: Path) -> None:
    """Builds nequip's model, loads the weights strictly, and has Lightning save it."""
    import lightning
    import numpy as np
    import torch
    from hydra.utils import get_class
    from nequip.utils.global_state import set_global_state
    from nequip.utils.versions import get_current_code_versions

    set_global_state(allow_tf32=False)
    with np.load(weights, allow_pickle=False) as file:
        model = {"_target_": "allegro.model.AllegroModel", **json.loads(str(file["config_json"]))}
        state = {key[3:]: torch.as_tensor(file[key]) for key in file.files if key[:3] == "sd/"}
    info = {
        "versions": get_current_code_versions(verbose=False),
        "data": _data(model, frames),
        "trainer": {},
        "training_module": {"_target_": MODULE, "model": model},
        "global_options": {"allow_tf32": False},
        "runs": [],
    }
    sets = {"train": 1, "val": 1, "test": 0, "predict": 0}
    module = get_class(MODULE)(model=model, num_datasets=sets, info_dict=info)
    module.model["sole_model"].load_state_dict(state, strict=True)
    trainer = lightning.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    trainer.strategy.connect(module)
    trainer.save_checkpoint(checkpoint, weights_only=True)


def _data(model: dict[str, Any], frames: Path) -> dict[str, Any]:
    """Where nequip finds structures to trace the model on."""
    names = model["type_names"]
    transforms = "nequip.data.transforms"
    return {
        "_target_": "nequip.data.datamodule.ASEDataModule",
        "seed": 0,
        "train_file_path": str(frames.resolve()),
        "val_file_path": str(frames.resolve()),  # nequip asks for one
        "test_file_path": [],
        "transforms": [
            {
                "_target_": f"{transforms}.ChemicalSpeciesToAtomTypeMapper",
                "model_type_names": names,
            },
            {"_target_": f"{transforms}.NeighborListTransform", "r_max": model["r_max"]},
        ],
    }


if __name__ == "__main__":
    main()
