import numpy as np
import pytest
from scipy.stats import qmc

from samo_cobra import design


@pytest.mark.parametrize("method", ["sobol", "halton"])
def test_shorter_designs_are_the_beginning_of_longer_ones(method):
    long = design.low_discrepancy(40, 3, seed=5, method=method)
    np.testing.assert_array_equal(design.low_discrepancy(7, 3, seed=5, method=method), long[:7])


def test_seeds_scramble_differently():
    assert not np.allclose(design.low_discrepancy(8, 2, 0), design.low_discrepancy(8, 2, 1))


@pytest.mark.parametrize("method", ["sobol", "halton"])
def test_designs_are_more_even_than_random_points(method):
    random = np.random.default_rng(0).uniform(size=(64, 4))
    points = design.low_discrepancy(64, 4, seed=0, method=method)
    assert qmc.discrepancy(points) < 0.5 * qmc.discrepancy(random)


def test_unknown_method_is_named():
    with pytest.raises(ValueError, match="'lattice'"):
        design.low_discrepancy(4, 2, 0, method="lattice")
