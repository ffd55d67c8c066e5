"""What a training takes is known before its first step, and refused where it cannot fit."""

import dataclasses
import warnings

import jax
import pytest

from allegro_jax.datasets import load
from allegro_jax.potential import initial_params
from allegro_jax.training import Footprint, TrainingConfig, check_fits, config_from_data, train


@pytest.fixture(scope="module")
def setup():
    data = load("rmd17-benzene")
    sets = data.select(range(40)), data.select(range(40, 42))
    sizes = {"l_max": 0, "num_layers": 1, "num_scalar_features": 4, "num_tensor_features": 2}
    config = config_from_data(sets[0], 3.0, **sizes)
    return lambda batch_size: (config, TrainingConfig(batch_size=batch_size), *sets)


@pytest.fixture(scope="module")
def measured(setup) -> dict[int, Footprint]:
    """By batch size."""
    found: dict[int, Footprint] = {}

    def stop(footprint: Footprint) -> None:
        found[footprint.batch_size] = footprint
        raise InterruptedError

    for size in (2, 20):
        with pytest.raises(InterruptedError):
            train(*setup(size), on_start=stop)
    params = sum(leaf.size for leaf in jax.tree.leaves(initial_params(setup(2)[0])))
    assert {item.parameters for item in found.values()} == {params}
    return found


def test_memory_grows_with_the_batch_and_not_more_than_in_proportion(measured) -> None:
    small, large = measured[2], measured[20]
    assert small.step_bytes < large.step_bytes < 10 * small.step_bytes
    data = 40 * (12 * 7 + small.edges_per_atom * 12 * 5) * 4
    assert small.resident_bytes > data


def test_sizes_are_those_of_the_run(measured) -> None:
    assert (measured[2].steps_per_epoch, measured[20].steps_per_epoch) == (20, 2)
    assert measured[2].structures == 40
    assert 2 < measured[2].edges_per_atom < 11
    assert 0 <= measured[2].padding_waste < 0.5
    assert measured[2].compilations == 1


ROOMY = Footprint(
    parameters=1000, edges_per_atom=10.0, structures=100, batch_size=8, steps_per_epoch=13,
    padding_waste=0.1, compilations=1, compile_s=1.0, resident_bytes=2 * 10**9,
    step_bytes=8 * 10**9, available_bytes=16 * 10**9, free_bytes=12 * 10**9,
)  # fmt: skip


def test_what_fits_is_let_through_in_silence() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_fits(ROOMY)
        check_fits(dataclasses.replace(ROOMY, available_bytes=None, free_bytes=None))


def test_what_cannot_fit_is_refused_with_the_batch_size_that_does() -> None:
    small = dataclasses.replace(ROOMY, available_bytes=6 * 10**9, free_bytes=None)
    with pytest.raises(ValueError, match=r"batch_size=8 needs .*10 GB.* 6 GB; batch_size=4 fits"):
        check_fits(small)


def test_a_device_that_others_use_is_warned_of() -> None:
    busy = dataclasses.replace(ROOMY, free_bytes=4 * 10**9)
    with pytest.warns(RuntimeWarning, match=r"only 4 GB are free at present; batch_size=4 fits"):
        check_fits(busy)


def test_data_that_alone_are_too_large_are_told_to_be_streamed() -> None:
    tiny = dataclasses.replace(ROOMY, available_bytes=10**9, free_bytes=None)
    with pytest.raises(ValueError, match="lower resident_gb"):
        check_fits(tiny)


def test_a_training_that_does_not_fit_ends_before_its_first_step(setup, monkeypatch) -> None:
    monkeypatch.setattr("allegro_jax.training.footprint.available_bytes", lambda: 10**5)
    calls: list[object] = []
    with pytest.raises(ValueError, match=r"batch_size=2 needs about .* MB of memory"):
        train(*setup(2), on_start=check_fits, on_progress=calls.append)
    assert not calls
