"""A search survives what happens to it, loses nothing and repeats nothing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from ml_collections import ConfigDict
from optuna.trial import TrialState

from allegro_jax.potential import Potential
from allegro_jax.training.evaluation import evaluate
from experiments import search_loop
from experiments.configs import demo
from experiments.data import load_splits
from experiments.searches.lost import LostTrials, this_worker
from experiments.searches.records import TrialRecord
from experiments.searches.storage import open_storage
from experiments.searches.study import (
    FAILURE,
    WORKER,
    claim_workdir,
    failures,
    n_finished,
    open_study,
    trial_folder,
)
from experiments.searches.worker import ask, suggest
from samo_cobra.optuna import INTERRUPTED


@pytest.fixture
def config(tmp_path_factory: pytest.TempPathFactory) -> ConfigDict:
    """A search of seconds: tiny models on the real data."""
    config = demo.get_config()
    config.trials = 2
    config.initial_trials = 2
    config.data.update({"name": "rmd17-benzene", "train": 40, "valid": 10, "test": 20})
    config.model.update({"num_scalar_features": 8, "num_tensor_features": 2, "mlp_width": 8})
    config.ranges.update({"cutoff": (3.0, 3.5), "num_layers": (1, 1), "edge_mlp_width": (4, 8)})
    config.ranges.update({"mlp_width_1": (4, 8), "mlp_width_2": (4, 8), "qdi_depth": (1, 1)})
    config.ranges.update({"qdi_encodings": (1, 1), "qdi_final_width": (4, 8)})
    config.training.time_limit_s = 0.5
    config.timing.update({"batch_size": 10, "passes": 2, "final_passes": 3})
    config.timing.lock_file = str(tmp_path_factory.mktemp("lock") / "timing")
    config.objectives = ("forces_mae", "inference_time")
    return config


def record(variant: str, number: int, params: dict, objectives: list[float]) -> TrialRecord:
    return TrialRecord(
        variant=variant, number=number, params=params, objectives=objectives, valid={}, history=[],
        latency={}, cost={}, seconds={"compilation": 2.0}, compilations=3, n_parameters=1, seed=0,
        stopped_by="max_epochs", environment={},
        measured=dict(zip(("forces_mae", "inference_time"), objectives, strict=True)),
    )  # fmt: skip


def fake_trial(config, splits, variant, number, params, folder, **_):
    made = record(variant, number, dict(params), [params["cutoff"], 1.0 / params["cutoff"]])
    made.save(folder / "record.json")
    return made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces training by arithmetic and leaves the report out."""
    monkeypatch.setattr(search_loop, "run_trial", fake_trial)
    monkeypatch.setattr(search_loop, "write_report", lambda *_: None)


def studies(config: ConfigDict, workdir: Path) -> dict[str, optuna.Study]:
    storage = open_storage(config, workdir)
    return {variant: open_study(storage, variant, config) for variant in config.variants}


def test_a_search_of_all_variants_leaves_front_report_and_potentials(
    config: ConfigDict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workdir = tmp_path / "search"
    config.trials = 1
    result = search_loop.search(config, workdir)
    assert {name: len(trials) for name, trials in result.records.items()} == dict.fromkeys(
        config.variants, 1
    )
    page = (workdir / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    assert "http" not in page.replace("http-equiv", "")
    assert (workdir / "front.png").read_bytes().startswith(b"\x89PNG")
    assert len((workdir / "trials.csv").read_text().splitlines()) == 4
    assert "valid forces meV/Å" in capsys.readouterr().out
    valid = load_splits(config.data).valid
    for variant, trials in result.records.items():
        potential = Potential.load(workdir / "best" / variant)
        again = evaluate(potential, valid)["forces_mae"]
        assert again == pytest.approx(trials[0].objectives[0], rel=1e-3)


def test_running_again_adds_nothing(config: ConfigDict, tmp_path: Path, quick: None) -> None:
    for _ in range(2):
        search_loop.search(config, tmp_path / "search")
    for study in studies(config, tmp_path / "search").values():
        assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 2


@pytest.mark.slow
def test_more_trials_can_be_asked_later(config: ConfigDict, tmp_path: Path, quick: None) -> None:
    search_loop.search(config, tmp_path / "search")
    config.trials = 4
    search_loop.search(config, tmp_path / "search")
    assert all(n_finished(s) == 4 for s in studies(config, tmp_path / "search").values())


def test_a_trial_that_raises_is_recorded_with_its_reason_and_the_search_goes_on(
    config: ConfigDict, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sometimes(config, splits, variant, number, params, folder, **_):
        if variant == "allegro-mlp" and number == 0:
            raise MemoryError("RESOURCE_EXHAUSTED: out of memory")
        return fake_trial(config, splits, variant, number, params, folder)

    monkeypatch.setattr(search_loop, "run_trial", sometimes)
    search_loop.search(config, tmp_path / "search")
    trials = studies(config, tmp_path / "search")["allegro-mlp"].trials
    assert [trial.state for trial in trials] == [TrialState.FAIL, TrialState.COMPLETE]
    assert trials[0].user_attrs[FAILURE] == "MemoryError: RESOURCE_EXHAUSTED: out of memory"


def test_ctrl_c_does_not_count_and_the_search_continues(
    config: ConfigDict, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(search_loop, "run_trial", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search_loop.search(config, tmp_path / "search")
    search_loop.search(config, tmp_path / "search")
    for study in studies(config, tmp_path / "search").values():
        done = study.get_trials(states=(TrialState.COMPLETE,))
        assert len(done) == 2
        stopped = study.get_trials(states=(TrialState.FAIL,))
        assert all(trial.user_attrs[INTERRUPTED] for trial in stopped)
        again = {tuple(trial.params.values()) for trial in stopped}
        assert again <= {tuple(trial.params.values()) for trial in done}


def test_a_full_disk_stops_the_search_and_costs_no_trial(
    config: ConfigDict, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(search_loop, "run_trial", full)
        with pytest.raises(OSError, match="No space left"):
            search_loop.search(config, tmp_path / "search")
    assert all(n_finished(s) == 0 for s in studies(config, tmp_path / "search").values())
    search_loop.search(config, tmp_path / "search")
    assert all(n_finished(s) == 2 for s in studies(config, tmp_path / "search").values())


def test_a_storage_of_another_search_is_refused(config: ConfigDict, tmp_path: Path) -> None:
    config.storage = f"sqlite:///{tmp_path}/shared.db"
    studies(config, tmp_path)
    config.data.name = "rmd17-aspirin"
    with pytest.raises(ValueError, match="as the study 'allegro' another search: data was"):
        studies(config, tmp_path)


def dead_worker() -> dict[str, object]:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return {**this_worker(), "pid": process.pid}


def test_a_trial_of_a_dead_process_is_queued_again_once(config: ConfigDict, tmp_path: Path) -> None:
    claim_workdir(tmp_path, config)
    study = studies(config, tmp_path)["allegro"]
    trial = ask(study)
    trial.set_user_attr(WORKER, dead_worker())
    params = suggest(trial, config, "allegro")
    assert len(LostTrials(tmp_path).settle(study)) == 1
    assert LostTrials(tmp_path).settle(study) == []
    assert n_finished(study) == 0
    again = ask(study)
    assert suggest(again, config, "allegro") == params
    again.set_user_attr(WORKER, dead_worker())
    assert "died twice" in LostTrials(tmp_path).settle(study)[0]
    assert "died twice" in failures(study)[again.number]
    assert n_finished(study) == 1


def test_a_record_on_the_disk_is_kept_though_its_process_died_before_telling(
    config: ConfigDict, tmp_path: Path
) -> None:
    claim_workdir(tmp_path, config)
    study = studies(config, tmp_path)["allegro"]
    trial = ask(study)
    trial.set_user_attr(WORKER, dead_worker())
    params = suggest(trial, config, "allegro")
    path = trial_folder(tmp_path, "allegro", trial.number) / "record.json"
    record("allegro", trial.number, params, [0.1, 0.2]).save(path)
    LostTrials(tmp_path).settle(study)
    assert study.trials[0].state == TrialState.COMPLETE
    assert study.trials[0].values == [0.1, 0.2]


def test_a_trial_of_a_living_process_is_left_alone(config: ConfigDict, tmp_path: Path) -> None:
    claim_workdir(tmp_path, config)
    study = studies(config, tmp_path)["allegro"]
    ask(study).set_user_attr(WORKER, this_worker())
    assert LostTrials(tmp_path).settle(study) == []
    assert n_finished(study) == 1


def test_a_work_directory_of_another_search_is_refused(config: ConfigDict, tmp_path: Path) -> None:
    claim_workdir(tmp_path / "search", config)
    config.seed = 1
    with pytest.raises(ValueError, match="seed was 0, is now 1"):
        claim_workdir(tmp_path / "search", config)


def test_a_work_directory_of_something_else_is_refused(config: ConfigDict, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match="not empty"):
        claim_workdir(tmp_path, config)


def test_a_half_written_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text('{"variant": "allegro", "num')
    with pytest.raises(ValueError, match=r"record\.json is not the record"):
        TrialRecord.load(path)


@pytest.mark.slow
def test_kill_9_in_the_middle_loses_only_the_trial_in_flight(
    config: ConfigDict, tmp_path: Path
) -> None:
    """The program itself, with real trainings, killed after its first finished trial."""
    workdir = tmp_path / "search"
    flags = [
        f"--workdir={workdir}", "--config=experiments/configs/demo.py", "--config.trials=1",
        "--config.data.name=rmd17-benzene", "--config.data.train=40", "--config.data.valid=10",
        "--config.data.test=20", "--config.model.num_scalar_features=8",
        "--config.model.num_tensor_features=2", "--config.training.time_limit_s=0.5",
        "--config.variants=('allegro','allegro-mlp')", "--config.timing.final_passes=2",
    ]  # fmt: skip
    command = [sys.executable, "-m", "experiments.search", *flags]
    root = Path(__file__).parents[2]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=root, **quiet)
    first = trial_folder(workdir, "allegro", 0) / "record.json"
    second = trial_folder(workdir, "allegro-mlp", 0)
    deadline = time.monotonic() + 300
    while not first.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = first.read_bytes()
    assert not (second / "record.json").exists()
    subprocess.run(command, cwd=root, check=True, capture_output=True, timeout=300)
    assert first.read_bytes() == kept
    for variant in ("allegro", "allegro-mlp"):
        study = optuna.load_study(storage=f"sqlite:///{workdir}/study.db", study_name=variant)
        done = study.get_trials(states=(TrialState.COMPLETE,))
        assert len(done) == 1
        assert len({tuple(trial.params.items()) for trial in done}) == 1
        assert not study.get_trials(states=(TrialState.RUNNING, TrialState.WAITING))
