"""SAMO-COBRA: surrogate-assisted multi-objective optimisation with constraints.

For functions that take minutes to days per evaluation: ask for a point, evaluate it anywhere,
tell the outcome.

    >>> from samo_cobra import Optimizer, Real, Space
    >>> optimizer = Optimizer(Space([Real("x", 0.0, 1.0)]), n_objectives=2)
    >>> (suggestion,) = optimizer.ask()

Names are imported on first use, so that ``import samo_cobra`` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from samo_cobra.history import Front, Trial
    from samo_cobra.optimizer import Optimizer
    from samo_cobra.pareto import hypervolume, non_dominated
    from samo_cobra.space import (
        Categorical,
        Integer,
        Linear,
        Ordinal,
        Real,
        Restrictions,
        Space,
    )
    from samo_cobra.space.sampling import sample_allowed

__all__ = [
    "Categorical",
    "Front",
    "Integer",
    "Linear",
    "Optimizer",
    "Ordinal",
    "Real",
    "Restrictions",
    "Space",
    "Trial",
    "hypervolume",
    "non_dominated",
    "sample_allowed",
]

_HOMES = {
    "Categorical": "space",
    "Front": "history",
    "Integer": "space",
    "Linear": "space",
    "Optimizer": "optimizer",
    "Ordinal": "space",
    "Real": "space",
    "Restrictions": "space",
    "Space": "space",
    "Trial": "history",
    "hypervolume": "pareto",
    "non_dominated": "pareto",
    "sample_allowed": "space.sampling",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
