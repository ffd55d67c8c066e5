"""Where a simulation begins: a file, a frame of a data set, or one of the worked examples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ase

INTERFACE_FRAME = 636
"""Of `culi`: a (310) interface of 48 Cu and 36 Li atoms as built; of the training part."""

INTERFACE_REPEAT = (4, 3, 1)
"""How often it is repeated for the 1,008 atoms of the benchmark."""


def structure(name: str, repeat: tuple[int, int, int] = (1, 1, 1)) -> ase.Atoms:
    """Returns atoms by name, repeated.

    Args:
        name: A file that ASE reads (its last frame), or a registered data set with the number of a
            frame, such as "culi:636" or "rmd17-aspirin:0".
        repeat: How often along each lattice vector.

    Raises:
        ValueError: No such file or frame, or a molecule that is to be repeated.
    """
    atoms = _from_file(name) if Path(name).exists() else _from_data(name)
    atoms.calc = None
    if tuple(repeat) == (1, 1, 1):
        return atoms
    if not atoms.pbc.all():
        raise ValueError(f"only periodic structures can be repeated; {name} has pbc {atoms.pbc}")
    return atoms.repeat(repeat)


def interface(repeat: tuple[int, int, int] = INTERFACE_REPEAT) -> ase.Atoms:
    """The copper-lithium interface of the examples, without momenta."""
    return structure(f"culi:{INTERFACE_FRAME}", repeat)


def _from_file(name: str) -> ase.Atoms:
    import ase.io

    try:
        return ase.io.read(name, index=-1)
    except Exception as error:  # ASE's readers raise all kinds
        raise ValueError(f"{name} could not be read: {error}") from error


def _from_data(name: str) -> ase.Atoms:
    from allegro_jax.datasets import load

    dataset, _, frame = name.partition(":")
    if not frame.isdigit():
        raise ValueError(
            f"{name} is no file, nor a data set with the number of a frame, such as culi:636"
        )
    frames = load(dataset)
    if int(frame) >= len(frames):
        raise ValueError(f"{dataset} has frames 0 to {len(frames) - 1}; came {frame}")
    atoms = frames.to_atoms(int(frame))
    atoms.wrap()
    return atoms
