"""The architecture of the 2023 paper: Musaelian et al., Nat. Commun. 14, 579; allegro 0.2."""

from dataclasses import dataclass
from typing import ClassVar

from allegro_jax.configs.base import ModelConfig, Normalization
from allegro_jax.configs.checks import Nonlinearity, require, require_nonlinearity, require_widths


@dataclass(frozen=True)
class Allegro2023Config(ModelConfig):
    """Everything that fixes the shape and the constants of an Allegro model of the 2023 paper.

    The paper's models for rMD17 have `two_body_widths` (128, 256, 512, 1024), `latent_widths`
    (1024, 1024, 1024), 128 tensor features, 3 layers, l_max 3 and the readout
    `MLPReadout((128,), activation=None)`.

    Attributes:
        two_body_widths: widths of the perceptron from types and distance to the latent; the last
            one is the size of the latent.
        latent_widths: widths of the perceptron that updates the latent; ends with its size.
        two_body_nonlinearity: "silu", "mish", "gelu", or None for a product of matrices.
        latent_nonlinearity: the same for the updates of the latent.
        trainable_residual: make the weight of every update of the latent, which starts at 1/2, a
            parameter.
        trainable_edge_scales: make a factor of the edge energies for every pair of types
            [centre, neighbour], which starts at 1, a parameter.

    The other attributes, from `type_names` and `cutoff` to `precision`, are those of
    `ModelConfig`.
    """

    two_body_widths: tuple[int, ...] = (64, 64)
    latent_widths: tuple[int, ...] = (64, 64)
    two_body_nonlinearity: Nonlinearity | None = "silu"
    latent_nonlinearity: Nonlinearity | None = "silu"
    trainable_residual: bool = False
    trainable_edge_scales: bool = False

    architecture: ClassVar[str] = "2023"

    def _check_sizes(self) -> None:
        super()._check_sizes()
        require_widths(self, "two_body_widths", at_least=1)
        require_widths(self, "latent_widths", at_least=1)
        size = self.two_body_widths[-1]
        expected = f"widths that end with the size of the latent, two_body_widths[-1] = {size}"
        require(self.latent_widths[-1] == size, self, "latent_widths", expected)
        require_nonlinearity(self, "two_body_nonlinearity")
        require_nonlinearity(self, "latent_nonlinearity")

    @property
    def latent_size(self) -> int:
        """Channels of the latent, the scalars of an edge."""
        return self.two_body_widths[-1]

    @property
    def normalization(self) -> Normalization:
        """How the weights of the perceptrons are scaled; see `allegro_jax.nn.mlp.MLP`."""
        return "second_moment"
