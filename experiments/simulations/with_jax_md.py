"""Constant temperature through jax-md: its Langevin integrator, with a potential of ours.

The loop is the one that jax-md recommends: blocks of steps in one call of the device, after each of
which an overflow makes the list be allocated anew and the block be repeated.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from ase import units

from allegro_jax.interfaces import jax_md as adapter

if TYPE_CHECKING:
    import ase

    from allegro_jax.potential import Potential

_ATTEMPTS = 5


@dataclasses.dataclass(frozen=True)
class JaxMDRun:
    """What a run through jax-md gave.

    Attributes:
        steps: Steps after the warm-up.
        seconds: Their wall clock, compilations after reallocations included.
        reallocations: How often the neighbour list was allocated anew after the warm-up.
        compilations: Programs of a block that were compiled after the warm-up.
        temperature_K: Mean over the ends of the blocks.
        positions: Of the atoms at the end, Å.
    """

    steps: int
    seconds: float
    reallocations: int
    compilations: int
    temperature_K: float  # noqa: N815
    positions: np.ndarray


def langevin(
    potential: Potential,
    atoms: ase.Atoms,
    *,
    temperature_K: float,
    friction_per_fs: float,
    timestep_fs: float,
    steps: int,
    block: int = 50,
    skin: float = 1.0,
    seed: int = 0,
) -> JaxMDRun:
    """Runs `steps` of Langevin dynamics after a block of warm-up.

    Args:
        potential: What gives the forces.
        atoms: Periodic in all directions, or in none.
        temperature_K: Of the bath, and of the first momenta.
        friction_per_fs: Of the bath.
        timestep_fs: fs.
        steps: A multiple of `block`.
        block: Steps per call of the device.
        skin: Å by which neighbour lists exceed the cutoff.
        seed: Of momenta and noise.

    Raises:
        ImportError: jax-md is not installed.
        ValueError: `steps` is no multiple of `block`.
        RuntimeError: The simulation explodes.
    """
    if steps < 1 or steps % block:
        raise ValueError(f"steps must be a multiple of the block of {block}; came {steps}")
    loop = _Loop.of(potential, atoms, temperature_K, friction_per_fs, timestep_fs, skin, seed)
    loop.advance(block)  # compiles
    begin, warm = time.perf_counter(), (loop.reallocations, loop.compilations)
    temperatures = [loop.advance(block) for _ in range(steps // block)]
    return JaxMDRun(
        steps,
        time.perf_counter() - begin,
        loop.reallocations - warm[0],
        loop.compilations - warm[1],
        float(np.mean(temperatures)),
        np.asarray(loop.state.position),
    )


@dataclasses.dataclass
class _Loop:
    """A simulation under way: jax-md's state and neighbours, and the program of a block."""

    state: Any
    neighbors: Any
    allocate: Callable[..., Any]
    program: Any
    reallocations: int = 0

    @classmethod
    def of(
        cls,
        potential: Potential,
        atoms: ase.Atoms,
        temperature: float,
        friction_per_fs: float,
        timestep_fs: float,
        skin: float,
        seed: int,
    ) -> _Loop:
        """Allocates neighbours and draws momenta."""
        from jax_md import simulate

        system = adapter.system(atoms)
        fractional = system.box is not None
        neighbor_fn, energy_fn = adapter.energy(
            potential,
            system.displacement,
            system.box,
            atoms.numbers,
            skin=skin,
            fractional_coordinates=fractional,
        )
        per_time = (timestep_fs * units.fs, units.kB * temperature, friction_per_fs / units.fs)
        init_fn, apply_fn = simulate.nvt_langevin(energy_fn, system.shift, *per_time)
        neighbors = neighbor_fn.allocate(system.position)
        key = jax.random.PRNGKey(seed)
        state = init_fn(key, system.position, mass=system.mass, neighbor=neighbors)
        return cls(state, neighbors, neighbor_fn.allocate, _program(apply_fn))

    @property
    def compilations(self) -> int:
        """Programs compiled so far."""
        return int(self.program._cache_size())

    def advance(self, block: int) -> float:
        """Makes a block of steps, again with a new list where one overflows; the temperature, K.

        Raises:
            RuntimeError: The simulation explodes.
        """
        for _ in range(_ATTEMPTS):
            result = self.program(self.state, self.neighbors, block)
            state, neighbors, temperature = jax.block_until_ready(result)
            if not bool(neighbors.did_buffer_overflow):
                break
            self.neighbors = self.allocate(self.state.position)
            self.reallocations += 1
        else:
            raise RuntimeError(
                "the simulation explodes: a list of neighbours allocated anew did not hold for "
                f"{block} steps; relax the structure or shorten the time step"
            )
        if not np.isfinite(temperature):
            raise RuntimeError("the simulation explodes: the temperature is no number")
        self.state, self.neighbors = state, neighbors
        return float(temperature)


def _program(apply_fn: Callable[..., Any]) -> Any:
    """Returns the compiled block of steps."""
    from jax_md import quantity

    @functools.partial(jax.jit, static_argnums=2)
    def advance(state: Any, neighbors: Any, steps: int) -> tuple[Any, Any, Any]:
        def step(_: int, carry: tuple[Any, Any]) -> tuple[Any, Any]:
            state, neighbors = carry
            state = apply_fn(state, neighbor=neighbors)
            return state, neighbors.update(state.position)

        state, neighbors = jax.lax.fori_loop(0, steps, step, (state, neighbors))
        kinetic = quantity.temperature(momentum=state.momentum, mass=state.mass)
        return state, neighbors, kinetic / units.kB

    return advance
