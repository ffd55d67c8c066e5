"""What a person sees of a training: bar, logs, pictures, summary. Nothing unless asked for."""

from allegro_jax.monitoring.callbacks import Callback, Callbacks

__all__ = ["Callback", "Callbacks"]
