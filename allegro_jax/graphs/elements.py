"""Elements and their reference energies, by atomic number or by chemical symbol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def energies_by_number(
    atomic_energies: Mapping[int, float] | Mapping[str, float],
) -> dict[int, float]:
    """Returns reference energies by atomic number.

    Raises:
        ValueError: A key is neither a number nor a chemical symbol.
    """
    from ase.data import atomic_numbers

    unknown = [key for key in atomic_energies if isinstance(key, str) and key not in atomic_numbers]
    if unknown:
        raise ValueError(f"atomic_energies has keys that are not chemical symbols: {unknown}")
    return {
        atomic_numbers[key] if isinstance(key, str) else int(key): float(energy)
        for key, energy in atomic_energies.items()
    }


def symbols(numbers: Sequence[int]) -> str:
    """Returns chemical symbols for an error message, as "H, C"."""
    from ase.data import chemical_symbols  # on errors alone

    return ", ".join(chemical_symbols[number] for number in numbers)
