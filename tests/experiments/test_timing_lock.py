"""While one process times, the trainings of its host pause, and nobody waits for the dead."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from experiments.timing_lock import exclusive, shared

ROOT = Path(__file__).parents[2]

# Says "trains" while it has its share, and pauses when asked to.
TRAINING = """
import sys, time
from pathlib import Path
from experiments.timing_lock import shared
with shared(Path(sys.argv[1])) as share:
    print("trains", flush=True)
    while True:
        time.sleep(float(sys.argv[2]))
        share.pause()
        Path(sys.argv[3]).write_text(str(time.monotonic()))
"""


def training(path: Path, beat: Path, step_s: float = 0.02) -> subprocess.Popen:
    command = [sys.executable, "-c", TRAINING, str(path), str(step_s), str(beat)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "trains\n"
    return process


def beats(*files: Path) -> list[str]:
    return [file.read_text() if file.exists() else "" for file in files]


def test_trainings_pause_for_a_timing_and_go_on(tmp_path: Path) -> None:
    lock, files = tmp_path / "lock", (tmp_path / "a", tmp_path / "b")
    processes = [training(lock, file) for file in files]
    try:
        with exclusive(lock) as alone:
            assert alone
            during = beats(*files)
            time.sleep(0.3)
            assert beats(*files) == during
        deadline = time.monotonic() + 20
        while any(b == d for b, d in zip(beats(*files), during, strict=True)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_nobody_waits_for_the_dead_nor_for_ever(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    process = training(lock, tmp_path / "beat", step_s=600.0)
    with exclusive(lock, patience_s=0.05) as alone:
        assert not alone
    process.kill()
    process.communicate()
    with exclusive(lock, patience_s=20.0) as alone:
        assert alone


def test_the_timing_of_a_training_thread_does_not_wait_for_its_own_share(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with shared(lock) as share:
        with exclusive(lock, patience_s=5.0) as alone:
            assert alone
        # The share is taken again: a timing of somebody else has to wait.
        other = []

        def time_elsewhere() -> None:
            with exclusive(lock, patience_s=0.05) as alone:
                other.append(alone)

        thread = threading.Thread(target=time_elsewhere)
        thread.start()
        thread.join()
        assert other == [False]
        assert share.paused_s == 0.0


def test_a_lock_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ValueError, match=r"config\.timing\.lock_file"),
        exclusive(tmp_path / "file" / "x"),
    ):
        pass
