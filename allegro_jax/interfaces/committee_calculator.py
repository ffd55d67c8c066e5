"""Calculator of a committee for ASE: means, spreads, and what happens where these are large."""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import jax
import numpy as np

from allegro_jax.interfaces.ase import AllegroCalculator
from allegro_jax.sharding.spatial import ShardedCommittee

if TYPE_CHECKING:
    from allegro_jax.committee import Committee
    from allegro_jax.committee_result import CommitteeResult

OnLimit = Literal["stop", "warn"]


class SpreadLimitError(RuntimeError):
    """The members of a committee disagree more than allowed.

    Attributes:
        atom: index of the atom whose force has the largest spread.
        spread: that spread, eV/Å.
        result: what the committee says about the structure.
    """

    def __init__(self, atom: int, spread: float, limit: float, result: "CommitteeResult") -> None:
        super().__init__(
            f"the members disagree on the force on atom {atom} by {spread:.3g} eV/Å, more than the "
            f"limit of {limit:.3g} eV/Å: this structure is beyond their training data. Label it "
            "and train with it, or raise the limit"
        )
        self.atom, self.spread, self.result = atom, spread, result


class SpreadLimitWarning(UserWarning):
    """The members of a committee disagree more than allowed; the calculation goes on."""


class CommitteeCalculator(AllegroCalculator):
    """Mean energies, forces and stresses of a committee; see `Committee.calculator`.

    `results` has, beside what a potential gives, "energy_spread" (eV), "forces_spread" (of the
    force on every atom, eV/Å), "forces_spread_max" and, of a crystal, "stress_spread" (eV/Å³); see
    `CommitteeResult`.

    Attributes:
        potential: the committee.
        limit: largest spread of the force on an atom (eV/Å), or None.
        on_limit: "stop" or "warn".
    """

    implemented_properties = [  # noqa: RUF012  # as ASE has it
        *AllegroCalculator.implemented_properties,
        "energy_spread",
        "forces_spread",
        "forces_spread_max",
        "stress_spread",
    ]
    sharded_type = ShardedCommittee

    def __init__(
        self,
        committee: "Committee",
        skin: float = 1.0,
        devices: Sequence[jax.Device] | None = None,
        *,
        limit: float | None = None,
        on_limit: OnLimit = "stop",
    ) -> None:
        """Prepares a calculator; nothing is compiled before the first structure.

        Raises:
            ValueError: a limit that is no positive number, an unknown `on_limit`, or see
                `ShardedPotential`.
        """
        if limit is not None and not limit > 0:
            raise ValueError(f"limit must be a positive spread in eV/Å, or None; got {limit!r}")
        if on_limit not in get_args(OnLimit):
            raise ValueError(f"on_limit must be one of {get_args(OnLimit)}; got {on_limit!r}")
        super().__init__(committee, skin, devices)  # type: ignore[arg-type]  # see ShardedCommittee
        self.limit, self.on_limit = limit, on_limit

    def _take(self, result: Any) -> None:
        atom = int(np.argmax(result.forces_spread))
        spread = float(result.forces_spread[atom])
        if self.limit is not None and spread > self.limit:
            self._exceed(SpreadLimitError(atom, spread, self.limit, result))
        super()._take(result)
        self.results |= {
            "energy_spread": result.energy_spread,
            "forces_spread": result.forces_spread,
            "forces_spread_max": spread,
        }
        if result.stress_spread is not None:
            self.results["stress_spread"] = result.stress_spread

    def _exceed(self, error: SpreadLimitError) -> None:
        """Stops, before there are results that a second request would find, or warns."""
        if self.on_limit == "stop":
            raise error
        warnings.warn(str(error), SpreadLimitWarning, stacklevel=3)
