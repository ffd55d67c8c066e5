r"""Molecular dynamics with any potential, on the device.

    python -m experiments.simulate --potential=DIR/potential --structure=my.cif --workdir=RUN
    python -m experiments.simulate --potential=DIR/potential --structure=culi:636 --repeat=2,2,1 \
        --ensemble=npt --temperature=300 --pressure=1 --steps=10000 --timestep=2 --workdir=RUN
    python -m experiments.simulate --potential=DIR/potential --example=aspirin --workdir=RUN
    python -m experiments.simulate --potential=DIR/potential --example=melting --workdir=RUN

Run it again to go on with a simulation that was stopped, or with more `--steps`. The work directory
receives frames, log and state of every stage, and `simulation.html` with temperature, energy drift
and radial distributions. docs/simulations.md has the ensembles and the limits beyond which a
simulation is stopped.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from absl import app, flags

from experiments import runtime

if TYPE_CHECKING:
    import ase

    from experiments.simulations.stages import Example

_POTENTIAL = flags.DEFINE_string("potential", None, "Folder of a saved potential or committee.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; made when missing.")
_EXAMPLE = flags.DEFINE_enum("example", None, ["aspirin", "melting"], "A worked example.")
_STRUCTURE = flags.DEFINE_string(
    "structure", None, "File that ASE reads, or frame of a data set such as culi:636."
)
_REPEAT = flags.DEFINE_list("repeat", None, "Copies along the lattice vectors, such as 2,2,1.")
_ENSEMBLE = flags.DEFINE_enum(
    "ensemble", "langevin", ["nve", "langevin", "nose-hoover", "npt"], "What is held constant."
)
_TEMPERATURE = flags.DEFINE_float("temperature", 300.0, "K; of NVE, that of the first momenta.")
_FRICTION = flags.DEFINE_float("friction", 0.01, "Of Langevin and NPT, per fs.")
_PERIOD = flags.DEFINE_float("period", 100.0, "Of the Nosé-Hoover chain, fs.")
_PRESSURE = flags.DEFINE_float("pressure", 1.0, "Of NPT, bar.")
_BAROSTAT = flags.DEFINE_float("barostat_time", 1000.0, "In which the volume relaxes, fs.")
_COMPRESSIBILITY = flags.DEFINE_float("compressibility", 1e-6, "Of the atoms, roughly; per bar.")
_STEPS = flags.DEFINE_integer("steps", None, "In all; of an example, of each stage.", 0)
_TIMESTEP = flags.DEFINE_float("timestep", None, "fs; by default 0.5, or that of the example.")
_INTERVAL = flags.DEFINE_integer("interval", None, "Steps between frames; by default 20.", 1)
_SKIN = flags.DEFINE_float("skin", 1.0, "Å by which neighbour lists exceed the cutoff.")
_SEED = flags.DEFINE_integer("seed", 0, "Of momenta and noise.")
_FORMAT = flags.DEFINE_enum("format", "traj", ["traj", "extxyz"], "Of the frames.")
_HOTTEST = flags.DEFINE_float("max_temperature", 20_000.0, "K, beyond which it is stopped.")
flags.mark_flags_as_required(["potential", "workdir"])
flags.mark_flags_as_mutual_exclusive(["example", "structure"], required=True)


def chosen() -> Example:
    """What the flags describe: an example, perhaps with other numbers, or one stage."""
    import dataclasses

    from experiments.simulations.stages import EXAMPLES, Example, Stage

    if _EXAMPLE.value:
        example = EXAMPLES[_EXAMPLE.value]
        stages = tuple(
            dataclasses.replace(
                stage,
                steps=stage.steps if _STEPS.value is None else _STEPS.value,
                interval=_INTERVAL.value or stage.interval,
            )
            for stage in example.stages
        )
        repeat = _repeat() or example.repeat
        timestep = _TIMESTEP.value or example.timestep_fs
        return dataclasses.replace(example, stages=stages, repeat=repeat, timestep_fs=timestep)
    stage = Stage(
        _ENSEMBLE.value,
        _ensemble(),
        1000 if _STEPS.value is None else _STEPS.value,
        _INTERVAL.value or 20,
    )
    title = f"{_STRUCTURE.value}: {_ENSEMBLE.value}"
    repeat = _repeat() or (1, 1, 1)
    return Example(title, _STRUCTURE.value, repeat, _TIMESTEP.value or 0.5, (stage,))


def _repeat() -> tuple[int, int, int] | None:
    if _REPEAT.value is None:
        return None
    numbers = tuple(int(text) for text in _REPEAT.value if text.isdigit())
    if len(numbers) != 3 or not all(numbers):
        raise ValueError(
            f"--repeat takes three numbers above zero, such as 2,2,1; came "
            f"{','.join(_REPEAT.value)}"
        )
    return numbers


def _ensemble() -> object:
    from allegro_jax import simulation

    kelvin, friction = _TEMPERATURE.value, _FRICTION.value
    if _ENSEMBLE.value == "nve":
        return simulation.NVE(kelvin)
    if _ENSEMBLE.value == "langevin":
        return simulation.NVTLangevin(kelvin, friction)
    if _ENSEMBLE.value == "nose-hoover":
        return simulation.NVTNoseHoover(kelvin, _PERIOD.value)
    return simulation.NPT(
        kelvin, _PRESSURE.value, friction, _BAROSTAT.value, _COMPRESSIBILITY.value
    )


def _say(stage: str, frame: ase.Atoms, row: dict[str, float]) -> None:
    """A line for every frame."""
    energy = (row["potential_eV"] + row["kinetic_eV"]) / len(frame)
    pressure = f"  {row['pressure_bar']:10.0f} bar" if frame.pbc.all() else ""
    print(
        f"{stage}  {row['time_fs'] / 1000:9.3f} ps  {row['temperature_K']:7.1f} K  "
        f"{energy:12.5f} eV/atom{pressure}",
        flush=True,
    )


def main(_: list[str]) -> None:
    """Runs what the flags describe."""
    runtime.set_up()
    from allegro_jax.simulation import Limits, UnstableTrajectoryError
    from experiments.simulations.command import simulate

    workdir = Path(_WORKDIR.value)
    try:
        page = simulate(
            _POTENTIAL.value,
            chosen(),
            workdir,
            seed=_SEED.value,
            skin=_SKIN.value,
            file_format=_FORMAT.value,
            limits=Limits(temperature_K=_HOTTEST.value),
            on_frame=_say,
        )
    except (ValueError, UnstableTrajectoryError) as error:
        sys.exit(f"error: {error}")
    print(f"\n{page}")


if __name__ == "__main__":
    app.run(main)
