"""docs/optimisers.md says what the runs beside it say, and these hold what is claimed."""

from __future__ import annotations

from collections import Counter

import pytest

from experiments.benchmarks import table
from experiments.optimisers import report, tasks
from experiments.optimisers.curves import Curve
from experiments.optimisers.results import COMPARISON, PUBLISHED
from samo_cobra import benchmark, problems
from tests.pages import DOCS

PAGE = (DOCS / "optimisers.md").read_text()
OURS = "samo-cobra"


def published(batch: int) -> list[list[str]]:
    """Rows of the table of the published problems, in the order of the problems."""
    runs = [s for s in PUBLISHED.read(DOCS / "published.csv") if s.batch == batch]
    return benchmark.rows(
        [s for name in problems.published_names() for s in runs if s.problem == name]
    )


@pytest.fixture(scope="module")
def compared() -> list[Curve]:
    curves = COMPARISON.read(DOCS / "comparison.csv")
    return [c for name in tasks.names() for c in curves if c.job.problem == name]


def test_the_table_of_the_published_problems_is_that_of_the_runs() -> None:
    assert table.markdown(benchmark.HEADER, published(1)) in PAGE


def test_the_table_of_batches_is_that_of_the_runs() -> None:
    for five, ten in zip(published(5), published(10), strict=True):
        cells = [five[0].split()[0], *five[2:5], *ten[2:5]]
        assert f"| {' | '.join(cells)} |" in PAGE


def test_the_published_medians_are_reached_alone_and_in_batches() -> None:
    summaries = PUBLISHED.read(DOCS / "published.csv")
    groups = Counter((s.problem, s.batch) for s in summaries)
    assert groups == {(n, b): 10 for n in problems.published_names() for b in (1, 5, 10)}
    for batch, allowed in ((1, -0.05), (5, 0.0), (10, 0.0)):
        differences = {row[0]: float(row[4].removesuffix("%")) for row in published(batch)}
        assert min(differences.values()) >= allowed, differences


def test_the_comparison_on_the_page_is_that_of_the_runs(compared: list[Curve]) -> None:
    header, rows = report.table(compared, 100, {})
    for row in (header, *rows):
        assert f"| {' | '.join(row[:-1])} |" in PAGE


def test_the_comparison_holds_what_is_claimed(compared: list[Curve]) -> None:
    groups = Counter((c.job.problem, c.job.method) for c in compared)
    assert set(groups.values()) == {5}
    assert len(groups) == 15 * 8
    found = {name: report.shares(compared, name, 100) for name in tasks.names()}
    assert sum(share[OURS] == 1.0 for share in found.values()) >= 12
    assert min(share[OURS] for share in found.values()) >= 0.97
    costs = {name: report.cpu_per_suggestion(compared, name) for name in (OURS, "optuna-gp")}
    assert costs[OURS] <= 0.1 * costs["optuna-gp"]
