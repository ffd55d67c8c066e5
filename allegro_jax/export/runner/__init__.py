"""Runs exported potentials; needs numpy, jax and flatbuffers, and no other part of allegro_jax.

Every exported file carries a copy under the name `allegro_runner`::

    import sys
    sys.path.insert(0, "model.aj")
    import allegro_runner

    potential = allegro_runner.load("model.aj")
    atoms.calc = potential.calculator()  # needs ase

Units are eV, Å, eV/Å and eV/Å³. Neighbours are found by vesin if it is installed, else by ASE.
"""

from .files import load
from .potential import ExportedPotential, Result

__all__ = ["ExportedPotential", "Result", "load"]
