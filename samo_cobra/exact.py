"""Outputs that need no model: inexpensive functions, and restrictions on the parameters.

They are called directly inside the search for the next point (the idea of IOC-SAMO-COBRA), with
derivatives by central differences.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from samo_cobra import criterion
from samo_cobra.space import Restrictions, Space
from samo_cobra.space.restrictions import function_name

Function: TypeAlias = Callable[[dict[str, Any]], float]

# Half width of the differences on [-1, 1]: rounding and curvature both stay below 1e-9.
_STEP = 1e-5
# Told values may have been through a text file.
_AGREEMENT = 1e-6
# Infinite violations would leave the search without a direction.
_LARGEST_VIOLATION = 1e6


@dataclasses.dataclass(frozen=True)
class ExactOutputs:
    """Functions of the named values that the search calls instead of models.

    Attributes:
        space: the search space.
        functions: inexpensive outputs by their place among all outputs, objectives first;
            objectives in the user's own signs.
        signs: -1 for the outputs to maximise, 1 for the others.
        restrictions: what must hold at every suggestion.
    """

    space: Space
    functions: Mapping[int, Function]
    signs: Float[np.ndarray, " outputs"]
    restrictions: Restrictions

    def __len__(self) -> int:
        return len(self.functions) + len(self.restrictions)

    @property
    def modelled(self) -> list[int]:
        """Places of the outputs that need a model."""
        return [i for i in range(len(self.signs)) if i not in self.functions]

    @property
    def order(self) -> list[int]:
        """Place of every output among the modelled ones followed by the inexpensive ones."""
        places = [*self.modelled, *self.functions]
        return [places.index(i) for i in range(len(places))]

    def complete(
        self, x: dict[str, Any], outputs: tuple[float | None, ...]
    ) -> tuple[float | None, ...]:
        """Fills in the inexpensive outputs of a trial.

        Raises:
            ValueError: if a told value is not what the function returns.
        """
        filled = list(outputs)
        for i, function in self.functions.items():
            value, told = _call(function, x), filled[i]
            if told is not None and abs(told - value) > _AGREEMENT * (abs(value) + abs(told)):
                name = function_name(function)
                raise ValueError(
                    f"output {i} was given as the inexpensive function {name!r}, which returns "
                    f"{value} here, but {told} was told; leave it None or mend the function"
                )
            filled[i] = value
        return tuple(filled)

    def outputs(self, z: Float[np.ndarray, "rows dims"]) -> Float[np.ndarray, "rows inexpensive"]:
        """The inexpensive outputs, minimised."""
        if not self.functions:
            return np.zeros((len(z), 0))
        points = self.space.from_unit_rows(0.5 * (z + 1.0))
        rows = [[self.signs[i] * _call(f, x) for i, f in self.functions.items()] for x in points]
        return np.array(rows).reshape(len(z), len(self.functions))

    def _restricted(self, z: Float[np.ndarray, "rows dims"]) -> Float[np.ndarray, "rows known"]:
        if len(self.restrictions) == 0:
            return np.zeros((len(z), 0))
        points = self.space.from_unit_rows(0.5 * (z + 1.0))
        # A truth value has no slope; the candidates that it rejects are filtered out.
        violations = self.restrictions.violations(points)
        return np.clip(violations, -_LARGEST_VIOLATION, _LARGEST_VIOLATION)

    def allowed(self, z: Float[np.ndarray, "rows dims"]) -> Bool[np.ndarray, " rows"]:
        """Where every restriction holds."""
        if len(self.restrictions) == 0:
            return np.ones(len(z), dtype=bool)
        return self.restrictions.allowed(0.5 * (z + 1.0))

    def values(self, z: Float[np.ndarray, "rows dims"]) -> Float[np.ndarray, "rows exact"]:
        """Inexpensive outputs, then violations of the restrictions."""
        return np.concatenate([self.outputs(z), self._restricted(z)], axis=1)

    def at(
        self, z: Float[np.ndarray, "rows dims"], free: Bool[np.ndarray, "rows dims"] | None = None
    ) -> criterion.Exact:
        """Values, and derivatives along the free axes (zero if none are given)."""
        values = self.values(z)
        jacobian = np.zeros((*values.shape, z.shape[1]))
        if free is not None and len(self):
            inside = np.clip(z, -1.0 + _STEP, 1.0 - _STEP)
            for axis in np.flatnonzero(free.any(axis=0)):
                rows = np.flatnonzero(free[:, axis])
                step = np.zeros(z.shape[1])
                step[axis] = _STEP
                rise = self.values(inside[rows] + step) - self.values(inside[rows] - step)
                jacobian[rows, :, axis] = np.nan_to_num(rise / (2.0 * _STEP))
        return criterion.Exact(jnp.asarray(values), jnp.asarray(jacobian))


def _call(function: Function, x: dict[str, Any]) -> float:
    value: Any = function(dict(x))
    plain = value.item() if getattr(value, "ndim", None) == 0 else value
    if not isinstance(plain, int | float) or not np.isfinite(plain):
        raise ValueError(
            f"inexpensive function {function_name(function)!r} must return a finite number, "
            f"got {value!r} at {x!r}"
        )
    return float(plain)
