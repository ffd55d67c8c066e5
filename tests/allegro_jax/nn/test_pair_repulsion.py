"""ZBL: the published potential, smooth where it ends, the largest term where atoms meet."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from allegro_jax.nn.pair_repulsion import repulsion_cutoffs, zbl_edge_energies

pytestmark = pytest.mark.usefixtures("x64")


def pair(r, z=(29, 29), reach=6.0, p=6.0):
    """Energy of a pair at one or several distances, the sum of its two edges."""
    r = jnp.atleast_1d(jnp.asarray(r, jnp.float64))
    numbers = tuple(jnp.full(r.shape, number) for number in z)
    return 2 * zbl_edge_energies(r, r / reach, numbers, p)


def published(r, z_i, z_j):
    """Universal potential of Ziegler, Biersack & Littmark (1985) in atomic units, by hand (eV)."""
    bohr, hartree = 0.52917721, 27.211386
    x = r / (0.8854 * bohr / (z_i**0.23 + z_j**0.23))
    screening = (
        0.1818 * np.exp(-3.2 * x)
        + 0.5099 * np.exp(-0.9423 * x)
        + 0.2802 * np.exp(-0.4028 * x)
        + 0.02817 * np.exp(-0.2016 * x)
    )
    return hartree * bohr * z_i * z_j / r * screening


@pytest.mark.parametrize("z", [(1, 1), (6, 8), (29, 29), (3, 79)])
def test_it_is_the_universal_potential_where_the_envelope_is_one(z):
    for r in (0.02, 0.1, 0.5):
        assert pair(r, z, reach=20.0)[0] == pytest.approx(published(r, *z), rel=5e-4)


def test_copper_at_one_angstrom_has_the_value_computed_by_hand():
    # y = 2 · 29^0.23 / 0.46850 = 9.261300, ψ = Σ c exp(-a y) = 0.011150265,
    # 14.399645 · 29² · ψ = 135.030843 eV, times u_6(1/6) = 0.999558828.
    assert pair(1.0)[0] == pytest.approx(134.97127100163596, rel=1e-12)


def test_it_dominates_where_atoms_meet_and_falls_monotonically():
    energies = np.asarray(pair(np.linspace(0.05, 5.9, 500)))
    assert np.all(np.diff(energies) < 0)
    assert pair(0.3)[0] > 5e3  # eV: no chemistry comes near it
    assert pair(0.05, (1, 1))[0] > 200


def test_value_slope_and_curvature_vanish_where_it_ends():
    reach = 2.64

    def energy(r):
        return pair(r, reach=reach)[0]

    for derivative, order in ((energy, 3), (jax.grad(energy), 2), (jax.grad(jax.grad(energy)), 1)):
        near, nearer = abs(derivative(reach - 2e-3)), abs(derivative(reach - 1e-3))
        assert near / nearer == pytest.approx(2.0**order, rel=0.02)
        assert derivative(reach + 1e-9) == 0.0
        assert np.isfinite(derivative(0.01))


def test_it_ends_at_one_distance_or_at_the_sum_of_covalent_radii():
    np.testing.assert_array_equal(repulsion_cutoffs(2.0, (1, 29)), np.full((2, 2), 2.0))
    covalent = repulsion_cutoffs("covalent", (1, 6, 29))
    np.testing.assert_allclose(covalent[0], [0.62, 1.07, 1.63], atol=1e-12)
    np.testing.assert_array_equal(covalent, covalent.T)
