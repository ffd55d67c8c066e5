"""A structure in parts is the same as in one piece."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from allegro_jax.potential import Potential, initial_params
from tests.small_models import small_config

ROOT = Path(__file__).parents[3]
PROGRAM = "tests.allegro_jax.sharding.eight_devices"
CONFIG = small_config(type_names=("H", "O", "Cu"), num_layers=1)


@pytest.fixture(scope="module")
def potential():
    return Potential(CONFIG, initial_params(CONFIG), {"H": -1.0, "O": -2.0, "Cu": -3.0})


def copper(repeats=3, seed=0):
    atoms = bulk("Cu", cubic=True) * repeats
    atoms.rattle(0.05, seed=seed)
    return atoms


def found_by_eight_devices(*arguments):
    """What `eight_devices.py` found; devices can be forced in a new process alone."""
    run = subprocess.run(
        [sys.executable, "-m", PROGRAM, str(ROOT / ".jax_cache"), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def on_eight_devices():
    return found_by_eight_devices()


@pytest.mark.slow
def test_other_readouts_are_the_same_on_eight_devices_too():
    double = found_by_eight_devices("others")["double"]
    assert set(double) == {"2025 stacked skewed", "2023 qdi skewed"}
    assert max(double.values()) < 1e-12, double


def test_eight_devices_give_what_one_gives(on_eight_devices):
    double = on_eight_devices["double"]
    assert {"2025 mlp copper", "2025 mlp water", "2025 qdi skewed", "2023 blocks"} <= set(double)
    assert max(double.values()) < 1e-12, double


def test_eight_devices_are_as_exact_as_one_in_single_precision(on_eight_devices):
    single = on_eight_devices["single"]
    assert single["eight"] < 1.5 * single["one"] < 1e-4


def test_a_simulation_on_eight_devices_compiles_per_bucket_and_stays_right(on_eight_devices):
    dynamics = on_eight_devices["dynamics"]
    assert dynamics["deviation"] < 1e-12
    assert dynamics["lists"] > 1, "the atoms must move far enough for a second partition"
    assert dynamics["compilations"] <= dynamics["sizes"] <= 2


def test_the_work_is_spread_evenly(on_eight_devices):
    dynamics = on_eight_devices["dynamics"]
    assert len(dynamics["shard_edges"]) == 8
    assert dynamics["imbalance"] < 0.03
    assert dynamics["padding"] < 0.2, "sizes are rounded up by at most a fifth"


def test_one_device_gives_what_the_potential_gives(potential):
    atoms = copper()
    expected = potential(atoms)
    found = potential.sharded(jax.devices()[:1])(atoms)
    assert found.energy == pytest.approx(expected.energy, rel=1e-6)
    np.testing.assert_allclose(found.forces, expected.forces, atol=2e-6)
    np.testing.assert_allclose(found.stress, expected.stress, atol=1e-7)


def test_structures_of_one_bucket_share_a_compilation(potential):
    sharded = potential.sharded()
    before = sharded.program._cache_size()
    atoms = copper(4)[2:]
    sharded(atoms)
    for vacancy in (5, 50):
        del atoms[vacancy]
        sharded(atoms)
    assert sharded.program._cache_size() == before + 1
    assert (len(sharded.capacities), sharded.n_builds) == (1, 3)


def test_one_object_goes_from_structure_to_structure(potential):
    sharded = potential.sharded()
    for atoms in (molecule("H2O"), copper(2), Atoms("H"), copper(3), molecule("H2O")):
        expected = potential(atoms)
        np.testing.assert_allclose(sharded(atoms).forces, expected.forces, atol=2e-6)


def test_wrong_input_is_named(potential):
    with pytest.raises(ValueError, match="one or more different devices; came \\[\\]"):
        potential.sharded(devices=[])
    with pytest.raises(ValueError, match="different devices"):
        potential.sharded(devices=jax.devices()[:1] * 2)
    with pytest.raises(ValueError, match="contains Au, which this potential has not seen"):
        potential.sharded()(bulk("Au"))
    with pytest.raises(ValueError, match="no atoms"):
        potential.sharded()(Atoms())
    with pytest.raises(ValueError, match="after the first structure"):
        potential.sharded().balance  # noqa: B018
