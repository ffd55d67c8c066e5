"""Errors of a potential on a labelled data set."""

from __future__ import annotations

import functools

import jax

from allegro_jax.committee import Committee
from allegro_jax.datasets import Dataset
from allegro_jax.dispersion import bare_labels
from allegro_jax.graphs import GraphStore, graphs_for
from allegro_jax.graphs.passes import each_batch
from allegro_jax.models.build import build_model
from allegro_jax.models.energy import precision_scope
from allegro_jax.potential import Potential
from allegro_jax.training.members import evaluation_of
from allegro_jax.training.metrics import summarise


def evaluate(
    potential: Potential | Committee, dataset: Dataset | GraphStore, batch_size: int = 25
) -> dict[str, float]:
    """Returns mean absolute and root mean squared errors on every label of a data set.

    Args:
        potential: What is tested; of a committee the mean, and every member.
        dataset: Labelled structures, in memory or in a store of the potential's cutoff.
        batch_size: Structures per call.

    Returns:
        `<quantity>_mae` and `<quantity>_rmse` for energy (eV per structure), energy_per_atom
        (eV), forces (eV/Å per component) and stress (eV/Å³ per component) where labelled, and
        `forces_mae/H` and the like for the atoms of one element. Labels that are NaN do not count.
        Those of member k of a committee end with "/member_k".

    Raises:
        ValueError: If `dataset` is empty, or has an element the potential lacks, or the potential
            has a dispersion correction and `dataset` is a store.
    """
    config = potential.config
    dataset = bare_labels(dataset, potential.dispersion)
    graphs = graphs_for(dataset, config, potential.atomic_energies)
    members = len(potential) if isinstance(potential, Committee) else 1
    step = jax.jit(functools.partial(evaluation_of(members), build_model(config)))
    with precision_scope(config.precision):
        return summarise(step(potential.params, graph) for graph in each_batch(graphs, batch_size))
