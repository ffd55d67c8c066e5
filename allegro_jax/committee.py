"""Several potentials of one architecture: their mean as prediction, their spread as uncertainty.

The spread is the standard deviation over members with n - 1 in the denominator (Peterson,
Christensen & Khorshidi, Phys. Chem. Chem. Phys. 19, 10978 (2017) for committees of potentials). It
tells where members disagree, which is a sign of error and no bound of it: what all of them get
wrong alike it does not show. docs/committees.md has how closely the two go together on real data.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import jax
import jax.numpy as jnp
import jraph
import numpy as np

from allegro_jax.batched_evaluation import BatchedEvaluation
from allegro_jax.committee_result import CommitteeResult, mean_and_spread
from allegro_jax.configs import D3, ModelConfig
from allegro_jax.datasets.dataset import Structure
from allegro_jax.dispersion import added_dispersion, dispersion_terms
from allegro_jax.models.base import EdgeEnergyModel
from allegro_jax.models.build import build_model
from allegro_jax.models.committee_storage import read_committee, write_committee
from allegro_jax.models.energy import Params, Predictions, precision_scope, predict
from allegro_jax.models.storage import COMMITTEE
from allegro_jax.potential import Potential, default_device

if TYPE_CHECKING:
    from allegro_jax.interfaces.committee_calculator import CommitteeCalculator, OnLimit
    from allegro_jax.sharding.spatial import ShardedCommittee


class Committee(BatchedEvaluation[CommitteeResult]):
    """Potentials of equal configs, evaluated together.

    Attributes:
        config: architecture of every member.
        params: nested dictionary of arrays with the members as first axis.
        members: the potentials.
        atomic_energies: mean reference energy of each type by chemical symbol (eV).
        dispersion: correction that is added to what the models say, or None; see
            `Potential.with_dispersion`.

    Example:
        >>> from ase.build import molecule
        >>> from allegro_jax import AllegroConfig, Committee, Potential
        >>> from allegro_jax.potential import initial_params
        >>> config = AllegroConfig(type_names=("H", "O"), cutoff=4.0)
        >>> committee = Committee.of([Potential(config, initial_params(config, k)) for k in (0, 1)])
        >>> committee(molecule("H2O")).forces_spread.shape
        (3,)
    """

    def __init__(
        self,
        config: ModelConfig,
        params: Params,
        atomic_energies: Sequence[Mapping[str, float]],
        dispersion: D3 | str | None = None,
    ) -> None:
        """Puts the parts together.

        Args:
            config: architecture.
            params: parameters with the members as first axis.
            atomic_energies: reference energies (eV) by chemical symbol, of every member.
            dispersion: of all members; None for none.

        Raises:
            ValueError: fewer than two members, or parameters that do not fit the config.
        """
        number = len(atomic_energies)
        if number < 2:
            raise ValueError(f"a committee needs two members or more, for a spread; got {number}")
        lengths = {np.shape(leaf)[:1] for leaf in jax.tree.leaves(params)}
        if lengths != {(number,)}:
            raise ValueError(
                f"every parameter of a committee must have its {number} members as first axis; "
                f"got axes of {sorted(lengths)}"
            )
        self.config = config
        self.dispersion = None if dispersion is None else D3.of(dispersion)
        self.members = tuple(
            Potential(
                config, jax.tree.map(lambda leaf, k=k: leaf[k], params), references, dispersion
            )
            for k, references in enumerate(atomic_energies)
        )

    @classmethod
    def of(cls, potentials: Iterable[Potential]) -> Self:
        """Makes a committee of potentials that were trained one by one.

        Raises:
            ValueError: fewer than two, or configs or dispersion corrections that differ.
        """
        members = list(potentials)
        if not members:
            raise ValueError("a committee needs two members or more; none came")
        config = members[0].config
        for number, member in enumerate(members):
            if member.config != config:
                raise ValueError(
                    "the members of a committee must have equal configs (train them with one "
                    f"`config`); member {number} has {_differing(config, member.config)}"
                )
        corrections = {member.dispersion for member in members}
        if len(corrections) > 1:
            names = sorted("none" if each is None else each.name for each in corrections)
            raise ValueError(
                "the members of a committee must have the same dispersion correction; they have "
                f"{', '.join(names)}"
            )
        references = [member.atomic_energies for member in members]
        with precision_scope(config.precision):
            params = with_members_first([member.params for member in members])
        return cls(config, params, references, corrections.pop())

    @functools.cached_property
    def params(self) -> Params:
        """Nested dictionary of arrays with the members as first axis."""
        with precision_scope(self.config.precision):
            return with_members_first([member.params for member in self.members])

    @functools.cached_property
    def atomic_energies(self) -> dict[str, float]:
        """Mean reference energy of each type by chemical symbol (eV)."""
        means = {}
        for name in self.config.type_names:
            energies = [member.atomic_energies[name] for member in self.members]
            means[name] = float(mean_and_spread(energies)[0])
        return means

    def __len__(self) -> int:
        return len(self.members)

    def predict(self, graph: jraph.GraphsTuple) -> Predictions:
        """Evaluates a padded batch; every array has the members as first axis.

        Args:
            graph: batch in the layout of `allegro_jax.graphs`.

        Returns:
            Device arrays in network precision, without reference energies and dispersion.
        """
        with precision_scope(self.config.precision):
            return _compiled_predict(build_model(self.config), self.params, graph)

    def results(
        self, structures: Sequence[Structure], predictions: Predictions
    ) -> list[CommitteeResult]:
        """Takes an evaluated batch apart; reference energies, means and spreads are in float64.

        Args:
            structures: those of the batch, in order.
            predictions: what `predict` returned for it, as numpy arrays.
        """
        of_members = [
            member.results_of_model(structures, Predictions(*(leaf[k] for leaf in predictions)))
            for k, member in enumerate(self.members)
        ]
        if self.dispersion is not None:  # once for all members
            terms = [dispersion_terms(structure, self.dispersion) for structure in structures]
            of_members = [
                [result.plus(added) for result, added in zip(own, terms, strict=True)]
                for own in of_members
            ]
        return [CommitteeResult.of(same) for same in zip(*of_members, strict=True)]

    def check_elements(self, structure: Structure, index: int = 0) -> None:
        """See `Potential.check_elements`."""
        self.members[0].check_elements(structure, index)

    def sharded(
        self, devices: "Sequence[jax.Device] | None" = None, skin: float = 0.0
    ) -> "ShardedCommittee":
        """Returns the same committee for one structure at a time; see `Potential.sharded`.

        Args:
            devices: what the structure is spread over; None for all devices of this process.
            skin: Å by which neighbour lists exceed the cutoff.
        """
        from allegro_jax.sharding.spatial import ShardedCommittee  # as in `Potential.sharded`

        return ShardedCommittee(self, devices, skin)

    def with_dispersion(self, dispersion: D3 | str) -> Self:
        """Returns the same committee with a D3 correction; see `Potential.with_dispersion`."""
        added = added_dispersion(self.dispersion, dispersion)
        references = [member.atomic_energies for member in self.members]
        return type(self)(self.config, self.params, references, added)

    def without_dispersion(self) -> Self:
        """Returns what the models alone say; see `Potential.without_dispersion`."""
        references = [member.atomic_energies for member in self.members]
        return type(self)(self.config, self.params, references)

    def check_no_dispersion(self, target: str) -> None:
        """See `Potential.check_no_dispersion`."""
        self.members[0].check_no_dispersion(target)

    def calculator(
        self,
        skin: float = 1.0,
        devices: "Sequence[jax.Device] | None" = None,
        *,
        dispersion: D3 | str | None = None,
        limit: float | None = None,
        on_limit: "OnLimit" = "stop",
    ) -> "CommitteeCalculator":
        """Returns a calculator for ASE: means, and spreads of energy and forces.

        Args:
            skin: Å by which neighbour lists exceed the cutoff.
            devices: what each structure is spread over; None for the default one.
            dispersion: correction to add; see `Potential.calculator`.
            limit: spread of the force on an atom (eV/Å) above which a structure is beyond what the
                committee knows; None for none.
            on_limit: "stop" raises a `SpreadLimitError` there, which ends a simulation; "warn"
                gives a `SpreadLimitWarning`.

        Example:
            >>> from ase.build import molecule
            >>> from allegro_jax import AllegroConfig, Committee, Potential
            >>> from allegro_jax.potential import initial_params
            >>> config = AllegroConfig(type_names=("H", "O"), cutoff=4.0)
            >>> members = [Potential(config, initial_params(config, k)) for k in (0, 1)]
            >>> water = molecule("H2O")
            >>> water.calc = Committee.of(members).calculator(limit=1e3)
            >>> energy = water.get_potential_energy()
            >>> water.calc.results["forces_spread"].shape
            (3,)
        """
        from allegro_jax.interfaces.committee_calculator import CommitteeCalculator  # imports ASE

        chosen = default_device() if devices is None else devices
        whole = self if dispersion is None else self.with_dispersion(dispersion)
        return CommitteeCalculator(whole, skin, chosen, limit=limit, on_limit=on_limit)

    def save(self, folder: str | Path) -> None:
        """Writes the committee into a folder, each member as a potential of its own; see `load`."""
        members = self.members
        write_committee(
            folder, [(m.config, m.params, m.atomic_energies, m.dispersion) for m in members]
        )

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Reads a committee from the folder that `save` wrote.

        Raises:
            ValueError: no such folder, not a committee, or members that do not fit together.
        """
        return cls.of(Potential(*parts) for parts in read_committee(folder))


def load_potential(folder: str | Path) -> Potential | Committee:
    """Reads what a training left: a potential, or a committee.

    Raises:
        ValueError: see `Potential.load` and `Committee.load`.
    """
    kind = Committee if (Path(folder) / COMMITTEE).exists() else Potential
    return kind.load(folder)


def predict_members(
    model: EdgeEnergyModel, params: Params, graph: jraph.GraphsTuple, *, in_blocks: bool = True
) -> Predictions:
    """Evaluates a padded batch by all members; pure, with the members as first axis.

    Arguments are those of `predict`.
    """
    return jax.vmap(lambda own: predict(model, own, graph, in_blocks=in_blocks))(params)


_compiled_predict = jax.jit(predict_members, static_argnums=0)


def with_members_first(trees: Sequence[Any]) -> Any:
    """Returns one tree whose arrays are those of several, along a new first axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _differing(config: ModelConfig, other: ModelConfig) -> str:
    if type(config) is not type(other):
        return f"a {type(other).__name__} and not a {type(config).__name__}"
    fields = [field.name for field in dataclasses.fields(config)]
    values = {name: (getattr(config, name), getattr(other, name)) for name in fields}
    differing = [f"{name}={b!r} and not {a!r}" for name, (a, b) in values.items() if a != b]
    return "; ".join(differing)
