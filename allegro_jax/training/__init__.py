"""Training: losses, metrics, schedules, the step, the loop, checkpoints."""

from allegro_jax.training.config import TrainingConfig
from allegro_jax.training.fine_tuning import fine_tuning_config
from allegro_jax.training.loop import TrainingResult, train
from allegro_jax.training.run import TrainingDivergedError
from allegro_jax.training.setup import atomic_energies, config_from_data

__all__ = [
    "TrainingConfig",
    "TrainingDivergedError",
    "TrainingResult",
    "atomic_energies",
    "config_from_data",
    "fine_tuning_config",
    "train",
]
