"""SAMO-COBRA: surrogate-assisted multi-objective optimisation with constraints.

For functions that take minutes to days per evaluation: ask for a point, evaluate it anywhere,
tell the outcome.

    >>> from samo_cobra import Optimizer, Real, Space
    >>> optimizer = Optimizer(Space([Real("x", 0.0, 1.0)]), n_objectives=2)
    >>> (suggestion,) = optimizer.ask()
    >>> trial = optimizer.tell(suggestion, [suggestion.x["x"], 1.0 - suggestion.x["x"]])

:func:`minimize` is the whole loop in one call.

Names are imported on first use, so that ``import samo_cobra`` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from samo_cobra.driver import Result, Stop, minimize
    from samo_cobra.optimizer import Optimizer
    from samo_cobra.pareto import hypervolume, non_dominated
    from samo_cobra.records import Record
    from samo_cobra.settings import Settings
    from samo_cobra.space import Categorical, Integer, Linear, Ordinal, Real, Restrictions, Space
    from samo_cobra.space.sampling import sample_allowed
    from samo_cobra.trials import Front, Suggestion, Trial

__version__ = "0.1.0"

__all__ = [
    "Categorical",
    "Front",
    "Integer",
    "Linear",
    "Optimizer",
    "Ordinal",
    "Real",
    "Record",
    "Restrictions",
    "Result",
    "Settings",
    "Space",
    "Stop",
    "Suggestion",
    "Trial",
    "hypervolume",
    "minimize",
    "non_dominated",
    "sample_allowed",
]

_HOMES = {
    "Categorical": "space",
    "Front": "trials",
    "Integer": "space",
    "Linear": "space",
    "Optimizer": "optimizer",
    "Ordinal": "space",
    "Real": "space",
    "Record": "records",
    "Restrictions": "space",
    "Result": "driver",
    "Settings": "settings",
    "Space": "space",
    "Stop": "driver",
    "Suggestion": "trials",
    "Trial": "trials",
    "hypervolume": "pareto",
    "minimize": "driver",
    "non_dominated": "pareto",
    "sample_allowed": "space.sampling",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
