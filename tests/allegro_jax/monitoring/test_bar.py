"""What a person reads while a training runs."""

import io
import math

import pytest

from allegro_jax.monitoring.bar import ProgressBar, description, duration, share, status
from allegro_jax.training import Footprint
from allegro_jax.training.progress import Progress

PROGRESS = Progress(
    epoch=12, max_epochs=1000, step=95, steps_per_epoch=190, loss=0.01234, learning_rate=1e-3,
    structures_per_s=512.3, elapsed_s=360.0, remaining_s=1440.0,
)  # fmt: skip
ROW = {"forces_mae": 0.0231, "energy_mae": 0.05, "energy_per_atom_mae": 0.0021, "loss": 0.1}
FOOTPRINT = Footprint(
    parameters=12345, edges_per_atom=17.26, structures=950, batch_size=5, steps_per_epoch=190,
    padding_waste=0.08, compilations=1, compile_s=4.2, resident_bytes=3 * 10**6,
    step_bytes=120 * 10**6, available_bytes=16 * 10**9, free_bytes=8 * 10**9,
)  # fmt: skip


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line_says_where_the_run_is_in_usual_units() -> None:
    line = status(PROGRESS, "forces 23.1 meV/Å", structures=102_460)
    parts = ["epoch 12 of 1,000", "step 95/190", "loss 0.0123", "24 min left"]
    parts += ["valid forces 23.1 meV/Å", "512 structures/s, 3 min an epoch"]
    assert all(part in line for part in parts)


def test_the_bar_measures_time_and_shows_errors() -> None:
    terminal = Terminal()
    bar = ProgressBar(terminal)
    bar.on_start(FOOTPRINT)
    bar.on_epoch(ROW)
    bar.on_progress(PROGRESS)
    bar.close()
    shown = terminal.getvalue()
    assert "20%" in shown  # 6 of 30 minutes
    assert "forces 23.1 meV/Å, energy 50 meV, energy 2.1 meV/atom" in shown
    assert "12,345 parameters" in shown


def test_without_a_terminal_lines_are_rare_and_plain() -> None:
    file = io.StringIO()
    bar = ProgressBar(file, interval_s=1e6)
    for _ in range(3):
        bar.on_progress(PROGRESS)
    bar.close()
    assert file.getvalue().count("epoch 12 of 1,000") == 1
    assert "\r" not in file.getvalue()


def test_a_remaining_time_that_is_not_known_is_not_shown() -> None:
    unknown = Progress(1, 10, 1, 4, 0.5, 1e-3, 10.0, 1.0, math.nan)
    assert "left" not in status(unknown)
    assert share(unknown) == 0.0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.4, "0.4 s"),
        (45, "45 s"),
        (720, "12 min"),
        (12_000, "3 h 20 min"),
        (187_200, "2 d 4 h"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_the_description_names_memory_padding_and_compilation() -> None:
    text = description(FOOTPRINT)
    for part in (
        "17.3 edges per atom",
        "8 % of the edges",
        "123 MB of memory",
        "of 16 GB",
        "4.2 s",
    ):
        assert part in text
