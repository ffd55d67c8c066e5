"""The circuit of arXiv:2602.16908, Fig. 3a: four qubits, four features, depth 1."""

import numpy as np
import pytest

from allegro_jax.quantum.circuits import QDICircuit
from allegro_jax.quantum.diagnostics import (
    FisherSpectrum,
    classical_fisher,
    diagnose_weights,
    encoded_spectra,
    expressibility,
    fourier_coefficients,
    integer_degrees,
    of_qdi,
    pair_fidelities,
    quantum_fisher,
    regression_fisher,
    sample_circuit,
)

PAPER = of_qdi(QDICircuit(n_features=4, n_qubits=4, depth=1))


@pytest.fixture(scope="module")
def samples():
    return sample_circuit(PAPER, 16, 16)


@pytest.fixture(scope="module")
def fourier():
    return fourier_coefficients(PAPER, integer_degrees(encoded_spectra(PAPER)), 100)


def test_four_of_its_24_weights_are_dead_and_the_others_independent(samples):
    report = diagnose_weights(samples.jacobians)
    assert report.n_weights == 24
    assert report.dead_names == ("w1", "w4", "w7", "w10")
    assert (report.rank, report.n_redundant) == (20, 0)
    alive = np.delete(report.gradients, report.dead)
    assert alive.min() > 0.1


def test_its_spectrum_has_81_frequencies_and_161_terms_as_the_paper_counts(fourier):
    assert fourier.n_frequencies == 3**4 == 81
    assert fourier.n_real_terms == 161


def test_three_of_its_outputs_reach_all_frequencies_and_one_a_third(fourier):
    """The paper finds 127 of 161 terms; here the outputs have 161, 53, 161 and 161 of them."""
    assert [fourier.n_reached(k) for k in range(4)] == [81, 27, 81, 81]
    assert [fourier.n_reached_real_terms(k) for k in range(4)] == [161, 53, 161, 161]


@pytest.mark.parametrize("depth", [1, 2])
def test_the_fisher_rank_15_of_the_paper_is_the_bound_of_one_input(depth):
    """2**4 - 1 outcomes are free, whatever the depth; many inputs see more directions."""
    circuit = of_qdi(QDICircuit(4, 4, depth))
    states, jacobians = sample_circuit(circuit, 6, 6).quantum()
    single = classical_fisher(states, jacobians)
    assert set(FisherSpectrum.of(single).ranks) == {15}
    mean = FisherSpectrum.of(single.mean(axis=1))
    assert mean.ranks.max() == {1: 20, 2: 42}[depth]


def test_ranks_of_the_other_fisher_matrices_are_their_bounds(samples):
    states, jacobians = samples.quantum()
    quantum = FisherSpectrum.of(quantum_fisher(states, jacobians))
    assert set(quantum.ranks) == {20}
    regression = FisherSpectrum.of(regression_fisher(samples.jacobians))
    assert set(regression.ranks) == {4}


def test_it_is_almost_as_expressive_as_random_states():
    fidelities, _ = pair_fidelities(PAPER, 2000)
    assert expressibility(fidelities, 4).divergence < 0.03
