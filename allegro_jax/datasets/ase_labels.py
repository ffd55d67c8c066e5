"""Labels on `ase.Atoms`: under which keys they are, and what shape they have."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    import ase

# A REF_ label is always meant as the target; a calculator's result may be a model's.
ENERGY_KEYS = ("REF_energy", "energy", "dft_energy")
FORCES_KEYS = ("REF_forces", "forces", "dft_forces")
STRESS_KEYS = ("REF_stress", "stress", "dft_stress")


def candidates(given: str | None, usual: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the keys to look under, the first that is there being the one."""
    return usual if given is None else (given,)


def label(atoms: "ase.Atoms", key: str) -> Any:
    """Returns what `info`, `arrays` or the calculator have under a key, None if nothing."""
    results = {} if atoms.calc is None else atoms.calc.results
    return atoms.info.get(key, atoms.arrays.get(key, results.get(key)))


def available(atoms: "ase.Atoms") -> list[str]:
    """Returns the keys that a frame has."""
    results = {} if atoms.calc is None else atoms.calc.results
    return sorted({*atoms.info, *atoms.arrays, *results} - {"numbers", "positions"})


def as_energy(value: Any, frame: str) -> float | None:
    """Returns an energy, eV; None from None.

    Args:
        value: What a frame has.
        frame: What an error calls the frame.

    Raises:
        ValueError: It is not a number.
    """
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the energy of {frame} is not a number: {value!r}") from error


def as_forces(value: Any, atoms: int, frame: str) -> Float[np.ndarray, "atoms 3"] | None:
    """Returns forces, eV/Å; None from None.

    Raises:
        ValueError: They have another shape.
    """
    if value is None:
        return None
    if np.shape(value) != (atoms, 3):
        raise ValueError(
            f"the forces of {frame} must have shape {(atoms, 3)}; they have {np.shape(value)}"
        )
    return np.asarray(value, np.float64)


def as_stress(value: Any, frame: str) -> Float[np.ndarray, "3 3"] | None:
    """Returns a 3x3 stress, eV/Å³, from 3x3, 9 numbers, or the 6 of Voigt in the order of ASE.

    Raises:
        ValueError: It has another number of components.
    """
    if value is None:
        return None
    value = np.asarray(value, np.float64).ravel()
    if value.size == 6:
        xx, yy, zz, yz, xz, xy = value
        return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    if value.size == 9:
        return value.reshape(3, 3)
    raise ValueError(f"the stress of {frame} must have 6 or 9 components; it has {value.size}")
