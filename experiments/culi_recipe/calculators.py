"""What labels the structures: any ASE calculator, by name."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import math
from collections.abc import Callable
from typing import Any

from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator

from experiments.culi_recipe.metals import CRYSTALS

FORMS = "potential:FOLDER, vasp, mace, chgnet, or MODULE:FUNCTION, a function without arguments"


@dataclasses.dataclass(frozen=True)
class Labeller:
    """Makes a calculator for a structure.

    Attributes:
        name: As it was asked for.
        make: The calculator of a structure.
        versions: Of the packages that calculate.
    """

    name: str
    make: Callable[[Atoms], Calculator]
    versions: dict[str, str]


def labeller(name: str) -> Labeller:
    """Returns what labels, by its name.

    Raises:
        ValueError: If there is no such calculator, it cannot be made, or does not know Li or Cu.
    """
    kind, _, rest = name.partition(":")
    if kind == "potential" and rest:
        made = _shared(name, lambda: _potential(rest), "allegro-jax")
    elif name in ("mace", "chgnet"):
        made = _shared(name, _UNIVERSAL[name], {"mace": "mace-torch"}.get(name, name))
    elif name == "vasp":
        made = Labeller(name, _vasp, _versions("ase"))
    elif rest:
        made = _shared(name, lambda: _function(kind, rest), "ase")
    else:
        raise ValueError(f"unknown calculator {name!r}; expected {FORMS}")
    if name != "vasp":  # trying it would be the first calculation
        _check_elements(made)
    return made


def _shared(name: str, make: Callable[[], Calculator], package: str) -> Labeller:
    try:
        calculator = make()
    except ModuleNotFoundError as error:
        raise ValueError(f"the calculator {name} needs a package: {error}") from error
    return Labeller(name, lambda _: calculator, _versions(package, "ase"))


def _versions(*packages: str) -> dict[str, str]:
    return {package: importlib.metadata.version(package) for package in packages}


def _potential(folder: str) -> Calculator:
    from allegro_jax import load_potential

    return load_potential(folder).calculator()


def _mace() -> Calculator:
    from mace.calculators import mace_mp  # pip install mace-torch

    return mace_mp(default_dtype="float64")


def _chgnet() -> Calculator:
    from chgnet.model.dynamics import CHGNetCalculator  # pip install chgnet

    return CHGNetCalculator()


_UNIVERSAL = {"mace": _mace, "chgnet": _chgnet}


def _function(module: str, name: str) -> Calculator:
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"no calculator {module}:{name} ({error}); expected {FORMS}") from error
    return found()


def _vasp(atoms: Atoms) -> Calculator:
    """VASP as in section 3.3 of the paper: PAW, r2SCAN, 520 eV, 1e-5 eV, Gamma-centred k-points.

    The density of at least 32 per Å is read as 32 k-points times Å along each lattice vector.
    """
    from ase.calculators.vasp import Vasp

    kpts = [max(1, math.ceil(32.0 / length)) for length in atoms.cell.lengths()]
    settings: dict[str, Any] = {"metagga": "R2SCAN", "lasph": True, "encut": 520, "ediff": 1e-5}
    return Vasp(pp="PBE", kpts=kpts, gamma=True, ismear=1, sigma=0.2, **settings)


def _check_elements(made: Labeller) -> None:
    for symbol, (kind, length) in CRYSTALS.items():
        atoms = bulk(symbol, kind, a=length)
        try:
            atoms.calc = made.make(atoms)
            atoms.get_forces()
        except Exception as error:
            raise ValueError(
                f"the calculator {made.name} cannot calculate {symbol} ({error}); the recipe needs "
                "Li and Cu"
            ) from error
