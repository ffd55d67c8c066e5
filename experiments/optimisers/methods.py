"""The methods by name, each imported when it is used."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from experiments.optimisers.method import Method, Start
from experiments.optimisers.tasks import Task

_HOMES = {
    "samo-cobra": ("ours", "SamoCobra"),
    "sobol": ("simple", "Sobol"),
    "random": ("simple", "Random"),
    "optuna-tpe": ("with_optuna", "tpe"),
    "optuna-nsga2": ("with_optuna", "nsga2"),
    "optuna-gp": ("with_optuna", "gp"),
    "botorch-qlognehvi": ("with_botorch", "QLogNEHVI"),
    "pymoo-nsga2": ("with_pymoo", "NSGA2"),
}

PACKAGES = {
    "optuna-gp": ("optuna", "torch", "scipy"),
    "botorch-qlognehvi": ("botorch", "gpytorch", "torch", "scipy"),
    "pymoo-nsga2": ("pymoo", "numpy"),
    "optuna-tpe": ("optuna", "numpy"),
    "optuna-nsga2": ("optuna", "numpy"),
    "samo-cobra": ("allegro-jax", "jax", "numpy", "scipy"),
}
"""Packages whose versions are recorded with a run."""


def names() -> list[str]:
    """All methods."""
    return list(_HOMES)


def maker(name: str) -> Callable[[Task, Start], Method]:
    """Returns what makes a method for a problem and a start.

    Raises:
        ValueError: The name is unknown.
        ImportError: The method needs a package that is not installed.
    """
    if name not in _HOMES:
        raise ValueError(f"unknown method {name}; choose from {', '.join(names())}")
    module, attribute = _HOMES[name]
    try:
        home = importlib.import_module(f"experiments.optimisers.{module}")
    except ImportError as error:
        raise ImportError(
            f'{name} needs {error.name}; install it with: pip install "allegro-jax[rivals]"'
        ) from error
    made: Callable[[Task, Start], Method] = getattr(home, attribute)
    return made
