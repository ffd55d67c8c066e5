"""Constant temperature through jax-md: its Langevin integrator, with a potential of ours.

The loop is the one that jax-md recommends: blocks of steps in one call of the device, after each of
which an overflow makes the list be allocated anew and the block be repeated.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

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
        reallocations: How often the neighbour list was allocated anew.
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
    if steps % block:
        raise ValueError(f"steps must be a multiple of the block of {block}; came {steps}")
    from ase import units
    from jax_md import quantity, simulate

    system = adapter.system(atoms)
    neighbor_fn, energy_fn = adapter.energy(
        potential,
        system.displacement,
        system.box,
        atoms.numbers,
        skin=skin,
        fractional_coordinates=system.box is not None,
    )
    kT = units.kB * temperature_K
    init_fn, apply_fn = simulate.nvt_langevin(
        energy_fn, system.shift, timestep_fs * units.fs, kT, friction_per_fs / units.fs
    )

    @functools.partial(jax.jit, static_argnums=2)
    def advance(state: Any, neighbors: Any, steps: int) -> tuple[Any, Any, Any]:
        def step(_: int, carry: tuple[Any, Any]) -> tuple[Any, Any]:
            state, neighbors = carry
            state = apply_fn(state, neighbor=neighbors)
            return state, neighbors.update(state.position)

        state, neighbors = jax.lax.fori_loop(0, steps, step, (state, neighbors))
        kinetic = quantity.temperature(momentum=state.momentum, mass=state.mass)
        return state, neighbors, kinetic / units.kB

    neighbors = neighbor_fn.allocate(system.position)
    state = init_fn(jax.random.PRNGKey(seed), system.position, mass=system.mass, neighbor=neighbors)
    reallocations, temperatures, begin, warm = 0, [], 0.0, 0
    for number in range(1 + steps // block):
        for _ in range(_ATTEMPTS):
            new, updated, temperature = jax.block_until_ready(advance(state, neighbors, block))
            if not bool(updated.did_buffer_overflow):
                break
            neighbors = neighbor_fn.allocate(state.position)
            reallocations += 1
        else:
            raise RuntimeError(
                f"the simulation explodes in block {number}: a list of neighbours allocated anew "
                f"did not hold for {block} steps; relax the structure or shorten the time step"
            )
        state, neighbors = new, updated
        temperatures.append(float(temperature))
        if not np.isfinite(temperatures[-1]):
            raise RuntimeError(f"the simulation explodes in block {number}: NaN temperature")
        if number == 0:
            begin, warm = time.perf_counter(), advance._cache_size()
    return JaxMDRun(
        steps,
        time.perf_counter() - begin,
        reallocations,
        advance._cache_size() - warm,
        float(np.mean(temperatures[1:] or temperatures)),
        np.asarray(state.position),
    )
