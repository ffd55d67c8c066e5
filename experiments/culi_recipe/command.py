"""What the flags of `experiments.build_culi` mean."""

from __future__ import annotations

import ast
import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

from allegro_jax.training.workdir import claimed
from experiments.culi_recipe.build import PUBLISHED, build, counts, prepared, unmatched
from experiments.culi_recipe.calculators import FORMS, labeller
from experiments.culi_recipe.metals import Metal
from experiments.culi_recipe.recipe import RECIPES, Recipe


def recipe(name: str, settings: Sequence[str]) -> Recipe:
    """Returns a recipe with some numbers changed.

    Raises:
        ValueError: If there is no such recipe or number.
    """
    if name not in RECIPES:
        raise ValueError(f"unknown recipe {name!r}; known: {', '.join(RECIPES)}")
    known = [field.name for field in dataclasses.fields(Recipe)]
    changes = {}
    for setting in settings:
        key, _, value = setting.partition("=")
        if key not in known:
            raise ValueError(f"the recipe has no {key!r}; it has {', '.join(known)}")
        try:
            changes[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError) as error:
            raise ValueError(f"--set={setting}: expected a number, got {value!r}") from error
    return dataclasses.replace(RECIPES[name], **changes)


def lattice(lengths: Sequence[str] | None) -> dict[str, float] | None:
    """Returns the lattice constants of Li and Cu, Å.

    Raises:
        ValueError: If these are not two numbers.
    """
    if lengths is None:
        return None
    try:
        li, cu = (float(length) for length in lengths)
    except ValueError as error:
        raise ValueError(
            f"--lattice takes two numbers, of Li and Cu in Å, got {lengths}"
        ) from error
    if not (math.isfinite(li) and li > 0 and math.isfinite(cu) and cu > 0):
        raise ValueError(f"--lattice takes positive lengths in Å, got {lengths}")
    return {"Li": li, "Cu": cu}


def structures_only(recipe: Recipe, lattice: dict[str, float] | None, workdir: Path) -> str:
    """Builds the structures and returns how many there are, beside the published numbers.

    Raises:
        ValueError: If the lattice constants are missing, or the folder holds other structures.
    """
    if lattice is None:
        raise ValueError("without a calculator the lattice constants are needed: --lattice=LI,CU")
    metals = [Metal(symbol, length) for symbol, length in lattice.items()]
    with claimed(workdir):
        begun = prepared(metals, recipe, workdir)
    found = counts(begun)
    lines = [f"{kind}: {number} (published: {PUBLISHED.get(kind, 'not said')})"
             for kind, number in found.items()]  # fmt: skip
    missing = ", ".join(unmatched(metals, recipe, begun)) or "none"
    lines.append(f"planes without an interface: {missing}")
    return "\n".join([*lines, f"in {workdir / 'structures.extxyz'}"])


def build_all(
    recipe: Recipe, calculator: str | None, lattice: dict[str, float] | None, workdir: Path
) -> str:
    """Builds and labels the set, and returns what to do with it.

    Raises:
        ValueError: As `build` and `labeller`.
    """
    if calculator is None:
        raise ValueError(f"--calculator says what labels the structures: {FORMS}")
    path = build(recipe, labeller(calculator, workdir / "vasp"), workdir, lattice, _say)
    return f"{path} is complete; python -m experiments.train --dataset={path} trains on it"


def _say(line: str) -> None:
    print(line, flush=True)
