"""Where training begins: drawn parameters, or those of a potential that is tuned further.

A potential is tuned with its own architecture. Elements that it does not know are added: tables of
parameters by type get new rows, and every old row stays, so that structures of old elements have
the energies they had, but for reference energies, and the forces.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from allegro_jax.committee import Committee
from allegro_jax.configs import D3, ModelConfig
from allegro_jax.datasets import Dataset
from allegro_jax.digests import digest
from allegro_jax.graphs import GraphStore
from allegro_jax.models.energy import Params, initial_params, master_params, precision_scope
from allegro_jax.models.storage import flatten, unflatten
from allegro_jax.potential import Potential
from allegro_jax.training.config import TrainingConfig
from allegro_jax.training.elements import symbols_of
from allegro_jax.training.freezing import frozen_names
from allegro_jax.training.references import corrected_references
from allegro_jax.training.setup import atomic_energies

_PER_TYPE = ("avg_num_neighbors", "per_type_energy_scales", "per_type_energy_shifts")
_FREE = ("type_names", "precision", "tensor_product", *_PER_TYPE, "per_edge_type_cutoff")
"""Fields that may differ: they change no prediction for old elements, or are compared by type."""


class Start(NamedTuple):
    """Where a run begins.

    Attributes:
        params: Parameters of every member, in types that training can change by little.
        atomic_energies: Reference energy of each type by chemical symbol (eV).
        digest: Of what is tuned further; None where parameters were drawn.
    """

    params: list[Params]
    atomic_energies: dict[str, float]
    digest: str | None


def starting_point(
    config: ModelConfig,
    training: TrainingConfig,
    train_set: Dataset | GraphStore,
    init: Potential | Committee | None,
) -> Start:
    """Returns where a run begins.

    Args:
        config: Model.
        training: Settings; member k of a committee draws from the seed `training.seed + k`.
        train_set: Structures to learn from.
        init: What is tuned further, None to begin anew.

    Raises:
        ValueError: If `config` is not that of `init` but for new elements, the members are not as
            many as those of `init`, or `training.freeze` names what is not there.
    """
    seeds = range(training.seed, training.seed + training.members)
    identity = None
    if init is None:
        params = [initial_params(config, seed) for seed in seeds]
        references = dict.fromkeys(config.type_names, 0.0) | atomic_energies(train_set)
    else:
        members = _members_of(init, training.members)
        olds = zip(members, seeds, strict=True)
        carried = [carried_over(member, config, seed) for member, seed in olds]
        references = corrected_references(carried, train_set, members[0].config, training)
        params, identity = [member.params for member in carried], _digest(carried)
    frozen_names(params[0], training.freeze)
    # Copies: steps take the memory of what they begin with, and `init` is still needed.
    own = [jax.tree.map(jnp.copy, master_params(member)) for member in params]
    return Start(own, references, identity)


def dispersion_to_leave_out(
    training: TrainingConfig, init: Potential | Committee | None
) -> D3 | None:
    """Returns the correction that the model is not to learn: that of the settings, or of `init`.

    Raises:
        ValueError: If both are given and differ; what was learned without one correction is no
            beginning for learning without another.
    """
    if init is None or training.dispersion in (None, init.dispersion):
        return training.dispersion if init is None else init.dispersion
    assert training.dispersion is not None
    asked = training.dispersion.name
    has = "no dispersion correction" if init.dispersion is None else init.dispersion.name
    raise ValueError(
        f"TrainingConfig.dispersion is {asked}, and init has {has}; a potential is tuned with the "
        "correction it has: leave the setting out, or, if the model has learned labels without "
        f"dispersion, give init.without_dispersion().with_dispersion({asked!r})"
    )


def fine_tuning_config(init: Potential | Committee, train_set: Dataset | GraphStore) -> ModelConfig:
    """Returns the config to tune a potential further: its own, with the new elements of a data set.

    Old elements come first. Scales and average numbers of neighbours stay those of the potential,
    since its parameters were fitted with them; where they are given by type, a new one gets the
    mean. Fixed shifts become reference energies, which are kept in float64.

    Args:
        init: What is tuned further.
        train_set: Structures to learn from.

    Example:
        >>> from allegro_jax import AllegroConfig, Potential, load
        >>> from allegro_jax.potential import initial_params
        >>> from allegro_jax.training import fine_tuning_config
        >>> config = AllegroConfig(type_names=("H", "O"), cutoff=4.0)
        >>> potential = Potential(config, initial_params(config))
        >>> fine_tuning_config(potential, load("rmd17-benzene")).type_names
        ('H', 'O', 'C')
    """
    config = init.config
    added = tuple(name for name in symbols_of(train_set) if name not in config.type_names)
    changes: dict[str, Any] = {"type_names": (*config.type_names, *added)}
    for field in _PER_TYPE:
        value = getattr(config, field)
        if isinstance(value, tuple):
            new = 0.0 if field == "per_type_energy_shifts" else float(np.mean(value))
            changes[field] = (*value, *(new,) * len(added))
    if not config.trainable_shifts:
        changes["per_type_energy_shifts"] = None
    table = getattr(config, "per_edge_type_cutoff", None)
    if table is not None:
        wide = np.full((len(table) + len(added),) * 2, config.cutoff)
        wide[: len(table), : len(table)] = table
        changes["per_edge_type_cutoff"] = tuple(map(tuple, wide.tolist()))
    return dataclasses.replace(config, **changes)


def carried_over(potential: Potential, config: ModelConfig, seed: int = 0) -> Potential:
    """Returns a potential with the config and the elements of `config`, alike on old elements.

    Reference energies of new elements are zero.

    Args:
        potential: What is tuned further.
        config: Its config, in which the types may have another order and new ones may be among
            them; see `fine_tuning_config`.
        seed: Of the parameters of new types.

    Raises:
        ValueError: If the configs differ in anything else; the message names what.
    """
    if config.per_type_energy_shifts is None and not config.trainable_shifts:
        potential = _shifts_as_references(potential)
    _check_same_model(potential.config, config)
    old, names = flatten(potential.params), potential.config.type_names
    places = np.array([config.type_names.index(name) for name in names])
    fresh = flatten(initial_params(config, seed))
    with precision_scope(config.precision):
        params = {
            name: _carried(name, jnp.asarray(old[name], leaf.dtype), leaf, places)
            for name, leaf in fresh.items()
        }
    references = dict.fromkeys(config.type_names, 0.0) | potential.atomic_energies
    return Potential(config, unflatten(params), references)


def _carried(name: str, old: Array, fresh: Array, places: Int[np.ndarray, "old_types"]) -> Array:
    """New values of a parameter with the old ones in the places of the old types."""
    layout = _LAYOUTS.get(name)
    return old if layout is None else layout(old, fresh, places)


def _by_type(old: Array, fresh: Array, places: np.ndarray) -> Array:
    return fresh.at[places].set(old)


def _by_pair(old: Array, fresh: Array, places: np.ndarray) -> Array:
    return fresh.at[np.ix_(places, places)].set(old)


def _by_flat_pair(old: Array, fresh: Array, places: np.ndarray) -> Array:
    """Rows of the pair (centre type, neighbour type), one after the other."""
    before, after = len(places), math.isqrt(len(fresh))
    square = fresh.reshape(after, after, *fresh.shape[1:])
    pairs = _by_pair(old.reshape(before, before, *old.shape[1:]), square, places)
    return pairs.reshape(fresh.shape)


def _by_one_hot(old: Array, fresh: Array, places: np.ndarray) -> Array:
    """Rows of the centre types, of the neighbour types, then of the radial basis.

    The product is divided by the root of the number of rows, which the old rows make up for.
    """
    before = len(places)
    others = len(old) - 2 * before
    after = (len(fresh) - others) // 2
    rows = np.concatenate([places, after + places, 2 * after + np.arange(others)])
    return fresh.at[rows].set(old * (len(fresh) / len(old)) ** 0.5)


_LAYOUTS: Mapping[str, Callable[[Array, Array, np.ndarray], Array]] = {
    "two_body/centers": _by_type,
    "two_body/neighbors": _by_type,
    "two_body/weights": _by_flat_pair,
    "two_body/mlp/weight_0": _by_one_hot,
    "edge_scales": _by_pair,
    "energy_scales": _by_type,
    "energy_shifts": _by_type,
}
"""How the parameters that depend on types do; all others stay as they are."""


def _members_of(init: Potential | Committee, members: int) -> Sequence[Potential]:
    if isinstance(init, Committee):
        if len(init) != members:
            raise ValueError(
                f"init is a committee of {len(init)} members, and TrainingConfig.members is "
                f"{members}; set it to {len(init)}, or give one of init.members"
            )
        return init.members
    if members > 1:
        raise ValueError(
            f"TrainingConfig.members={members} from one potential would make equal members; give "
            "a Committee as init, or train a committee anew"
        )
    return [init]


def _shifts_as_references(potential: Potential) -> Potential:
    """Returns the same potential with its fixed shifts among the reference energies."""
    config = potential.config
    shifts = config.per_type_energy_shifts
    if shifts is None or config.trainable_shifts:
        return potential
    by_type = np.broadcast_to(shifts, len(config.type_names)).tolist()
    references = {
        name: potential.atomic_energies[name] + shift
        for name, shift in zip(config.type_names, by_type, strict=True)
    }
    without = dataclasses.replace(config, per_type_energy_shifts=None)
    return Potential(without, potential.params, references)


def _check_same_model(old: ModelConfig, new: ModelConfig) -> None:
    advice = "start from `fine_tuning_config(init, train_set)`"
    if type(old) is not type(new):
        raise ValueError(
            f"init is an {type(old).__name__} model and the config a {type(new).__name__}; {advice}"
        )
    missing = [name for name in old.type_names if name not in new.type_names]
    if missing:
        raise ValueError(f"the config lacks the types {missing} of init; {advice}")
    names = [field.name for field in dataclasses.fields(old) if field.name not in _FREE]
    values = {name: (getattr(old, name), getattr(new, name)) for name in names}
    values |= {name: _by_old_types(name, old, new) for name in _PER_TYPE}
    values["per_edge_type_cutoff"] = _edge_cutoffs(old, old), _edge_cutoffs(new, old)
    differing = [f"{name} was {a!r}, is now {b!r}" for name, (a, b) in values.items() if a != b]
    if differing:
        raise ValueError(
            f"the config is not that of init: {'; '.join(differing)}. A potential is tuned with "
            f"its own architecture and scales; {advice}"
        )


def _by_old_types(field: str, old: ModelConfig, new: ModelConfig) -> tuple[Any, Any]:
    """Values of the old types in both configs."""
    default = 0.0 if field == "per_type_energy_shifts" else 1.0

    def values(config: ModelConfig) -> list[float]:
        value = getattr(config, field)
        spread = np.broadcast_to(default if value is None else value, len(config.type_names))
        return [float(spread[config.type_names.index(name)]) for name in old.type_names]

    return values(old), values(new)


def _edge_cutoffs(config: ModelConfig, old: ModelConfig) -> Any:
    """Cutoffs of the pairs of old types."""
    table = getattr(config, "per_edge_type_cutoff", None)
    if table is None:
        return None
    places = [config.type_names.index(name) for name in old.type_names]
    return np.asarray(table)[np.ix_(places, places)].tolist()


def _digest(potentials: Sequence[Potential]) -> str:
    references = [potential.atomic_energies for potential in potentials]
    arrays = jax.tree.leaves([potential.params for potential in potentials])
    return digest(arrays, text=json.dumps(references, sort_keys=True))
