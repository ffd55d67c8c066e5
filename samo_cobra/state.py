"""Saving an optimiser as JSON, and rebuilding it."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samo_cobra.records import Record
from samo_cobra.settings import Settings
from samo_cobra.space import Restrictions, Space
from samo_cobra.space.restrictions import function_name
from samo_cobra.trials import Trial

if TYPE_CHECKING:
    from samo_cobra.exact import Function
    from samo_cobra.optimizer import Optimizer

_FORMAT = 3
_FIELDS = (
    "space",
    "n_objectives",
    "n_constraints",
    "directions",
    "reference_point",
    "known_constraints",
    "inexpensive_objectives",
    "inexpensive_constraints",
    "seed",
    "initial_points",
    "settings",
    "trials",
    "pending",
    "next_id",
    "records",
)


def to_json(optimizer: Optimizer) -> dict[str, Any]:
    """Plain data from which :func:`from_json` rebuilds an optimiser."""
    statement = optimizer.statement
    given = statement.given_reference
    return {
        "format": _FORMAT,
        "space": statement.space.to_json(),
        "n_objectives": statement.n_objectives,
        "n_constraints": statement.n_constraints,
        "directions": list(statement.directions),
        "reference_point": None if given is None else list(given),
        "known_constraints": statement.restrictions.to_json(),
        "inexpensive_objectives": _names(statement.inexpensive_objectives),
        "inexpensive_constraints": _names(statement.inexpensive_constraints),
        "seed": optimizer.seed,
        "initial_points": statement.initial_points,
        "settings": dataclasses.asdict(optimizer.settings),
        "trials": [_plain(dataclasses.asdict(t)) for t in optimizer.trials],
        "pending": [{"id": s.id, "x": s.x} for s in optimizer.pending],
        "next_id": optimizer._next_id,
        "records": [_plain(dataclasses.asdict(r)) for r in optimizer.records],
    }


def from_json(
    cls: type[Optimizer],
    data: Mapping[str, Any],
    known_constraints: Sequence[Callable[[dict[str, Any]], float | bool]],
    inexpensive_objectives: Mapping[int, Function] | None,
    inexpensive_constraints: Mapping[int, Function] | None,
) -> Optimizer:
    """Rebuilds an optimiser from data and the functions that data cannot hold."""
    if data.get("format") != _FORMAT:
        raise ValueError(f"expected format {_FORMAT}, got {data.get('format')!r}")
    missing = [name for name in _FIELDS if name not in data]
    if missing:
        raise ValueError(f"not a saved optimiser: {', '.join(missing)} missing")
    _check_functions(data, "inexpensive_objectives", inexpensive_objectives)
    _check_functions(data, "inexpensive_constraints", inexpensive_constraints)
    space = Space.from_json(data["space"])
    restrictions = Restrictions.from_json(space, data["known_constraints"], known_constraints)
    optimizer = cls(
        space,
        data["n_objectives"],
        data["n_constraints"],
        directions=data["directions"],
        reference_point=data["reference_point"],
        known_constraints=restrictions.items,
        inexpensive_objectives=inexpensive_objectives,
        inexpensive_constraints=inexpensive_constraints,
        seed=data["seed"],
        initial_points=data["initial_points"],
        settings=Settings(**data["settings"]),
    )
    for entry in data["trials"]:
        trial = Trial(
            entry["id"],
            entry["x"],
            tuple(entry["objectives"]),
            tuple(entry["constraints"]),
            entry["failed"],
        )
        optimizer._trials.append(trial)
        optimizer._units.append(space.to_unit(trial.x))
    optimizer._pending.update({entry["id"]: entry["x"] for entry in data["pending"]})
    optimizer._next_id = data["next_id"]
    records = (Record.from_json(entry) for entry in data["records"])
    optimizer._records.update({record.id: record for record in records})
    return optimizer


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: list(v) if isinstance(v, tuple) else v for name, v in fields.items()}


def _names(functions: Mapping[int, Function]) -> dict[str, str]:
    return {str(place): function_name(f) for place, f in functions.items()}


def _check_functions(
    data: Mapping[str, Any], kind: str, given: Mapping[int, Function] | None
) -> None:
    expected, got = data[kind], _names(given or {})
    if expected != got:
        raise ValueError(
            f"functions cannot be saved: {kind} must be given again as {expected} "
            f"(place: name), got {got}"
        )


def save(data: Mapping[str, Any], target: Path) -> None:
    """Writes JSON so that a reader never sees half a file."""
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(data, file, allow_nan=False)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load(path: Path) -> dict[str, Any]:
    """Reads what :func:`save` wrote.

    Raises:
        ValueError: if the file holds no JSON object.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a saved optimiser: {error}") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path} is not a saved optimiser: expected a JSON object")
    return data
