r"""Lattice constant, equation of state, elastic constants and phonons of a crystal.

    python -m experiments.properties --potential=DIR/potential --structure=Cu --workdir=OUT
    python -m experiments.properties --potential=DIR/potential --structure=mine.cif
    python -m experiments.properties --potential=DIR/potential --structure=NaCl \
        --crystalstructure=rocksalt --a=5.6 --quantities=eos,elastic

Atoms and cell are relaxed first, and everything is evaluated in float64. Elastic constants belong
to the axes of the structure as it is given. Phonons need phonopy (`pip install
"allegro-jax[properties]"`). `OUT` receives `properties.json`, `properties.png` and the relaxed
crystal as `relaxed.extxyz`. Copper takes about half a minute on a CPU core.
"""

from __future__ import annotations

import sys

from absl import app, flags

from experiments import runtime

_POTENTIAL = flags.DEFINE_string("potential", None, "Folder of a saved potential or committee.")
_STRUCTURE = flags.DEFINE_string("structure", None, "A file that ASE reads, or a formula.")
_KIND = flags.DEFINE_string("crystalstructure", None, "Of a formula: fcc, bcc, rocksalt, ...")
_A = flags.DEFINE_float("a", None, "Lattice constant of a formula to begin with, Å.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder for numbers and pictures; none if empty.")
_QUANTITIES = flags.DEFINE_list("quantities", ["eos", "elastic", "phonons"], "What is computed.")
_FMAX = flags.DEFINE_float("fmax", 1e-4, "Largest force left by relaxations, eV/Å.")
_SPAN = flags.DEFINE_float("span", 0.06, "Largest change of volume of the equation of state.")
_POINTS = flags.DEFINE_integer("points", 9, "Volumes of the equation of state.")
_STRAIN = flags.DEFINE_float("strain", 0.005, "Strain of the elastic constants.")
_LENGTH = flags.DEFINE_float("length", 12.0, "Distance of the planes of the supercell, Å.")
_DISPLACEMENT = flags.DEFINE_float("displacement", 0.02, "Displacement of the phonons, Å.")
flags.mark_flags_as_required(["potential", "structure"])


def main(_: list[str]) -> None:
    """Computes what the flags name."""
    from experiments.crystals.command import compute  # quick `--help`

    runtime.set_up()
    settings = {
        "quantities": tuple(_QUANTITIES.value),
        "fmax": _FMAX.value,
        "span": _SPAN.value,
        "points": _POINTS.value,
        "strain": _STRAIN.value,
        "length": _LENGTH.value,
        "displacement": _DISPLACEMENT.value,
    }
    where = (_POTENTIAL.value, _STRUCTURE.value, _KIND.value, _A.value, _WORKDIR.value)
    try:
        print(compute(*where, **settings))
    except (ValueError, OSError, ModuleNotFoundError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    app.run(main)
