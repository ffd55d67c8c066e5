import concurrent.futures
import os
import signal
import subprocess
import sys
import threading
import time

import jax
import numpy as np
import pytest

from samo_cobra import Optimizer, Stop, minimize
from tests.samo_cobra.bowls import CORNER, PLANE, bowls, constrained, disc, run

INTERRUPTED = """
import os, signal, sys
from samo_cobra import minimize
from tests.samo_cobra.bowls import CORNER, PLANE, bowls

calls = 0

def fun(x):
    global calls
    calls += 1
    if calls == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return bowls(x)

minimize(fun, PLANE, 2, stop=9, reference_point=CORNER, state=sys.argv[1])
"""


def search(fun=bowls, stop=9, **options):
    return minimize(fun, PLANE, 2, stop=stop, reference_point=CORNER, **options)


@pytest.fixture
def threads():
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        yield pool


def test_the_loop_is_ask_and_tell():
    result = search()
    assert result.optimizer.trials == run(9).trials
    assert result.front.ids == result.optimizer.front().ids
    assert result.hypervolumes[-1] == result.optimizer.hypervolume()
    assert len(result.hypervolumes) == 9
    assert result.message == "stopped after 9 trials"
    assert result.errors == {}


def test_objectives_and_constraints_come_as_a_pair():
    result = minimize(constrained, PLANE, 2, 1, stop=8, reference_point=CORNER)
    assert [t.constraints for t in result.optimizer.trials] == [
        (disc(t.x),) for t in result.optimizer.trials
    ]


def test_a_single_objective_may_be_a_number():
    result = minimize(lambda x: x["x"], PLANE, 1, stop=3)
    assert [t.objectives for t in result.optimizer.trials] == [
        (t.x["x"],) for t in result.optimizer.trials
    ]


def test_threads_evaluate_in_parallel(threads):
    together, most, lock = 0, 0, threading.Lock()

    def fun(x):
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        time.sleep(0.05)
        with lock:
            together -= 1
        return bowls(x)

    result = search(fun, 12, executor=threads, parallel=3)
    assert most == 3
    assert sorted(t.id for t in result.optimizer.trials) == list(range(12))
    assert result.optimizer.pending == ()
    assert max(r.n_pending for r in result.optimizer.records) == 2


def test_dask_evaluates():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
        client.get_executor() as executor,
    ):
        result = search(stop=7, executor=executor, parallel=2)
    assert len(result.optimizer.trials) == 7
    assert not result.errors


@pytest.mark.parametrize("parallel", [False, True])
def test_exceptions_become_failed_trials_with_their_message(threads, parallel):
    def fun(x):
        if x["x"] < 0.3:
            raise RuntimeError(f"x is {x['x']:.3f}")
        return bowls(x)

    options = {"executor": threads, "parallel": 2} if parallel else {}
    result = search(fun, **options)
    failed = {t.id: t.x["x"] for t in result.optimizer.trials if t.failed}
    assert failed
    assert result.errors == {i: f"RuntimeError: x is {x:.3f}" for i, x in failed.items()}
    assert not set(failed) & set(result.front.ids)


def test_nan_is_a_failure_without_a_message():
    result = search(lambda x: [np.nan, 1.0] if x["x"] < 0.3 else bowls(x))
    assert any(t.failed for t in result.optimizer.trials)
    assert result.errors == {}


def test_interrupts_are_not_swallowed(tmp_path):
    def fun(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(fun, state=tmp_path / "run.json")
    assert [s.id for s in Optimizer.load(tmp_path / "run.json").pending] == [0]


def test_an_evaluation_that_takes_too_long_is_a_failure(threads):
    released = threading.Event()
    calls = iter(range(100))

    def fun(x):
        if next(calls) == 2:
            released.wait(30.0)
        return bowls(x)

    result = search(fun, 8, executor=threads, parallel=2, timeout_s=0.5)
    released.set()
    assert [t.failed for t in result.optimizer.trials].count(True) == 1
    assert list(result.errors.values()) == ["took longer than 0.5 s"]


def test_waiting_for_a_worker_does_not_count_as_time():
    def fun(x):
        time.sleep(0.3)
        return bowls(x)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        result = search(fun, 5, executor=pool, parallel=5, timeout_s=0.9)
    assert result.errors == {}


def test_a_run_ends_when_late_evaluations_hold_all_workers():
    released = threading.Event()

    def fun(x):
        released.wait(30.0)
        return bowls(x)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        result = search(fun, 9, executor=pool, parallel=2, timeout_s=0.3)
        released.set()
    assert "hold all workers" in result.message
    assert [t.failed for t in result.optimizer.trials] == [True]
    # What never began is not a failure.
    assert len(result.optimizer.pending) == 2


def test_it_stops_after_the_time():
    result = search(lambda x: time.sleep(0.05) or bowls(x), Stop(seconds=0.12))
    assert result.message == "stopped after 0.12 s"
    assert 1 <= len(result.optimizer.trials) <= 3


def test_it_stops_when_the_hypervolume_stagnates():
    result = search(lambda _: [1.0, 1.0], Stop(trials=20, stagnation=2))
    assert "grew by less" in result.message
    assert len(result.optimizer.trials) == 5


def test_trials_of_earlier_calls_count(tmp_path):
    path = tmp_path / "run.json"
    search(stop=5, state=path)
    result = search(stop=9, state=path)
    assert len(result.hypervolumes) == 4
    assert result.optimizer.trials == run(9).trials


def test_a_killed_run_loses_nothing(tmp_path):
    path = tmp_path / "run.json"
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(jax.config.jax_compilation_cache_dir),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }
    command = [sys.executable, "-c", INTERRUPTED, str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    saved = Optimizer.load(path)
    assert [t.id for t in saved.trials] == list(range(6))
    assert [s.id for s in saved.pending] == [6]
    evaluated = []
    result = search(lambda x: evaluated.append(x) or bowls(x), state=path)
    assert evaluated[0] == saved.pending[0].x
    assert result.optimizer.trials == run(9).trials


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"seed": 1}, "seed"),
        ({"reference_point": (3.0, 3.0)}, "reference_point"),
        ({"directions": ["minimize", "maximize"]}, "directions"),
        ({"initial_points": 5}, "initial_points"),
    ],
)
def test_the_state_of_another_problem_is_refused(tmp_path, change, name):
    path = tmp_path / "run.json"
    search(stop=1, state=path)
    before = path.read_bytes()
    options = {"reference_point": CORNER, "state": path} | change
    with pytest.raises(ValueError, match=f"another problem: {name} differ"):
        minimize(bowls, PLANE, 2, stop=3, **options)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ([1.0, 2.0, 3.0], "expected 2 objectives, got 3"),
        (1.0, "expected 2 objectives, got 1"),
        (None, "fun must return 2 objectives, got None"),
        ({"a": 1.0, "b": 2.0}, "expected 2 objectives in a sequence"),
        (([1.0, 2.0], [3.0]), "expected 0 constraints, got 1"),
    ],
)
def test_what_the_function_should_return_is_said(outcome, message):
    with pytest.raises(ValueError, match=message):
        search(lambda _: outcome)


@pytest.mark.parametrize("outcome", [[1.0, 2.0], [1.0, 2.0, 3.0], None])
def test_missing_constraints_are_said(outcome):
    with pytest.raises(ValueError, match="fun must return"):
        minimize(lambda _: outcome, PLANE, 2, 1, stop=3)


def test_the_callback_sees_every_trial():
    seen = []
    search(stop=4, callback=lambda optimizer, trial: seen.append((len(optimizer.trials), trial.id)))
    assert seen == [(1, 0), (2, 1), (3, 2), (4, 3)]


def test_a_progress_bar_is_shown_only_if_asked_for(capsys):
    search(stop=3)
    assert capsys.readouterr() == ("", "")
    search(stop=3, progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "3/3" in shown.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parallel": 0}, "parallel must be at least 1"),
        ({"parallel": 2}, "need an executor"),
        ({"timeout_s": 1.0}, "need an executor"),
        ({"stop": 0}, "limits must be positive"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        search(**options)


def test_a_time_limit_must_be_positive(threads):
    with pytest.raises(ValueError, match="timeout_s must be positive"):
        search(executor=threads, timeout_s=0.0)


def test_a_run_needs_an_end():
    with pytest.raises(ValueError, match="at least one of"):
        Stop()
    assert len(search(stop=np.int64(2)).optimizer.trials) == 2
