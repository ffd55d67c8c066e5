"""How structures are moved: relaxed, or molten and quenched; each yields labelled frames."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import ase.units
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.md.nose_hoover_chain import NoseHooverChainNVT
from ase.optimize import FIRE
from jaxtyping import Float

from experiments.culi_recipe.recipe import Recipe
from experiments.culi_recipe.recording import RecordedCalculator
from experiments.culi_recipe.slabs import hold_middle

_DAMPING = 50  # steps, the time scale of the thermostat


def relaxed(atoms: Atoms, calculator: RecordedCalculator, recipe: Recipe) -> Iterator[Atoms]:
    """Yields frames of a relaxation of the outer layers: the first, some, and the last."""
    moving = hold_middle(atoms.copy(), recipe.relaxed_layers)
    moving.calc = calculator
    optimiser = FIRE(moving, logfile=None)
    steps = optimiser.irun(fmax=recipe.fmax, steps=recipe.relax_steps)
    last = None
    for step, _ in enumerate(steps):
        last = labelled(moving, step=step)
        if step % recipe.relax_interval == 0:
            yield last
            last = None
    if last is not None:
        yield last


def quenched(
    atoms: Atoms, calculator: RecordedCalculator, recipe: Recipe, name: str
) -> Iterator[Atoms]:
    """Yields frames of a melt at `hold_temperature` that is cooled at constant volume."""
    moving = atoms.copy()
    moving.calc = calculator
    rng = np.random.default_rng([recipe.seed, zlib.crc32(name.encode())])
    moving.set_momenta(_momenta(moving, recipe.hold_temperature, rng))
    timestep = recipe.timestep_fs * ase.units.fs
    dynamics = RampedNoseHoover(moving, timestep, recipe.hold_temperature, _DAMPING * timestep)
    for step in range(recipe.hold_steps + recipe.quench_steps + 1):
        if step:
            dynamics.set_temperature(target(step, recipe))
            dynamics.run(1)
        if step % recipe.frame_interval == 0:
            yield labelled(moving, step=step, target_K=target(step, recipe))


def _momenta(
    atoms: Atoms, temperature: float, rng: np.random.Generator
) -> Float[np.ndarray, "atoms 3"]:
    """Draws from Maxwell and Boltzmann's distribution, and takes out the drift."""
    masses = atoms.get_masses()[:, None]
    momenta = rng.standard_normal((len(atoms), 3)) * np.sqrt(masses * ase.units.kB * temperature)
    return momenta - masses * momenta.sum(axis=0) / masses.sum()


def target(step: int, recipe: Recipe) -> float:
    """Returns the temperature of the thermostat at a step, K."""
    cooling = max(step - recipe.hold_steps, 0) / max(recipe.quench_steps, 1)
    return recipe.hold_temperature + cooling * (recipe.final_temperature - recipe.hold_temperature)


class RampedNoseHoover(NoseHooverChainNVT):
    """ASE's Nosé-Hoover chain, whose temperature may change as it runs."""

    def set_temperature(self, temperature_K: float) -> None:
        """Sets the temperature; the masses of the chain follow, its momenta stay."""
        chain = self._thermostat
        ratio = ase.units.kB * temperature_K / chain._kT
        chain._kT *= ratio
        chain._Q *= ratio


def labelled(atoms: Atoms, **info: Any) -> Atoms:
    """Returns a copy with the labels of the calculator, and forces on atoms that are held too."""
    frame = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    results = {"forces": atoms.get_forces(apply_constraint=False)}
    results["energy"] = atoms.get_potential_energy()
    if "stress" in atoms.calc.results:
        results["stress"] = atoms.calc.results["stress"]
    frame.calc = SinglePointCalculator(frame, **results)
    frame.info.update(info)
    if "target_K" in info:
        frame.info["temperature_K"] = round(float(atoms.get_temperature()), 2)
    return frame
