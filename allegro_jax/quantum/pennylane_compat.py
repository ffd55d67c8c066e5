"""PennyLane on every JAX this project supports; used by the quantum layer alone.

PennyLane up to at least 0.45.1 asks ``jax.core.is_concrete`` and ``jax.core.concrete_or_error``
whether a traced value is known. JAX 0.10 deprecated both names (each call warns) and 0.11 removed
them (each QNode call fails), while PennyLane's metadata lets pip resolve the broken pair. JAX moved
``concrete_or_error`` to ``jax.extend.core``, and ``is_concrete`` follows from it, so the two names
are put back where PennyLane looks for them. Once PennyLane no longer asks,
``tests/allegro_jax/quantum/test_pennylane_compat.py`` fails, and this module reduces to
``import pennylane``.
"""

from __future__ import annotations

import contextlib
import importlib
import warnings
from collections.abc import Iterator
from types import ModuleType

import jax
import jax.core
import jax.extend.core
import jax.numpy as jnp
from jax.typing import DTypeLike

MOVED_NAMES = ("concrete_or_error", "is_concrete")


def _is_concrete(value: object) -> bool:
    """Whether the value of an array or tracer is known, as ``jax.core.is_concrete`` once told."""
    try:
        jax.extend.core.concrete_or_error(None, value)
    except jax.errors.ConcretizationTypeError:
        return False
    return True


def restore_moved_names() -> None:
    """Define in ``jax.core`` the two names PennyLane asks for, if this JAX moved them away.

    JAX before 0.10 still has both as plain attributes and is left alone.
    """
    moved = getattr(jax.extend.core, "concrete_or_error", None)
    if moved is None:
        return
    # vars, not hasattr: JAX 0.10 answers hasattr through a module __getattr__ that warns.
    vars(jax.core).setdefault("concrete_or_error", moved)
    vars(jax.core).setdefault("is_concrete", _is_concrete)


def import_pennylane() -> ModuleType:
    """Import PennyLane on first use (about 3.6 CPU seconds) and make it fit this JAX.

    Returns:
        The ``pennylane`` module.

    Raises:
        ImportError: PennyLane is not installed.
    """
    restore_moved_names()
    try:
        return importlib.import_module("pennylane")
    except ModuleNotFoundError as error:
        if error.name != "pennylane":
            raise
        raise ImportError(
            "the QDI readout needs PennyLane: pip install 'pennylane>=0.44.1,<0.46', "
            "or choose a classical readout"
        ) from error


@contextlib.contextmanager
def pennylane_settings(dtype: DTypeLike) -> Iterator[None]:
    """JAX settings under which PennyLane traces a circuit in the precision of ``dtype``.

    * default.qubit starts every state in the widest complex type there is; 32-bit mode inside a
      64-bit program keeps a float32 circuit in complex64.
    * PennyLane relies on numpy's rank promotion, which a program may have forbidden.
    * In 32-bit mode PennyLane's request for complex128 makes JAX warn that it will not be met.

    Args:
        dtype: float32 or float64, the dtype of the circuit's inputs.
    """
    double = jnp.dtype(dtype) == jnp.float64
    with jax.numpy_rank_promotion("allow"), _x64(double), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Explicitly requested dtype", module="jax")
        yield


def _x64(enabled: bool) -> contextlib.AbstractContextManager[None]:
    """``jax.enable_x64``, or its predecessor in ``jax.experimental`` on JAX that lacks it."""
    home = jax if hasattr(jax, "enable_x64") else importlib.import_module("jax.experimental")
    return home.enable_x64(enabled)
