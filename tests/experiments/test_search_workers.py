"""Several workers on one search: none of its trials is lost, none made twice."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from optuna.trial import TrialState

from experiments.searches.study import n_finished
from tests.experiments import search_worker
from tests.samo_cobra import postgres

ROOT = Path(__file__).parents[2]
TRIALS = 8


def start(url: str, workdir: Path, *mark: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.experiments.search_worker", url, str(workdir)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([*command, str(TRIALS), *mark], cwd=ROOT, **pipes)


def wait_for(condition, process: subprocess.Popen, seconds: float = 120.0) -> None:
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
        outputs = [process.communicate(timeout=300)[0] for process in (first, second)]
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
