"""Options together: what each of them promises holds beside the others."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from unittest import mock

import jax
import numpy as np
import pytest

from allegro_jax import TrainingConfig, config_from_data, load, train
from allegro_jax.datasets import Dataset, DataWarning
from allegro_jax.graphs import write_store
from allegro_jax.potential import Potential
from allegro_jax.training import Progress, TrainingStoppedError, atomic_energies
from allegro_jax.training.pace import Pace
from tests.allegro_jax.training.tiny import TINY

FRAMES = load("rmd17-benzene").select(range(18))
CUTOFF = 2.5
CONFIG = config_from_data(FRAMES, CUTOFF, **TINY)
LABELLED, VALID, FAR = range(10), range(10, 14), range(14, 18)

TOGETHER = {
    "plateau": TrainingConfig(
        max_epochs=3, batch_size=2, accumulate=2, members=2, schedule="plateau",
        plateau_patience=0, learning_rate=0.3, checkpoint_interval_s=1e9, resident_gb=0.0,
    ),
    "schedule-free": TrainingConfig(
        max_epochs=2, batch_size=2, accumulate=2, members=2, optimizer="schedule_free",
        schedule="constant", balancing="uncertainty", checkpoint_interval_s=1e9, resident_gb=0.0,
    ),
}  # fmt: skip


def partly_labelled() -> Dataset:
    """Without one energy, the forces on all atoms of a frame, on one atom, and one component."""
    energy, forces = FRAMES.energy.copy(), FRAMES.forces.copy()
    energy[1] = forces[24:36] = forces[40] = forces[13, 1] = np.nan
    return dataclasses.replace(FRAMES, energy=energy, forces=forces)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plateau", "schedule-free"])
def test_a_committee_on_a_store_cut_off_within_an_epoch_is_that_of_a_set_in_memory(
    name: str, tmp_path: Path
) -> None:
    """To the last bit: with batches in parts, missing labels, and validation sets of two kinds."""
    data, training = partly_labelled(), TOGETHER[name]
    whole = train(CONFIG, training, *sets(data))
    store = write_store(data, tmp_path / "store", CUTOFF)
    seen: list[Progress] = []

    def run():
        with mock.patch.object(Pace, "steps", return_value=1):
            return train(
                CONFIG, training, *sets(store), workdir=tmp_path / "run", on_progress=seen.append,
                should_stop=lambda: len(seen) == 5,
            )  # fmt: skip

    with pytest.raises(TrainingStoppedError, match="in epoch 2 after 5 steps"):
        run()
    resumed = run()
    for row, other in zip(whole.history, resumed.history, strict=True):
        assert {**row, "seconds": 0.0} == {**other, "seconds": 0.0}
        assert np.isfinite(list(row.values())).all()
    jax.tree.map(np.testing.assert_array_equal, whole.potential.params, resumed.potential.params)
    assert {"forces_mae/H/member_1", "far/forces_mae/C"} <= set(row)
    if name == "plateau":
        errors = [row["forces_mae"] for row in whole.history]
        rates = [row["learning_rate"] for row in whole.history]
        assert (rates[2] < rates[1]) == (errors[1] >= errors[0])


def sets(data):
    return data.select(LABELLED), {"near": data.select(VALID), "far": data.select(FAR)}


def test_a_model_of_more_elements_than_the_data_is_trained_with_a_warning(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, type_names=("H", "O", "C"))
    energies = dataclasses.replace(FRAMES, forces=None)
    parts = energies.select(LABELLED), energies.select(VALID)
    once = TrainingConfig(max_epochs=1)
    with pytest.warns(DataWarning, match=r"has none of the types \['O'\] of the config"):
        train(config, once, *parts, workdir=tmp_path)
    potential = Potential.load(tmp_path / "potential")
    alone = atomic_energies(energies.select(LABELLED))
    assert potential.atomic_energies == {**alone, "O": 0.0}


def test_elements_that_only_a_validation_set_has_are_named_before_the_training() -> None:
    data, qm9 = FRAMES.select(LABELLED), load("qm9").select([100])
    config = dataclasses.replace(CONFIG, type_names=("H", "C", "N", "O", "F"))
    energies = TrainingConfig(max_epochs=1, metric="energy_mae")
    with pytest.raises(ValueError, match=r"the set 'other' holds .*O.*take another seed"):
        train(config, energies, data, {"near": FRAMES.select(VALID), "other": qm9})
    with pytest.raises(ValueError, match=r"the training set has .*config_from_data"):
        train(CONFIG, energies, qm9, data)
