"""What a comparison trains: sizes and budget of every data set, the same for all readouts."""

from __future__ import annotations

import dataclasses
from typing import Any

from ml_collections import ConfigDict

from allegro_jax.configs import MLPConfig, ModelConfig, QDIReadout
from allegro_jax.datasets import Dataset, Splits
from allegro_jax.training import TrainingConfig, config_from_data
from experiments.data import load_splits
from experiments.readouts import choices


@dataclasses.dataclass(frozen=True)
class Settings:
    """One data set, one body, one budget.

    Attributes:
        dataset: Registered name, or a file.
        epochs: Passes over the training set.
        batch_size: Structures per optimiser step.
        learning_rate: Peak of the cosine schedule.
        cutoff: Å.
        num_layers: Allegro layers.
        l_max: Degree of the tensor features.
        scalars: Channels of the scalar track.
        tensors: Channels of the tensor track.
        width: Of the hidden layer before the features, in every readout.
        n_qubits: Width of the circuit.
        encodings: Features per qubit.
        depth: Entangling layers per block.
        final_width: Channels behind the circuit.
        train: Training structures; 0 takes the official split.
        valid: Validation structures; 0 takes the published ones.
        test: Test structures; 0 takes the published ones.
    """

    dataset: str
    epochs: int = 20
    batch_size: int = 5
    learning_rate: float = 1e-2
    cutoff: float = 5.0
    num_layers: int = 1
    l_max: int = 1
    scalars: int = 32
    tensors: int = 8
    width: int = 32
    n_qubits: int = 4
    encodings: int = 1
    depth: int = 1
    final_width: int = 16
    train: int = 0
    valid: int = 50
    test: int = 0

    @property
    def qdi(self) -> QDIReadout:
        """The QDI readout from which all others are made."""
        return QDIReadout(
            hidden=(self.width,),
            features=self.encodings * self.n_qubits,
            n_qubits=self.n_qubits,
            depth=self.depth,
            final_width=self.final_width,
        )

    def splits(self) -> Splits:
        """Loads the structures; the same for all readouts and seeds."""
        names = ("train", "valid", "test")
        sizes = {name: getattr(self, name) for name in names}
        config = {"name": self.dataset, "path": "", "split_seed": 0, **sizes}
        return load_splits(ConfigDict(config))

    def model(self, readout: str, train_set: Dataset) -> ModelConfig:
        """Returns the model with a readout, and the statistics of the training set filled in."""
        mlp = MLPConfig(depth=1, width=self.scalars)
        return config_from_data(
            train_set,
            self.cutoff,
            num_layers=self.num_layers,
            l_max=self.l_max,
            num_scalar_features=self.scalars,
            num_tensor_features=self.tensors,
            scalar_embed_mlp=mlp,
            allegro_mlp=mlp,
            readout=choices.readout(readout, self.qdi),
        )

    def training(self, seed: int) -> TrainingConfig:
        """Returns the training; the seed decides initial weights and the order of structures."""
        return TrainingConfig(
            max_epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=seed,
            devices=1,
        )


PRESETS = {
    "rmd17-aspirin": Settings("rmd17-aspirin", epochs=15),
    "rmd17-benzene": Settings("rmd17-benzene", epochs=30),
    "culi": Settings("culi", epochs=2, batch_size=2, cutoff=4.5, valid=0),
}
"""Budgets of 10 to 30 CPU seconds per run; other data sets take the defaults of `Settings`."""


def settings(dataset: str, **changes: Any) -> Settings:
    """Returns the settings of a data set.

    Args:
        dataset: Registered name, or a file.
        **changes: Fields that differ from the preset; None leaves one as it is.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    return dataclasses.replace(PRESETS.get(dataset, Settings(dataset)), **given)
