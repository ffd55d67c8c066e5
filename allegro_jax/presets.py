"""Complete settings of a training by one word: what it takes and what to expect of it.

===========  =====================================================  ======================
preset       model                                                  ends after
===========  =====================================================  ======================
`tiny`       1 layer, l_max 2, 32 scalar and 16 tensor channels     2 minutes
`small`      2 layers, l_max 2, 64 and 16 channels                  30 minutes
`medium`     2 layers, l_max 2, 64 and 32 channels                  4 hours
`large`      that of Musaelian et al. 2023: 3 layers, l_max 3,      7 days
             128 tensor channels, latents of 1024
`paper`      those of Laskaris et al. 2026, by data set: 2 to 4     100 to 3,000 epochs
             layers, l_max 2, 64 tensor channels
===========  =====================================================  ======================

What a step costs on a machine is printed by `python -m experiments.preset_costs`; the `about` of
every preset gives what was measured.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from allegro_jax.configs import MLPConfig, MLPReadout
from allegro_jax.training.config import TrainingConfig

if TYPE_CHECKING:
    from allegro_jax.datasets import Dataset
    from allegro_jax.graphs import GraphStore

_HOUR_S = 3600.0
_EPOCHS = 100_000  # more than any time limit allows


@dataclasses.dataclass(frozen=True)
class Preset:
    """Settings of a training that adapt to the data.

    Attributes:
        name: What it is called.
        about: Cost and expected errors, with the command that measured them.
        model: Arguments of `config_from_data`, the cutoff among them.
        training: Settings of the training.
        atoms_per_batch: Where given, the batch size is chosen so that a batch has about as many
            atoms; where None, that of `training` is taken.
        by_data: Other values of any of these for a data set, by its name, or for a kind of data:
            "energies" (no forces), "periodic" (a repeated cell); the name comes last.
    """

    name: str
    about: str
    model: Mapping[str, Any]
    training: TrainingConfig
    atoms_per_batch: int | None = 100
    by_data: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)


def _simple_model(
    cutoff: float, num_layers: int, l_max: int, scalars: int, tensors: int
) -> dict[str, Any]:
    mlp = MLPConfig(depth=1, width=scalars)
    return {
        "cutoff": cutoff,
        "num_layers": num_layers,
        "l_max": l_max,
        "num_scalar_features": scalars,
        "num_tensor_features": tensors,
        "scalar_embed_mlp": mlp,
        "allegro_mlp": mlp,
        "readout": MLPReadout((scalars,)),
    }


_LATENTS_2023 = {
    "architecture": "2023",
    "two_body_widths": (128, 256, 512, 1024),
    "latent_widths": (1024, 1024, 1024),
}
_ENERGIES = {"atoms_per_batch": 300, "learning_rate": 5e-3}  # an energy tells less than forces do

# docs/fitting.md has what each of these does on rMD17 aspirin.
_FAST = TrainingConfig(
    max_epochs=_EPOCHS,
    optimizer="muon",
    learning_rate=1e-2,
    loss="l2",
    energy_weight=0.1,
)

TINY = Preset(
    name="tiny",
    about="""A first look: errors fall within minutes, and stay far from what the data allow.""",
    model=_simple_model(5.0, num_layers=1, l_max=2, scalars=32, tensors=16),
    training=dataclasses.replace(_FAST, time_limit_s=120.0),
    atoms_per_batch=40,
    by_data={"energies": _ENERGIES, "periodic": {"cutoff": 4.0}},
)

SMALL = Preset(
    name="small",
    about="""Half an hour on two CPU cores.

    Measured test errors (rMD17, official split, 950 + 50 frames, 30 minutes on two cores, by
    `python -m experiments.train --dataset=rmd17-aspirin --preset=small --workdir=DIR`): force MAE
    of aspirin 19.9 and benzene 1.02 meV/Å, energy MAE 8.3 and 0.30 meV; 57,000 parameters. QM9,
    energies of 20,000 molecules, in 60 minutes: 24.2 meV (docs/fitting.md).
    """,
    model=_simple_model(5.0, num_layers=2, l_max=2, scalars=64, tensors=16),
    training=dataclasses.replace(_FAST, time_limit_s=0.5 * _HOUR_S),
    atoms_per_batch=40,
    by_data={"energies": _ENERGIES},
)

MEDIUM = Preset(
    name="medium",
    about="""An afternoon on a few CPU cores.""",
    model=_simple_model(6.0, num_layers=2, l_max=2, scalars=64, tensors=32),
    training=dataclasses.replace(
        _FAST, time_limit_s=4 * _HOUR_S, learning_rate=5e-3, ema_decay=0.999
    ),
    atoms_per_batch=40,
    by_data={"energies": _ENERGIES, "periodic": {"cutoff": 5.0}},
)

LARGE = Preset(
    name="large",
    about="""The models of Musaelian et al. (Nat. Commun. 14, 579, 2023), for accelerators.

    Published test errors of these models, which were trained for up to 7 days (rMD17, 950 + 50
    frames) and 14 days (QM9, 110,000 molecules) on a V100: force MAE of aspirin 7.3 and benzene
    0.2 meV/Å; QM9 U0 4.7 meV. Differences to the paper: the energy's weight is that of its error
    per atom, and the learning rate follows a cosine instead of the plateaus of the validation loss.
    """,
    model={
        **_LATENTS_2023,
        "cutoff": 7.0,
        "num_layers": 3,
        "l_max": 3,
        "num_tensor_features": 128,
        "readout": MLPReadout((128,), activation=None),
    },
    training=TrainingConfig(
        max_epochs=_EPOCHS, time_limit_s=7 * 24 * _HOUR_S, learning_rate=2e-3, ema_decay=0.99
    ),
    by_data={
        "energies": {
            **_ENERGIES,
            "cutoff": 10.0,
            "l_max": 2,
            "num_tensor_features": 256,
            "learning_rate": 1e-3,
            "ema_decay": 0.999,
            "clip_norm": 100.0,
        },
        "periodic": {"cutoff": 5.0, "atoms_per_batch": 200},
    },
)


def _of_table_1(
    cutoff: float, rate: float, batch: int, p: float, layers: int, width: int, epochs: int
) -> dict[str, Any]:
    """A row of Table 1 of the paper, with the epochs of its section 4."""
    return {
        "cutoff": cutoff,
        "learning_rate": rate,
        "batch_size": batch,
        "polynomial_cutoff_p": p,
        "num_layers": layers,
        "readout": MLPReadout((width,), activation=None),
        "max_epochs": epochs,
    }


_ASPIRIN = _of_table_1(7.3, 5.36e-3, 3, 6.9, 4, 32, 3000)
_BENZENE = _of_table_1(12.0, 1e-3, 1, 5.0, 3, 128, 3000)
_QM9 = _of_table_1(12.0, 1e-3, 5, 10.0, 3, 32, 300)
_CULI = _of_table_1(12.0, 2e-3, 2, 5.0, 2, 128, 100)

PAPER = Preset(
    name="paper",
    about="""Allegro as Laskaris et al. (Comput. Mater. Sci. 270, 114742, 2026) found it best.

    Table 1: cutoff, learning rate, batch size, envelope exponent, layers and readout, by data set;
    other data take those of aspirin, of QM9 (energies alone) or of Cu-Li (periodic). The paper
    does not print what it did not search; taken here: l_max 2, 64 tensor channels, latents of
    1024, as in the configuration of the code that it cites. Published validation errors: force MAE
    of aspirin 10.2, benzene 0.43, Cu-Li 45.9 meV/Å (on the authors' own Cu-Li set, not `culi`);
    energy MAE of QM9 10.3 meV. For accelerators: 15.3 million parameters, 4.3 s of CPU per step
    of 3 structures (`python -m experiments.preset_costs --presets=paper`: rMD17 aspirin, 2 shared
    cores).
    """,
    model={**_LATENTS_2023, "l_max": 2, "num_tensor_features": 64, **_ASPIRIN},
    training=TrainingConfig(),
    atoms_per_batch=None,
    by_data={
        "energies": _QM9,
        "periodic": _CULI,
        "rmd17-aspirin": _ASPIRIN,
        "rmd17-benzene": _BENZENE,
        "qm9": _QM9,
    },
)

PRESETS: Mapping[str, Preset] = {
    preset.name: preset for preset in (TINY, SMALL, MEDIUM, LARGE, PAPER)
}


def preset(name: str) -> Preset:
    """Returns the preset of a name.

    Raises:
        ValueError: If there is no such preset.

    Example:
        >>> from allegro_jax import preset
        >>> preset("small").model["num_layers"]
        2
    """
    if name in PRESETS:
        return PRESETS[name]
    close = difflib.get_close_matches(name, PRESETS, n=1)
    meant = f"; did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"unknown preset {name!r}{meant} Known: {', '.join(PRESETS)}")


def kinds(train: Dataset | GraphStore) -> tuple[str, ...]:
    """Returns the keys of `Preset.by_data` that apply to a training set, the weightiest last."""
    found = []
    if train.forces is None:
        found.append("energies")
    if train.pbc.any():
        found.append("periodic")
    return (*found, train.name)
