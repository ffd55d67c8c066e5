"""Several workers on one search: none of its trials is lost, none made twice."""

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import optuna
import pytest
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import TrialState

from experiments.searches.launch import MEMORY, places
from experiments.searches.progress import SearchProgress
from experiments.searches.storage import open_storage
from experiments.searches.study import SEARCH, WORKER, n_finished, open_study
from experiments.searches.worker import SearchStoppedError, Worker, ask
from tests.experiments import search_worker
from tests.samo_cobra import postgres

ROOT = Path(__file__).parents[2]
TRIALS = 8


def start(url: str, workdir: Path, *mark: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.experiments.search_worker", url, str(workdir)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([*command, str(TRIALS), *mark], cwd=ROOT, **pipes)


def wait_for(condition, process: subprocess.Popen, seconds: float = 300.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_study_outlives_a_killed_worker_and_a_restart_of_its_server(tmp_path: Path) -> None:
    pytest.importorskip("psycopg", reason="psycopg, the driver of PostgreSQL, is not installed")
    programs = postgres.find()
    if programs is None:
        pytest.skip("PostgreSQL's initdb and pg_ctl are neither on PATH nor in /usr/lib/postgresql")
    workdir, mark = tmp_path / "search", tmp_path / "hangs"
    with postgres.restartable_server(programs) as server:
        doomed = start(server.url, workdir, str(mark))
        wait_for(mark.exists, doomed)
        first, second = start(server.url, workdir), start(server.url, workdir)
        records = workdir / "trials" / "allegro"
        wait_for(lambda: len(list(records.glob("*/record.json"))) >= 2, first)
        doomed.kill()
        server.restart()
        outputs = [process.communicate(timeout=500)[0] for process in (first, second)]
        doomed.communicate()
        assert [first.returncode, second.returncode] == [0, 0], outputs
        assert sum("its process is gone, queued again" in text for text in outputs) == 1
        study = search_worker.opened(server.url, workdir, TRIALS).studies["allegro"]
        done = study.get_trials(states=(TrialState.COMPLETE,))
        assert len(done) == n_finished(study) == TRIALS
        assert len({tuple(trial.params.items()) for trial in done}) == TRIALS
        others = {t.state for t in study.get_trials()} - {TrialState.COMPLETE}
        assert others <= {TrialState.FAIL}
        lost = study.trials[0]  # the doomed worker's
        assert lost.state == TrialState.FAIL
        assert lost.params in [trial.params for trial in done]
        study._storage._backend.engine.dispose()


def test_a_worker_that_starts_while_the_server_restarts_waits_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip("psycopg", reason="psycopg, the driver of PostgreSQL, is not installed")
    programs = postgres.find()
    if programs is None:
        pytest.skip("PostgreSQL's initdb and pg_ctl are neither on PATH nor in /usr/lib/postgresql")
    with postgres.restartable_server(programs) as server:
        server.stop()
        config = search_worker.settings(server.url, 1)
        with pytest.raises(ValueError, match="cannot open the storage"):
            open_storage(config, tmp_path, patience_s=0.2)
        with ThreadPoolExecutor() as threads:
            opening = threads.submit(open_storage, config, tmp_path, 300.0)
            while not (said := capsys.readouterr().out):
                assert not opening.done()
                time.sleep(0.05)
            server.start()
            storage = opening.result(60)
        assert re.search("the storage does not answer: .*; trying again for 2.. s", said)
        assert storage.get_all_studies() == []
        storage.engine.dispose()
        refused = search_worker.settings(server.url.replace("/postgres?", "/nothing?"), 1)
        began = time.monotonic()
        with pytest.raises(ValueError, match='database "nothing" does not exist'):
            open_storage(refused, tmp_path, patience_s=300.0)
        assert time.monotonic() - began < 60.0


def test_a_study_whose_maker_died_at_once_is_taken_over(tmp_path: Path) -> None:
    config = search_worker.settings("", 1)
    storage = open_storage(config, tmp_path)
    optuna.create_study(storage=storage, study_name="allegro", directions=["minimize", "minimize"])
    study = open_study(storage, "allegro", config)
    assert study.user_attrs[SEARCH]["sampler"] == "random"
    config.sampler = "tpe"
    with pytest.raises(ValueError, match="sampler was random, is now tpe"):
        open_study(storage, "allegro", config)


def test_cores_are_shared_out_in_blocks_and_devices_in_turn() -> None:
    assert [place.cores for place in places(2, range(4), [])] == [(0, 1), (2, 3)]
    assert [place.cores for place in places(3, [5], [])] == [(5,)] * 3
    pinned = [place.environment["CUDA_VISIBLE_DEVICES"] for place in places(3, range(8), "01")]
    assert pinned == ["0", "1", "0"]
    assert places(3, range(8), "01")[0].environment[MEMORY] == "0.45"
    assert MEMORY not in places(2, range(8), "01")[0].environment


def test_a_storage_that_cannot_be_reached_is_named_without_its_password(tmp_path: Path) -> None:
    config = search_worker.settings("postgresql+psycopg://me:secret@localhost:1/nothing", 1)
    with pytest.raises(ValueError, match=r"cannot open the storage .*me:\*\*\*@localhost") as error:
        open_storage(config, tmp_path, patience_s=0.2)
    assert "secret" not in str(error.value)


def test_a_call_is_made_again_until_the_database_answers(tmp_path: Path) -> None:
    """The answer to what ended a trial was lost: the second call finds it ended, as asked."""
    study = search_worker.opened(f"sqlite:///{tmp_path}/s.db", tmp_path / "w", 1).studies["allegro"]
    storage = study._storage._backend
    trial = ask(study)
    lost, method = [], optuna.storages.RDBStorage.set_trial_state_values

    def loses_its_first_answer(*arguments):
        done = method(*arguments)
        if not lost:
            lost.append(done)
            raise StorageInternalError("server closed the connection unexpectedly")
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(optuna.storages.RDBStorage, "set_trial_state_values", loses_its_first_answer)
        study.tell(trial, [1.0, 2.0])
    assert lost == [True]
    assert study.trials[0].values == [1.0, 2.0]
    with pytest.raises(UpdateFinishedTrialError):
        storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)


def test_of_two_workers_that_take_the_last_place_the_later_gives_it_back(tmp_path: Path) -> None:
    search = search_worker.opened(f"sqlite:///{tmp_path}/s.db", tmp_path / "w", 1)
    study = search.studies["allegro"]
    first = ask(study)
    worker = Worker(search, search_worker.arithmetic, lambda: False)
    with SearchProgress(search.studies, 1, tmp_path, search.config.objectives) as progress:
        worker._run_trial(study, progress)
    assert [trial.state for trial in study.trials] == [TrialState.RUNNING, TrialState.FAIL]
    assert n_finished(study) == 1
    study.tell(first, [1.0, 2.0])
    assert n_finished(study) == 1


def test_a_worker_that_is_asked_to_stop_gives_its_trial_back(tmp_path: Path) -> None:
    search = search_worker.opened(f"sqlite:///{tmp_path}/s.db", tmp_path / "w", 1)
    study, stop = search.studies["allegro"], []

    def training(*arguments, on_progress, **_):
        stop.append(True)
        on_progress(None)

    worker = Worker(search, training, lambda: bool(stop))
    with (
        SearchProgress(search.studies, 1, tmp_path, search.config.objectives) as progress,
        pytest.raises(SearchStoppedError, match="in allegro 0"),
    ):
        worker.run(progress)
    ended, queued = study.trials
    assert (ended.state, queued.state) == (TrialState.FAIL, TrialState.WAITING)
    assert queued.system_attrs["fixed_params"] == ended.params
    assert n_finished(study) == 0


@pytest.mark.slow
def test_the_program_with_two_workers_outlives_the_death_of_one(tmp_path: Path) -> None:
    """Real trainings through the program on a server. Slow: three starts of the program."""
    programs = postgres.find()
    if programs is None:
        pytest.skip("PostgreSQL's initdb and pg_ctl are neither on PATH nor in /usr/lib/postgresql")
    workdir = tmp_path / "search"
    with postgres.restartable_server(programs) as server:
        flags = [
            f"--workdir={workdir}", "--config=experiments/configs/demo.py", "--config.trials=4",
            f"--config.storage={server.url}", "--config.variants=('allegro',)", "--workers=2",
            "--config.data.name=rmd17-benzene", "--config.data.train=40", "--config.data.valid=10",
            "--config.data.test=20", "--config.model.num_scalar_features=8",
            "--config.model.num_tensor_features=2", "--config.training.time_limit_s=2.0",
            "--config.ranges.cutoff=(3.0, 3.5)", "--config.ranges.num_layers=(1, 1)",
            "--config.heartbeat_s=1", f"--config.timing.lock_file={tmp_path / 'lock'}",
        ]  # fmt: skip
        command = [sys.executable, "-m", "experiments.search", *flags]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        process = subprocess.Popen(command, cwd=ROOT, **pipes)
        records = workdir / "trials" / "allegro"
        wait_for(lambda: list(records.glob("*/record.json")), process, 500.0)
        study = optuna.load_study(study_name="allegro", storage=server.url)
        running = study.get_trials(states=(TrialState.RUNNING,))[0]
        os.kill(running.user_attrs[WORKER]["pid"], signal.SIGKILL)
        server.restart()
        output = process.communicate(timeout=500)[0]
        assert process.returncode == 0, output
        assert "queued again" in output
        study = optuna.load_study(study_name="allegro", storage=server.url)
        done = study.get_trials(states=(TrialState.COMPLETE,))
        assert len(done) == len({tuple(trial.params.items()) for trial in done}) == 4
        assert (workdir / "report.html").exists()
        study._storage.remove_session()
        study._storage._backend.engine.dispose()
