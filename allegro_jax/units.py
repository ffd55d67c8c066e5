"""Units: the package speaks eV, Å, eV/Å and eV/Å³; readers convert with the factors below.

Example:
    >>> from allegro_jax import units
    >>> round(1.0 * units.HARTREE, 6)
    27.211386
"""

KCAL_PER_MOL = 0.0433641042418
"""One kcal/mol in eV (the factor used for rMD17)."""

HARTREE = 27.211386245988
"""One hartree in eV (CODATA 2018; the factor used for QM9)."""

BOHR = 0.529177210903
"""One Bohr in Å (CODATA 2018)."""

GPA = 0.006241509074460763
"""One GPa in eV/Å³."""
