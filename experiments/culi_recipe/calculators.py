"""What labels the structures: any ASE calculator, by name."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import importlib.metadata
import math
from collections.abc import Callable
from pathlib import Path
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
        settings: What else decides the labels; a build goes on with the same only.
    """

    name: str
    make: Callable[[Atoms], Calculator]
    versions: dict[str, str]
    settings: str = ""


def labeller(name: str, scratch: Path = Path("vasp")) -> Labeller:
    """Returns what labels, by its name.

    Args:
        name: One of the forms in `FORMS`.
        scratch: Where VASP writes its files.

    Raises:
        ValueError: If there is no such calculator, it cannot be made, or does not know Li or Cu.
    """
    kind, _, rest = name.partition(":")
    if kind == "potential" and rest:
        made = _shared(name, lambda: _potential(rest), "allegro-jax", lambda: _content(rest))
    elif name in ("mace", "chgnet"):
        made = _shared(
            name, _UNIVERSAL[name], {"mace": "mace-torch"}.get(name, name), lambda: _WEIGHTS[name]
        )
    elif name == "vasp":
        _check_vasp()
        made = Labeller(name, lambda a: _vasp(a, scratch), _versions("ase"), VASP_SETTINGS)
    elif rest:
        made = _shared(name, lambda: _function(kind, rest), "ase")
    else:
        raise ValueError(f"unknown calculator {name!r}; expected {FORMS}")
    if name != "vasp":  # trying it would be the first calculation
        _check_elements(made)
    return made


def _shared(
    name: str,
    make: Callable[[], Calculator],
    package: str,
    settings: Callable[[], str] = str,
) -> Labeller:
    try:
        calculator = make()
    except ModuleNotFoundError as error:
        raise ValueError(f"the calculator {name} needs a package: {error}") from error
    return Labeller(name, lambda _: calculator, _versions(package, "ase"), settings())


def _versions(*packages: str) -> dict[str, str]:
    return {package: importlib.metadata.version(package) for package in packages}


def _potential(folder: str) -> Calculator:
    from allegro_jax import load_potential

    return load_potential(folder).calculator()


def _content(folder: str) -> str:
    """Returns a digest of a potential, so that another in the same folder is noticed."""
    content = hashlib.sha256()
    for path in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
        content.update(path.read_bytes())
    return f"sha256 {content.hexdigest()}"


def _mace() -> Calculator:
    from mace.calculators import mace_mp  # pip install mace-torch

    return mace_mp(default_dtype="float64")


def _chgnet() -> Calculator:
    from chgnet.model.dynamics import CHGNetCalculator  # pip install chgnet

    return CHGNetCalculator()


_UNIVERSAL = {"mace": _mace, "chgnet": _chgnet}
_WEIGHTS = {"mace": "default weights of mace_mp, float64", "chgnet": "default weights"}
VASP_SETTINGS = "PAW PBE, r2SCAN, 520 eV, 1e-5 eV, 32 k-points per 1/Å, Methfessel-Paxton 0.2 eV"


def _function(module: str, name: str) -> Calculator:
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"no calculator {module}:{name} ({error}); expected {FORMS}") from error
    return found()


def _check_vasp() -> None:
    """Refuses VASP before anything is built where ASE could not start it."""
    from ase.calculators.vasp import Vasp
    from ase.config import cfg

    if "VASP_PP_PATH" not in cfg:
        raise ValueError("VASP needs its PAW data: set VASP_PP_PATH to their folder")
    try:
        Vasp().make_command()
    except Exception as error:
        raise ValueError(f"VASP cannot be started: {error}; set ASE_VASP_COMMAND") from error


def _vasp(atoms: Atoms, scratch: Path) -> Calculator:
    """VASP as in section 3.3 of the paper: PAW, r2SCAN, 520 eV, 1e-5 eV, Gamma-centred k-points.

    The density of at least 32 per Å is read as 32 k-points times Å along each lattice vector.
    """
    from ase.calculators.vasp import Vasp

    kpts = [max(1, math.ceil(32.0 / length)) for length in atoms.cell.lengths()]
    settings: dict[str, Any] = {"metagga": "R2SCAN", "lasph": True, "encut": 520, "ediff": 1e-5}
    scratch.mkdir(parents=True, exist_ok=True)
    return Vasp(
        directory=str(scratch), pp="PBE", kpts=kpts, gamma=True, ismear=1, sigma=0.2, **settings
    )


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
