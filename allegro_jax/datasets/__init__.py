"""Data: named sets shipped with the package, any file ASE reads, splits and statistics."""

from allegro_jax.datasets.checks import check
from allegro_jax.datasets.dataset import Dataset, Structure
from allegro_jax.datasets.leaks import duplicates, leaks
from allegro_jax.datasets.registry import load, names
from allegro_jax.datasets.splits import Splits, group_split, official_split, split
from allegro_jax.datasets.statistics import Statistics, statistics
from allegro_jax.datasets.warned import DataWarning, LeakWarning

__all__ = [
    "DataWarning",
    "Dataset",
    "LeakWarning",
    "Splits",
    "Statistics",
    "Structure",
    "check",
    "duplicates",
    "group_split",
    "leaks",
    "load",
    "names",
    "official_split",
    "split",
    "statistics",
]
