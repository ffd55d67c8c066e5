"""The same dynamics by several engines in one run: time, compilations, temperature.

Every engine simulates the same atoms with the same potential: Langevin dynamics, whose friction and
time step are those of the settings. The table has the energy of the first frame, so that no engine
is fast by computing something else; jax-md's is not asked for, it would be a program of its own.
"""

from __future__ import annotations

import dataclasses
import functools
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.benchmarks import peer_runs, processes

if TYPE_CHECKING:
    import ase

    from allegro_jax.potential import Potential

SCRIPT = peer_runs.SCRIPTS / "run_nequip_md.py"


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is simulated, and for how long.

    Attributes:
        temperature_K: Of the bath.
        friction_per_fs: Of the bath.
        timestep_fs: fs.
        steps: Of jax-md and of the library's own loop.
        slow_steps: Of ASE's dynamics, which are measured for a shorter time; of PyTorch's, a fifth.
        warm_up: Steps before the clock starts.
        platform: Of the peers: "cpu" or "gpu".
    """

    temperature_K: float = 400.0  # noqa: N815
    friction_per_fs: float = 0.01
    timestep_fs: float = 2.0
    steps: int = 5000
    slow_steps: int = 250
    warm_up: int = 50
    platform: str = "cpu"

    def ns_per_day(self, steps: int, seconds: float) -> float:
        """Simulated time in a day at this pace."""
        return 86400e-6 * steps * self.timestep_fs / seconds


Line = dict[str, Any]


def measurements(
    potential: Potential,
    atoms: ase.Atoms,
    settings: Settings,
    engines: Sequence[str],
    note: Callable[[str], None],
) -> Iterator[Line]:
    """Yields a line for each engine that can run here.

    Args:
        potential: Of a single member.
        atoms: Without momenta.
        settings: Of the dynamics.
        engines: Of `ENGINES`.
        note: Told why an engine is left out.

    Raises:
        ValueError: An unknown engine.
    """
    unknown = set(engines) - set(ENGINES)
    if unknown:
        raise ValueError(f"unknown engines {sorted(unknown)}; choose from {', '.join(ENGINES)}")
    atoms = _with_momenta(atoms, settings.temperature_K)
    for name in engines:
        try:
            measured = ENGINES[name](potential, atoms, settings)
        except (ImportError, peer_runs.MissingPeerError, processes.MeasurementError) as error:
            note(f"{name} is left out: {error}")
            continue
        pace = {
            "ms_per_step": 1e3 * measured["seconds"] / measured["steps"],
            "ns_per_day": settings.ns_per_day(measured["steps"], measured["seconds"]),
        }
        yield {"engine": name, "atoms": len(atoms), **measured, **pace}


def by_jax_md(potential: Potential, atoms: ase.Atoms, settings: Settings) -> Line:
    """Through jax-md's integrator and neighbour lists."""
    from experiments.simulations.with_jax_md import langevin

    result = langevin(
        potential,
        atoms,
        temperature_K=settings.temperature_K,
        friction_per_fs=settings.friction_per_fs,
        timestep_fs=settings.timestep_fs,
        steps=settings.steps,
        block=settings.warm_up,
    )
    line = dataclasses.asdict(result)
    line.pop("positions")
    return line


def by_own_loop(potential: Potential, atoms: ase.Atoms, settings: Settings) -> Line:
    """By `allegro_jax.simulation`."""
    from allegro_jax import simulation

    ensemble = simulation.NVTLangevin(settings.temperature_K, settings.friction_per_fs)
    options = {"timestep_fs": settings.timestep_fs, "interval": settings.warm_up}
    with tempfile.TemporaryDirectory() as folder:
        options["workdir"] = folder
        simulation.run(potential, atoms, ensemble, steps=settings.warm_up, **options)
        steps = settings.warm_up + settings.steps
        result = simulation.run(potential, atoms, ensemble, steps=steps, **options)
        forces = result.frames[0].get_forces()
    return {
        "steps": result.cost.steps,
        "seconds": result.cost.seconds,
        "reallocations": result.cost.reallocations,
        "compilations": result.cost.compilations,
        "temperature_K": float(result.log["temperature_K"][1:].mean()),
        "neighbor_lists": result.cost.neighbor_lists,
        **_first(result.log["potential_eV"][0], forces),
    }


def by_ase(potential: Potential, atoms: ase.Atoms, settings: Settings) -> Line:
    """By ASE's Langevin dynamics with our calculator."""
    from ase import units
    from ase.md.langevin import Langevin

    atoms = atoms.copy()
    atoms.calc = potential.calculator()
    dynamics = Langevin(
        atoms,
        settings.timestep_fs * units.fs,
        temperature_K=settings.temperature_K,
        friction=settings.friction_per_fs / units.fs,
        fixcm=False,
        rng=np.random.default_rng(0),
    )
    first = _first(atoms.get_potential_energy(), atoms.get_forces())
    dynamics.run(settings.warm_up)
    program = atoms.calc.sharded.program
    compiled, begin = program._cache_size(), time.perf_counter()
    temperatures = [atoms.get_temperature() for _ in dynamics.irun(settings.slow_steps)]
    return {
        "steps": settings.slow_steps,
        "seconds": time.perf_counter() - begin,
        "reallocations": len(atoms.calc.capacities) - 1,
        "compilations": program._cache_size() - compiled,
        "temperature_K": float(np.mean(temperatures)),
        "neighbor_lists": atoms.calc.n_builds,
        **first,
    }


def by_nequip(
    potential: Potential, atoms: ase.Atoms, settings: Settings, mode: str = "eager"
) -> Line:
    """By ASE's Langevin dynamics with nequip's calculator and the same weights.

    Args:
        potential: Of a kind that nequip has.
        atoms: With momenta.
        settings: Of the dynamics.
        mode: "eager", or "aot" for a model compiled ahead of time.
    """
    import ase.io

    python = peer_runs.interpreter("nequip")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        ase.io.write(folder / "atoms.traj", atoms)
        potential.save_nequip(folder / "model.npz")
        request = {
            "atoms": str(folder / "atoms.traj"),
            "model": str(folder / "model.npz"),
            "temperature_K": settings.temperature_K,
            "friction_per_fs": settings.friction_per_fs,
            "timestep_fs": settings.timestep_fs,
            "warm_up": min(settings.warm_up, 5),
            "steps": max(settings.slow_steps // 5, 1),
            "mode": mode,
            "platform": settings.platform,
        }
        result = processes.run([str(python), str(SCRIPT)], request, -1, folder)
    versions = peer_runs.versions(python, peer_runs.PEERS["nequip"].packages)
    return {**result, "versions": versions}


def _with_momenta(atoms: ase.Atoms, kelvin: float) -> ase.Atoms:
    """A copy with momenta of a temperature, the same for all engines but jax-md, which draws."""
    from ase import units

    atoms = atoms.copy()
    widths = np.sqrt(units.kB * kelvin * atoms.get_masses())
    atoms.set_momenta(widths[:, None] * np.random.default_rng(0).normal(size=(len(atoms), 3)))
    return atoms


def _first(energy: float, forces: np.ndarray) -> Line:
    """Of the first frame, to be compared between engines."""
    return {"energy": float(energy), "forces": [float(x) for x in forces[0]]}


ENGINES: dict[str, Callable[[Potential, ase.Atoms, Settings], Line]] = {
    "jax-md": by_jax_md,
    "own-loop": by_own_loop,
    "ASE": by_ase,
    "nequip": by_nequip,
    "nequip-compiled": functools.partial(by_nequip, mode="aot"),
}
"""By the names that the program takes."""

HEADER = (
    "engine",
    "steps",
    "ms/step",
    "ns/day",
    "compiled",
    "reallocated",
    "lists",
    "mean T (K)",
    "first E (eV)",
)


def rows(lines: Sequence[Line]) -> list[list[str]]:
    """Rows of the table; compilations and reallocations are those after the warm-up."""
    return [
        [
            line["engine"],
            str(line["steps"]),
            f"{line['ms_per_step']:.2f}",
            f"{line['ns_per_day']:.2f}",
            str(line.get("compilations", "")),
            str(line.get("reallocations", "")),
            str(line.get("neighbor_lists", "")),
            f"{line['temperature_K']:.0f}",
            f"{line['energy']:.3f}" if "energy" in line else "",
        ]
        for line in lines
    ]
