"""The simulation programs: stages, page, structures, the table of the benchmark."""

import re
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk, molecule

from allegro_jax import simulation
from experiments.benchmarks import table
from experiments.simulations import comparison
from experiments.simulations.command import simulate
from experiments.simulations.distances import radial_distributions
from experiments.simulations.stages import EXAMPLES, Example, Stage
from experiments.simulations.structures import interface, structure

POTENTIAL = Path(__file__).parents[1] / "physics" / "potentials" / "cu"


def test_stages_follow_each_other_and_a_page_shows_them(tmp_path):
    atoms = bulk("Cu", a=3.64, cubic=True) * (2, 1, 1)
    ase.io.write(tmp_path / "cu.extxyz", atoms)
    stages = (Stage("warm", simulation.NVE(300), 4, 2), Stage("more", simulation.NVE(), 4, 2))
    example = Example("Copper", str(tmp_path / "cu.extxyz"), (1, 1, 1), 1.0, stages)
    seen = []
    page = simulate(str(POTENTIAL), example, tmp_path, on_frame=lambda name, *_: seen.append(name))
    assert seen == 3 * ["warm"] + 3 * ["more"]
    words = page.read_text()
    assert "<h1>Copper</h1>" in words
    assert words.count("<tr>") == 3
    assert (tmp_path / "simulation.png").read_bytes().startswith(b"\x89PNG")
    ends = ase.io.read(tmp_path / "warm" / "trajectory.traj", index=-1)
    begins = ase.io.read(tmp_path / "more" / "trajectory.traj", index=0)
    np.testing.assert_allclose(begins.positions, ends.positions)
    np.testing.assert_allclose(begins.get_momenta(), ends.get_momenta(), atol=1e-6)


def test_the_examples_begin_with_what_is_shipped():
    assert {name: len(structure(one.structure, one.repeat)) for name, one in EXAMPLES.items()} == {
        "aspirin": 21,
        "melting": 336,
    }
    cell = interface()
    assert len(cell) == 1008
    assert set(cell.symbols) == {"Cu", "Li"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere.xyz", "no file, nor a data set with the number of a frame"),
        ("culi:99999", "has frames 0 to 2177; came 99999"),
    ],
)
def test_structures_that_are_not_there_are_named(name, words):
    with pytest.raises(ValueError, match=words):
        structure(name)


def test_molecules_cannot_be_repeated():
    with pytest.raises(ValueError, match="only periodic structures can be repeated"):
        structure("rmd17-aspirin:0", (2, 1, 1))


def test_radial_distributions_peak_at_the_distance_of_neighbours():
    (copper,) = radial_distributions([bulk("Cu", a=3.6, cubic=True) * 4]).values()
    r, g = copper
    assert r[g.argmax()] == pytest.approx(3.6 / np.sqrt(2), abs=0.05)
    assert set(radial_distributions([molecule("H2O")])) == {"H-H", "H-O"}


def test_the_benchmark_says_which_engines_it_knows():
    with pytest.raises(ValueError, match=re.escape("unknown engines ['LAMMPS']")):
        list(comparison.measurements(None, bulk("Cu"), comparison.Settings(), ["LAMMPS"], print))


def test_an_engine_that_is_not_installed_is_noted_and_left_out(monkeypatch):
    def missing(*_):
        raise ImportError("install it")

    def quick(*_):
        return {"steps": 10, "seconds": 0.1, "temperature_K": 400.0, "compilations": 0}

    monkeypatch.setattr(comparison, "ENGINES", {"a": missing, "b": quick})
    notes = []
    settings = comparison.Settings(timestep_fs=2.0)
    atoms = bulk("Cu")
    lines = list(comparison.measurements(None, atoms, settings, ["a", "b"], notes.append))
    assert not atoms.get_momenta().any(), "momenta are those of a copy"
    assert notes == ["a is left out: install it"]
    assert lines[0]["ns_per_day"] == pytest.approx(86400 * 100 * 2e-6)
    assert "17.28" in table.text(comparison.HEADER, comparison.rows(lines))
