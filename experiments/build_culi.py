"""Builds a set of Cu-Li slabs, defects and interfaces after the recipe of Laskaris et al. 2026.

    python -m experiments.build_culi --calculator=potential:FOLDER --workdir=DIR
    python -m experiments.build_culi --recipe=small --calculator=MODULE:FUNCTION --workdir=DIR
    python -m experiments.build_culi --structures_only --lattice=3.51,3.615 --workdir=DIR

Structures come from pymatgen (`pip install ".[culi]"`), labels from any ASE calculator. The folder
receives `culi.extxyz`, which `experiments.train --dataset=DIR/culi.extxyz` reads. Stopped at any
moment, the same command goes on, and nothing is calculated twice. docs/culi.md says what is built.
"""

from __future__ import annotations

import sys
from pathlib import Path

from absl import app, flags

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the build; made when missing.")
_CALCULATOR = flags.DEFINE_string(
    "calculator", None, "potential:FOLDER, vasp, mace, chgnet, or MODULE:FUNCTION."
)
_RECIPE = flags.DEFINE_string("recipe", "paper", "paper, or small: a build of a minute.")
_LATTICE = flags.DEFINE_list(
    "lattice", None, "Lattice constants of Li and Cu, Å; by default those of the calculator."
)
_SET = flags.DEFINE_multi_string("set", [], "Another number of the recipe, as --set=hold_ps=5.")
_ONLY = flags.DEFINE_bool("structures_only", False, "Build the structures, calculate nothing.")
flags.mark_flag_as_required("workdir")


def main(_: list[str]) -> None:
    """Builds what the flags describe."""
    from experiments.culi_recipe import command  # quick `--help`

    try:
        recipe = command.recipe(_RECIPE.value, _SET.value)
        lattice = command.lattice(_LATTICE.value)
        workdir = Path(_WORKDIR.value)
        if _ONLY.value:
            print(command.structures_only(recipe, lattice, workdir))
        else:
            print(command.build_all(recipe, _CALCULATOR.value, lattice, workdir))
    except ModuleNotFoundError as error:
        sys.exit(f"error: {error}; pip install 'allegro-jax[culi]'")
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on")


if __name__ == "__main__":
    app.run(main)
