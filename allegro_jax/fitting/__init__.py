"""From data of any kind to a tested potential in one call."""

from allegro_jax.fitting.entry import fit
from allegro_jax.fitting.inputs import as_dataset
from allegro_jax.fitting.session import FitResult, train_and_test
from allegro_jax.fitting.splitting import default_splits

__all__ = ["FitResult", "as_dataset", "default_splits", "fit", "train_and_test"]
