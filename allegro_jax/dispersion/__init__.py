"""D3 dispersion: what a model of a short cutoff cannot see.

It can be added to a potential that was trained on labels without it, or taken off labels that have
it before a training, whose potential adds it back. Either way the potential keeps the correction
(`Potential.dispersion`), applies it wherever it gives results, and saves it.
"""

from allegro_jax.dispersion.labels import bare_labels, subtract_dispersion
from allegro_jax.dispersion.terms import (
    DispersionTerms,
    added_dispersion,
    check_available,
    dispersion_terms,
)

__all__ = [
    "DispersionTerms",
    "added_dispersion",
    "bare_labels",
    "check_available",
    "dispersion_terms",
    "subtract_dispersion",
]
