"""The Cu-Li recipe builds what the paper describes, and loses nothing when it is stopped."""

import dataclasses
import json
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.geometry import get_layers

from allegro_jax.datasets import group_split, load
from experiments.culi_recipe import interfaces
from experiments.culi_recipe.build import build, counts, unmatched
from experiments.culi_recipe.calculators import Labeller, labeller
from experiments.culi_recipe.command import lattice, structures_only
from experiments.culi_recipe.command import recipe as recipe_of
from experiments.culi_recipe.courses import quenched, target
from experiments.culi_recipe.metals import Metal, equilibrium
from experiments.culi_recipe.recipe import SMALL, Recipe
from experiments.culi_recipe.recording import RecordedCalculator
from experiments.culi_recipe.structures import Start, starts
from tests.experiments import lennard_jones

LI, CU = Metal("Li", 3.51), Metal("Cu", 3.615)
LATTICE = {"Li": 3.51, "Cu": 3.615}
ONE_PLANE = dataclasses.replace(SMALL, planes=1)
LABEL = "tests.experiments.lennard_jones:calculator"


@pytest.fixture(scope="module")
def begun() -> list[Start]:
    return list(starts(LI, CU, ONE_PLANE))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workdir = tmp_path_factory.mktemp("built")
    return build(ONE_PLANE, labeller(LABEL), workdir, LATTICE, say=lambda _: None)


def of_kind(begun: list[Start], kind: str) -> list[Start]:
    return [start for start in begun if start.kind == kind]


def test_each_metal_has_13_planes_up_to_333() -> None:
    for metal in (LI, CU):
        planes = metal.planes(Recipe())
        assert len(planes) == len(set(planes)) == 13
        assert max(max(plane) for plane in planes) == 3


def test_a_quench_from_600_to_10_kelvin_takes_1180_steps() -> None:
    recipe = Recipe()
    assert recipe.quench_steps == 1180
    assert target(recipe.hold_steps, recipe) == 600
    assert target(recipe.hold_steps + recipe.quench_steps, recipe) == pytest.approx(10)


def test_slabs_have_their_thickness_and_vacuum_normal_to_the_plane(begun: list[Start]) -> None:
    for start in of_kind(begun, "slab"):
        thickness = ONE_PLANE.li_thickness if start.about["metal"] == "Li" else 5.0
        height = np.ptp(start.atoms.positions[:, 2])
        layer = height / (len(set(start.atoms.positions[:, 2].round(2))) - 1)
        assert height + layer >= thickness - 1e-6
        assert start.atoms.cell[2][:2] == pytest.approx([0, 0], abs=1e-8)
        assert start.atoms.cell[2][2] - height >= 2 * ONE_PLANE.vacuum - layer


def test_a_vacancy_lacks_one_atom_of_the_surface(begun: list[Start]) -> None:
    whole = {start.group: start.atoms for start in of_kind(begun, "slab")}
    for kind, cells in (("vacancy", 1), ("vacancy_2x2", 4)):
        for start in of_kind(begun, kind):
            full = whole[start.group]
            assert len(start.atoms) == cells * len(full) - 1
            heights = full.positions[:, 2]
            top, rest = heights.max(), start.atoms.positions[:, 2]
            assert (rest > top - 0.1).sum() == cells * (heights > top - 0.1).sum() - 1


def test_adatoms_of_both_metals_are_two_angstrom_above_their_slab(begun: list[Start]) -> None:
    """On square lattices pymatgen counts hollows, the middles of diagonals, among the bridges."""
    found = of_kind(begun, "adatom")
    assert {start.about["adatom"] for start in found} == {"Li", "Cu"}
    assert {start.about["site"] for start in found} == {"ontop", "bridge"}
    for start in found:
        heights = start.atoms.positions[:, 2]
        assert heights[-1] - heights[:-1].max() == pytest.approx(2.0, abs=1e-6)


def test_an_interface_is_coherent_within_the_tolerance_and_gapped_on_both_sides() -> None:
    (found,) = interfaces.interfaces(LI, CU, (1, 0, 0), ONE_PLANE)
    assert 0 < found.mismatch < ONE_PLANE.area_tolerance
    assert 0 < found.von_mises_strain < 0.1
    z, is_li = found.atoms.positions[:, 2], found.atoms.numbers == 3
    assert z[is_li].min() - z[~is_li].max() == pytest.approx(3.0, abs=1e-6)
    period = found.atoms.cell[2][2]
    assert z[~is_li].min() + period - z[is_li].max() == pytest.approx(3.0, abs=1e-6)
    assert np.cross(*found.atoms.cell[:2])[2] == pytest.approx(found.area, rel=0.1)


def test_planes_without_a_match_have_no_interface() -> None:
    tight = dataclasses.replace(ONE_PLANE, max_area=10.0, length_tolerance=1e-4)
    assert interfaces.interfaces(LI, CU, (1, 1, 0), tight) == []


def test_relaxed_slabs_move_in_their_outer_layers_only(built: Path) -> None:
    frames = [f for f in ase.io.read(built, ":") if f.info["start"].startswith("slab-Cu")]
    layers, _ = get_layers(frames[0], (0, 0, 1), tolerance=0.3)
    inner = (layers > 0) & (layers < layers.max())
    moved = np.linalg.norm(frames[-1].positions - frames[0].positions, axis=1)
    assert inner.any()
    assert moved[inner].max() == 0
    assert moved[~inner].min() > 1e-4
    assert np.abs(frames[-1].get_forces()[~inner]).max() < np.abs(frames[0].get_forces()).max()


def test_a_build_can_be_loaded_and_split_by_groups(built: Path) -> None:
    data = load(built)
    assert data.labelled == {"energy": len(data), "forces": len(data), "stress": len(data)}
    groups = set(data.config_type)
    assert groups == {"Li-100", "Cu-100", "interface-100-0"}
    parts = group_split(data, 0.2, 0.2, seed=0)
    assert len({*parts.train.config_type, *parts.test.config_type}) == len(groups) - 1


def test_frames_say_where_they_come_from(built: Path) -> None:
    last = ase.io.read(built, -1)
    assert last.info["kind"] == "interface"
    assert last.info["calculator"] == LABEL
    assert last.info["step"] == ONE_PLANE.hold_steps + ONE_PLANE.quench_steps
    assert last.info["target_K"] == pytest.approx(10)
    assert {"plane", "area_mismatch", "von_mises_strain", "temperature_K"} <= set(last.info)
    assert {"li_supercell", "cu_supercell"} <= set(last.info)
    assert last.info["seed"] == ONE_PLANE.seed
    assert "ase " in last.info["versions"]
    vacancy = next(f for f in ase.io.read(built, ":") if f.info["kind"] == "vacancy")
    assert vacancy.info["parent"] == f"slab-{vacancy.info['config_type']}"
    assert "termination_shift" in vacancy.info


class _Interrupted(Calculator):
    """Stops the program at its n-th calculation, and counts them."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, after: int) -> None:
        super().__init__()
        self.inner, self.after, self.count = lennard_jones.calculator(), after, 0

    def calculate(self, atoms=None, properties=None, system_changes=()) -> None:
        super().calculate(atoms, properties, system_changes)
        if self.count == self.after:
            raise KeyboardInterrupt
        self.count += 1
        self.inner.calculate(atoms, ["energy", "forces", "stress"])
        self.results = dict(self.inner.results)


def test_a_build_that_is_stopped_goes_on_to_the_same_frames_and_repeats_nothing(
    built: Path, tmp_path: Path
) -> None:
    counted, cut = [], []
    for after in (10, 45, 10_000):
        calculator = _Interrupted(after)
        label = Labeller(LABEL, lambda _, made=calculator: made, {})
        try:
            path = build(ONE_PLANE, label, tmp_path, LATTICE, say=lambda _: None)
        except KeyboardInterrupt:
            for record in (tmp_path / "running").glob("*.jsonl"):
                cut.append(record.name)
                with record.open("a") as file:
                    file.write('{"positions": [[0.0')  # the kill came within a write
        counted.append(calculator.count)
    for ours, theirs in zip(ase.io.read(path, ":"), ase.io.read(built, ":"), strict=True):
        assert all(ours.info[name] == theirs.info[name] for name in ("start", "step"))
        np.testing.assert_allclose(ours.positions, theirs.positions, atol=1e-7)
        np.testing.assert_allclose(ours.get_forces(), theirs.get_forces(), atol=1e-6)
    whole = _Interrupted(10_000)
    label = Labeller(LABEL, lambda _: whole, {})
    build(ONE_PLANE, label, tmp_path / "whole", LATTICE, say=lambda _: None)
    assert cut
    assert sum(counted) == whole.count


def test_a_structure_that_fails_is_left_out_and_named(tmp_path: Path) -> None:
    def make(atoms: Atoms) -> Calculator:
        return EMT() if 3 not in atoms.numbers else lennard_jones.calculator()

    class Failing(EMT):
        def calculate(self, *_: object, **__: object) -> None:
            raise RuntimeError("no convergence")

    label = Labeller("x:y", lambda atoms: Failing() if len(atoms) % 2 else make(atoms), {})
    path = build(ONE_PLANE, label, tmp_path, LATTICE, say=lambda _: None)
    failures = json.loads((tmp_path / "failures.json").read_text())
    assert failures
    assert all(reason == "RuntimeError: no convergence" for reason in failures.values())
    kept = {frame.info["start"] for frame in ase.io.read(path, ":")}
    assert kept
    assert not kept & set(failures)


def test_the_thermostat_follows_the_ramp() -> None:
    atoms = bulk("Cu", cubic=True)
    recipe = dataclasses.replace(SMALL, hold_ps=0.1, cooling_rate=1e3, frame_interval=5)
    frames = list(quenched(atoms, RecordedCalculator(EMT()), recipe, "ramp"))
    temperatures = [frame.info["temperature_K"] for frame in frames]
    assert np.mean(temperatures[-10:]) < 0.4 * np.mean(temperatures[:10])
    assert [frame.info["step"] for frame in frames] == list(range(0, 346, 5))


def test_the_lattice_constant_is_that_of_the_calculator() -> None:
    label = Labeller("emt", lambda _: EMT(), {})
    assert equilibrium("Cu", label).lattice_constant == pytest.approx(3.59, abs=0.01)
    with pytest.raises(ValueError, match="has no minimum within 6 %"):
        equilibrium("Li", labeller(LABEL))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("emt", "unknown calculator 'emt'; expected potential:FOLDER"),
        ("ase.calculators.emt:EMT", "cannot calculate Li"),
        ("no.such:thing", "no calculator no.such:thing"),
    ],
)
def test_a_calculator_that_will_not_do_is_named(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        labeller(name)


def test_a_folder_of_another_build_and_wrong_numbers_are_refused(built: Path) -> None:
    other = dataclasses.replace(ONE_PLANE, gap=2.5)
    with pytest.raises(ValueError, match="holds a build with recipe"):
        build(other, labeller(LABEL), built.parent, LATTICE)
    with pytest.raises(ValueError, match="the recipe has no 'gaps'; it has max_index"):
        recipe_of("small", ["gaps=3"])
    with pytest.raises(ValueError, match="frame_interval must be a whole number"):
        recipe_of("small", ["frame_interval=0.5"])
    with pytest.raises(ValueError, match="positive lengths"):
        lattice(["-3.5", "3.6"])
    with pytest.raises(ValueError, match="vacuum must be finite and positive, got -1"):
        recipe_of("small", ["vacuum=-1"])


def test_structures_at_other_lattice_constants_are_not_taken_over(tmp_path: Path) -> None:
    structures_only(ONE_PLANE, LATTICE, tmp_path)
    with pytest.raises(ValueError, match="holds structures with lattice"):
        build(ONE_PLANE, labeller(LABEL), tmp_path, {"Li": 3.4, "Cu": 3.6})


def test_a_changed_potential_in_the_same_folder_is_refused(built: Path) -> None:
    changed = dataclasses.replace(labeller(LABEL), settings="sha256 of others")
    with pytest.raises(ValueError, match="holds a build with settings"):
        build(ONE_PLANE, changed, built.parent, LATTICE)


def test_planes_without_an_interface_are_named(begun: list[Start]) -> None:
    others = [start for start in begun if start.kind != "interface"]
    assert unmatched([LI, CU], ONE_PLANE, begun) == []
    assert unmatched([LI, CU], ONE_PLANE, others) == ["100"]


def test_vasp_that_cannot_start_is_refused_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VASP_PP_PATH", raising=False)
    with pytest.raises(ValueError, match="set VASP_PP_PATH"):
        labeller("vasp")


def test_a_work_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is a file"):
        structures_only(ONE_PLANE, LATTICE, tmp_path / "file")


def test_what_is_built_is_counted_by_kind(begun: list[Start]) -> None:
    found = counts(begun)
    assert found["slab"] == 2
    assert found["interface"] == 1
    assert sum(found.values()) == len(begun) == len({start.name for start in begun})
