"""Trainings with and without repulsion, and what each says about atoms that meet."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from allegro_jax.datasets import load
from allegro_jax.fitting import fit
from experiments.repulsion.scan import Hole, approach_energies, closest_pairs, deepest_hole

if TYPE_CHECKING:
    from allegro_jax.potential import Potential

REPULSIONS: dict[str, str | None] = {"none": None, "zbl": "zbl", "zbl-covalent": "zbl-covalent"}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one training says.

    Attributes:
        repulsion: Of `REPULSIONS`.
        seed: Of the training.
        forces_mae: Of the test set, eV/Å.
        energy_mae: Of the test set, eV.
        holes: By pair of elements: the deepest hole of each structure that was tried.
        curves: By pair of elements: distances (Å) and energies (eV) of the first structure.
    """

    repulsion: str
    seed: int
    forces_mae: float
    energy_mae: float
    holes: dict[str, tuple[Hole, ...]]
    curves: dict[str, tuple[list[float], list[float]]]

    @property
    def worst(self) -> tuple[str, Hole]:
        """The pair with the deepest hole, and that hole."""
        deepest = {pair: max(holes) for pair, holes in self.holes.items()}
        pair = max(deepest, key=lambda name: deepest[name])
        return pair, deepest[pair]

    @property
    def walls(self) -> dict[str, float]:
        """Least energy of each pair at the closest distance, eV above the beginning."""
        return {pair: min(hole.wall for hole in holes) for pair, holes in self.holes.items()}

    def with_holes(self, depth: float) -> tuple[int, int]:
        """Returns how many approaches have a hole deeper than `depth` (eV), and of how many."""
        depths = np.array([hole.depth for holes in self.holes.values() for hole in holes])
        return int((depths > depth).sum()), len(depths)


def compare(
    dataset: str,
    workdir: str | Path,
    *,
    preset: str,
    epochs: int,
    seeds: int,
    structures: int,
    closest: float,
    settings: dict[str, Any] | None = None,
) -> list[Outcome]:
    """Trains with every repulsion and several seeds, and pushes atoms of test structures together.

    Trainings that are done in `workdir` are not made again.

    Args:
        dataset: Registered name, or a file.
        workdir: Folder of the trainings.
        preset: Of `allegro_jax.fit`.
        epochs: Of every training, whatever time they take.
        seeds: Trainings of each kind.
        structures: Test structures whose atoms are pushed together.
        closest: Distance to which they are, Å.
        settings: Other settings than the preset's.

    Raises:
        ValueError: See `allegro_jax.fit` and `approach_energies`.
    """
    data, outcomes = load(dataset), []
    for seed in range(seeds):
        for name, repulsion in REPULSIONS.items():
            result = fit(
                data,
                preset,
                Path(workdir) / f"{name}-{seed}",
                seed=seed,
                tensorboard=False,
                pair_potential=repulsion,
                **{"max_epochs": epochs, "time_limit_s": None, **(settings or {})},
            )
            tried = [result.splits.test.to_atoms(k) for k in range(structures)]
            holes, curves = scan(result.potential, tried, closest)
            errors = result.test["forces_mae"], result.test["energy_mae"]
            outcomes.append(Outcome(name, seed, *errors, holes, curves))
    return outcomes


def scan(
    potential: Potential, tried: list, closest: float
) -> tuple[dict[str, tuple[Hole, ...]], dict[str, tuple[list[float], list[float]]]]:
    """Returns the deepest hole of every pair of elements in structures, and the first curves."""
    holes: dict[str, list[Hole]] = {}
    curves: dict[str, tuple[list[float], list[float]]] = {}
    for atoms in tried:
        for name, pair in closest_pairs(atoms).items():
            distances, energies = approach_energies(potential, atoms, pair, closest)
            holes.setdefault(name, []).append(deepest_hole(distances, energies))
            curves.setdefault(name, (distances.tolist(), energies.tolist()))
    return {name: tuple(found) for name, found in holes.items()}, curves
