"""A model of nequip to a potential of this library, or the other way round.

python -m experiments.convert best.ckpt out/          # also package.nequip.zip, or an npz dump
python -m experiments.convert out/ home.npz           # a saved potential, back for nequip

The first reads without torch and runs no code from the file. The second writes the arguments and
the state dict of nequip's `AllegroModel` (see `allegro_jax.convert.nequip_export`).
"""

from __future__ import annotations

import sys
from pathlib import Path

from absl import app


def convert(source: str | Path, target: str | Path) -> str:
    """Converts a file of nequip to the folder of a potential, or such a folder to an npz file.

    Returns:
        One line that says what was written.

    Raises:
        ValueError: If the source cannot be read or has no counterpart; the message says why.
    """
    from allegro_jax.potential import Potential  # `--help` answers at once

    source, target = Path(source), Path(target)
    if source.is_dir():
        if target.suffix != ".npz":
            raise ValueError(f"a potential is exported to a file that ends in .npz; got {target}")
        potential = Potential.load(source)
        potential.save_nequip(target)
    else:
        if target.is_file():
            raise ValueError(f"a potential is saved in a folder; {target} is a file")
        potential = Potential.from_nequip(source)
        potential.save(target)
    config = potential.config
    return (
        f"{target}: Allegro for {' '.join(config.type_names)}, cutoff {config.cutoff} Å, "
        f"l_max {config.l_max}, {config.num_layers} layers, {config.precision.network}"
    )


def main(arguments: list[str]) -> None:
    """Converts what the command line names."""
    if len(arguments) != 3:
        sys.exit(__doc__)
    try:
        print(convert(*arguments[1:]))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    app.run(main)
