"""From names to the properties of a crystal, written down."""

from __future__ import annotations

import json
from pathlib import Path

import ase.io

from experiments.crystals.calculators import double_calculator
from experiments.crystals.pictures import picture
from experiments.crystals.properties import Settings, properties_of, summary
from experiments.crystals.structures import crystal


def compute(
    potential: str,
    structure: str,
    crystalstructure: str | None = None,
    a: float | None = None,
    workdir: str | None = None,
    **settings: object,
) -> str:
    """Computes the properties of a crystal and writes them down.

    Args:
        potential: Folder of a saved potential or committee.
        structure: File, or formula.
        crystalstructure: Of a formula.
        a: Lattice constant of a formula, Å.
        workdir: Folder for numbers and pictures, or None.
        **settings: Fields of `experiments.crystals.properties.Settings`.

    Returns:
        The lines that say what was found.

    Raises:
        ModuleNotFoundError: If phonopy is missing.
        ValueError: If potential, structure or settings cannot be used, or there is no minimum.
    """
    chosen = Settings(**settings)  # type: ignore[arg-type]  # flags
    atoms = crystal(structure, crystalstructure, a)
    found = properties_of(atoms, double_calculator(potential), chosen)
    if workdir is not None:
        folder = Path(workdir)
        folder.mkdir(parents=True, exist_ok=True)
        about = {"potential": str(potential), "structure": structure, **settings}
        text = json.dumps({**about, **found.to_json()}, indent=1)
        (folder / "properties.json").write_text(text + "\n")
        ase.io.write(folder / "relaxed.extxyz", found.crystal)
        if found.state or found.phonons:
            (folder / "properties.png").write_bytes(picture(found))
    return summary(found)
