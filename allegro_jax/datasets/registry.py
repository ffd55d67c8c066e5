"""Data sets by name, and files by path."""

import dataclasses
import importlib.resources
import os
from pathlib import Path

import numpy as np

from allegro_jax.datasets.ase_files import read_ase
from allegro_jax.datasets.checks import warn_about
from allegro_jax.datasets.dataset import Dataset
from allegro_jax.datasets.npz_files import read_npz
from allegro_jax.datasets.qm9 import full_qm9_file

DATA_VARIABLE = "ALLEGRO_JAX_DATA"


@dataclasses.dataclass(frozen=True)
class _Entry:
    """What a name stands for: file names in a folder of full files, and what must be inside."""

    files: tuple[str, ...]
    elements: set[int]
    atoms: int | None = None


_ENTRIES = {
    "rmd17-aspirin": _Entry(("rmd17_aspirin.npz", "npz_data/rmd17_aspirin.npz"), {1, 6, 8}, 21),
    "rmd17-benzene": _Entry(("rmd17_benzene.npz", "npz_data/rmd17_benzene.npz"), {1, 6}, 12),
    "qm9": _Entry(("qm9_full.npz", "qm9_20k.npz", "qm9.npz"), {1, 6, 7, 8, 9}),
    "culi": _Entry(("culi.npz",), {3, 29}),
    "cu": _Entry(("cu.npz", "cu_mlearn2020.npz"), {29}),
    "li": _Entry(("li.npz", "li_mlearn2020.npz"), {3}),
}


def names() -> tuple[str, ...]:
    """Returns the names that `load` knows."""
    return tuple(_ENTRIES)


def load(
    name_or_path: str | os.PathLike[str],
    *,
    path: str | os.PathLike[str] | None = None,
    full: bool = False,
    target: str | None = None,
    energy_key: str | None = None,
    forces_key: str | None = None,
) -> Dataset:
    """Loads a data set by name, or any `.npz` or ASE-readable file by path; eV and Å throughout.

    Shipped with the package (sources, licences and citations in `datasets/data/README.md`):

    ================  =========================================================================
    `rmd17-aspirin`   revised MD17, official split 01: 1,000 training and 1,000 test frames
    `rmd17-benzene`   the same for benzene
    `qm9`             5,000 random molecules; equilibrium geometries, hence no forces
    `cu`, `li`        294 and 270 structures, PBE (Zuo et al. 2020), official splits
    `culi`            2,178 Cu-Li slabs and interfaces, splits by trajectory and at random. The
                      labels come from a universal machine-learned potential
                      (TensorNet-MatPES-r2SCAN-v2025.1) and **not from DFT**; numbers on it are
                      not comparable with those of any DFT set
    ================  =========================================================================

    A file by path is looked over, see `check`: what looks wrong, such as energies in kcal/mol
    beside forces in eV/Å, is a `DataWarning`.

    Full files are used instead when a folder that holds them is given by `path` or, failing
    that, by the environment variable `ALLEGRO_JAX_DATA`: npz files with the names and keys of
    the shipped ones, or the released rMD17 (figshare 12672038; kcal/mol are converted).

    Args:
        name_or_path: one of `names()`, or a file.
        path: a folder with full files, or one such file; only with a name.
        full: insist on full data. All of QM9 then comes from `pip install 'allegro-jax[qm9]'`
            (converted on first use; kept as `qm9_full.npz` in the folder of full files or in the
            user's cache folder). The metal sets are shipped whole.
        target: for QM9, `"U0-ZPVE"` (the default: electronic energy of the geometry, which is
            what an interatomic potential models) or `"U0"` (internal energy at 0 K, as
            tabulated, which includes the zero-point vibrations).
        energy_key: where a file read by ASE has its energies, see `ase_files.read_ase`.
        forces_key: where a file read by ASE has its forces.

    Raises:
        ValueError: an unknown name, an argument that does not apply, or a file that is
            truncated, foreign or holds NaN.
        FileNotFoundError: a file or folder that does not exist.
        MissingExtraError: all of QM9 was asked for without the package `qm9pack`.

    Example:
        >>> from allegro_jax import datasets
        >>> aspirin = datasets.load("rmd17-aspirin")
        >>> len(aspirin), aspirin.elements
        (2000, (1, 6, 8))
    """
    name = os.fspath(name_or_path)
    if name not in _ENTRIES:
        if path is not None or full or target is not None:
            raise ValueError(
                f"path, full and target go with a name of {names()}; {name!r} is taken as a file"
            )
        dataset = _load_file(name, energy_key, forces_key)
        warn_about(dataset, dataset.name)
        return dataset
    if energy_key is not None or forces_key is not None:
        raise ValueError(f"energy_key and forces_key are for files read by ASE, not for {name!r}")
    if target is not None and name != "qm9":
        raise ValueError(f"target chooses among the energies of qm9; {name!r} has one energy")
    file = _full_file(name, path, full) or _shipped_file(name)
    dataset = read_npz(file, name, target or "U0-ZPVE")
    _check_contents(dataset, _ENTRIES[name], file)
    return dataset


def _load_file(name: str, energy_key: str | None, forces_key: str | None) -> Dataset:
    file = Path(name)
    if not file.exists() and not file.suffix and len(file.parts) < 2:
        raise ValueError(f"no data set {name!r}; the known names are {', '.join(names())}")
    if file.suffix == ".npz":
        return read_npz(file, file.stem)
    return read_ase(file, file.stem, energy_key, forces_key)


def _check_contents(dataset: Dataset, entry: _Entry, file: Path) -> None:
    atoms = np.unique(dataset.n_atoms).tolist()
    if set(dataset.elements) <= entry.elements and (entry.atoms is None or atoms == [entry.atoms]):
        return
    raise ValueError(
        f"{file} is not {dataset.name}: expected the elements {sorted(entry.elements)}"
        + (f" in molecules of {entry.atoms} atoms" if entry.atoms else "")
        + f"; it holds {list(dataset.elements)} in structures of {atoms[0]} to {atoms[-1]} atoms"
    )


def _shipped_file(name: str) -> Path:
    # Wheels are installed unpacked, so the resource is a file.
    folder = importlib.resources.files("allegro_jax.datasets") / "data"
    return Path(str(folder / f"{name.replace('-', '_')}.npz"))


def _full_file(name: str, path: str | os.PathLike[str] | None, full: bool) -> Path | None:
    """Returns the full file to read; None when the shipped one is to be used."""
    given = os.fspath(path) if path is not None else os.environ.get(DATA_VARIABLE)
    place = None if not given else Path(given)
    if place is not None and not place.exists():
        said = "path" if path is not None else DATA_VARIABLE
        raise FileNotFoundError(f"{said} names {place}, which does not exist")
    if place is not None and place.is_file():
        return place
    if name == "qm9" and full:
        return full_qm9_file(place)
    candidates = [] if place is None else [place / file for file in _ENTRIES[name].files]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    if path is not None or (full and name.startswith("rmd17")):
        raise FileNotFoundError(
            f"no full file of {name!r} in {place or 'any folder'}; give path= or set "
            f"{DATA_VARIABLE} to a folder that holds one of {_ENTRIES[name].files}"
        )
    return None
