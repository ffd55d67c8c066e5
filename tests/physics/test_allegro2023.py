"""What the architecture of 2023 has beside the physics that every model shares."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from .conftest import evaluate, make_potential


def test_forces_turn_with_the_molecule_and_with_its_mirror_image(ethanol):
    with_odd_irreps = make_potential(
        architecture="2023", l_max=2, num_layers=3, num_tensor_features=2
    )
    assert "mix_0_1e" in with_odd_irreps.params
    turn = Rotation.from_rotvec([0.3, -1.1, 0.7]).as_matrix()
    structures = [ethanol]
    for matrix in (turn, -turn):
        moved = ethanol.copy()
        moved.positions = ethanol.positions @ matrix.T + [1.0, -2.0, 3.0]
        structures.append(moved)
    before, *after = evaluate(with_odd_irreps, structures)
    assert np.abs(before.forces).max() > 1e-2
    for result, matrix in zip(after, (turn, -turn), strict=True):
        assert result.energy == pytest.approx(before.energy, rel=1e-12)
        np.testing.assert_allclose(result.forces, before.forces @ matrix.T, atol=1e-11)
