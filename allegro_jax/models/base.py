"""What all architectures have in common: from edge vectors to edges, from edges to atoms."""

from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from allegro_jax.configs import ModelConfig, PerType
from allegro_jax.models.readouts import build_readout, latent_circuit_name
from allegro_jax.nn.environment import Centers, sum_to_centers
from allegro_jax.nn.geometry import edge_geometry
from allegro_jax.nn.pair_repulsion import repulsion_cutoffs, zbl_edge_energies
from allegro_jax.nn.radial import polynomial_envelope

EdgeTypes = tuple[Int[Array, "edges"], Int[Array, "edges"]]


class Edges(NamedTuple):
    """What is known of the edges of a batch before any weight is used.

    Attributes:
        lengths: r_ij (Å).
        directions: r_ij / |r_ij|.
        x: lengths over the cutoff of each edge.
        envelope: u_p(x).
        types: species of centre and neighbour.
        centers: which centre i owns which edge, and 1/√A_i, in network precision.
    """

    lengths: Float[Array, "edges"]
    directions: Float[Array, "edges 3"]
    x: Float[Array, "edges"]
    envelope: Float[Array, "edges"]
    types: EdgeTypes
    centers: Centers


class EdgeEnergyModel(nn.Module):
    """Atomic energies as sums of the energies of directed edges.

    E_i = σ_i f/√A_i Σ_j E_ij + μ_i (+ pair terms), E_ij = readout(h_ij). The architectures
    differ in how they make the scalars h_ij (`_edge_scalars`) and in the constant f.

    Attributes:
        config: architecture.
    """

    config: ModelConfig

    @nn.compact
    def __call__(
        self,
        vectors: Float[Array, "edges 3"],
        species: Int[Array, "atoms"],
        neighbor_species: Int[Array, "edges"],
        receivers: Int[Array, "edges"],
        edge_mask: Bool[Array, "edges"] | None = None,
    ) -> Float[Array, "atoms"]:
        """Evaluates the model.

        Args:
            vectors: r_ij = r_j - r_i (Å); zero-length vectors are padding.
            species: species index of every centre.
            neighbor_species: species index of the neighbour j of every edge.
            receivers: centre i of every edge, ascending.
            edge_mask: False on edges to be ignored.

        Returns:
            Energy of every atom (eV), without the references subtracted from the training data.
        """
        energy_dtype = jnp.dtype(self.config.precision.energy)
        edges = self._edges(
            vectors, species, (species[receivers], neighbor_species), receivers, edge_mask
        )
        edge_energies = self._edge_energies(edges).astype(energy_dtype)
        energies = sum_to_centers(edge_energies, receivers, species.shape[0])
        energies = energies * self._normalization(species, energy_dtype) * self._edge_sum_factor
        energies = self._rescale(energies, species)
        if self.config.pair_potential is None:
            return energies
        pair_energies = self._pair_energies(edges).astype(energy_dtype)
        return energies + sum_to_centers(pair_energies, receivers, species.shape[0])

    @property
    def _edge_sum_factor(self) -> float:
        """The constant f of the sum over edges."""
        raise NotImplementedError

    def _edge_scalars(self, edges: Edges) -> list[Float[Array, "edges ?features"]]:
        """The scalars h_ij of every edge in one array or several; they vanish at the cutoff."""
        raise NotImplementedError

    def _edge_energies(self, edges: Edges) -> Float[Array, "edges"]:
        """E_ij in units of the network."""
        config = self.config
        dtype = jnp.dtype(config.precision.network)
        readout = build_readout(
            config.readout, normalization=config.normalization, dtype=dtype, name="readout"
        )
        return readout(self._edge_scalars(edges), edges.envelope.astype(dtype))[:, 0]

    def _with_circuit(
        self,
        layer: int,
        latent: list[Float[Array, "edges ?outputs"]],
        scalars: list[Float[Array, "edges ?features"]],
        sizes: tuple[int, ...],
    ) -> list[Float[Array, "edges ?outputs"]]:
        """Adds the circuit beside the perceptron of a layer, if the config has one."""
        config = self.config
        if config.latent_circuit is None:
            return latent
        from allegro_jax.models.circuits import LatentCircuit  # as in `build_readout`

        dtype, name = jnp.dtype(config.precision.network), latent_circuit_name(layer)
        options = (config.latent_circuit, sum(sizes), config.normalization, dtype)
        parts = LatentCircuit(*options, name=name)(scalars, sizes)
        return [part + change for part, change in zip(latent, parts, strict=True)]

    def _edges(
        self,
        vectors: Float[Array, "edges 3"],
        species: Int[Array, "atoms"],
        types: EdgeTypes,
        receivers: Int[Array, "edges"],
        edge_mask: Bool[Array, "edges"] | None,
    ) -> Edges:
        config = self.config
        vectors = vectors.astype(config.precision.geometry)
        lengths, directions = edge_geometry(vectors, config.cutoff, edge_mask)
        x = lengths / self._cutoffs(types, vectors.dtype)
        envelope = polynomial_envelope(x, config.polynomial_cutoff_p)
        normalization = self._normalization(species, jnp.dtype(config.precision.network))
        centers = Centers.build(receivers, normalization, config.num_tensor_features)
        return Edges(lengths, directions, x, envelope, types, centers)

    def _cutoffs(self, types: EdgeTypes, dtype: jnp.dtype) -> Array | float:  # noqa: ARG002
        """Cutoff of every edge (Å); here one for all."""
        return self.config.cutoff

    def _normalization(self, species: Int[Array, "atoms"], dtype: jnp.dtype) -> Array:
        """1/√A for every atom."""
        neighbors = _per_type(self.config.avg_num_neighbors, len(self.config.type_names))
        return jnp.asarray(1.0 / np.sqrt(neighbors), dtype)[species]

    def _rescale(self, energies: Float[Array, "atoms"], species: Array) -> Float[Array, "atoms"]:
        """σ E_i + μ with one σ and μ per type."""
        config = self.config
        scales = self._per_type("energy_scales", config.per_type_energy_scales, 1.0)
        shifts = self._per_type("energy_shifts", config.per_type_energy_shifts, 0.0)
        if scales is not None:
            energies = energies * scales[species]
        return energies if shifts is None else energies + shifts[species]

    def _per_type(self, name: str, value: PerType | None, default: float) -> Array | None:
        config = self.config
        trainable = config.trainable_scales if default else config.trainable_shifts
        if value is None and not trainable:
            return None
        spread = _per_type(default if value is None else value, len(config.type_names))
        values = jnp.asarray(spread, config.precision.energy)
        return self.param(name, lambda _: values) if trainable else values

    def _pair_energies(self, edges: Edges) -> Float[Array, "edges"]:
        """ZBL repulsion of every edge."""
        assert self.config.pair_potential is not None
        table = jnp.asarray(self.config.atomic_numbers)
        numbers = (table[edges.types[0]], table[edges.types[1]])
        p = self.config.pair_potential.polynomial_cutoff_p
        return zbl_edge_energies(edges.lengths, self._repulsion_x(edges), numbers, p)

    def _repulsion_x(self, edges: Edges) -> Float[Array, "edges"]:
        """Lengths over the distances at which the repulsion vanishes."""
        assert self.config.pair_potential is not None
        reach = self.config.pair_potential.cutoff
        if reach is None:
            return edges.x
        dtype = edges.lengths.dtype
        own = repulsion_cutoffs(reach, self.config.atomic_numbers).astype(dtype)
        limit = jnp.minimum(jnp.asarray(own)[edges.types], self._cutoffs(edges.types, dtype))
        return edges.lengths / limit


def _per_type(value: PerType, num_types: int) -> np.ndarray:
    """Spreads one number over all types; float64, so that no digit is lost before the cast."""
    return np.broadcast_to(np.asarray(value, np.float64), (num_types,))
