"""Search spaces: named parameters, their image in the unit cube, and known restrictions on them."""

from samo_cobra.space.parameters import (
    Categorical,
    Condition,
    Integer,
    Ordinal,
    Parameter,
    Real,
    Value,
)
from samo_cobra.space.restrictions import Linear, Restriction, Restrictions
from samo_cobra.space.space import Space

__all__ = [
    "Categorical",
    "Condition",
    "Integer",
    "Linear",
    "Ordinal",
    "Parameter",
    "Real",
    "Restriction",
    "Restrictions",
    "Space",
    "Value",
]
