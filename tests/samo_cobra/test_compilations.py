import pytest

from samo_cobra import Optimizer, criterion, surrogates
from samo_cobra.padding import _CAPACITIES, capacity
from tests.samo_cobra.bowls import CORNER, PLANE, constrained, optimise

JITTED = {
    "fit": surrogates.fit,
    "predict_all": surrogates.predict_all,
    "select": surrogates.select,
    "score": criterion.score,
    "refine": criterion.refine,
}


def compiled():
    return {name: function._cache_size() for name, function in JITTED.items()}


def more_than(before):
    return {name: size - before[name] for name, size in compiled().items()}


@pytest.fixture
def fresh():
    """Counts what this test compiles, not what others have."""
    for function in JITTED.values():
        function.clear_cache()


def test_every_function_is_compiled_once_per_capacity(fresh):
    optimizer = Optimizer(PLANE, 2, 1, reference_point=CORNER)
    start = compiled()
    optimise(optimizer, constrained, 6)
    assert set(more_than(start).values()) == {1}
    first = compiled()
    optimise(optimizer, constrained, _CAPACITIES[0] - 6)
    assert set(more_than(first).values()) == {0}
    # With more points the models need arrays of the next size, and predict from them one later.
    optimise(optimizer, constrained, 3)
    second = more_than(start)
    assert max(second.values()) == 2
    optimise(optimizer, constrained, 10)
    assert more_than(start) == second


def test_a_run_of_400_evaluations_needs_five_sizes():
    assert len({capacity(n) for n in range(1, 401)}) == 5
