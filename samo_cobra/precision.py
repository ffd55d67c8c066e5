"""Float64 on the CPU for the calls of this package, whatever the caller's JAX settings.

Interpolation matrices of radial basis functions have condition numbers up to 1e14, so float32
is not an option, and a library must not flip ``jax_enable_x64`` for the whole process.
"""

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any

import jax


def _x64_context() -> Any:
    """Returns the context manager that newer and older JAX versions spell differently."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    return importlib.import_module("jax.experimental").enable_x64(True)


@contextlib.contextmanager
def float64_on_cpu() -> Iterator[None]:
    """Runs the enclosed JAX calls in float64 on the first CPU device."""
    with _x64_context(), jax.default_device(jax.devices("cpu")[0]):
        yield
