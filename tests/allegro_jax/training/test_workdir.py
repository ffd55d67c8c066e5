"""A work directory is refused at once where it cannot be used."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from allegro_jax.training.workdir import claimed

HOLDER = """
import fcntl, os, signal, sys
file = open(sys.argv[1], "a+")
fcntl.flock(file, fcntl.LOCK_EX)
file.write('{"pid": %d, "host": "elsewhere", "since": "2026-01-01"}' % os.getpid())
file.flush()
print("held", flush=True)
signal.pause()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen]:
    """Another process that trains in `tmp_path`."""
    command = [sys.executable, "-S", "-c", HOLDER, str(tmp_path / "run.lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_training_in_a_work_directory_is_refused(tmp_path: Path, holder) -> None:
    with (
        pytest.raises(ValueError, match=f"process {holder.pid} on elsewhere, since 2026.* use ano"),
        claimed(tmp_path),
    ):
        pass


def test_what_a_killed_training_left_is_taken_over(tmp_path: Path, holder) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "run.lock").read_text()
    with claimed(tmp_path):
        assert f'"pid": {os.getpid()}' in (tmp_path / "run.lock").read_text()
        with pytest.raises(ValueError, match=f"process {os.getpid()} on"), claimed(tmp_path):
            pass
    with claimed(tmp_path):
        pass


def test_a_file_is_no_work_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(ValueError, match="is a file, or lies in one; give the name"):
            claimed(path).__enter__()
    assert (tmp_path / "file").read_text() == "mine"


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder that this process may not write; root becomes nobody for it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)


def test_a_folder_that_cannot_be_written_is_refused(read_only: Path) -> None:
    for path in (read_only, read_only / "run"):
        with pytest.raises(ValueError, match="cannot be written: Permission denied; choose"):
            claimed(path).__enter__()
