import json
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from samo_cobra import Linear, Optimizer, Settings
from tests.samo_cobra.bowls import CORNER, PLANE, bowls, constrained, optimise, run, run_constrained

NEXT = """
import json, sys
from samo_cobra import Optimizer
print(json.dumps([s.x for s in Optimizer.load(sys.argv[1]).ask(2)]))
"""


def small(x):
    return x["x"] + x["y"] - 1.9


def near(x):
    return bowls(x)[0]


def busy():
    """An optimiser with trials of every kind, pending points and records."""
    optimizer = run_constrained(8)
    first, _ = optimizer.ask(2)
    optimizer.tell({"x": 0.9, "y": 0.1}, [np.nan, 0.5], [-1.0])
    optimizer.tell({"x": 0.1, "y": 0.8}, [None, 0.5], [None])
    optimizer.tell(first, *constrained(first.x))
    return optimizer


def test_a_loaded_optimiser_is_the_same_and_goes_on_in_the_same_way(tmp_path):
    optimizer = busy()
    optimizer.save(tmp_path / "run.json")
    loaded = Optimizer.load(tmp_path / "run.json")
    assert loaded.trials == optimizer.trials
    assert loaded.pending == optimizer.pending
    assert loaded.records == optimizer.records
    assert loaded.to_json() == optimizer.to_json()
    assert loaded.ask(2) == optimizer.ask(2)
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


def test_another_process_goes_on_in_the_same_way(tmp_path):
    optimizer = busy()
    optimizer.save(tmp_path / "run.json")
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": str(jax.config.jax_compilation_cache_dir),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }
    command = [sys.executable, "-c", NEXT, str(tmp_path / "run.json")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [s.x for s in optimizer.ask(2)]


def test_an_optimiser_rebuilt_by_tell_makes_the_same_next_suggestion():
    optimizer, rebuilt = run(8), Optimizer(PLANE, 2, reference_point=CORNER)
    for trial in optimizer.trials:
        rebuilt.tell(trial.x, trial.objectives)
    assert rebuilt.ask() == optimizer.ask()


def test_two_optimisers_do_not_disturb_each_other_nor_numpy():
    first, second = run_constrained(7, seed=1), run_constrained(7, seed=2)
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    options = {"reference_point": CORNER}
    one, two = (Optimizer(PLANE, 2, 1, seed=s, **options) for s in (1, 2))
    for _ in range(7):
        optimise(one, constrained, 1)
        optimise(two, constrained, 1)
    assert one.trials == first.trials
    assert two.trials == second.trials
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_suggestions_do_not_depend_on_the_x64_switch(x64):
    with_x64 = run(7).ask()
    jax.config.update("jax_enable_x64", False)
    assert run(7).ask() == with_x64
    assert not jax.config.jax_enable_x64


def test_settings_directions_and_linear_restrictions_are_saved():
    optimizer = Optimizer(
        PLANE,
        2,
        directions=["maximize", "minimize"],
        reference_point=[0.0, 2.0],
        known_constraints=[Linear({"x": 1.0}, upper=0.7)],
        seed=np.int64(3),
        initial_points=4,
        settings=Settings(infill="sms", latest=3),
    )
    data = json.loads(json.dumps(optimizer.to_json(), allow_nan=False))
    loaded = Optimizer.from_json(data)
    assert loaded.to_json() == data
    assert loaded.settings == optimizer.settings
    assert loaded.statement.directions == ("maximize", "minimize")
    assert loaded.statement.restrictions.items == optimizer.statement.restrictions.items
    assert loaded.ask(3) == optimizer.ask(3)


def test_functions_must_be_given_again():
    optimizer = Optimizer(PLANE, 2, 1, known_constraints=[small], inexpensive_objectives={0: near})
    data = optimizer.to_json()
    with pytest.raises(ValueError, match=r"inexpensive_objectives.*'near'"):
        Optimizer.from_json(data, known_constraints=[small])
    with pytest.raises(ValueError, match="'small'"):
        Optimizer.from_json(data, inexpensive_objectives={0: near})
    with pytest.raises(ValueError, match="'small'"):
        Optimizer.from_json(data, known_constraints=[near], inexpensive_objectives={0: near})
    again = Optimizer.from_json(data, known_constraints=[small], inexpensive_objectives={0: near})
    assert again.ask() == optimizer.ask()


def test_numbers_of_numpy_are_saved_as_plain_data():
    optimizer = run(4)
    optimizer.tell({"x": np.float64(1.0), "y": np.int64(0)}, np.ones(2))
    data = optimizer.to_json()
    assert json.loads(json.dumps(data, allow_nan=False)) == data


@pytest.mark.parametrize(
    "content", [b"", b'{"format": 3, "space": [{"na', b'{"format": 3}', b"[]", b"\xff\xfe\x00"]
)
def test_a_broken_file_is_named(tmp_path, content):
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(ValueError, match="not a saved optimiser"):
        Optimizer.load(tmp_path / "run.json")


def test_another_format_is_named():
    with pytest.raises(ValueError, match="expected format 3, got 99"):
        Optimizer.from_json({"format": 99})


def test_a_failed_save_leaves_the_last_one(tmp_path, monkeypatch):
    optimizer = run(4)
    optimizer.save(tmp_path / "run.json")
    optimizer.ask()

    def dies(*args, **options):
        raise OSError("no space left on device")

    monkeypatch.setattr(json, "dump", dies)
    with pytest.raises(OSError, match="no space"):
        optimizer.save(tmp_path / "run.json")
    monkeypatch.undo()
    assert Optimizer.load(tmp_path / "run.json").pending == ()
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]
