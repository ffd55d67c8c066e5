"""What is built and how it is moved: the numbers of the recipe."""

from __future__ import annotations

import dataclasses
import math
from typing import Any


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Sizes, tolerances and courses (Laskaris et al. 2026, sections 3.2 and 3.3).

    What the paper leaves open is marked; its values here are those of the shipped set `culi`.

    Attributes:
        max_index: Largest Miller index; 3 gives 13 planes of each metal.
        planes: At most so many of them, the most closely packed first; None for all.
        li_thickness: Least thickness of Li slabs, Å.
        cu_thickness: Of Cu slabs, Å.
        vacuum: On either side of a slab, Å.
        relaxed_layers: Outer layers on either side of a slab that move.
        adatom_height: Of adatoms above their neighbours, Å.
        area_tolerance: Largest relative difference of the areas that an interface matches.
        length_tolerance: Of the lengths of its vectors (open).
        angle_tolerance: Of their angle, rad (open).
        min_length: Shortest period in the plane of an interface, Å (open).
        max_area: Largest area of an interface that is tried, Å² (open).
        gap: Between the metals, and from the film to the next period, Å.
        interface_li_thickness: Least thickness of Li in an interface, Å (open).
        interface_cu_thickness: Of Cu, Å (open).
        interfaces_per_plane: Matches that are taken of a plane, the smallest first (open).
        hold_temperature: Temperature at which an interface is molten, K.
        hold_ps: How long, ps (open).
        final_temperature: Temperature to which it is cooled, K.
        cooling_rate: How fast, K/ps.
        timestep_fs: Of molecular dynamics.
        frame_interval: Steps between the frames of molecular dynamics that are kept (open).
        fmax: Largest force at which a relaxation ends, eV/Å.
        relax_steps: Most steps of a relaxation (open).
        relax_interval: Steps between its frames that are kept; the last one always is (open).
        seed: Of initial velocities.
    """

    max_index: int = 3
    planes: int | None = None
    li_thickness: float = 20.0
    cu_thickness: float = 30.0
    vacuum: float = 15.0
    relaxed_layers: int = 2
    adatom_height: float = 2.0
    area_tolerance: float = 0.09
    length_tolerance: float = 0.03
    angle_tolerance: float = 0.01
    min_length: float = 4.9
    max_area: float = 200.0
    gap: float = 3.0
    interface_li_thickness: float = 8.0
    interface_cu_thickness: float = 6.0
    interfaces_per_plane: int = 1
    hold_temperature: float = 600.0
    hold_ps: float = 1.0
    final_temperature: float = 10.0
    cooling_rate: float = 250.0
    timestep_fs: float = 2.0
    frame_interval: int = 2
    fmax: float = 0.03
    relax_steps: int = 100
    relax_interval: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        """Checks every number.

        Raises:
            ValueError: If one is not finite, or not positive where it must be.
        """
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is None and field.name == "planes":
                continue
            expected = int if str(field.type).startswith("int") else (int, float)
            if isinstance(value, bool) or not isinstance(value, expected):
                kind = "a whole number" if expected is int else "a number"
                raise ValueError(f"{field.name} must be {kind}, got {value!r}")
            least = 0 if field.name in ("hold_ps", "seed", "vacuum") else math.ulp(0.0)
            if not (math.isfinite(value) and value >= least):
                raise ValueError(f"{field.name} must be finite and positive, got {value}")
        if self.final_temperature > self.hold_temperature:
            raise ValueError(
                f"final_temperature must not exceed hold_temperature={self.hold_temperature}, got "
                f"{self.final_temperature}"
            )

    @property
    def hold_steps(self) -> int:
        """Steps at the temperature of the melt."""
        return round(1e3 * self.hold_ps / self.timestep_fs)

    @property
    def quench_steps(self) -> int:
        """Steps of cooling; 1,180 with the numbers of the paper."""
        cooling_ps = (self.hold_temperature - self.final_temperature) / self.cooling_rate
        return round(1e3 * cooling_ps / self.timestep_fs)

    def to_json(self) -> dict[str, Any]:
        """Returns the fields."""
        return dataclasses.asdict(self)


SMALL = Recipe(
    max_index=1,
    planes=2,
    li_thickness=6.0,
    cu_thickness=5.0,
    vacuum=6.0,
    relaxed_layers=1,
    interface_li_thickness=5.0,
    interface_cu_thickness=3.0,
    min_length=3.0,
    max_area=60.0,
    hold_ps=0.02,
    cooling_rate=2.95e4,
    relax_steps=6,
    relax_interval=3,
)
"""A build of a minute, to see what comes out: two planes, thin slabs, 20 steps of dynamics."""

RECIPES = {"paper": Recipe(), "small": SMALL}
