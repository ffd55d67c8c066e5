"""Simulations in stages: each goes on where the one before ended, with another ensemble.

The two worked examples are such lists: aspirin at 300 K, and a copper-lithium interface that is
heated until the lithium melts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from allegro_jax import simulation

if TYPE_CHECKING:
    import ase

    from allegro_jax.committee import Committee
    from allegro_jax.potential import Potential
    from allegro_jax.simulation.ensembles import Ensemble


@dataclasses.dataclass(frozen=True)
class Stage:
    """A part of a simulation.

    Attributes:
        name: What pictures call it, and its folder.
        ensemble: What is held constant.
        steps: How many.
        interval: Steps between frames.
    """

    name: str
    ensemble: Ensemble
    steps: int
    interval: int = 20


@dataclasses.dataclass(frozen=True)
class Example:
    """A worked example.

    Attributes:
        title: Of its page.
        structure: As `structures.structure` takes it.
        repeat: Of the structure.
        timestep_fs: fs.
        stages: One after the other.
    """

    title: str
    structure: str
    repeat: tuple[int, int, int]
    timestep_fs: float
    stages: tuple[Stage, ...]


EXAMPLES = {
    "aspirin": Example(
        "Aspirin at 300 K",
        "rmd17-aspirin:0",
        (1, 1, 1),
        0.5,
        (
            Stage("equilibration", simulation.NVTLangevin(300.0, friction_per_fs=0.01), 10_000),
            Stage("constant energy", simulation.NVE(), 20_000),
        ),
    ),
    "melting": Example(
        "A copper-lithium interface, heated until the lithium melts",
        "culi:636",
        (2, 2, 1),
        2.0,
        (
            Stage("200 K", simulation.NVTLangevin(200.0), 2_000),
            Stage("800 K", simulation.NVTLangevin(800.0), 5_000),
        ),
    ),
}
"""Lithium melts at 454 K, copper at 1358 K."""

OnFrame = Callable[[str, "ase.Atoms", dict[str, float]], None]


def run_stages(
    potential: Potential | Committee,
    atoms: ase.Atoms,
    stages: Sequence[Stage],
    timestep_fs: float,
    workdir: Path,
    *,
    seed: int = 0,
    skin: float = 1.0,
    file_format: str = "traj",
    limits: simulation.Limits | None = None,
    on_frame: OnFrame | None = None,
) -> list[simulation.Trajectory]:
    """Runs stages, each in a folder of its name; what is there already is not computed again.

    Raises:
        ValueError: See `allegro_jax.simulation.run`.
        simulation.UnstableTrajectoryError: A stage explodes; those before are kept.
    """
    trajectories = []
    for number, stage in enumerate(stages):

        def report(frame: ase.Atoms, row: dict[str, float], name: str = stage.name) -> None:
            if on_frame is not None:
                on_frame(name, frame, row)

        trajectory = simulation.run(
            potential,
            atoms,
            stage.ensemble,
            steps=stage.steps,
            timestep_fs=timestep_fs,
            interval=stage.interval,
            workdir=workdir / stage.name.replace(" ", "-"),
            file_format=file_format,  # type: ignore[arg-type]
            seed=seed + number,
            skin=skin,
            limits=limits or simulation.Limits(),
            on_frame=report,
        )
        trajectories.append(trajectory)
        atoms = trajectory.atoms
    return trajectories
