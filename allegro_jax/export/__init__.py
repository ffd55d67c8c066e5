"""Potentials as files that run without this package; see docs/deployment.md.

`Potential.export` writes one file, which holds the compiled-for-any-size program as StableHLO, the
parameters, a header in plain JSON and the code that reads it (`allegro_jax.export.runner`, which
needs numpy and jax alone).
"""

from allegro_jax.export.artefact import export_potential
from allegro_jax.export.program import PLATFORMS
from allegro_jax.export.runner import ExportedPotential, load

__all__ = ["PLATFORMS", "ExportedPotential", "export_potential", "load"]
