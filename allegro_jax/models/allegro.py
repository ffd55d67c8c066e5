"""The Allegro architecture, as in nequip-allegro 0.5 to 0.8 (after Musaelian et al. 2023).

Each directed edge ij carries scalars s and equivariant tensors V. A layer couples V_ij with the
environment of the centre i, Γ_i = Σ_j w_ij Y(r_ij) / √A, and feeds the invariants of the product
back to the scalars. The energy of an atom is the sum over its edges of a readout of all scalars.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from allegro_jax.configs import AllegroConfig, PerType
from allegro_jax.models.embedding import BesselEmbedding, SplineEmbedding
from allegro_jax.models.readouts import build_readout
from allegro_jax.nn.geometry import EdgeGeometry, edge_geometry, spherical_harmonics
from allegro_jax.nn.irreps import coupling_paths, harmonic_irreps, track_irreps
from allegro_jax.nn.mlp import MLP, uniform_unit_variance
from allegro_jax.nn.pair_repulsion import zbl_edge_energies
from allegro_jax.nn.radial import polynomial_envelope
from allegro_jax.nn.tensor_product import tensor_product


class Allegro(nn.Module):
    """Atomic energies from edge vectors.

    Attributes:
        config: architecture.
    """

    config: AllegroConfig

    @nn.compact
    def __call__(
        self,
        vectors: Float[Array, "edges 3"],
        species: Int[Array, "atoms"],
        senders: Int[Array, "edges"],
        receivers: Int[Array, "edges"],
        edge_mask: Bool[Array, "edges"] | None = None,
    ) -> Float[Array, "atoms"]:
        """Evaluates the model.

        E_i = σ_i / √(2 A_i) Σ_j E_ij + μ_i (+ pair terms)

        Args:
            vectors: r_ij = r_j - r_i (Å); zero-length vectors are padding.
            species: species index of every atom.
            senders: neighbour j of every edge.
            receivers: centre i of every edge, ascending.
            edge_mask: False on edges to be ignored.

        Returns:
            Energy of every atom (eV), without the references subtracted from the training data.
        """
        config = self.config
        energy_dtype = jnp.dtype(config.precision.energy)
        vectors = vectors.astype(config.precision.geometry)
        geometry = edge_geometry(vectors, config.cutoff, edge_mask)
        types = (species[receivers], species[senders])
        x = geometry.lengths / self._cutoffs(*types, vectors.dtype)
        envelope = polynomial_envelope(x, config.polynomial_cutoff_p)

        scalars = self._edge_scalars(geometry, x, envelope, types, species, receivers)
        network = jnp.dtype(config.precision.network)
        readout = build_readout(
            config.readout,
            forward_normalize=config.forward_normalize,
            dtype=network,
            name="readout",
        )
        edge_energies = readout(scalars, envelope.astype(network))[:, 0].astype(energy_dtype)
        energies = _sum_to_centers(edge_energies, receivers, species.shape[0])
        energies = energies * self._normalization(species, energy_dtype) * np.sqrt(0.5).item()
        energies = self._rescale(energies, species)
        if config.pair_potential is None:
            return energies
        pair_energies = self._pair_energies(geometry, x, types).astype(energy_dtype)
        return energies + _sum_to_centers(pair_energies, receivers, species.shape[0])

    def _cutoffs(self, centers: Array, neighbors: Array, dtype: jnp.dtype) -> Array | float:
        """Cutoff of every edge (Å)."""
        table = self.config.per_edge_type_cutoff
        if table is None:
            return self.config.cutoff
        return jnp.asarray(table, dtype)[centers, neighbors]

    def _normalization(self, species: Int[Array, "atoms"], dtype: jnp.dtype) -> Array:
        """1 / √A for every atom."""
        neighbors = _per_type(self.config.avg_num_neighbors, len(self.config.type_names))
        return jnp.asarray(1.0 / np.sqrt(neighbors), dtype)[species]

    def _mlp(self, outputs: int, name: str) -> MLP:
        config, mlp = self.config, self.config.allegro_mlp
        widths = (*(mlp.width,) * mlp.depth, outputs)
        dtype = jnp.dtype(config.precision.network)
        return MLP(widths, mlp.nonlinearity, config.forward_normalize, dtype, name=name)

    def _edge_scalars(
        self,
        geometry: EdgeGeometry,
        x: Float[Array, "edges"],
        envelope: Float[Array, "edges"],
        types: tuple[Int[Array, "edges"], Int[Array, "edges"]],
        species: Int[Array, "atoms"],
        receivers: Int[Array, "edges"],
    ) -> Float[Array, "edges features"]:
        """All blocks of the scalar track, [s⁰; s¹; ...; s^L]."""
        config = self.config
        dtype = jnp.dtype(config.precision.network)
        num_scalars = config.num_scalar_features
        embedded = self._two_body(x, envelope, types)
        harmonics = spherical_harmonics(geometry.directions, config.l_max).astype(dtype)
        normalization = self._normalization(species, dtype)
        tensors = self._initial_tensors(embedded, harmonics)
        first = MLP((num_scalars + self._num_weights,), dtype=dtype, name="environment_embed")
        output = first(embedded)
        block, weights = self._split(output)
        scalars = [block]
        for layer in range(config.num_layers):
            environment = self._environment(weights, harmonics, receivers, normalization)
            tensors = self._couple(layer, tensors, environment)
            last = layer == config.num_layers - 1
            latent = self._mlp(num_scalars + (0 if last else self._num_weights), f"latent_{layer}")
            output = latent(jnp.concatenate([*scalars, tensors[0]], axis=-1))
            block, weights = self._split(output)
            scalars.append(block)
        return jnp.concatenate(scalars, axis=-1)

    def _split(self, output: Float[Array, "edges outputs"]) -> tuple[Array, Array]:
        """Scalars and environment weights (none after the last layer)."""
        scalars = self.config.num_scalar_features
        # The transpose of split is one concatenation, that of slices pads and adds.
        first, rest = jax.lax.split(output, (scalars, output.shape[1] - scalars), axis=1)
        return first, rest

    def _two_body(self, x: Array, envelope: Array, types: tuple[Array, Array]) -> Array:
        config = self.config
        kind = BesselEmbedding if config.splines is None else SplineEmbedding
        embedded = kind(config, name="two_body")(x, envelope, types)
        mlp = config.scalar_embed_mlp
        widths = (*(mlp.width,) * mlp.depth, config.num_scalar_features)
        options = (mlp.nonlinearity, config.forward_normalize, embedded.dtype)
        return MLP(widths, *options, name="scalar_embed")(embedded)

    @property
    def _num_weights(self) -> int:
        """Environment weights of an edge: per channel, and per irrep unless these share them."""
        irreps = self.config.l_max + 1 if self.config.weight_individual_irreps else 1
        return irreps * self.config.num_tensor_features

    def _initial_tensors(
        self, embedded: Float[Array, "edges features"], harmonics: Float[Array, "components edges"]
    ) -> Float[Array, "components edges channels"]:
        """V⁰_{u,lm} = w_{u,l} Y_lm."""
        outputs = (self.config.l_max + 1) * self.config.num_tensor_features
        weights = MLP(
            (outputs,), None, self.config.forward_normalize, embedded.dtype, name="tensor_embed"
        )(embedded)
        return _weight_harmonics(weights, harmonics, self.config)

    def _environment(
        self,
        weights: Float[Array, "edges weights"],
        harmonics: Float[Array, "components edges"],
        receivers: Int[Array, "edges"],
        normalization: Float[Array, "atoms"],
    ) -> Float[Array, "components edges channels"]:
        """Γ_i,u,lm = 1/√A_i Σ_j w_ij,u,l Y_lm(ij), gathered back to the edges of i."""
        terms = jnp.moveaxis(_weight_harmonics(weights, harmonics, self.config), 0, 1)
        sums = _sum_to_centers(terms, receivers, normalization.shape[0])
        sums = sums * normalization[:, None, None]
        return jnp.moveaxis(sums[receivers], 1, 0)

    def _couple(self, layer: int, tensors: Array, environment: Array) -> Array:
        """V' = Σ_paths c_path V ⊗ Γ; after the last layer only the scalar component."""
        config = self.config
        track = track_irreps(config.l_max, config.parity, config.num_layers)
        irreps = (track[layer], harmonic_irreps(config.l_max), track[layer + 1])
        channels = config.num_tensor_features if config.tp_path_channel_coupling else 1
        weights = self.param(
            f"tensor_product_{layer}",
            uniform_unit_variance,
            (len(coupling_paths(*irreps)), channels),
            tensors.dtype,
        )
        return tensor_product(config.tensor_product, irreps)(tensors, environment, weights)

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

    def _pair_energies(
        self, geometry: EdgeGeometry, x: Array, types: tuple[Array, Array]
    ) -> Float[Array, "edges"]:
        """ZBL repulsion of every edge."""
        assert self.config.pair_potential is not None
        table = jnp.asarray(self.config.atomic_numbers)
        numbers = (table[types[0]], table[types[1]])
        p = self.config.pair_potential.polynomial_cutoff_p
        return zbl_edge_energies(geometry.lengths, x, numbers, p)


def _per_type(value: PerType, num_types: int) -> np.ndarray:
    """Spreads one number over all types; float64, so that no digit is lost before the cast."""
    return np.broadcast_to(np.asarray(value, np.float64), (num_types,))


def _sum_to_centers(values: Array, receivers: Int[Array, "edges"], num_atoms: int) -> Array:
    return jax.ops.segment_sum(values, receivers, num_atoms, indices_are_sorted=True)


def _weight_harmonics(
    weights: Float[Array, "edges weights"],
    harmonics: Float[Array, "components edges"],
    config: AllegroConfig,
) -> Float[Array, "components edges channels"]:
    """w_{l,u} Y_lm, with the weights irrep-major: channels of l = 0, then of l = 1, ..."""
    degrees = [irrep.l for irrep in harmonic_irreps(config.l_max) for _ in range(irrep.dim)]
    channels = config.num_tensor_features
    blocks = jax.lax.split(weights, (channels,) * (weights.shape[1] // channels), axis=1)
    spread = jnp.stack([blocks[degree if len(blocks) > 1 else 0] for degree in degrees])
    return spread * harmonics[:, :, None]
