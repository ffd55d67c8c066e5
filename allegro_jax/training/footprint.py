"""What a training run takes: memory, padding, compilation; known before its first step."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING, Any

import jax

from allegro_jax.memory import available_bytes, free_bytes, gigabytes

if TYPE_CHECKING:
    from allegro_jax.training.windows import TrainingWindows


@dataclasses.dataclass(frozen=True)
class Footprint:
    """Sizes of a run whose training program is compiled.

    Attributes:
        parameters: Trainable numbers.
        edges_per_atom: Mean number of neighbours within the cutoff.
        structures: Training structures.
        batch_size: Structures per optimiser step.
        steps_per_epoch: Optimiser steps of an epoch.
        padding_waste: Expected share of padding among the edges of the training batches.
        compilations: Programs compiled so far.
        compile_s: Seconds that took.
        resident_bytes: What one device holds throughout: training set (or its window),
            parameters, optimiser.
        step_bytes: What a step needs beyond that, by XLA's plan.
        available_bytes: Memory of the device, used or not; None where it cannot be known.
        free_bytes: What of it nobody used when data and parameters were there; None likewise.
    """

    parameters: int
    edges_per_atom: float
    structures: int
    batch_size: int
    steps_per_epoch: int
    padding_waste: float
    compilations: int
    compile_s: float
    resident_bytes: int
    step_bytes: int
    available_bytes: int | None
    free_bytes: int | None

    @property
    def needed_bytes(self) -> int:
        """Memory of the training program on one device."""
        return self.resident_bytes + self.step_bytes

    def fitting_batch_size(self, limit: int) -> int:
        """Returns about the largest batch size for which `limit` bytes suffice; 0 for none.

        What a step needs grows with the batch at most in proportion, since batches that are
        evaluated in blocks need less.
        """
        return max(int((limit - self.resident_bytes) / self.step_bytes * self.batch_size), 0)


def footprint(
    compiled: jax.stages.Compiled,
    windows: TrainingWindows,
    batch_size: int,
    params: Any,
    compilations: int,
    compile_s: float,
) -> Footprint:
    """Returns what a run takes, from its compiled program and its training set."""
    resident, step = program_bytes(compiled)
    return Footprint(
        parameters=sum(leaf.size for leaf in jax.tree.leaves(params)),
        edges_per_atom=windows.edges_per_atom,
        structures=windows.structures,
        batch_size=batch_size,
        steps_per_epoch=windows.steps_per_epoch,
        padding_waste=windows.waste,
        compilations=compilations,
        compile_s=compile_s,
        resident_bytes=resident,
        step_bytes=step,
        available_bytes=available_bytes(),
        free_bytes=free_bytes(),
    )


def program_bytes(compiled: jax.stages.Compiled) -> tuple[int, int]:
    """Returns what a compiled program keeps, and what it needs while it runs, by XLA's plan.

    Arguments that give their memory to results count once. Zeros where the backend does not tell.
    """
    stats = compiled.memory_analysis()
    if stats is None:
        return 0, 0
    results = stats.output_size_in_bytes - stats.alias_size_in_bytes
    return stats.argument_size_in_bytes, stats.temp_size_in_bytes + results


def check_fits(footprint: Footprint) -> None:
    """Refuses a run for which the device has too little memory; warns where others use it.

    Raises:
        ValueError: The device has less memory than the run needs.
    """
    limit, free = footprint.available_bytes, footprint.free_bytes
    if limit is not None and footprint.needed_bytes > limit:
        raise ValueError(
            f"{_need(footprint)} and the device has {gigabytes(limit)}; {_advice(footprint, limit)}"
        )
    if free is not None and footprint.step_bytes > free:  # the rest is there already
        warnings.warn(
            f"{_need(footprint)} and only {gigabytes(free)} are free at present; "
            f"{_advice(footprint, free + footprint.resident_bytes)}, or end what else uses it",
            RuntimeWarning,
            stacklevel=2,
        )


def _need(footprint: Footprint) -> str:
    return (
        f"a training with batch_size={footprint.batch_size} needs about "
        f"{gigabytes(footprint.needed_bytes)} of memory ({gigabytes(footprint.resident_bytes)} for "
        f"data and parameters, {gigabytes(footprint.step_bytes)} for a step)"
    )


def _advice(footprint: Footprint, limit: int) -> str:
    size = footprint.fitting_batch_size(limit)
    if size >= 1:
        return f"batch_size={size} fits"
    if footprint.resident_bytes > limit:
        return "lower resident_gb, so that the training set is streamed, or take a smaller model"
    return "take a smaller model or cutoff"
