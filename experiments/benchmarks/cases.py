"""What is measured: model sizes, systems, readouts, tasks, and every choice of them as a case."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Size(NamedTuple):
    """Size of a model; all perceptrons have one hidden layer as wide as the scalar track.

    Attributes:
        l_max: Highest degree of harmonics and tensor features.
        layers: Allegro layers.
        scalars: Channels of the scalar track.
        tensors: Channels of the tensor track.
    """

    l_max: int
    layers: int
    scalars: int
    tensors: int


class System(NamedTuple):
    """What the model is evaluated on.

    Attributes:
        kind: "molecule" (aspirin frames of rMD17) or "copper" (a rattled fcc cell).
        atoms: Atoms of one structure.
        batch: Structures per call.
        cutoff: Å.
        types: Chemical symbols that the model knows.
        avg_num_neighbors: A constant of the model, about the mean of the structures.
    """

    kind: str
    atoms: int
    batch: int
    cutoff: float
    types: tuple[str, ...]
    avg_num_neighbors: float


SIZES: Mapping[str, Size] = {
    "S": Size(1, 1, 32, 8),
    "M": Size(2, 2, 64, 32),
    "L": Size(3, 2, 128, 64),
}


def _molecules(batch: int) -> System:
    return System("molecule", 21, batch, 6.0, ("H", "C", "O"), 18.0)


def _copper(atoms: int) -> System:
    return System("copper", atoms, 1, 5.0, ("Cu",), 42.0)


SYSTEMS: Mapping[str, System] = {
    "molecule-1": _molecules(1),
    "molecule-5": _molecules(5),
    "molecule-32": _molecules(32),
    "copper-32": _copper(32),
    "copper-500": _copper(500),
    "copper-4000": _copper(4000),
    "copper-32000": _copper(32000),
}
READOUTS = ("mlp", "qdi", *(f"qdi-{n}x{depth}" for n in range(1, 13) for depth in range(1, 9)))
DTYPES = ("float32", "float64")
TASKS = ("inference", "training")


@dataclasses.dataclass(frozen=True)
class Case:
    """One measurement, whoever makes it.

    Attributes:
        size: Key of `SIZES`.
        system: Key of `SYSTEMS`.
        task: "inference" (energy, forces, stress) or "training" (one optimiser step on energies
            and forces).
        readout: "mlp", "qdi" (4 qubits, depth 3), or such as "qdi-10x4" (10 qubits, depth 4).
        dtype: Type of the network.
    """

    size: str
    system: str
    task: str = "inference"
    readout: str = "mlp"
    dtype: str = "float32"

    def __post_init__(self) -> None:
        """Checks every name.

        Raises:
            ValueError: A name that does not exist.
        """
        for field, known in _CHOICES.items():
            check_names(field, [getattr(self, field)], known)

    @property
    def name(self) -> str:
        """One word, for tables."""
        return " ".join(dataclasses.astuple(self))

    def as_dict(self) -> dict[str, Any]:
        """Returns the fields, for a JSON line."""
        return dataclasses.asdict(self)


_CHOICES: Mapping[str, Iterable[str]] = {
    "size": SIZES,
    "system": SYSTEMS,
    "task": TASKS,
    "readout": READOUTS,
    "dtype": DTYPES,
}


def check_names(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raises a ValueError if one of the names is not known."""
    known = list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        shown = known if len(known) < 20 else [*known[:4], "...", known[-1]]
        raise ValueError(f"unknown {what} {', '.join(unknown)}; choose from {', '.join(shown)}")


def all_cases(
    sizes: Iterable[str],
    systems: Iterable[str],
    tasks: Iterable[str],
    readouts: Iterable[str] = ("mlp",),
    dtypes: Iterable[str] = ("float32",),
) -> list[Case]:
    """Returns every combination, in the order of a table.

    Raises:
        ValueError: A name that does not exist.
    """
    choices = itertools.product(dtypes, readouts, tasks, sizes, systems)
    return [
        Case(size, system, task, readout, dtype) for dtype, readout, task, size, system in choices
    ]
