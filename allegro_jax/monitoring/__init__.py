"""What a person sees of a training: bar, logs, pictures, summary. Nothing unless asked for."""

from allegro_jax.monitoring.watchers import Watcher, Watchers

__all__ = ["Watcher", "Watchers"]
