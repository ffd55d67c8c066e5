"""Several processes on one study, in SQLite and PostgreSQL."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import optuna
import pytest
from optuna.trial import TrialState

from samo_cobra.optuna_trials import under_way
from tests.samo_cobra import postgres
from tests.samo_cobra.optuna_worker import STUDY, sampler

ROOT = Path(__file__).parent.parent.parent


@contextlib.contextmanager
def worker(url: str, trials: str) -> Iterator[subprocess.Popen]:
    """Starts a worker, and makes sure that it ends."""
    cache = {
        "JAX_COMPILATION_CACHE_DIR": str(jax.config.jax_compilation_cache_dir),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.samo_cobra.optuna_worker", url, trials],
        cwd=ROOT,
        env={**os.environ, **cache},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def begin(*processes: subprocess.Popen) -> None:
    """Lets workers that are ready begin at the same moment."""
    assert [said(process) for process in processes] == ["ready"] * len(processes)
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def create(url: str) -> None:
    """Creates tables and study: workers that do so at the same time trip over each other."""
    optuna.create_study(storage=url, study_name=STUDY, directions=["minimize", "minimize"])


def load(url: str, **options) -> optuna.Study:
    return optuna.load_study(study_name=STUDY, storage=url, sampler=sampler(**options))


def check_complete(study: optuna.Study, n_trials: int) -> None:
    """Every trial is there, no two are alike, and any process knows them all."""
    done = study.get_trials(states=(TrialState.COMPLETE,))
    assert len(done) == n_trials
    assert len({tuple(trial.params.values()) for trial in done}) == n_trials
    known = study.sampler.optimizer(study)
    assert len(known.trials) == n_trials
    assert [len(trial.constraints) for trial in known.trials] == [1] * n_trials
    # A worker that starts now goes on where one that has seen all trials would.
    again = sampler().optimizer(study)
    assert again.suggest(100) == known.suggest(100)


def test_two_workers_share_an_sqlite_study_and_outlive_a_third(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    create(url)
    with worker(url, "4") as first, worker(url, "4") as second, worker(url, "hang") as lost:
        begin(lost)
        number = int(said(lost))
        begin(first, second)
        lost.kill()  # as by kill -9: it cannot say goodbye
        assert [first.wait(400), second.wait(400)] == [0, 0]
    study = load(url)
    check_complete(study, 8)
    orphan = study.trials[number]
    assert orphan.state == TrialState.RUNNING
    asking = study.ask()._cached_frozen_trial
    space = study.sampler._space({})

    def pending(age_s: float) -> list[dict]:
        suggest = study.sampler.optimizer(study).suggest
        return under_way(study.get_trials(), asking, space, age_s, lambda n, _: suggest(n))

    assert pending(3600.0) == [orphan.params]
    assert pending(1e-3) == []


def test_two_workers_share_a_postgresql_study() -> None:
    pytest.importorskip("psycopg", reason="psycopg, the driver of PostgreSQL, is not installed")
    programs = postgres.find()
    if programs is None:
        pytest.skip("PostgreSQL's initdb and pg_ctl are neither on PATH nor in /usr/lib/postgresql")
    with postgres.server(programs) as url:
        create(url)
        with worker(url, "4") as first, worker(url, "4") as second:
            begin(first, second)
            assert [first.wait(400), second.wait(400)] == [0, 0]
        study = load(url)
        check_complete(study, 8)
        study._storage.remove_session()
