"""Simulations with a potential: physics, neighbours, restarts, and how they end."""

import dataclasses

import ase.io
import jax
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.constraints import FixAtoms
from ase.io.trajectory import Trajectory
from ase.md.verlet import VelocityVerlet

from allegro_jax import Committee, Potential, simulation
from allegro_jax.simulation import engine
from allegro_jax.simulation.advance import advance
from allegro_jax.simulation.task import Task
from tests.physics.measurements import stored

OPTIONS = {"timestep_fs": 2.0, "interval": 5}


@pytest.fixture(scope="module")
def potential():
    return stored("cu")


@pytest.fixture(scope="module")
def skewed():
    """Eight atoms in a skewed cell that is smaller than the cutoff of 4.2 Å."""
    atoms = bulk("Cu", a=3.64, cubic=True) * (2, 1, 1)
    cell = atoms.cell.array.copy()
    cell[1] += cell[0]
    atoms = Atoms(atoms.symbols, atoms.positions, cell=cell, pbc=True)
    atoms.rattle(0.05, seed=1)
    return atoms


@pytest.fixture(scope="module")
def nve(potential, skewed):
    return simulation.run(potential, skewed, simulation.NVE(600), steps=100, **OPTIONS)


def test_energy_and_momentum_are_conserved(nve):
    assert nve.cost.compilations <= 1
    spread = 1000 * nve.log["conserved_eV"].std() / len(nve.atoms)
    assert spread < 0.02 * 1000 * nve.log["kinetic_eV"].std() / len(nve.atoms)
    assert abs(nve.drift) < 0.1  # meV/atom/ps
    assert np.abs(nve.atoms.get_momenta().sum(axis=0)).max() < 1e-4


def test_forces_and_stress_in_a_small_skewed_cell_are_those_of_the_potential(nve, potential):
    result = potential(nve.atoms)
    np.testing.assert_allclose(nve.atoms.get_forces(), result.forces, atol=1e-5)
    np.testing.assert_allclose(nve.atoms.get_stress(voigt=False), result.stress, atol=1e-6)
    assert nve.atoms.get_potential_energy() == pytest.approx(result.energy, abs=1e-5)


def test_the_trajectory_is_that_of_ase(nve, potential):
    atoms = nve.frames[0].copy()
    atoms.calc = potential.calculator()
    VelocityVerlet(atoms, 2.0 * units.fs).run(100)
    np.testing.assert_allclose(nve.atoms.positions, atoms.positions, atol=1e-3)


def test_lists_are_built_seldom_and_nothing_compiles_for_other_numbers(potential, skewed, nve):
    assert nve.cost.neighbor_lists < 10
    compiled = advance._cache_size()
    hotter = simulation.run(potential, skewed, simulation.NVE(900), steps=10, seed=3, **OPTIONS)
    assert hotter.cost.compilations == 0
    assert advance._cache_size() == compiled
    assert hotter.log["temperature_K"][0] > nve.log["temperature_K"][0]


def test_arrays_that_are_too_small_grow_and_change_nothing(potential, skewed, nve):
    ensemble, limits = simulation.NVE(600), simulation.Limits()
    task = Task.of(potential, skewed, ensemble, 2.0, seed=0, skin=1.0, limits=limits)
    with engine.double_precision():
        loop = engine.Engine(task)
        state = loop.initialised(task.first_state)
        loop.sizes = dataclasses.replace(loop.sizes, evaluated=32)
        state = loop.advanced(state, 5)
    assert loop.n_reallocations == 1
    assert float(state.energy) + task.reference == pytest.approx(
        nve.log["potential_eV"][1], abs=1e-5
    )


def test_a_run_that_was_stopped_goes_on_to_the_same_numbers(potential, skewed, nve, tmp_path):
    options = OPTIONS | {"workdir": tmp_path, "file_format": "extxyz"}
    simulation.run(potential, skewed, simulation.NVE(600), steps=50, **options)
    with (tmp_path / "trajectory.extxyz").open("a") as file:
        file.write("8\nhalf a frame")  # killed while it wrote
    with (tmp_path / "log.csv").open("a") as file:
        file.write("55,110.0,3")
    whole = simulation.run(potential, skewed, simulation.NVE(600), steps=100, **options)
    assert whole.cost.steps == 50
    for name, values in nve.log.items():
        np.testing.assert_array_equal(whole.log[name], values, err_msg=name)
    assert len(whole.frames) == len(nve.frames)
    np.testing.assert_array_equal(whole.atoms.positions, nve.atoms.positions)


def test_frames_written_after_the_last_state_are_cut_off(potential, skewed, tmp_path):
    options = OPTIONS | {"workdir": tmp_path}
    first = simulation.run(potential, skewed, simulation.NVE(600), steps=10, **options)
    with Trajectory(first.path, "a") as file:
        file.write(skewed)
    again = simulation.run(potential, skewed, simulation.NVE(600), steps=15, **options)
    assert [frame.info["step"] for frame in again.frames] == [0, 5, 10, 15]


def test_a_folder_of_another_simulation_is_refused(potential, skewed, tmp_path):
    options = OPTIONS | {"workdir": tmp_path}
    simulation.run(potential, skewed, simulation.NVE(600), steps=0, **options)
    with pytest.raises(ValueError, match=r"holds another simulation.*temperature_K was 600"):
        simulation.run(potential, skewed, simulation.NVE(300), steps=5, **options)


def test_constant_pressure_expands_a_compressed_crystal(potential, skewed):
    squeezed = skewed.copy()
    squeezed.set_cell(0.97 * squeezed.cell, scale_atoms=True)
    ensemble = simulation.NPT(300, pressure_bar=0.0, barostat_time_fs=100, friction_per_fs=0.05)
    result = simulation.run(potential, squeezed, ensemble, steps=300, **OPTIONS)
    before, after = result.log["pressure_bar"][0], result.log["pressure_bar"][-20:].mean()
    assert before > 80_000
    assert abs(after) < 30_000
    expected = len(skewed) * 3.63**3 / 4  # at rest, as the potential has it
    assert result.log["volume_A3"][-20:].mean() == pytest.approx(expected, rel=0.04)
    np.testing.assert_allclose(result.atoms.get_forces(), potential(result.atoms).forces, atol=1e-5)


def test_an_explosion_stops_the_run_with_the_frame_saved(potential, skewed, tmp_path):
    options = OPTIONS | {"workdir": tmp_path, "limits": simulation.Limits(temperature_K=650)}
    with pytest.raises(simulation.UnstableTrajectoryError, match="rose above 650 K") as caught:
        simulation.run(potential, skewed, simulation.NVE(1500), steps=50, **options)
    frame = ase.io.read(tmp_path / "trajectory.traj", index=-1)
    assert frame.info["step"] == caught.value.step
    np.testing.assert_allclose(frame.positions, caught.value.atoms.positions)


def test_atoms_that_leap_further_than_a_list_foresees_stop_the_run(potential, skewed):
    with pytest.raises(simulation.UnstableTrajectoryError, match="moved further in one step"):
        simulation.run(potential, skewed, simulation.NVE(600), steps=5, timestep_fs=500.0)


def test_atoms_in_one_place_stop_the_run_before_it_begins(potential, skewed):
    doubled = skewed.copy()
    doubled.positions[1] = doubled.positions[0]
    with pytest.raises(simulation.UnstableTrajectoryError, match="Å apart; atoms must be at least"):
        simulation.run(potential, doubled, simulation.NVE(600), steps=5, **OPTIONS)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"timestep_fs": 0.0}, "timestep_fs must be a positive number; came 0.0"),
        ({"interval": 0}, "interval 1 or more; came 5, 0"),
        ({"file_format": "xyz"}, "file_format must be one of"),
        ({"skin": -1.0}, "skin must be a positive number"),
        ({"ensemble": "nvt"}, "expected an NVE, NVTLangevin, NVTNoseHoover or NPT; came 'nvt'"),
        ({"atoms": Atoms("Au")}, "contains Au, which this potential has not seen"),
        ({"atoms": Atoms("Cu", constraint=FixAtoms([0]))}, "the atoms have constraints"),
        (
            {"atoms": Atoms("Cu2"), "ensemble": simulation.NPT(300)},
            "constant pressure needs three periodic directions",
        ),
    ],
)
def test_impossible_settings_are_refused_in_words(potential, skewed, change, words):
    arguments = {"atoms": skewed, "ensemble": simulation.NVE(300), "steps": 5, **OPTIONS, **change}
    with pytest.raises(ValueError, match=words):
        simulation.run(potential, **arguments)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (simulation.NVE, {"temperature_K": -1.0}),
        (simulation.NVTLangevin, {"temperature_K": 300, "friction_per_fs": 0.0}),
        (simulation.NVTNoseHoover, {"temperature_K": 300, "chain": 0}),
        (simulation.NPT, {"temperature_K": 300, "pressure_bar": np.nan}),
        (simulation.Limits, {"volume_factor": 0.5}),
    ],
)
def test_impossible_ensembles_name_the_field(kind, arguments):
    with pytest.raises(ValueError, match=list(arguments)[-1]):
        kind(**arguments)


def test_molecules_lose_rotation_where_it_would_be_conserved(potential):
    trimer = Atoms("Cu3", [[0, 0, 0], [2.4, 0, 0], [1.2, 2.1, 0]])
    task = Task.of(potential, trimer, simulation.NVE(300), 1.0, 0, 1.0, simulation.Limits())
    assert task.settings["freedom"] == 3
    np.testing.assert_allclose(task.atoms.get_angular_momentum(), 0.0, atol=1e-10)
    noisy = dataclasses.replace(task, ensemble=simulation.NVTLangevin(300))
    assert noisy.settings["freedom"] == 9


@pytest.mark.slow
def test_a_committee_moves_atoms_by_its_mean(potential, skewed):
    params = jax.tree.map(lambda leaf: 1.01 * leaf, potential.params)
    other = Potential(potential.config, params, potential.atomic_energies)
    committee = Committee.of([potential, other])
    result = simulation.run(committee, skewed, simulation.NVTNoseHoover(300), steps=10, **OPTIONS)
    expected = committee(result.atoms)
    np.testing.assert_allclose(result.atoms.get_forces(), expected.forces, atol=1e-5)
    assert result.atoms.get_potential_energy() == pytest.approx(expected.energy, abs=1e-5)
    drift = np.ptp(result.log["conserved_eV"])
    assert drift < 0.05 * np.ptp(result.log["kinetic_eV"])
