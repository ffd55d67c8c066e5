"""A potential as one file that runs without this library, also in LAMMPS.

python -m experiments.export DIR model.aj                              # CPU, CUDA and TPU
python -m experiments.export DIR model.aj --platforms=cpu,rocm
python -m experiments.export DIR model.aj --lammps=model.mliap         # and for `pair_style mliap`

DIR is the folder of a potential (`Potential.save`, `DIR/potential` of a training, `best/<variant>`
of a search). docs/deployment.md says how to run the file.
"""

from __future__ import annotations

import sys
from pathlib import Path

from absl import app, flags

PLATFORMS = flags.DEFINE_list(
    "platforms", ["cpu", "cuda", "tpu"], "What to export for: cpu, cuda, rocm, tpu."
)
LAMMPS = flags.DEFINE_string(
    "lammps", None, "Also write this file, which `pair_style mliap unified` takes."
)


def export(
    folder: str | Path,
    path: str | Path,
    platforms: list[str],
    lammps: str | Path | None = None,
) -> str:
    """Exports a saved potential.

    Returns:
        Lines that say what was written.

    Raises:
        ValueError: If the potential cannot be read or exported; the message says why.
    """
    from allegro_jax.committee import load_potential  # `--help` answers at once
    from allegro_jax.export import export_potential
    from allegro_jax.export.runner.lammps import write_unified

    potential = load_potential(folder)
    file = export_potential(potential, path, platforms)
    lines = [
        f"{file}: {' '.join(potential.config.type_names)}, cutoff {potential.config.cutoff} Å, "
        f"for {', '.join(platforms)}, {file.stat().st_size / 1000:.0f} kB"
    ]
    if lammps is not None:
        written = write_unified(file, lammps)
        lines.append(f"{written}: for pair_style mliap unified, with PYTHONPATH={file.resolve()}")
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Exports what the command line names."""
    if len(arguments) != 3:
        sys.exit(__doc__)
    try:
        print(export(*arguments[1:], PLATFORMS.value, LAMMPS.value))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    app.run(main)
