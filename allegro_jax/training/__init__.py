"""Training: losses, metrics, schedules, the step, the loop, checkpoints."""

from allegro_jax.training.config import TrainingConfig
from allegro_jax.training.fine_tuning import fine_tuning_config
from allegro_jax.training.footprint import Footprint, check_fits
from allegro_jax.training.loop import TrainingResult, train
from allegro_jax.training.progress import Progress
from allegro_jax.training.run import TrainingDivergedError, TrainingStoppedError
from allegro_jax.training.setup import atomic_energies, config_from_data

__all__ = [
    "Footprint",
    "Progress",
    "TrainingConfig",
    "TrainingDivergedError",
    "TrainingResult",
    "TrainingStoppedError",
    "atomic_energies",
    "check_fits",
    "config_from_data",
    "fine_tuning_config",
    "train",
]
