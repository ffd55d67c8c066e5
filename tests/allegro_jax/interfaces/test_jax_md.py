"""The potential through jax-md: the same numbers in every cell, and no list that misses a pair.

jax-md takes seconds to import; all but the first test are slow.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule

from allegro_jax.interfaces import jax_md as interface
from allegro_jax.potential import Potential, initial_params
from tests.physics.measurements import copper, stored
from tests.small_models import DOUBLE, small_config


@pytest.fixture(scope="module")
def potential():
    config = small_config(num_layers=1, cutoff=3.0)
    return Potential(config, initial_params(config))


def test_without_jax_md_the_error_names_the_extra(potential, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax_md", None)
    monkeypatch.delitem(sys.modules, "jax_md.space", raising=False)
    with pytest.raises(ImportError, match=r'pip install "allegro-jax\[md\]"'):
        interface.system(molecule("H2O"))


@pytest.fixture
def jax_md():
    module = pytest.importorskip("jax_md")
    with jax.numpy_rank_promotion("allow"):  # jax-md's own code promotes ranks
        yield module


def rattled(atoms, seed=0):
    atoms.rattle(0.1, seed=seed)
    return atoms


def skewed(repeats):
    """Copper in a cell whose second vector leans over by twice the first."""
    atoms = bulk("Cu", a=3.6, cubic=True) * repeats
    cell = atoms.cell.array.copy()
    cell[1] += 2 * cell[0]
    return rattled(Atoms(atoms.symbols, atoms.positions, cell=cell, pbc=True))


STRUCTURES = {
    "large, cell lists": lambda: rattled(bulk("Cu", a=3.6, cubic=True) * 4),
    "two atoms": lambda: rattled(bulk("Cu", a=3.6) * (2, 1, 1)),
    "skewed": lambda: skewed(3),
    "left-handed": lambda: rattled(
        Atoms("CuO", [[0, 0, 0], [0, 0, 2]], cell=[[0, 4, 0], [4, 0, 0], [0, 0, 4]], pbc=True)
    ),
    "molecule": lambda: molecule("CH3CH2OH"),
}


def functions(potential, atoms, **options):
    system = interface.system(atoms)
    fractional = system.box is not None
    options = {"fractional_coordinates": fractional} | options
    return system, *interface.energy(
        potential, system.displacement, system.box, atoms.numbers, **options
    )


def standard(atoms):
    """Atoms in the orientation that `system` gives them."""
    atoms = atoms.copy()
    if atoms.cell.handedness < 0:
        atoms.set_cell(atoms.cell.array * [[1], [1], [-1]])
    if atoms.pbc.any():
        atoms.set_cell(atoms.cell.standard_form()[0], scale_atoms=True)
    return atoms


@pytest.mark.slow
@pytest.mark.parametrize("name", STRUCTURES)
def test_energy_forces_and_stress_are_those_of_the_potential(jax_md, potential, name):
    atoms = STRUCTURES[name]()
    system, neighbor_fn, energy_fn = functions(potential, atoms)
    neighbors = neighbor_fn.allocate(system.position)
    assert (neighbors.shifts is not None) == (name in ("two atoms", "skewed", "left-handed"))
    energy, gradient = jax.value_and_grad(energy_fn)(system.position, neighbors)
    expected = potential(standard(atoms))
    assert float(energy) == pytest.approx(expected.energy, rel=1e-6, abs=1e-6)
    np.testing.assert_allclose(-gradient, expected.forces, atol=1e-6)
    if system.box is not None:
        stress = jax_md.quantity.stress(energy_fn, system.position, system.box, neighbor=neighbors)
        np.testing.assert_allclose(-stress, expected.stress, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("factor", [0.97, 0.9, 0.45])
def test_a_shrinking_box_gives_the_energy_of_a_new_list_or_asks_for_one(jax_md, potential, factor):
    atoms = STRUCTURES["large, cell lists"]()
    system, neighbor_fn, energy_fn = functions(potential, atoms)
    neighbors, box = neighbor_fn.allocate(system.position), factor * system.box
    updated = jax.jit(lambda n: n.update(system.position, box=box))(neighbors)
    if bool(updated.did_buffer_overflow):
        assert factor < 0.97
        updated = neighbor_fn.allocate(system.position, box=box)
    assert (updated.shifts is not None) == (factor == 0.45), "6.5 Å are too low for one image"
    squeezed = standard(atoms)
    squeezed.set_cell(factor * squeezed.cell, scale_atoms=True)
    energy, gradient = jax.value_and_grad(energy_fn)(system.position, updated, box=box)
    expected = potential(squeezed)
    assert float(energy) == pytest.approx(expected.energy, rel=1e-6)
    np.testing.assert_allclose(-gradient, expected.forces, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["large, cell lists", "two atoms"])
def test_wrapped_atoms_need_no_new_list(jax_md, potential, name):
    system, neighbor_fn, energy_fn = functions(potential, STRUCTURES[name]())
    neighbors = neighbor_fn.allocate(system.position)
    wrapped = system.position.at[0].add(jnp.array([1.0, -1.0, 0.0])).at[1].add(1e-3)
    kept = neighbors.update(wrapped)
    np.testing.assert_array_equal(kept.positions, neighbors.positions)
    fresh = neighbor_fn.allocate(wrapped)
    assert float(energy_fn(wrapped, kept)) == pytest.approx(
        float(energy_fn(wrapped, fresh)), rel=1e-6
    )


@pytest.mark.slow
def test_a_list_that_could_have_missed_a_pair_says_so(jax_md, potential):
    system, neighbor_fn, _ = functions(potential, STRUCTURES["large, cell lists"]())
    neighbors = neighbor_fn.allocate(system.position)
    little = system.position.at[0, 0].add(0.01)  # 0.14 Å: still within the skin
    leap = system.position.at[0, 0].add(0.05)  # 0.7 Å
    assert not bool(neighbors.update(little).did_buffer_overflow)
    assert bool(neighbors.update(leap).did_buffer_overflow)


@pytest.mark.slow
def test_constant_energy_is_conserved_without_compiling_anew(jax_md):
    potential, atoms = stored("cu"), copper(4)
    system, neighbor_fn, energy_fn = functions(potential, atoms, skin=1.0)
    init_fn, apply_fn = jax_md.simulate.nve(energy_fn, system.shift, 2.0 * units.fs)
    neighbors = neighbor_fn.allocate(system.position)
    key, kT = jax.random.PRNGKey(0), 600 * units.kB
    state = init_fn(key, system.position, kT=kT, mass=system.mass, neighbor=neighbors)

    @jax.jit
    def advance(state, neighbors):
        def step(_, carry):
            state, neighbors = carry
            state = apply_fn(state, neighbor=neighbors)
            return state, neighbors.update(state.position)

        state, neighbors = jax.lax.fori_loop(0, 20, step, (state, neighbors))
        kinetic = jax_md.simulate.kinetic_energy(state)
        return state, neighbors, energy_fn(state.position, neighbors) + kinetic, kinetic

    totals, kinetics = [], []
    for _ in range(10):
        state, neighbors, total, kinetic = advance(state, neighbors)
        assert not bool(neighbors.did_buffer_overflow)
        totals.append(float(total))
        kinetics.append(float(kinetic))
    assert advance._cache_size() == 1
    # float32 positions and energies: a tenth of a meV per atom.
    assert np.std(totals) < 0.05 * np.std(kinetics)


@pytest.mark.slow
def test_two_lists_meet_in_one_program(jax_md, potential):
    system, neighbor_fn, energy_fn = functions(potential, STRUCTURES["large, cell lists"]())
    lists = [neighbor_fn.allocate(system.position) for _ in range(2)]
    compiled = jax.jit(energy_fn)
    energies = jax.jit(lambda R: [compiled(R, neighbor=each) for each in lists])(system.position)
    assert float(energies[0]) == float(energies[1])


@pytest.mark.slow
def test_constant_pressure_expands_a_compressed_crystal(jax_md):
    potential, atoms = stored("cu"), copper(3)
    atoms.set_cell(0.97 * atoms.cell, scale_atoms=True)
    system, neighbor_fn, energy_fn = functions(potential, atoms)
    fs = units.fs
    init_fn, apply_fn = jax_md.simulate.npt_nose_hoover(
        energy_fn, system.shift, 2.0 * fs, 0.0, 300 * units.kB, {"tau": 100 * fs}, {"tau": 100 * fs}
    )
    neighbors = neighbor_fn.allocate(system.position)
    options = {"mass": system.mass, "neighbor": neighbors}
    state = init_fn(jax.random.PRNGKey(0), system.position, system.box, **options)

    @jax.jit
    def advance(state, neighbors):
        def step(_, carry):
            state, neighbors = carry
            state = apply_fn(state, neighbor=neighbors)
            box = jax_md.simulate.npt_box(state)
            return state, neighbors.update(state.position, box=box)

        return jax.lax.fori_loop(0, 20, step, (state, neighbors))

    reallocations, block = 0, 0
    while block < 8:
        new, updated = advance(state, neighbors)
        if bool(updated.did_buffer_overflow):
            reallocations += 1
            assert reallocations < 5
            neighbors = neighbor_fn.allocate(state.position, box=jax_md.simulate.npt_box(state))
            continue
        state, neighbors, block = new, updated, block + 1
    box = np.asarray(jax_md.simulate.npt_box(state))
    assert np.linalg.det(box) > 1.02 * atoms.get_volume()
    last = Atoms(atoms.symbols, cell=box.T, pbc=True)
    last.set_scaled_positions(np.asarray(state.position))
    np.testing.assert_allclose(state.force, potential(last).forces, atol=1e-4)


@pytest.mark.slow
def test_what_cannot_be_is_refused_in_words(jax_md, potential):
    atoms = STRUCTURES["two atoms"]()
    slab = atoms.copy()
    slab.pbc = (True, True, False)
    with pytest.raises(ValueError, match="periodic in all directions or in none"):
        interface.system(slab)
    system, neighbor_fn, energy_fn = functions(potential, atoms)
    with pytest.raises(ValueError, match="needs a list of the neighbor_fn"):
        energy_fn(system.position, None)
    with pytest.raises(ValueError, match="has no volume"):
        neighbor_fn.allocate(system.position, box=jnp.zeros((3, 3)))
    with pytest.raises(ValueError, match="NaN or infinite"):
        neighbor_fn.allocate(system.position.at[0].set(jnp.nan))
    with pytest.raises(ValueError, match="contains Au"):
        interface.energy(potential, system.displacement, system.box, [79])
    with pytest.raises(ValueError, match="the skin must be"):
        interface.energy(potential, system.displacement, system.box, atoms.numbers, skin=0.0)
    side = jax_md.space.periodic(10.0)[0]  # real coordinates
    with pytest.raises(ValueError, match=r"should be .* came .* Give `energy` the box"):
        interface.energy(potential, side, 10.0, atoms.numbers)
    interface.energy(potential, side, 10.0, atoms.numbers, fractional_coordinates=False)
    config = small_config(num_layers=1, cutoff=3.0, precision=DOUBLE)
    double = Potential(config, initial_params(config))
    with pytest.raises(ValueError, match="jax_enable_x64"):
        interface.energy(double, system.displacement, system.box, atoms.numbers)
