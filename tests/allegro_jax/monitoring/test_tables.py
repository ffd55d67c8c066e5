"""Tables hold every row once, however often a run was taken up."""

from pathlib import Path

import pytest

from allegro_jax.monitoring.tables import GrowingTable, read_table


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "table.csv"


def test_rows_after_the_checkpoint_are_written_once(path: Path) -> None:
    for first, last in ((1, 6), (4, 8)):  # killed after 5, taken up after 3
        table = GrowingTable(path, "step")
        for step in range(first, last):
            table.append({"step": step, "loss": 10.0 * first + step})
    rows = read_table(path)
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert [row["loss"] for row in rows] == [11, 12, 13, 44, 45, 46, 47]


def test_a_line_that_was_cut_off_is_dropped(path: Path) -> None:
    table = GrowingTable(path, "step")
    for step in (1, 2):
        table.append({"step": step, "loss": 0.5})
    path.write_text(path.read_text() + "3,0.")
    GrowingTable(path, "step").append({"step": 4, "loss": 0.25})
    assert [row["step"] for row in read_table(path)] == [1, 2, 4]


def test_numbers_are_read_back_to_the_last_bit(path: Path) -> None:
    GrowingTable(path, "step").append({"step": 1, "loss": 0.1 + 0.2})
    assert read_table(path) == [{"step": 1.0, "loss": 0.1 + 0.2}]


def test_new_columns_widen_the_table(path: Path) -> None:
    table = GrowingTable(path, "epoch")
    table.append({"epoch": 1, "loss": 3.0})
    table.append({"epoch": 2, "loss": 2.0, "forces_mae": 0.1})
    table.append({"epoch": 3, "loss": 1.0})
    first, second, third = read_table(path)
    assert second == {"epoch": 2, "loss": 2.0, "forces_mae": 0.1}
    assert first == {"epoch": 1, "loss": 3.0}
    assert third == {"epoch": 3, "loss": 1.0}


def test_a_table_without_rows_leaves_no_file(path: Path) -> None:
    GrowingTable(path, "epoch")
    assert not path.exists()
    assert read_table(path) == []
