"""Neighbour lists, padding and batches: from structures to padded `jraph` graphs."""

from allegro_jax.graphs.batches import batch, batch_structures
from allegro_jax.graphs.buckets import buckets_for, capacities_for, padding_waste
from allegro_jax.graphs.graph_dataset import GraphDataset, average_neighbors
from allegro_jax.graphs.neighbors import NeighborList, neighbor_list
from allegro_jax.graphs.padding import (
    Capacity,
    capacity_for,
    grown_capacity,
    rounded_capacity,
)
from allegro_jax.graphs.passes import ordered_batches
from allegro_jax.graphs.skin import SkinList, prune
from allegro_jax.graphs.store import GraphStore, graphs_for, open_store
from allegro_jax.graphs.store_writer import write_store

__all__ = [
    "Capacity",
    "GraphDataset",
    "GraphStore",
    "NeighborList",
    "SkinList",
    "average_neighbors",
    "batch",
    "batch_structures",
    "buckets_for",
    "capacities_for",
    "capacity_for",
    "graphs_for",
    "grown_capacity",
    "neighbor_list",
    "open_store",
    "ordered_batches",
    "padding_waste",
    "prune",
    "rounded_capacity",
    "write_store",
]
