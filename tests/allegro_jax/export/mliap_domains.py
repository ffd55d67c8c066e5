"""The part of LAMMPS that `pair_style mliap unified` talks to, for tests without LAMMPS.

Names and meaning follow src/ML-IAP of LAMMPS (mliap_data.cpp, mliap_unified.cpp,
mliap_unified_couple.pyx, pair_mliap.cpp): domains own atoms and have ghosts, images of atoms of any
domain within the cutoff; a full neighbour list of the owned atoms; forces are added to centre and
neighbour, and those on ghosts are sent back to their owners.
"""

import numpy as np
from ase.neighborlist import neighbor_list


class Data:
    """`MLIAPDataPy` of one domain."""

    def __init__(self, types, owned, pairs):
        """Takes types of all rows (owned, then ghosts), number of owned, pairs (i, j, r_ij)."""
        self.ntotal, self.nlistatoms = len(types), owned
        self.elems = np.asarray(types, np.int32)
        self.iatoms = np.arange(owned, dtype=np.int32)
        self.ielems = self.elems[:owned]
        self.pair_i, self.jatoms, self.rij = pairs
        self.jelems = self.elems[self.jatoms]
        self.npairs = len(self.pair_i)
        self.f = np.zeros((self.ntotal, 3))
        self.virial = np.zeros((3, 3))
        self._eatoms, self._energy = np.full(owned, np.nan), np.nan

    # As in Cython, these can be set and not be read, and take arrays of doubles alone.

    def _set_eatoms(self, values):
        assert values.dtype == np.float64
        self._eatoms[:] = values

    def _set_energy(self, value):
        self._energy = float(value)

    eatoms = property(None, _set_eatoms)
    energy = property(None, _set_energy)

    def update_pair_forces(self, fij):
        assert fij.dtype == np.float64
        assert fij.flags.c_contiguous
        assert len(fij) == self.npairs > 0
        np.add.at(self.f, self.pair_i, fij)
        np.add.at(self.f, self.jatoms, -fij)
        self.virial -= self.rij.T @ fij  # v_tally


class KokkosData(Data):
    """The same in KOKKOS on a host, where energies of atoms are an array to be filled."""

    @property
    def eatoms(self):
        return self._eatoms


def domains(atoms, type_names, cutoff, number, data_type=Data, shuffle=None):
    """Cuts a structure along its first axis; yields the data of a domain and its rows' owners."""
    types = np.array([type_names.index(name) for name in atoms.get_chemical_symbols()])
    i, j, vectors, shifts = neighbor_list("ijDS", atoms, cutoff)
    domain = np.minimum((atoms.get_scaled_positions()[:, 0] * number).astype(int), number - 1)
    for k in range(number):
        owned = np.flatnonzero(domain == k)
        rows = {(atom, (0, 0, 0)): row for row, atom in enumerate(owned.tolist())}
        mine = np.flatnonzero(np.isin(i, owned))
        mine = mine[np.lexsort((j[mine], i[mine]))] if shuffle is None else shuffle(mine)
        images = [(int(j[e]), tuple(shifts[e].tolist())) for e in mine]
        for image in images:
            rows.setdefault(image, len(rows))
        centres = np.array([rows[int(i[e]), (0, 0, 0)] for e in mine], np.int32)
        neighbors = np.array([rows[image] for image in images], np.int32)
        owners = np.array([atom for atom, _ in rows])
        pairs = (centres, neighbors, vectors[mine].reshape(-1, 3))
        yield data_type(types[owners], len(owned), pairs), owners


def compute(unified, atoms, number=1, **options):
    """Energies of atoms, forces and virial of all domains together, as LAMMPS adds them up."""
    energies, forces = np.zeros(len(atoms)), np.zeros((len(atoms), 3))
    total, virial = 0.0, np.zeros((3, 3))
    cutoff = 2.0 * unified.rcutfac
    for data, owners in domains(atoms, unified.element_types, cutoff, number, **options):
        unified.compute_descriptors(data)
        unified.compute_gradients(data)
        unified.compute_forces(data)
        energies[owners[: data.nlistatoms]] = data._eatoms
        np.add.at(forces, owners, data.f)  # the reverse communication
        total, virial = total + data._energy, virial + data.virial
    return total, energies, forces, virial
