"""Hypervolumes of the fronts with their reference points: of the searches, and of Figure 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from experiments.reproduction import cells, published
from experiments.reproduction.cells import EMPTY, Cell, Origin, Table, label
from experiments.reproduction.fronts import Trial
from experiments.reproduction.paper_tables import MILLI, NAMES, trial_link
from experiments.reproduction.published import TITLES, VARIANTS
from experiments.reproduction.results import Results
from samo_cobra.pareto import hypervolume

REFERENCE_FACTOR = 1.1
"""The reference point is this times the largest error and time on any front of the data set."""


def hypervolumes(results: Results) -> Table:
    """Returns hypervolumes with their reference points: of the searches, and of Figure 2."""
    rows = []
    for dataset, found in results.found.items():
        points = {
            variant: np.array([(MILLI * t.error, t.seconds) for t in found.front(variant)])
            for variant in VARIANTS
        }
        count = ", ".join(str(len(found.trials[variant])) for variant in VARIANTS)
        ours = _volumes(points, "measured", {v: found.front(v) for v in VARIANTS})
        if ours:
            first = (label(TITLES[dataset]), label("here"), label(_place(dataset, points)))
            rows.append((*first, *ours, label(count)))
        printed = {variant: np.array(published.front(dataset, variant)) for variant in VARIANTS}
        first = (label(TITLES[dataset]), label("paper, Fig. 2"), label(_place(dataset, printed)))
        rows.append((*first, *_volumes(printed, "derived", {}), EMPTY))
    return Table(
        name="hypervolumes",
        title="Hypervolumes of the fronts",
        header=("data set", "from", "reference point", *NAMES.values(), "trials of each"),
        rows=tuple(rows),
        notes=(
            "Share of the box from zero to the reference point that a front dominates; larger is "
            f"better. The reference point is {REFERENCE_FACTOR} times the largest error and the "
            "largest time on any front of that row, so shares of different rows do not compare. "
            "One search each, so without spread. The paper prints no hypervolume: its row is "
            "computed here from points read off Figure 2; it searched QDI on Cu-Li alone.",
        ),
    )


def reference_point(
    points: Mapping[str, Float[np.ndarray, "points 2"]],
) -> Float[np.ndarray, " 2"] | None:
    """Returns the reference point of some fronts, None if all are empty."""
    full = [rows for rows in points.values() if len(rows)]
    return REFERENCE_FACTOR * np.max(np.concatenate(full), axis=0) if full else None


def _place(dataset: str, points: Mapping[str, Float[np.ndarray, "points 2"]]) -> str:
    """Writes the reference point."""
    reference = reference_point(points)
    assert reference is not None
    unit = "meV" if dataset == "qm9" else "meV/Å"
    return f"({cells.plain(reference[0])} {unit}, {cells.plain(reference[1])} s)"


def _volumes(
    points: Mapping[str, Float[np.ndarray, "points 2"]],
    origin: Origin,
    trials: Mapping[str, Sequence[Trial]],
) -> list[Cell]:
    """Returns the share of every variant; nothing if all fronts are empty."""
    reference = reference_point(points)
    if reference is None:
        return []
    made = []
    for variant, rows in points.items():
        if not len(rows):
            made.append(EMPTY)
            continue
        share = hypervolume(rows / reference, np.ones(2))
        origins = tuple(trial_link(trial) for trial in trials.get(variant, ()))
        made.append(Cell(f"{share:.3f}", origin, share, n=1, links=origins))
    return made
