"""Writes a store: every structure of a source with its neighbour list, in constant memory."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from allegro_jax.datasets.checks import warn_about
from allegro_jax.datasets.dataset import Dataset, Structure
from allegro_jax.datasets.frames import LabelKeys
from allegro_jax.datasets.sources import open_source
from allegro_jax.files import write_json
from allegro_jax.graphs.store import GraphStore, open_store
from allegro_jax.graphs.store_files import (
    COLUMNS,
    OF_LABELS,
    ColumnFiles,
    locked,
)
from allegro_jax.graphs.store_header import FORMAT, HEADER
from allegro_jax.graphs.store_rows import CHUNK, optional_labels, store_rows
from allegro_jax.graphs.store_summary import summarise

JOURNAL = "unfinished.json"
_JOURNAL_S = 5.0  # seconds of work that a kill may cost


def write_store(
    source: Any,
    folder: Path | str,
    cutoff: float,
    species: Sequence[int] | None = None,
    *,
    name: str | None = None,
    energy_key: str | None = None,
    forces_key: str | None = None,
    group_key: str = "config_type",
    workers: int = 1,
    on_progress: Callable[[int], None] | None = None,
) -> GraphStore:
    """Writes structures and their neighbour lists to a folder from which training streams them.

    The source is read once, in order, and memory holds a few thousand structures at most. A write
    that was killed is taken up by the same call; a folder becomes a store at the end, in one step.
    On a store that is finished the call returns it if it was made alike. Warns (`DataWarning`) of
    what looks wrong, as `datasets.check` does.

    Args:
        source: A data set, a registered name, files or an iterable; see
            `allegro_jax.datasets.sources`.
        folder: Where the store goes; made when missing.
        cutoff: Å.
        species: Atomic numbers that may occur, in the order of the store's `species`; None takes
            those that occur, ascending.
        name: What errors and reports call the set; None takes that of the source.
        energy_key: Where frames read by ASE have their energy, see `ase_files.read_ase`.
        forces_key: Where they have their forces.
        group_key: Key in their `info` of what groups frames, see `group_split`.
        workers: Processes that search neighbours. More than one pays for large structures.
        on_progress: Called with the number of structures written so far, every few seconds.

    Raises:
        ValueError: A structure has no neighbour list, no label, or a kind of label that none of
            the first 512 has, or is too large; an element outside of `species`; or `folder` holds
            something else.
        FileNotFoundError: A source file does not exist.

    Example:
        >>> import tempfile
        >>> from allegro_jax import datasets, graphs
        >>> data = datasets.load("rmd17-benzene").select(range(20))
        >>> store = graphs.write_store(data, tempfile.mkdtemp(), cutoff=4.0)
        >>> len(store), store.cutoff, store.species
        (20, 4.0, (1, 6))
    """
    opened = open_source(source, LabelKeys(energy_key, forces_key, group=group_key))
    order = None if species is None else [int(number) for number in species]
    plan = {
        "format": FORMAT,
        "name": name or opened.name,
        "cutoff": float(cutoff),
        "species": order,
        "source": opened.identity,
    }
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        if (folder / HEADER).exists():
            _check_plan(folder, HEADER, open_store(folder).header.plan, plan)
            return open_store(folder)
        state = _interrupted(folder, plan)
        frames = opened.frames(0 if state is None else state.rows["structures"])
        if state is None:
            state, frames = _begun(plan, frames)
        with contextlib.closing(_Writer(folder, plan, state)) as writer:
            writer.write(frames, workers, on_progress)
        splits = source.splits if isinstance(source, Dataset) else {}
        _finish(folder, plan, writer.state, splits)
    store = open_store(folder)
    warn_about(store, store.name)
    return store


@dataclasses.dataclass
class _State:
    """Where a write is; in the journal.

    Attributes:
        rows: Rows of each level.
        columns: Names of the arrays.
        groups: Labels that the numbers in `group` stand for.
        digest: Hash of the contents so far.
    """

    rows: dict[str, int]
    columns: list[str]
    groups: list[str]
    digest: str


class _Writer:
    def __init__(self, folder: Path, plan: dict[str, Any], state: _State) -> None:
        self.state, self._folder, self._plan = state, folder, plan
        self._files = ColumnFiles(folder, state.columns, state.rows)
        self._codes = {label: code for code, label in enumerate(state.groups)}
        self._saved_at = time.monotonic()

    def write(
        self, frames: Iterator[Structure], workers: int, on_progress: Callable[[int], None] | None
    ) -> None:
        """Writes the structures that are missing."""
        chunks = iter(lambda: list(itertools.islice(frames, CHUNK)), [])
        start, name = self.state.rows["structures"], self._plan["name"]
        jobs = (
            (name, start + k * CHUNK, chunk, self._plan["cutoff"], self._labels())
            for k, chunk in enumerate(chunks)
        )
        for arrays, groups in _mapped(store_rows, jobs, workers):
            self._append(arrays, groups)
            if time.monotonic() - self._saved_at > _JOURNAL_S:
                self._save()
                if on_progress is not None:
                    on_progress(self.state.rows["structures"])
        self._files.finish()

    def close(self) -> None:
        self._files.close()

    def _append(self, arrays: dict[str, np.ndarray], groups: list[str]) -> None:
        self._check_species(arrays["numbers"])
        if "group" in self.state.columns:
            for label in groups:
                self._codes.setdefault(label, len(self._codes))
            arrays["group"] = np.array([self._codes[label] for label in groups], np.int32)
        self._files.append(arrays)
        digest = hashlib.blake2b(self.state.digest.encode(), digest_size=16)
        for column in self.state.columns:
            digest.update(np.ascontiguousarray(arrays[column], COLUMNS[column].dtype).data)
        self.state = _State(
            self._files.rows, self.state.columns, list(self._codes), digest.hexdigest()
        )

    def _save(self) -> None:
        self._files.flush()
        values = {"plan": self._plan, "state": dataclasses.asdict(self.state)}
        write_json(self._folder / JOURNAL, values)
        self._saved_at = time.monotonic()

    def _labels(self) -> tuple[str, ...]:
        return tuple(label for label, own in OF_LABELS.items() if own[0] in self.state.columns)

    def _check_species(self, numbers: np.ndarray) -> None:
        species = self._plan["species"]
        unseen = set() if species is None else set(np.unique(numbers).tolist()) - set(species)
        if unseen:
            symbols = [chemical_symbols[number] for number in sorted(unseen)]
            raise ValueError(
                f"{self._plan['name']} holds {', '.join(symbols)}, which species={species} lacks; "
                "add the atomic numbers, or leave species out to take what occurs"
            )


def _interrupted(folder: Path, plan: dict[str, Any]) -> _State | None:
    """Returns where a write into the folder was when it ended, None where none began."""
    if (folder / JOURNAL).exists():
        found = json.loads((folder / JOURNAL).read_text())
        _check_plan(folder, JOURNAL, found["plan"], plan)
        return _State(**found["state"])
    strangers = (path.name for path in folder.iterdir() if path.stem not in {*COLUMNS, "lock"})
    if known := sorted(strangers)[:3]:
        raise ValueError(f"{folder} holds {known} and is no store; give an empty folder")
    return None


def _begun(plan: dict[str, Any], frames: Iterator[Structure]) -> tuple[_State, Iterator[Structure]]:
    """Decides by the labels of the first structures what a store holds."""
    first = list(itertools.islice(frames, CHUNK))
    if not first:
        raise ValueError(f"{plan['name']} holds no structures")
    present = {
        label
        for item in first
        for label, value in optional_labels(item).items()
        if value is not None
    }
    left_out = {column for label in set(OF_LABELS) - present for column in OF_LABELS[label]}
    rows = {"structures": 0, "atoms": 0, "edges": 0}
    state = _State(rows, [name for name in COLUMNS if name not in left_out], [], "")
    return state, itertools.chain(first, frames)


def _mapped(function: Callable[..., Any], jobs: Iterator[Any], workers: int) -> Iterator[Any]:
    """Applies a function in order, in processes if there are several."""
    if workers == 1:
        yield from itertools.starmap(function, jobs)
        return
    import multiprocessing

    # JAX runs threads, with which forking is not safe.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from _ahead(pool, function, jobs, 2 * workers)


def _ahead(
    pool: Executor, function: Callable[..., Any], jobs: Iterator[Any], depth: int
) -> Iterator[Any]:
    waiting: deque[Future[Any]] = deque()
    for job in jobs:
        waiting.append(pool.submit(function, *job))
        if len(waiting) > depth:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _finish(folder: Path, plan: dict[str, Any], state: _State, splits: Any) -> None:
    """Adds what is known only at the end; with the header the folder is a store."""
    summary = summarise(folder, plan["species"])
    header = {
        "plan": plan,
        "units": {"energy": "eV", "length": "Å", "forces": "eV/Å", "stress": "eV/Å³"},
        "rows": state.rows,
        "columns": state.columns,
        "groups": state.groups if "group" in state.columns else None,
        "splits": {key: rows.tolist() for key, rows in splits.items()},
        "content": state.digest,
        **summary,
    }
    write_json(folder / HEADER, header)
    (folder / JOURNAL).unlink(missing_ok=True)


def _check_plan(folder: Path, file: str, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    differing = [key for key in wanted if found.get(key) != wanted[key]]
    if differing:
        changes = "; ".join(
            f"{key} was {found.get(key)!r}, is {wanted[key]!r}" for key in differing
        )
        raise ValueError(
            f"{folder / file} describes another store: {changes}. Give another folder, remove this "
            "one, or write with the settings it was begun with"
        )
