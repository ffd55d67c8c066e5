"""Data: named sets shipped with the package, any file ASE reads, splits and statistics."""

from allegro_jax.datasets.dataset import Dataset, Structure
from allegro_jax.datasets.registry import load, names
from allegro_jax.datasets.splits import Splits, official_split, split
from allegro_jax.datasets.statistics import Statistics, statistics

__all__ = [
    "Dataset",
    "Splits",
    "Statistics",
    "Structure",
    "load",
    "names",
    "official_split",
    "split",
    "statistics",
]
