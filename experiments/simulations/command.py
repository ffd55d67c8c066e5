"""The stages of an example from a folder and a name to a page."""

from __future__ import annotations

from pathlib import Path

from allegro_jax.committee import load_potential
from experiments.simulations.report import write_report
from experiments.simulations.stages import Example, run_stages
from experiments.simulations.structures import structure


def simulate(potential: str, example: Example, workdir: Path, **options: object) -> Path:
    """Runs the stages of an example and writes the page; returns its path.

    Args:
        potential: Folder of a potential or committee.
        example: Structure and stages.
        workdir: Folder of the run.
        **options: Of `experiments.simulations.stages.run_stages`.

    Raises:
        ValueError: A potential, structure or setting that cannot be used.
        allegro_jax.simulation.UnstableTrajectoryError: The simulation explodes.
    """
    loaded, atoms = load_potential(potential), structure(example.structure, example.repeat)
    trajectories = run_stages(
        loaded,
        atoms,
        example.stages,
        example.timestep_fs,
        workdir,
        **options,  # type: ignore[arg-type]
    )
    names = [stage.name for stage in example.stages]
    return write_report(workdir, example.title, names, trajectories)
