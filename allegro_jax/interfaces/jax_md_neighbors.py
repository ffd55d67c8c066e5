"""Neighbour lists of jax-md that know when they no longer hold; see `jax_md` beside this."""

import dataclasses
import functools
import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from allegro_jax.graphs.padding import rounded_capacity
from allegro_jax.graphs.skin import unlisted_margin

_HEADROOM = 1.05  # for edges within the cutoff, whose number fluctuates
_RESERVE = 0.25  # part of the skin that is left when a list is built anew: for the step to come
_NEIGHBOR_STEP = 16


class NeighborFn(NamedTuple):
    """As jax-md's `NeighborListFns`.

    Attributes:
        allocate: `allocate(R, extra_capacity=0, box=box)`: a new list, outside of jit.
        update: `update(R, neighbors, box=box)`: the list for new positions, for use under jit.
    """

    allocate: Callable[..., "Neighbors"]
    update: Callable[..., "Neighbors"]


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=["inner", "idx", "shifts", "positions", "box", "did_buffer_overflow"],
    meta_fields=["capacity", "most_neighbors", "update_fn"],
)
@dataclasses.dataclass(frozen=True)
class Neighbors:
    """A neighbour list of jax-md, ordered by centre, with what tells whether it still holds.

    Attributes:
        inner: jax-md's list.
        idx: neighbours j in the first row, centres i in the second, ascending; N is padding.
        shifts: lattice translations of j, or None where the minimum image is meant.
        positions: fractional coordinates when it was built (Å without a cell).
        box: likewise, columns are lattice vectors; None without a cell.
        did_buffer_overflow: allocate again, and repeat what was computed since the last check.
        capacity: edges that the model sees.
        most_neighbors: bound on the neighbours of an atom.
        update_fn: as that of jax-md's lists.
    """

    inner: Any
    idx: Int[Array, "2 listed"]
    shifts: Int[Array, "listed 3"] | None
    positions: Float[Array, "atoms 3"]
    box: Float[Array, "3 3"] | None
    did_buffer_overflow: Bool[Array, ""]
    capacity: int
    most_neighbors: int
    update_fn: Callable[..., "Neighbors"]

    def update(self, position: Array, **kwargs: Any) -> "Neighbors":
        """The list for new positions; `box=` for a new cell. For use under jit."""
        return self.update_fn(position, self, **kwargs)


@dataclasses.dataclass(frozen=True)
class Space:
    """Positions as jax-md has them, and as neighbour lists want them.

    Attributes:
        displacement: of jax-md.
        box: unless a call has another; None without a cell.
        fractional: whether positions are fractional.
    """

    displacement: Callable[..., Array]
    box: Array | None
    fractional: bool

    def box_of(self, kwargs: dict[str, Any]) -> Array | None:
        """The box of a call."""
        given = kwargs.get("new_box", kwargs.get("box"))
        return self.box if self.box is None or given is None else matrix(given)

    def coordinates(self, R: Array, box: Array | None) -> Array:
        """Fractional coordinates, or Å without a cell."""
        if box is None or self.fractional:
            return R
        return jax_md_module("space").transform(jnp.linalg.inv(box), R)

    def edge_vectors(self, R: Array, neighbors: Neighbors, **kwargs: Any) -> Array:
        """r_ij = r_j - r_i (Å) of the listed pairs; rows of padding are meaningless."""
        j, i = jnp.minimum(neighbors.idx, len(R) - 1)
        if neighbors.shifts is None:
            between = functools.partial(self.displacement, **kwargs)
            return jax.vmap(between)(R[j], R[i])
        space, box = jax_md_module("space"), self.box_of(kwargs)
        # Atoms that were wrapped into the cell since the list was built are taken back.
        wrapped = jnp.round(jax.lax.stop_gradient(self.coordinates(R, box)) - neighbors.positions)
        shifts = neighbors.shifts.astype(R.dtype) - wrapped[j] + wrapped[i]
        real = space.transform(box, R) if self.fractional else R
        vectors = real[j] - real[i] + space.raw_transform(box, shifts)
        strain = kwargs.get("perturbation")
        return vectors if strain is None else space.raw_transform(strain, vectors)


class Lists:
    """Allocates and updates neighbour lists."""

    def __init__(
        self, space: Space, cutoff: float, skin: float, capacity_multiplier: float
    ) -> None:
        self._space, self._cutoff, self._skin = space, cutoff, skin
        self._reach = cutoff + skin
        self._multiplier = capacity_multiplier
        self._makers: dict[tuple[bool, bool], Any] = {}

    def allocate(self, position: Array, extra_capacity: int = 0, **kwargs: Any) -> Neighbors:
        """A new list, of the kind that the box needs; outside of jit.

        Raises:
            ValueError: positions or box that are not finite, or a box without volume.
        """
        position, box = jnp.asarray(position), self._space.box_of(kwargs)
        coordinates = self._inside(position, box)
        _check_finite(coordinates, box)
        options = {} if box is None else {"box": box}
        made = self._maker(box).allocate(coordinates, extra_capacity=extra_capacity, **options)
        inner = _comparable(made)
        found = Neighbors(
            inner, *_by_centre(inner), coordinates, box, jnp.asarray(False), 0, 0, self.update
        )
        inside, most = self._counts(position, found, kwargs)
        roomy = rounded_capacity(1, int(_HEADROOM * int(inside))).edges
        bound = int(_HEADROOM * int(most)) // _NEIGHBOR_STEP * _NEIGHBOR_STEP + _NEIGHBOR_STEP
        return dataclasses.replace(
            found, capacity=min(roomy, found.idx.shape[1]), most_neighbors=bound
        )

    def update(self, position: Array, neighbors: Neighbors, **kwargs: Any) -> Neighbors:
        """The list for new positions: the same one while it holds; for use under jit."""
        box = self._space.box_of(kwargs)
        margin = self._margin(position, neighbors, box)
        coordinates = self._inside(position, box)

        def rebuilt() -> Neighbors:
            inner = self._updated(coordinates, neighbors.inner, box)
            idx, shifts = _by_centre(inner)
            return dataclasses.replace(
                neighbors, inner=inner, idx=idx, shifts=shifts, positions=coordinates, box=box
            )

        keep = margin > _RESERVE * self._skin
        new = jax.lax.cond(keep, lambda: neighbors, rebuilt)
        inside, most = self._counts(position, new, kwargs)
        overflow = neighbors.did_buffer_overflow | _too_small(new.inner)
        # A negative margin: what was computed with the list before may have missed a pair.
        overflow = overflow | (margin < 0.0) | ~jnp.isfinite(margin)
        overflow = overflow | (inside > new.capacity) | (most > new.most_neighbors)
        if neighbors.shifts is None and box is not None:
            overflow = overflow | (_lowest(box) < 2.0 * self._reach)
        return dataclasses.replace(new, did_buffer_overflow=overflow)

    def _maker(self, box: Array | None) -> Any:
        """What allocates jax-md's lists for a box; kept, for each new one compiles anew."""
        # What follows shrinks a box that is hardly large enough for the minimum image at once.
        images = box is not None and bool(_lowest(box) < 2.02 * self._reach)
        triangular = box is not None and _is_triangular(box)
        if (images, triangular) not in self._makers:
            self._makers[images, triangular] = self._made(box, images, triangular)
        return self._makers[images, triangular]

    def _made(self, box: Array | None, images: bool, triangular: bool) -> Any:
        """jax-md's list of a kind, which is built whenever it is asked for."""
        partition, space = jax_md_module("partition"), jax_md_module("space")
        options: dict[str, Any] = {
            "dr_threshold": 0.0,
            "capacity_multiplier": self._multiplier,
            "format": partition.Sparse,
            "fractional_coordinates": box is not None,
        }
        if images:
            of_images = jax_md_module("custom_partition").neighbor_list_multi_image
            return of_images(None, box, self._reach, **options)
        options["disable_cell_list"] = not triangular
        if box is None:
            return partition.neighbor_list(space.free()[0], jnp.inf, self._reach, **options)
        displacement = space.periodic_general(box, fractional_coordinates=True)[0]
        return partition.neighbor_list(displacement, box, self._reach, **options)

    @staticmethod
    def _updated(coordinates: Array, inner: Any, box: Array | None) -> Any:
        return inner.update(coordinates) if box is None else inner.update(coordinates, box=box)

    def _inside(self, position: Array, box: Array | None) -> Array:
        """Coordinates within the cell, where jax-md's lists look for images."""
        coordinates = self._space.coordinates(position, box)
        return coordinates if box is None else coordinates - jnp.floor(coordinates)

    def _margin(self, position: Array, neighbors: Neighbors, box: Array | None) -> Array:
        """Å by which pairs that are not listed are beyond the cutoff."""
        moved = self._space.coordinates(position, box) - neighbors.positions
        if box is None:
            return unlisted_margin(moved, 1.0, self._reach, self._cutoff)
        deformation = box @ jnp.linalg.inv(neighbors.box)
        # No singular value of F is below 1 - |F - 1|.
        stretch = 1.0 - jnp.linalg.norm(deformation - jnp.eye(3, dtype=box.dtype))
        moved = (moved - jnp.round(moved)) @ box.T
        return unlisted_margin(moved, stretch, self._reach, self._cutoff)

    def _counts(
        self, position: Array, neighbors: Neighbors, kwargs: dict[str, Any]
    ) -> tuple[Array, Array]:
        """Edges within the cutoff, and most listed neighbours of an atom."""
        vectors = self._space.edge_vectors(position, neighbors, **kwargs)
        real = neighbors.idx[1] < len(position)
        inside = real & (jnp.sum(vectors * vectors, axis=-1) < self._cutoff**2)
        of_centre = jnp.zeros(len(position), jnp.int32).at[neighbors.idx[1]].add(1, mode="drop")
        return jnp.sum(inside), jnp.max(of_centre)


def _comparable(inner: Any) -> Any:
    """A list that jit can compare with others.

    jax-md 0.2.29 keeps a size as an array among what jit compares, which fails while it traces.
    """
    size = getattr(inner, "cell_size", None)
    return inner if size is None else dataclasses.replace(inner, cell_size=float(size))


def _by_centre(inner: Any) -> tuple[Array, Array | None]:
    """Pairs of a list of jax-md, neighbours and centres, ordered by centre; and their shifts."""
    if not hasattr(inner, "shifts"):
        return inner.idx, None  # jax-md leaves these in order
    centres, neighbors = inner.idx
    order = jnp.argsort(centres, stable=True)
    return jnp.stack([neighbors[order], centres[order]]), inner.shifts[order]


def _too_small(inner: Any) -> Array:
    """Whether a list of jax-md has no room for its pairs, or its cells no width."""
    overflow = jnp.asarray(inner.did_buffer_overflow, bool)
    return overflow | jnp.asarray(getattr(inner, "cell_size_too_small", False), bool)


def matrix(box: Any) -> Float[Array, "3 3"]:
    """Box of any kind that jax-md knows, as a matrix of columns."""
    box = jnp.asarray(box, jnp.result_type(float))
    if box.ndim == 2 and box.shape == (3, 3):
        return box
    if box.ndim == 0 or box.shape in ((1,), (3,)):
        return jnp.eye(3, dtype=box.dtype) * box
    raise ValueError(f"the box must be a side, three sides or a 3 x 3 matrix; came {box.shape}")


def _is_triangular(box: Float[Array, "3 3"]) -> bool:
    """Whether cell lists of jax-md know what to do with the box."""
    return bool(jnp.all(jnp.triu(box) == box) & jnp.all(jnp.diag(box) > 0.0))


def _lowest(box: Float[Array, "3 3"]) -> Float[Array, ""]:
    """Smallest distance of opposite faces, Å."""
    return 1.0 / jnp.sqrt(jnp.max(jnp.sum(jnp.linalg.inv(box) ** 2, axis=1)))


def _check_finite(coordinates: Array, box: Array | None) -> None:
    if not bool(jnp.isfinite(coordinates).all()):
        raise ValueError("positions are NaN or infinite; the simulation may have exploded before")
    if box is None:
        return
    lowest = float(_lowest(box))
    if not (np.isfinite(lowest) and lowest > 1e-3):
        raise ValueError(f"the box {np.asarray(box).tolist()} has no volume")


def jax_md_module(name: str) -> Any:
    """A module of jax-md, imported when it is first needed (it takes seconds).

    Raises:
        ImportError: jax-md is not installed.
    """
    try:
        return importlib.import_module(f"jax_md.{name}")
    except ImportError as error:
        raise ImportError(
            f"jax-md 0.2.29 or newer is needed ({error}); install it by "
            'pip install "allegro-jax[md]". allegro_jax.simulation has the same ensembles without'
        ) from error
