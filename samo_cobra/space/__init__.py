"""Search spaces: named parameters, their image in the unit cube, and known restrictions on them."""

from samo_cobra.space.choices import Categorical, Ordinal
from samo_cobra.space.parameters import Parameter
from samo_cobra.space.ranges import Integer, Real
from samo_cobra.space.restrictions import Linear, Restriction, Restrictions
from samo_cobra.space.space import Space
from samo_cobra.space.values import Condition, Value

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
