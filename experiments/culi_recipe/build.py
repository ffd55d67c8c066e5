"""The build: structures, then course after course, each kept whole before the next begins."""

from __future__ import annotations

import collections
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import ase.io
from ase import Atoms

from allegro_jax.files import write_json
from allegro_jax.training.workdir import claimed
from experiments.culi_recipe.calculators import Labeller
from experiments.culi_recipe.courses import quenched, relaxed
from experiments.culi_recipe.metals import Metal, equilibrium
from experiments.culi_recipe.recipe import Recipe
from experiments.culi_recipe.recording import CalculationError, RecordedCalculator
from experiments.culi_recipe.structures import Start, digits, starts

KINDS = ("slab", "vacancy", "vacancy_2x2", "adatom", "interface")
PUBLISHED = {"slab": 26, "vacancy": 34, "vacancy_2x2": 34, "adatom": 537}
"""Structures in section 3.3 of the paper, which begins about 11,000 frames from its interfaces."""

Say = Callable[[str], None]


def build(
    recipe: Recipe,
    label: Labeller,
    workdir: Path,
    lattice: dict[str, float] | None = None,
    say: Say = print,
) -> Path:
    """Builds the set, or goes on where it was stopped.

    Args:
        recipe: What to build.
        label: What labels it.
        workdir: Receives `recipe.json`, `frames/NAME.extxyz`, `failures.json`, and in the end
            `culi.extxyz`.
        lattice: Lattice constants (Å) by element; those of the calculator if None.
        say: Takes a line for every structure.

    Returns:
        The file with all frames.

    Raises:
        ValueError: If the folder holds another recipe, is in use or cannot be written, the
            calculator has no minimum for a metal, or nothing could be calculated.
    """
    with claimed(workdir):
        return _build(recipe, label, workdir, lattice, say)


def _build(
    recipe: Recipe, label: Labeller, workdir: Path, lattice: dict[str, float] | None, say: Say
) -> Path:
    claim(workdir, recipe, label, lattice)
    metals = [_metal(symbol, label, lattice, workdir) for symbol in ("Li", "Cu")]
    begun = prepared(metals, recipe, workdir)
    for plane in unmatched(metals, recipe, begun):
        say(f"({plane}): no interface matches within the recipe's tolerances and max_area")
    failures = _read(workdir / "failures.json")
    for number, start in enumerate(begun, 1):
        place = f"{number}/{len(begun)} {start.name}"
        if _frames_file(workdir, start.name).exists() or start.name in failures:
            continue
        try:
            frames = run(start, recipe, label, workdir)
        except CalculationError as error:
            failures[start.name] = str(error)
            write_json(workdir / "failures.json", failures)
            say(f"{place}: left out, {error}")
            continue
        say(f"{place}: {len(frames)} frames")
    return gathered(workdir, begun, failures)


def claim(workdir: Path, recipe: Recipe, label: Labeller, lattice: dict[str, float] | None) -> None:
    """Makes the folder that of this build.

    Raises:
        ValueError: If it is that of another.
    """
    asked = {
        "recipe": recipe.to_json(),
        "calculator": label.name,
        "settings": label.settings,
        "lattice": lattice,
        "versions": label.versions,
    }
    path = workdir / "recipe.json"
    if not path.exists():
        write_json(path, asked)
        return
    found = json.loads(path.read_text())
    for name in ("recipe", "calculator", "settings", "lattice"):
        if found[name] != asked[name]:
            raise ValueError(
                f"{workdir} holds a build with {name} {found[name]}, asked for is {asked[name]}; "
                "give another --workdir"
            )


def prepared(metals: list[Metal], recipe: Recipe, workdir: Path) -> list[Start]:
    """Returns the structures to begin from; building them takes minutes, so they are kept.

    Raises:
        ValueError: If the folder holds those of another recipe or of other lattice constants.
    """
    lattice = {metal.symbol: metal.lattice_constant for metal in metals}
    asked = {"recipe": recipe.to_json(), "lattice": lattice}
    path, index = workdir / "structures.extxyz", workdir / "structures.json"
    if not index.exists():
        found = list(starts(*metals, recipe))
        _write_frames(path, [start.atoms for start in found])
        fields = ("name", "kind", "group", "course", "about")
        rows = [{name: getattr(start, name) for name in fields} for start in found]
        write_json(index, {**asked, "starts": rows})
    kept = json.loads(index.read_text())
    for name, value in asked.items():
        if kept[name] != value:
            raise ValueError(
                f"{workdir} holds structures with {name} {kept[name]}, asked for is {value}; "
                "give another --workdir"
            )
    frames = ase.io.read(path, ":")
    pairs = zip(kept["starts"], frames, strict=True)
    return [Start(atoms=atoms, **row) for row, atoms in pairs]


def unmatched(metals: list[Metal], recipe: Recipe, begun: Iterable[Start]) -> list[str]:
    """Returns the planes of which no interface could be built."""
    matched = {start.about["plane"] for start in begun if start.kind == "interface"}
    planes = [digits(plane) for plane in metals[0].planes(recipe)]
    return [plane for plane in planes if plane not in matched]


def run(start: Start, recipe: Recipe, label: Labeller, workdir: Path) -> list[Atoms]:
    """Runs one course to its end and keeps its frames.

    Raises:
        CalculationError: If a calculation failed.
    """
    record = workdir / "running" / f"{start.name}.jsonl"
    record.parent.mkdir(parents=True, exist_ok=True)
    calculator = RecordedCalculator(label.make(start.atoms), record)
    frames = list(_described(_course(start, calculator, recipe), start, recipe, label))
    _write_frames(_frames_file(workdir, start.name), frames)
    record.unlink()
    return frames


def _course(start: Start, calculator: RecordedCalculator, recipe: Recipe) -> Iterator[Atoms]:
    if start.course == "relaxed":
        return relaxed(start.atoms, calculator, recipe)
    return quenched(start.atoms, calculator, recipe, start.name)


def _described(
    frames: Iterable[Atoms], start: Start, recipe: Recipe, label: Labeller
) -> Iterator[Atoms]:
    """Adds to every frame where it comes from; `config_type` is the group that splits keep."""
    for frame in frames:
        frame.info |= {
            "config_type": start.group,
            "kind": start.kind,
            "start": start.name,
            "calculator": label.name,
            "calculator_settings": label.settings or "none",
            "versions": ", ".join(f"{name} {found}" for name, found in label.versions.items()),
            "seed": recipe.seed,
            **start.about,
        }
        yield frame


def gathered(workdir: Path, begun: list[Start], failures: dict[str, str]) -> Path:
    """Writes all frames into one file, in the order of the recipe.

    Raises:
        ValueError: If there is none.
    """
    files = [_frames_file(workdir, start.name) for start in begun if start.name not in failures]
    if not files:
        raise ValueError(
            f"every calculation failed; the first: {next(iter(failures.values()), 'none begun')}"
        )
    path = workdir / "culi.extxyz"
    partial = path.with_suffix(".partial")
    with partial.open("w") as file:
        for each in files:
            file.write(each.read_text())
    partial.replace(path)
    return path


def counts(begun: Iterable[Start]) -> dict[str, int]:
    """Returns how many structures there are of every kind."""
    found = collections.Counter(start.kind for start in begun)
    return {kind: found[kind] for kind in KINDS}


def _metal(symbol: str, label: Labeller, lattice: dict[str, float] | None, workdir: Path) -> Metal:
    if lattice is not None:
        return Metal(symbol, lattice[symbol])
    path = workdir / "lattice.json"
    known = _read(path)
    if symbol not in known:
        records = workdir / "running"
        records.mkdir(exist_ok=True)
        known[symbol] = equilibrium(symbol, label, records).lattice_constant
        write_json(path, known)
    return Metal(symbol, known[symbol])


def _frames_file(workdir: Path, name: str) -> Path:
    return workdir / "frames" / f"{name}.extxyz"


def _write_frames(path: Path, frames: list[Atoms]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    ase.io.write(partial, frames, format="extxyz")
    partial.replace(path)


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}
