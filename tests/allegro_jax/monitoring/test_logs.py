"""Every place that a training is logged to shows every step once."""

import errno
import struct
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from allegro_jax.monitoring.callbacks import Callback
from allegro_jax.monitoring.logs import CsvLog, ScalarLog
from allegro_jax.monitoring.services import TensorBoard, WandB
from allegro_jax.monitoring.tables import read_table
from allegro_jax.training.progress import Progress


def watch(callback: Callback, epoch: int, steps: range, ends: bool = True) -> None:
    """Tells of the steps of an epoch of four, one by one."""
    for step in steps:
        callback.on_progress(Progress(epoch, 9, step, 4, 1.0 / step, 1e-3, 50.0, 1.0 * step, 9.0))
    if ends:
        errors = {"forces_mae": 0.1 / epoch, "energy_mae": 0.2, "hot/forces_mae": 0.3}
        callback.on_epoch({"epoch": epoch, "step": 4.0 * epoch, "loss": 1.0, **errors})


def interrupted_run(make) -> None:
    """A run that is killed in its third epoch and taken up after the first."""
    log = make()
    watch(log, 1, range(1, 5))
    watch(log, 2, range(1, 5))
    watch(log, 3, range(1, 3), ends=False)
    log.close()
    log = make()
    for epoch in (2, 3):
        watch(log, epoch, range(1, 5))
    log.close()


def test_csv_files_hold_epochs_and_steps_once(tmp_path: Path) -> None:
    interrupted_run(lambda: CsvLog(tmp_path))
    epochs, steps = (read_table(tmp_path / f"{name}.csv") for name in ("epochs", "steps"))
    assert [row["epoch"] for row in epochs] == [1, 2, 3]
    assert [row["step"] for row in steps] == list(range(1, 13))
    assert {"loss", "learning_rate", "structures_per_s", "seconds"} <= set(steps[0])
    assert epochs[1]["forces_mae"] == 0.05


def test_a_disk_that_is_full_for_a_while_costs_the_tables_no_row(
    tmp_path: Path, monkeypatch
) -> None:
    """The disk takes half a row before it is full."""
    log, real = CsvLog(tmp_path), Path.open

    def full(path: Path, mode: str = "r", **options: Any) -> Any:
        if mode == "a":
            with real(path, mode) as file:
                file.write("3,0.")
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, mode, **options)

    watch(log, 1, range(1, 5))
    monkeypatch.setattr(Path, "open", full)
    with pytest.warns(RuntimeWarning, match="made up for later"):
        watch(log, 2, range(1, 5))
    monkeypatch.undo()
    watch(log, 3, range(1, 5))
    epochs, steps = (read_table(tmp_path / f"{name}.csv") for name in ("epochs", "steps"))
    assert [row["epoch"] for row in epochs] == [1, 2, 3]
    assert [row["step"] for row in steps] == list(range(1, 13))
    assert epochs[1]["forces_mae"] == 0.05


def test_a_service_that_cannot_write_does_not_end_a_training() -> None:
    class Full:
        def write(self, *_: Any) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            pass

    with pytest.warns(RuntimeWarning, match="Full misses step 1") as warned:
        watch(ScalarLog(Full()), 1, range(1, 5))
    assert len(warned) == 1


def records(path: Path) -> list[Any]:
    """The events of a file: TFRecord frames of length, checksum, event, checksum."""
    from tensorboardX.proto.event_pb2 import Event

    data, events = path.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        events.append(Event.FromString(data[12 : 12 + length]))
        data = data[16 + length :]
    return events


def shown_by_tensorboard(folder: Path, tag: str) -> dict[int, list[float]]:
    """What TensorBoard shows: a start of a session makes it forget the steps from there on."""
    shown: dict[int, list[float]] = {}
    for path in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns):
        for event in records(path):
            if event.HasField("session_log"):
                shown = {step: values for step, values in shown.items() if step < event.step}
            for value in event.summary.value:
                if value.tag == tag:
                    shown.setdefault(event.step, []).append(value.simple_value)
    return shown


def test_tensorboard_shows_every_step_once(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    interrupted_run(lambda: ScalarLog(TensorBoard(tmp_path)))
    losses = shown_by_tensorboard(tmp_path, "train/loss")
    assert sorted(losses) == list(range(1, 13))
    assert all(len(values) == 1 for values in losses.values())
    errors = shown_by_tensorboard(tmp_path, "valid/forces_mae_meV")
    assert errors == {4: [100.0], 8: [50.0], 12: [pytest.approx(100.0 / 3.0)]}


class FakeRun:
    def __init__(self, **options: Any) -> None:
        self.options, self.rows, self.finished = options, [], False

    def log(self, values: dict[str, float], step: int) -> None:
        self.rows.append((step, values))

    def finish(self) -> None:
        self.finished = True


@pytest.fixture
def wandb_runs(monkeypatch: pytest.MonkeyPatch) -> list[FakeRun]:
    runs: list[FakeRun] = []

    def init(**options: Any) -> FakeRun:
        runs.append(FakeRun(**options))
        return runs[-1]

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=init))
    return runs


def test_weights_and_biases_goes_on_with_the_same_run(
    tmp_path: Path, wandb_runs: list[FakeRun]
) -> None:
    interrupted_run(lambda: ScalarLog(WandB("potentials", tmp_path, {"preset": "small"})))
    first, second = (run.options for run in wandb_runs)
    assert first == second
    assert first["project"] == "potentials"
    assert first["resume"] == "allow"
    assert first["config"] == {"preset": "small"}
    sent = [[step for step, _ in run.rows] for run in wandb_runs]
    assert sent == [[1, 2, 3, 4, 4, 5, 6, 7, 8, 8, 9, 10], [11, 12, 12]]  # 4, 8, 12: validations
    assert wandb_runs[0].rows[9][1] == {
        "valid/epoch": 2, "valid/forces_mae_meV": 50, "valid/energy_mae_meV": 200,
        "valid/hot/forces_mae_meV": 300,
    }  # fmt: skip
    assert all(run.finished for run in wandb_runs)


def test_a_killed_run_of_weights_and_biases_misses_no_step(
    tmp_path: Path, wandb_runs: list[FakeRun]
) -> None:
    for first in (1, 2):  # the first is killed after its third step, and not closed
        log = ScalarLog(WandB("potentials", tmp_path, {}))
        watch(log, 1, range(first, 4), ends=False)
    watch(log, 1, range(4, 5))
    sent = [[step for step, _ in run.rows] for run in wandb_runs]
    assert sent == [[1, 2, 3], [3, 4, 4]]  # of 3 nobody knows whether all of it was sent


def test_no_run_begins_before_there_is_something_to_log(
    tmp_path: Path, wandb_runs: list[FakeRun]
) -> None:
    ScalarLog(WandB("potentials", tmp_path, {})).close()
    assert not wandb_runs


@pytest.mark.parametrize(
    ("module", "make"),
    [("wandb", lambda path: WandB("potentials", path, {})), ("tensorboardX", TensorBoard)],
)
def test_a_missing_package_is_named_with_its_command(
    module: str, make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=rf"{module}.*pip install 'allegro-jax\["):
        make(tmp_path)
