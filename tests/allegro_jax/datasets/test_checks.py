import dataclasses

import ase.io
import numpy as np
import pytest

from allegro_jax.datasets import DataWarning, check, load
from allegro_jax.datasets.force_work import force_work
from allegro_jax.graphs import write_store

SETS = ("rmd17-benzene", "rmd17-aspirin", "culi", "cu", "li")


@pytest.fixture(scope="module")
def sets():
    return {name: load(name) for name in SETS}


def changed(data, **arrays):
    return dataclasses.replace(data, splits={}, **arrays)


@pytest.mark.parametrize("name", ["rmd17-benzene", "rmd17-aspirin", "qm9", "culi"])
def test_the_shipped_sets_look_right(name):
    assert check(load(name)) == []


@pytest.mark.parametrize("name", ["cu", "li"])
def test_all_that_is_said_of_the_pure_metals_is_that_strained_crystals_repeat(name):
    (sentence,) = check(load(name))
    assert "structures occur before" in sentence


@pytest.mark.parametrize("name", SETS)
def test_the_work_of_forces_is_the_difference_of_energies(sets, name):
    assert force_work(sets[name]).ratio == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("name", SETS)
def test_energies_in_kcal_per_mol_are_recognised(sets, name):
    data = sets[name].select(range(0, len(sets[name]), 2))
    found = check(changed(data, energy=23.0605 * data.energy))
    assert sum("energies in kcal/mol beside forces in eV/Å" in sentence for sentence in found) == 1


@pytest.mark.parametrize("name", ["rmd17-benzene", "li"])
@pytest.mark.parametrize(
    ("energy", "forces", "message"),
    [
        (1 / 27.2114, 1, "energies in Hartree beside forces in eV/Å"),
        (96.485, 1, "energies in kJ/mol"),
        (1, 23.0605, "forces in kcal/mol/Å beside energies in eV"),
        (1, 1 / 51.4221, "forces in Hartree/Bohr beside energies in eV"),
        (1 / 27.2114, 1 / 51.4221, "in atomic units"),
        (1, -1, "are the forces gradients"),
    ],
)
def test_units_that_do_not_belong_together_are_named(sets, name, energy, forces, message):
    data = sets[name].select(range(0, len(sets[name]), 2))
    data = changed(data, energy=energy * data.energy, forces=forces * data.forces)
    assert sum(message in sentence for sentence in check(data)) == 1


@pytest.mark.parametrize("name", SETS)
def test_small_and_sparse_samples_are_silent(sets, name):
    data, rng = sets[name], np.random.default_rng(0)
    samples = [range(0, len(data), 10), range(0, len(data), 40), range(20), range(50)]
    samples += [rng.permutation(len(data))[:30] for _ in range(10)]
    for rows in samples:
        assert not any("work of the forces" in text for text in check(data.select(rows)))


def test_energies_per_atom_are_recognised(sets):
    data = sets["rmd17-benzene"]
    (sentence,) = check(changed(data, energy=data.energy / data.n_atoms))
    assert "Likely: energies per atom: multiply them" in sentence


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_little_evidence_is_not_spoken_of(sets, frames):
    data = sets["rmd17-benzene"].select(range(frames))
    assert check(changed(data, energy=23.06 * data.energy)) == []


def test_energies_without_relation_to_forces_are_not_judged(sets):
    data = sets["rmd17-benzene"]
    noise = np.random.default_rng(0).normal(size=len(data))
    assert force_work(changed(data, energy=noise)) is None


@pytest.mark.parametrize("name", ["rmd17-benzene", "culi"])
@pytest.mark.parametrize(("factor", "message"), [(0.1, "positions in nm"), (1.89, "in Bohr")])
def test_lengths_in_other_units_are_recognised(sets, name, factor, message):
    data = sets[name].select(range(100))
    found = check(changed(data, positions=factor * data.positions, cell=factor * data.cell))
    assert sum(message in sentence for sentence in found) == 1


def test_forces_that_do_not_sum_to_zero_are_told(sets):
    data = sets["culi"].select(range(100))
    forces = data.forces.copy()
    forces[::2] = 0.0  # as of atoms held fixed
    assert any("forces do not sum to zero" in sentence for sentence in check(
        changed(data, forces=forces + 0.3 * (forces != 0))
    ))  # fmt: skip


def test_labels_filled_with_zeros_are_told_but_not_forces_that_vanish_by_symmetry(sets):
    data = sets["rmd17-benzene"].select(range(40))
    filled = np.where(np.repeat(np.arange(40) < 5, data.n_atoms)[:, None], 0.0, data.forces)
    assert any("all forces of 5 of 40" in text for text in check(changed(data, forces=filled)))
    energy = np.where(np.arange(40) < 3, 0.0, data.energy)
    assert any("3 of 40 energies" in text for text in check(changed(data, energy=energy)))
    crystals = sets["cu"]
    assert sum(not item.forces.any() for item in crystals) > 50
    assert not any("exactly zero" in text for text in check(crystals))


def test_a_file_in_wrong_units_is_warned_of_when_it_is_loaded(tmp_path, sets):
    frames = [item.to_atoms() for item in sets["rmd17-benzene"].select(range(30))]
    for atoms in frames:
        atoms.calc.results["energy"] *= 23.0605
    ase.io.write(tmp_path / "benzene.extxyz", frames)
    with pytest.warns(DataWarning, match="benzene: energies differ by .* energies in kcal/mol"):
        load(tmp_path / "benzene.extxyz")
    with pytest.warns(DataWarning, match="energies in kcal/mol"):
        write_store(tmp_path / "benzene.extxyz", tmp_path / "store", 4.0)
