"""A file is the old one or the new one, and nothing else is left beside it."""

import errno
import os
from pathlib import Path

import pytest

from allegro_jax.files import replace_file, write_json


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json(tmp_path / "kept.json", {"old": 1})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(tmp_path / "kept.json", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["kept.json"]
    assert (tmp_path / "kept.json").read_text() == '{\n "old": 1\n}\n'


def test_folders_are_made_and_others_may_read(tmp_path: Path) -> None:
    replace_file(tmp_path / "a" / "b" / "c", b"x")
    assert (tmp_path / "a" / "b" / "c").stat().st_mode & 0o777 == 0o644


def test_values_that_are_no_json_leave_the_old_file(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"x": 1})
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(tmp_path / "a.json", {"x": object()})
    assert (tmp_path / "a.json").read_text() == '{\n "x": 1\n}\n'
