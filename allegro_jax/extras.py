"""Packages that only some uses need: imported where they are used, or an error that says how."""

from __future__ import annotations

import importlib
from types import ModuleType


class MissingExtraError(ModuleNotFoundError, ValueError):
    """A package of an extra is not installed.

    It is a `ModuleNotFoundError` for those who ask what is installed, and a `ValueError` for
    programs, which print those without a traceback.
    """


def imported(module: str, extra: str, purpose: str, advice: str = "") -> ModuleType:
    """Imports a package that an extra installs.

    Args:
        module: Name of the module, such as "h5py".
        extra: Extra of the distribution allegro-jax that installs it.
        purpose: What needs it; begins the message.
        advice: What else would do; ends the message.

    Raises:
        MissingExtraError: It is not installed; the message names the extra.
        ImportError: It is installed, and broken or without a package that it needs itself.

    Example:
        >>> from allegro_jax.extras import imported
        >>> imported("no_such_package", "hdf5", "a file in HDF5")
        Traceback (most recent call last):
        allegro_jax.extras.MissingExtraError: a file in HDF5 needs the package no_such_package, \
which is not installed: pip install 'allegro-jax[hdf5]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        raise MissingExtraError(
            f"{purpose} needs the package {error.name}, which is not installed: "
            f"pip install 'allegro-jax[{extra}]'{advice}",
            name=error.name,
        ) from error
