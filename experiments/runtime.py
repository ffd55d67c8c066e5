"""What the programs set up in JAX before they compute: kept compilations, a quiet log."""

from __future__ import annotations

from absl import flags, logging

from allegro_jax.compilation_cache import keep_compilations

_CACHE = flags.DEFINE_bool(
    "compilation_cache",
    True,
    "Keep compiled programs for later runs, in JAX_COMPILATION_CACHE_DIR or a folder of the user.",
)


def set_up() -> None:
    """Applies the flags of this module; to be called before anything is computed."""
    logging.set_verbosity(logging.WARNING)  # Orbax reports every file it writes
    if _CACHE.value:
        keep_compilations()
