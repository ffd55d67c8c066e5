"""Run by `test_spatial.py` with eight forced host devices: prints what differs from one device."""

import json
import os
import sys
from contextlib import AbstractContextManager
from unittest import mock

os.environ["XLA_FLAGS"] = " ".join(
    [os.environ.get("XLA_FLAGS", ""), "--xla_force_host_platform_device_count=8"]
)

import jax
import numpy as np
from ase import Atoms
from ase.build import bulk, molecule

from allegro_jax.configs import Precision
from allegro_jax.graphs import Capacity
from allegro_jax.models import energy
from allegro_jax.models.blocks import Plan
from allegro_jax.potential import Potential, Result, initial_params
from allegro_jax.sharding.parts import compiled_evaluation
from tests.small_models import small_config

EVERYDAY = [("2025", "mlp"), ("2025", "qdi"), ("2023", "mlp")]
OTHERS = [("2025", "stacked"), ("2023", "qdi")]
"""Made of the same parts."""


def potential(architecture: str, readout: str, dtype: str) -> Potential:
    config = small_config(
        architecture,
        readout,
        per_type_energy_shifts=(-1.0, -2.0, -3.0, -4.0),
        precision=Precision(dtype, dtype, dtype),
    )
    return Potential(config, initial_params(config), {"H": -1, "C": -2, "O": -3, "Cu": -100})


def structures() -> dict[str, Atoms]:
    copper = bulk("Cu", cubic=True) * 5
    copper.rattle(0.1, seed=0)
    # Some atoms of a simulation have left the cell.
    copper.positions[::7] += copper.cell[0] - copper.cell[2]
    cell = [[3.1, 0.0, 0.0], [1.9, 3.6, 0.0], [-1.2, 0.9, 3.8]]
    positions = [[0.1, 0, 0], [1.6, 1.0, 0.3], [0.6, 2.0, 1.9], [2.4, 2.9, 2.2], [-0.5, 1.8, 3.0]]
    skewed = Atoms("CuHOCuC", positions, cell=cell, pbc=True)
    slab = skewed.copy()
    slab.pbc = [True, True, False]
    return {
        "copper": copper,
        "skewed": skewed,
        "slab": slab,
        "water": molecule("H2O"),
        "atom": Atoms("Cu"),
    }


def relative(found: np.ndarray | None, expected: np.ndarray | None) -> float:
    """Largest deviation over the largest value."""
    if expected is None:
        assert found is None
        return 0.0
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-3))


def deviation(found: Result, expected: Result) -> float:
    """Over energies of all atoms, forces, stress and total energy."""
    return max(
        relative(found.atomic_energies, expected.atomic_energies),
        relative(found.forces, expected.forces),
        relative(found.stress, expected.stress),
        abs(found.energy - expected.energy) / abs(expected.energy),
    )


def planned(plan: Plan | None) -> AbstractContextManager:
    """What is traced inside is evaluated in blocks of that size; None for one piece."""
    return mock.patch.object(energy, "plan_blocks", return_value=plan)


def in_one_piece(model: Potential, atoms: Atoms) -> Result:
    with planned(None):
        return model(atoms, capacity=Capacity(512, 11000, 2))


def exactness(models: list[tuple[str, str]]) -> dict[str, float]:
    """Deviations of eight devices from one in float64."""
    found = {}
    for architecture, readout in models:
        model = potential(architecture, readout, "float64")
        names = ["skewed"] if readout != "mlp" else list(structures())
        for name in names:
            atoms = structures()[name]
            sharded = model.sharded(jax.devices())(atoms)
            found[f"{architecture} {readout} {name}"] = deviation(
                sharded, in_one_piece(model, atoms)
            )
        if readout == "mlp":
            compiled_evaluation.cache_clear()
            with planned(Plan(edges=128, atoms=24)):  # the device that has most goes on longest
                sharded = model.sharded(jax.devices())(structures()["copper"])
            expected = in_one_piece(model, structures()["copper"])
            found[f"{architecture} blocks"] = deviation(sharded, expected)
            compiled_evaluation.cache_clear()
    return found


def single_precision() -> dict[str, float]:
    """How far one device and eight are from float64."""
    atoms = structures()["copper"]
    double, single = (potential("2025", "mlp", dtype) for dtype in ("float64", "float32"))
    single = Potential(single.config, double.params, double.atomic_energies)
    exact = in_one_piece(double, atoms)
    return {
        "one": deviation(in_one_piece(single, atoms), exact),
        "eight": deviation(single.sharded(jax.devices())(atoms), exact),
    }


def dynamics() -> dict[str, object]:
    """A random walk by the calculator on all devices: what it compiles, and whether it is right."""
    model = potential("2025", "mlp", "float64")
    atoms = structures()["copper"]
    calculator = atoms.calc = model.calculator(skin=0.6, devices=jax.devices())
    before = calculator.sharded.program._cache_size()
    rng = np.random.default_rng(1)
    worst = 0.0
    for step in range(12):
        atoms.positions += 0.04 * rng.normal(size=(len(atoms), 3))
        forces = atoms.get_forces()
        if step % 4 == 3:
            worst = max(worst, relative(forces, in_one_piece(model, atoms).forces))
    balance = calculator.sharded.balance
    return {
        "deviation": worst,
        "lists": calculator.n_builds,
        "sizes": len(calculator.capacities),
        "compilations": calculator.sharded.program._cache_size() - before,
        "imbalance": balance.imbalance,
        "padding": balance.padding,
        "shard_edges": balance.edges.tolist(),
    }


def main() -> None:
    assert len(jax.devices()) == 8
    jax.config.update("jax_compilation_cache_dir", sys.argv[1])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
    if "others" in sys.argv:
        report: dict[str, object] = {"double": exactness(OTHERS)}
    else:
        double = exactness(EVERYDAY)
        report = {"double": double, "single": single_precision(), "dynamics": dynamics()}
    sys.stdout.write(json.dumps(report))


main()
