"""All properties of a crystal, in words and numbers."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal, get_args

from experiments.crystals.elastic import Elastic, elastic_constants
from experiments.crystals.equation_of_state import StateEquation, equation_of_state
from experiments.crystals.phonons import Phonons, phonons
from experiments.crystals.structures import relaxed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ase import Atoms
    from ase.calculators.calculator import Calculator

Quantity = Literal["eos", "elastic", "phonons"]


@dataclasses.dataclass(frozen=True)
class Settings:
    """How properties are computed.

    Attributes:
        quantities: Which ones.
        fmax: Of relaxations, eV/Å.
        span: Largest change of volume of the equation of state.
        points: Volumes of the equation of state.
        strain: Of the elastic constants.
        length: Of the supercell of the phonons, Å.
        displacement: Of the phonons, Å.

    Raises:
        ValueError: If there is no such quantity.
    """

    quantities: tuple[Quantity, ...] = get_args(Quantity)
    fmax: float = 1e-4
    span: float = 0.06
    points: int = 9
    strain: float = 0.005
    length: float = 12.0
    displacement: float = 0.02

    def __post_init__(self) -> None:
        """Checks what is not checked where it is used."""
        known = get_args(Quantity)
        if not self.quantities or not set(self.quantities) <= set(known):
            raise ValueError(
                f"quantities must be some of {', '.join(known)}; got {', '.join(self.quantities)}"
            )
        if not self.fmax > 0:
            raise ValueError(f"fmax must be a positive force in eV/Å; got {self.fmax}")


@dataclasses.dataclass(frozen=True, eq=False)
class Properties:
    """What was found; None for what was not asked for.

    Attributes:
        crystal: At rest.
        energy: eV per atom.
        state: Equation of state.
        elastic: Elastic constants.
        phonons: Phonons.
    """

    crystal: Atoms
    energy: float
    state: StateEquation | None = None
    elastic: Elastic | None = None
    phonons: Phonons | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns all numbers as JSON values."""
        values: dict[str, Any] = {
            "formula": self.crystal.get_chemical_formula(),
            "lattice": str(self.crystal.cell.get_bravais_lattice()),
            "cell": self.crystal.cell.tolist(),
            "positions": self.crystal.positions.tolist(),
            "energy_per_atom": self.energy,
        }
        if self.state is not None:
            values["equation_of_state"] = dataclasses.asdict(self.state)
        if self.elastic is not None:
            values["elastic"] = {
                "constants": self.elastic.constants.tolist(),
                "asymmetry": self.elastic.asymmetry,
                "cubic": self.elastic.cubic,
                "moduli": self.elastic.moduli if self.elastic.stable else None,
            }
        if self.phonons is not None:
            values["phonons"] = {
                "path": self.phonons.path.path,
                "frequencies": self.phonons.frequencies.tolist(),
                "special": {name: list(own) for name, own in self.phonons.special.items()},
                "supercell": self.phonons.supercell,
            }
        return values


def properties_of(
    atoms: Atoms, calculator: Calculator, settings: Settings | None = None
) -> Properties:
    """Relaxes a crystal and computes its properties.

    Args:
        atoms: A crystal to begin with.
        calculator: Energies, forces and stresses, in float64 if it can.
        settings: None for the defaults.

    Raises:
        ModuleNotFoundError: See `phonons`.
        ValueError: If the crystal does not come to rest, or a setting makes no sense.
    """
    chosen = settings or Settings()
    crystal = _with_results(relaxed(atoms, calculator, chosen.fmax, cell=True))
    found = Properties(crystal, crystal.get_potential_energy() / len(crystal))
    if "eos" in chosen.quantities:
        options = {"span": chosen.span, "points": chosen.points, "fmax": chosen.fmax}
        found = dataclasses.replace(found, state=equation_of_state(crystal, calculator, **options))
    if "elastic" in chosen.quantities:
        options = {"strain": chosen.strain, "fmax": chosen.fmax}
        constants = elastic_constants(crystal, calculator, **options)
        found = dataclasses.replace(found, elastic=constants)
    if "phonons" in chosen.quantities:
        options = {"length": chosen.length, "displacement": chosen.displacement}
        found = dataclasses.replace(found, phonons=phonons(crystal, calculator, **options))
    return found


def _with_results(atoms: Atoms) -> Atoms:
    """Atoms with their energy, forces and stress, whatever their calculator does next."""
    from ase.calculators.singlepoint import SinglePointCalculator

    labels = {
        "energy": atoms.get_potential_energy(),
        "forces": atoms.get_forces(),
        "stress": atoms.get_stress(),
    }
    kept = atoms.copy()
    kept.calc = SinglePointCalculator(kept, **labels)
    return kept


def summary(found: Properties) -> str:
    """Says in lines what was found."""
    crystal = found.crystal
    lines = [
        f"{crystal.get_chemical_formula()}, {crystal.cell.get_bravais_lattice()}",
        f"{'volume':24}{crystal.get_volume() / len(crystal):9.3f} Å³ per atom",
        f"{'energy':24}{found.energy:9.4f} eV per atom",
    ]
    if found.state is not None:
        lines += _of_state(found.state)
    if found.elastic is not None:
        lines += _of_constants(found.elastic)
    if found.phonons is not None:
        lines += _of_phonons(found.phonons)
    return "\n".join(lines)


def _of_state(state: StateEquation) -> list[str]:
    return [
        f"{'bulk modulus':24}{state.bulk_modulus:9.1f} GPa (Birch-Murnaghan, residual "
        f"{1000 * state.residual:.2f} meV per atom)",
        f"{'its derivative':24}{state.derivative:9.2f}",
    ]


def _of_constants(elastic: Elastic) -> list[str]:
    if elastic.cubic is not None:
        lines = [f"{name:24}{value:9.1f} GPa" for name, value in elastic.cubic.items()]
    else:
        rows = ("".join(f"{value:9.1f}" for value in row) for row in elastic.constants)
        lines = ["elastic constants, GPa (xx yy zz yz xz xy)", *rows]
    if not elastic.stable:
        return [*lines, "not stable: some strain lowers the energy"]
    names = {"bulk": "bulk modulus, Hill", "shear": "shear modulus, Hill"}
    return lines + [f"{names[key]:24}{value:9.1f} GPa" for key, value in elastic.moduli.items()]


def _of_phonons(found: Phonons) -> list[str]:
    lines = [
        f"phonons, THz ({found.displacements} displacements in {found.supercell} atoms; "
        f"lowest {found.lowest:.2f})"
    ]
    for name, frequencies in found.special.items():
        lines.append(f"  {name:6}{_numbers(frequencies)}")
    return lines


def _numbers(values: Sequence[float]) -> str:
    return "".join(f"{value + 0.0:8.2f}" for value in values)
