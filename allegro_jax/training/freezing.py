"""Frozen parameters: named parts of a model that training leaves as they are, bit by bit."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from allegro_jax.models.storage import flatten, unflatten

Params = Any

ALIASES: Mapping[str, tuple[str, ...]] = {
    "embedding": (
        "two_body",
        "scalar_embed",
        "tensor_embed",
        "environment_embed",
        "environment_embed_0",
    ),
    "layers": ("tensor_product_*", "mix_*", "latent_*", "environment_embed_[1-9]*", "residual"),
    "readout": ("readout",),
    "scales": ("energy_scales", "energy_shifts", "edge_scales"),
}
"""Parts of both architectures and the names of their parameters."""


def frozen_names(params: Params, freeze: tuple[str, ...]) -> frozenset[str]:
    """Returns the full names of the parameters that are frozen, such as "readout/mlp/weight_0".

    Args:
        params: Parameters of a model.
        freeze: Aliases of `ALIASES`, or names as far as any "/".

    Raises:
        ValueError: If a name fits no parameter, or nothing would be left to train.
    """
    names = list(flatten(params))
    frozen: set[str] = set()
    for part in freeze:
        fitting = {name for name in names if _is_part(name, part)}
        if not fitting:
            raise ValueError(
                f"freeze names {part!r}, which this model does not have; it has {sorted(names)}, "
                f"parts of these names up to a '/', and {_aliases(names)}"
            )
        frozen |= fitting
    if frozen == set(names):
        raise ValueError(f"freeze={freeze!r} leaves no parameter to train; name fewer parts")
    return frozenset(frozen)


def without_frozen(gradient: Params, freeze: tuple[str, ...]) -> Params:
    """Returns a gradient with zeros for frozen parameters, so that it is clipped by the others."""
    return _chosen(gradient, jax.tree.map(jnp.zeros_like, gradient), freeze)


def with_frozen(new: Params, old: Params, freeze: tuple[str, ...]) -> Params:
    """Returns new parameters with the old ones where they are frozen, whatever moved them."""
    return _chosen(new, old, freeze)


def _chosen(free: Params, frozen: Params, freeze: tuple[str, ...]) -> Params:
    if not freeze:
        return free
    names, still = frozen_names(free, freeze), flatten(frozen)
    return unflatten({k: still[k] if k in names else leaf for k, leaf in flatten(free).items()})


def _is_part(name: str, part: str) -> bool:
    if part in ALIASES:
        top = name.split("/")[0]
        return any(fnmatch.fnmatchcase(top, pattern) for pattern in ALIASES[part])
    return name == part or name.startswith(f"{part}/")


def _aliases(names: list[str]) -> list[str]:
    return [alias for alias in ALIASES if any(_is_part(name, alias) for name in names)]
