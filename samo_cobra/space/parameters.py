"""All kinds of parameters, their form in JSON, and what their conditions refer to.

Every parameter may carry a condition, ``when=(parent, values)``: it then exists only in points
where the parameter called ``parent`` takes one of ``values``. :class:`~samo_cobra.space.Space`
applies conditions; a parameter on its own ignores its condition.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Int

from samo_cobra.space.choices import Categorical, Ordinal
from samo_cobra.space.ranges import Integer, Real

Parameter: TypeAlias = Real | Integer | Ordinal | Categorical
_KINDS: dict[str, type[Parameter]] = {
    "real": Real,
    "integer": Integer,
    "ordinal": Ordinal,
    "categorical": Categorical,
}


@dataclasses.dataclass(frozen=True)
class Link:
    """Condition of one parameter in numbers: index of the parent, and of the parent's values."""

    parent: int
    allowed: Int[np.ndarray, " values"]


def resolve_condition(position: int, parameters: tuple[Parameter, ...]) -> Link | None:
    """Checks the condition of one parameter against the parameters before it."""
    child = parameters[position]
    if child.when is None:
        return None
    name, values = child.when
    parents = {p.name: i for i, p in enumerate(parameters[:position])}
    if name not in parents:
        later = [p.name for p in parameters[position:]]
        hint = "put the parent first" if name in later else f"known before it: {list(parents)}"
        raise ValueError(
            f"{child.name!r} depends on {name!r}, which does not come before it; {hint}"
        )
    parent = parameters[parents[name]]
    if isinstance(parent, Real):
        raise ValueError(
            f"{child.name!r} depends on {name!r}, which is real; "
            "only a categorical, ordinal or integer parameter can be a parent"
        )
    try:
        allowed = sorted({parent.index_of(value) for value in values})
    except ValueError as error:
        raise ValueError(f"{child.name!r} waits for an impossible value: {error}") from None
    return Link(parents[name], np.array(allowed))


def parameter_to_json(p: Parameter) -> dict[str, Any]:
    """Plain data from which :func:`parameter_from_json` rebuilds a parameter."""
    kinds = {cls: kind for kind, cls in _KINDS.items()}
    fields = {"kind": kinds[type(p)], **dataclasses.asdict(p)}
    if "choices" in fields:
        fields["choices"] = list(fields["choices"])
    when = fields.pop("when")
    return fields if when is None else {**fields, "when": [when[0], list(when[1])]}


def parameter_from_json(entry: Mapping[str, Any]) -> Parameter:
    """Rebuilds a parameter."""
    fields = dict(entry)
    kind = fields.pop("kind", None)
    if kind not in _KINDS:
        raise ValueError(f"parameter kind must be one of {sorted(_KINDS)}, got {kind!r}")
    try:
        return _KINDS[kind](**fields)
    except TypeError as error:
        raise ValueError(f"cannot read a parameter from {dict(entry)!r}: {error}") from None
