"""Memory is read from the system, and from the container where there is one."""

from pathlib import Path

import pytest

from allegro_jax import memory


def test_what_is_free_is_part_of_what_is_there() -> None:
    available, free = memory.available_bytes(), memory.free_bytes()
    assert available is not None
    assert free is not None
    assert 0 <= free <= available


@pytest.mark.parametrize(
    ("limit", "used", "folder"),
    [("memory.max", "memory.current", ""), ("limit_in_bytes", "usage_in_bytes", "memory/memory.")],
)
def test_a_container_may_have_less(
    limit: str, used: str, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory").mkdir()
    stat = tmp_path / ("memory/memory.stat" if folder else "memory.stat")
    (tmp_path / f"{folder}{limit}").write_text("3000000\n")
    (tmp_path / f"{folder}{used}").write_text("2500000\n")
    stat.write_text("cache 9\ninactive_file 400000\n")
    monkeypatch.setattr(memory, "_CONTROL_GROUPS", tmp_path)
    assert memory.available_bytes() == 3_000_000
    assert memory.free_bytes() == 900_000  # files in memory are given up for the asking


@pytest.mark.parametrize(
    ("size", "words"), [(38_400_000, "38.4 MB"), (1_250_000_000, "1.25 GB"), (3e16, "3.0e+07 GB")]
)
def test_sizes_are_written_as_people_read_them(size: float, words: str) -> None:
    assert memory.gigabytes(size) == words
