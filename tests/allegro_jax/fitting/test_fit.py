"""`fit` takes data of any kind, goes on where it was stopped, and leaves what it promises."""

import dataclasses
import json
from pathlib import Path

import ase.db
import jax
import numpy as np
import pytest

from allegro_jax import Committee, Potential, config_from_data, fit, preset
from allegro_jax.datasets import Dataset, load
from allegro_jax.fitting import FitResult, as_dataset
from allegro_jax.fitting.settings import configs
from allegro_jax.graphs import write_store
from allegro_jax.interfaces.ase import AllegroCalculator
from allegro_jax.monitoring.pictures import by_element, predicted
from allegro_jax.monitoring.tables import read_table
from allegro_jax.potential import initial_params
from allegro_jax.training import TrainingStoppedError
from tests.small_fits import SETTINGS, SIZES, frames, write_extxyz


@pytest.fixture(scope="module")
def data() -> Dataset:
    return frames()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_extxyz(tmp_path_factory.mktemp("data") / "mine.extxyz")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs") / "run"


@pytest.fixture(scope="module")
def result(file: Path, folder: Path) -> FitResult:
    """A fit of a file that is stopped before its end and taken up."""
    calls = iter(range(1000))

    def stop() -> bool:
        return next(calls) >= 5  # of seven at least: two calls of the device and one validation

    options = {**SETTINGS, "checkpoint_interval_s": 1e-9}
    with pytest.raises(TrainingStoppedError):
        fit(file, "tiny", folder, should_stop=stop, **options)
    return fit(file, "tiny", folder, **options)


def test_the_folder_holds_the_potential_and_the_result(result: FitResult, folder: Path) -> None:
    stored = Potential.load(folder / "potential")
    equal = jax.tree.map(np.array_equal, stored.params, result.potential.params)
    assert all(jax.tree.leaves(equal))
    written = json.loads((folder / "result.json").read_text())
    assert written["test"] == result.test
    assert written["structures"] == SIZES
    assert written["preset"] == "tiny"
    assert written["footprint"]["parameters"] > 100


def test_an_interrupted_fit_is_logged_without_gaps_or_repeats(
    result: FitResult, folder: Path
) -> None:
    epochs = read_table(folder / "logs" / "epochs.csv")
    assert [row["epoch"] for row in epochs] == [1, 2, 3]
    assert epochs == result.training.history
    steps = [row["step"] for row in read_table(folder / "logs" / "steps.csv")]
    assert steps == sorted(set(steps))
    assert steps[-1] == 24


def test_pictures_are_drawn(result: FitResult, folder: Path) -> None:
    for name in ("learning_curves", "parity"):
        picture = (folder / f"{name}.png").read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert len(picture) > 10_000


def test_parity_plots_show_the_errors_of_the_test(result: FitResult) -> None:
    energies, forces = predicted(result.potential, list(result.splits.test))
    assert energies.mae == pytest.approx(result.test["energy_per_atom_mae"], rel=1e-3)
    assert forces is not None
    assert forces.mae == pytest.approx(result.test["forces_mae"], rel=1e-3)
    parts = by_element(forces)
    assert set(parts) == {"C", "H"}
    assert np.mean([part.mae for part in parts.values()]) == pytest.approx(forces.mae)  # 6 of each


def test_the_summary_ends_with_code_that_puts_the_potential_into_ase(result: FitResult) -> None:
    lines = result.summary().splitlines()
    code = "\n".join(line.strip() for line in lines[-3:])
    atoms = result.splits.test.to_atoms(0)
    exec(code, {"atoms": atoms})
    assert isinstance(atoms.calc, AllegroCalculator)
    assert f"test   forces {1e3 * result.test['forces_mae']:.3g} meV/Å" in lines[0]


def test_a_finished_fit_is_read_in_silence_and_not_repeated(
    result: FitResult, file: Path, folder: Path, capfd
) -> None:
    before = json.loads((folder / "result.json").read_text())["footprint"]
    again = fit(file, "tiny", folder, **SETTINGS, checkpoint_interval_s=1e-9)
    assert again.training.history == result.training.history
    assert json.loads((folder / "result.json").read_text())["footprint"] == before
    assert capfd.readouterr() == ("", "")


def test_the_folder_of_another_run_is_refused_and_left_alone(
    result: FitResult, file: Path, folder: Path
) -> None:
    logged = (folder / "logs" / "steps.csv").read_bytes()
    with pytest.raises(ValueError, match=r"another run.*num_scalar_features was 4, is now 12"):
        fit(file, "tiny", folder, **{**SETTINGS, "num_scalar_features": 12})
    assert (folder / "logs" / "steps.csv").read_bytes() == logged


def test_names_files_databases_and_atoms_are_the_same_data(
    data: Dataset, file: Path, tmp_path: Path
) -> None:
    frames = [data.to_atoms(k) for k in range(12)]
    with ase.db.connect(tmp_path / "mine.db") as database:
        for atoms in frames:
            database.write(atoms)
    for given in (str(file), file, tmp_path / "mine.db", frames, data):
        read = as_dataset(given)
        assert np.allclose(read.energy[:12], data.energy[:12], atol=1e-6)
        assert np.allclose(read.forces[:144], data.forces[:144], atol=1e-6)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("no/such.extxyz", FileNotFoundError, "no/such.extxyz"),
        ("rmd17-asprin", ValueError, "rmd17-aspirin"),
        (3, TypeError, "registered name, the path of a file or a store, a list of ase.Atoms"),
        ([1, 2], TypeError, "list of ase.Atoms"),
        ([], ValueError, "0 frames"),
    ],
    ids=str,
)
def test_what_is_no_data_is_named(given, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fit(given)


def test_a_store_is_fitted_with_its_cutoff_as_its_structures_are(
    result: FitResult, data: Dataset, tmp_path: Path
) -> None:
    write_store(data, tmp_path / "store", SETTINGS["cutoff"])
    settings = {name: value for name, value in SETTINGS.items() if name != "cutoff"}
    fitted = fit(tmp_path / "store", "tiny", tmp_path / "run", **settings)
    assert fitted.test == pytest.approx(result.test, rel=1e-5)
    assert (tmp_path / "run" / "parity.png").exists()
    with pytest.raises(ValueError, match=r"cutoff of 3.0 Å, but the model has 4.0 Å"):
        fit(tmp_path / "store", "tiny", cutoff=4.0)


def test_frames_without_energies_are_named(data: Dataset) -> None:
    frames = [data.to_atoms(k) for k in range(12)]
    for atoms in frames:
        atoms.calc = None
    with pytest.raises(ValueError, match="give energy_key"):
        fit(frames)


def test_elements_that_only_the_test_has_are_found_before_the_training(data: Dataset) -> None:
    with pytest.raises(ValueError, match="the set 'test' holds Cu, of which there is nothing"):
        fit(data, "tiny", test="cu", **SETTINGS)


def test_what_is_tuned_further_keeps_its_model_and_its_number_of_members(data: Dataset) -> None:
    config = config_from_data(load("cu"), 3.0, l_max=0, num_layers=1)
    potentials = [Potential(config, initial_params(config, seed)) for seed in (0, 1)]
    for init, members in ((potentials[0], 1), (Committee.of(potentials), 2)):
        model, training = configs(preset("small"), data, 2.0, {"loss": "mae"}, init)
        assert model.type_names == ("Cu", "H", "C")
        assert dataclasses.replace(model, type_names=("Cu",)) == config
        assert (training.members, training.time_limit_s, training.loss) == (members, 120.0, "mae")
    with pytest.raises(ValueError, match="cutoff, num_layers would change the model of init"):
        fit(data, "tiny", init=potentials[0], cutoff=4.0, num_layers=2)


@pytest.mark.slow
def test_a_committee_is_fitted_saved_and_tuned_further(data: Dataset, tmp_path: Path) -> None:
    once = {**SETTINGS, "max_epochs": 1}
    first = fit(data, "tiny", tmp_path / "first", members=2, **once)
    code = "\n".join(line.strip() for line in first.summary().splitlines()[-3:])
    atoms = data.to_atoms(0)
    exec(code, {"atoms": atoms})
    atoms.get_potential_energy()
    assert atoms.calc.results["forces_spread"].max() > 0
    of_training = {"max_epochs": 1, "batch_size": 5, "learning_rate": 1e-9}
    tuned = fit(data, "tiny", init=tmp_path / "first" / "potential", **of_training)
    assert isinstance(tuned.potential, Committee)
    assert tuned.potential.config == first.potential.config
    close = jax.tree.map(
        lambda before, after: np.allclose(before, after, atol=1e-6),
        first.potential.params,
        tuned.potential.params,
    )
    assert all(jax.tree.leaves(close))


def test_logs_of_services_need_a_work_directory(data: Dataset) -> None:
    with pytest.raises(ValueError, match="need a workdir"):
        fit(data, "tiny", wandb_project="potentials", **SETTINGS)
