"""Molecular dynamics of a 1,000-atom copper-lithium cell by several engines, in one run.

    python -m experiments.benchmark_md --workdir=runs/benchmark_md
    python -m experiments.benchmark_md --workdir=DIR --potential=OTHER/potential --steps=500

Without `--potential`, one is trained on `culi` first (preset tiny, two minutes) and kept in the
work directory. 10 ps of Langevin dynamics run through jax-md and through the library's own loop;
ASE with our calculator and nequip's PyTorch calculator (with the same weights, where
`.venv-peers/nequip` is there) are timed for fewer steps. Prints a JSON line for each engine, and a
table; `measurements.jsonl` in the work directory gets the lines.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from absl import app, flags

from experiments import runtime

if TYPE_CHECKING:
    from allegro_jax.potential import Potential

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder for the potential and the results.")
_POTENTIAL = flags.DEFINE_string("potential", None, "Folder of a potential for Cu and Li.")
_MINUTES = flags.DEFINE_float("minutes", 2.0, "Of training, without `--potential`.")
_ENGINES = flags.DEFINE_list(
    "engines", ["all"], "Of: jax-md, own-loop, ASE, nequip, nequip-compiled, or all."
)
_STEPS = flags.DEFINE_integer("steps", 5000, "Of jax-md and of the own loop.", 1)
_SLOW_STEPS = flags.DEFINE_integer("slow_steps", 250, "Of ASE and of nequip.", 1)
_REPEAT = flags.DEFINE_list("repeat", ["4", "3", "1"], "Copies of the 84-atom interface.")
_TEMPERATURE = flags.DEFINE_float("temperature", 400.0, "K.")
_TIMESTEP = flags.DEFINE_float("timestep", 2.0, "fs.")
_PLATFORM = flags.DEFINE_enum("platform", "cpu", ["cpu", "gpu"], "Of the peers.")
flags.mark_flag_as_required("workdir")


def potential_of(folder: str | None, workdir: Path, minutes: float) -> Potential:
    """Loads a potential, or trains the one of the benchmark."""
    import allegro_jax as aj

    if folder is not None:
        return aj.Potential.load(folder)
    result = aj.fit("culi", preset="tiny", workdir=workdir / "training", minutes=minutes)
    return result.potential


def measure(potential: Potential, workdir: Path) -> list[dict]:
    """Measures by the engines of the flags; prints and keeps every line as it comes.

    Raises:
        ValueError: A flag names something unknown.
    """
    from experiments.simulations import comparison
    from experiments.simulations.structures import interface

    engines = list(comparison.ENGINES) if _ENGINES.value == ["all"] else _ENGINES.value
    settings = comparison.Settings(
        temperature_K=_TEMPERATURE.value,
        timestep_fs=_TIMESTEP.value,
        steps=_STEPS.value,
        slow_steps=_SLOW_STEPS.value,
        platform=_PLATFORM.value,
    )
    repeat = tuple(int(number) for number in _REPEAT.value)
    atoms = interface(repeat)  # type: ignore[arg-type]
    lines = []
    for line in comparison.measurements(potential, atoms, settings, engines, _note):
        lines.append(line)
        words = json.dumps(line)
        print(words, flush=True)
        with (workdir / "measurements.jsonl").open("a") as file:
            file.write(words + "\n")
    return lines


def _note(message: str) -> None:
    print(f"note: {message}", file=sys.stderr, flush=True)


def main(_: list[str]) -> None:
    """Measures and prints the table."""
    runtime.set_up()
    from experiments.benchmarks import processes, table  # quick `--help`
    from experiments.simulations import comparison

    workdir = Path(_WORKDIR.value)
    workdir.mkdir(parents=True, exist_ok=True)
    try:
        potential = potential_of(_POTENTIAL.value, workdir, _MINUTES.value)
        lines = measure(potential, workdir)
    except (ValueError, OSError, processes.MeasurementError) as error:
        sys.exit(f"error: {error}")
    print("\n" + table.text(comparison.HEADER, comparison.rows(lines)))


if __name__ == "__main__":
    app.run(main)
