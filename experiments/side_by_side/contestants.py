"""Who trains beside whom: the two programs, each with its own settings and with the other's."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

from allegro_jax.training import TrainingConfig

Program = Literal["allegro_jax", "nequip"]

PUBLISHED: dict[str, Any] = {
    "optimizer": "adam",
    "weight_decay": 0.0,
    "learning_rate": 2e-3,
    "batch_size": 5,
    "accumulate": 1,
    "loss": "mse",
    "energy_per_atom": False,
    "energy_weight": 1.0,
    "forces_weight": 1000.0,
    "ema_decay": 0.99,
    "clip_norm": None,
}
"""Allegro's settings for rMD17 (Musaelian et al., Nat. Commun. 14, 579, 2023).

Their learning rate falls when the validation loss has not for 100 epochs, which a run of minutes
never sees; here it follows the cosine over the time that the preset has too.
"""


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A row of the comparison.

    Attributes:
        name: Of the row and of its folder.
        program: Whose code trains.
        settings: "preset" (ours) or "published" (Allegro's).
        training: The settings themselves.
    """

    name: str
    program: Program
    settings: str
    training: TrainingConfig


def contestants(
    preset: TrainingConfig, names: Sequence[str], peer_rate: float | None = None
) -> list[Contestant]:
    """Returns the rows of the given names, in this order.

    Args:
        preset: Our settings, the time limit among them.
        names: "ours" and "nequip" have each program with its own settings, "ours-published" and
            "nequip-preset" with the other's.
        peer_rate: Learning rate in place of the published one.

    Raises:
        ValueError: If a name is unknown.
    """
    changes = PUBLISHED | ({} if peer_rate is None else {"learning_rate": peer_rate})
    published = dataclasses.replace(preset, **changes)
    rows = (
        Contestant("ours", "allegro_jax", "preset", preset),
        Contestant("nequip", "nequip", "published", published),
        Contestant("ours-published", "allegro_jax", "published", published),
        Contestant("nequip-preset", "nequip", "preset", preset),
    )
    known = {row.name: row for row in rows}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"unknown rows {unknown}; expected some of {', '.join(known)}")
    return [known[name] for name in names]
