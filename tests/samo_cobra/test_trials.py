import numpy as np
import pytest

from samo_cobra import Optimizer, Suggestion
from samo_cobra.modelling import Modeller
from samo_cobra.precision import float64_on_cpu
from samo_cobra.settings import Settings
from samo_cobra.surrogates import predict
from tests.samo_cobra.bowls import CORNER, PLANE, bowls, free, optimise, run, run_constrained


def modelled_at(optimizer, x):
    """Predictions of the models that the optimiser would search with."""
    statement, history = optimizer.statement, optimizer._history()
    modeller = Modeller(statement.exact, statement.n_objectives, 3, optimizer.settings)
    modelled = modeller(history, statement.reference(history), np.zeros((0, 2)))
    with float64_on_cpu():
        return np.asarray(predict(modelled.model, optimizer._place(x)[None])[0])[0]


def test_a_measured_output_of_a_partial_trial_is_modelled():
    optimizer = run(7)
    (point,) = optimizer.ask()
    trial = optimizer.tell(point, [None, 0.3])
    assert not trial.complete
    assert not trial.failed
    assert modelled_at(optimizer, point.x)[1] == pytest.approx(0.3, rel=1e-6)
    assert trial.id not in optimizer.front().ids


def test_a_partial_trial_counts_where_outputs_are_noisy():
    told, not_told = (run(9, settings=Settings(noise=True)) for _ in range(2))
    x = {"x": 0.5, "y": 0.45}
    told.tell(x, [None, 5.0])
    not_told.tell(x, [None, None], failed=False)
    assert modelled_at(told, x)[1] > modelled_at(not_told, x)[1] + 0.1


def test_the_front_has_only_complete_trials():
    optimizer = run(6)
    for _ in range(4):
        (point,) = optimizer.ask()
        # Better than anything possible.
        optimizer.tell(point, [None, -1.0])
    assert max(optimizer.front().ids) < 6


def test_when_every_trial_is_partial_the_design_goes_on():
    optimizer = Optimizer(PLANE, 2)
    for i in range(9):
        (point,) = optimizer.ask()
        first, second = bowls(point.x)
        optimizer.tell(point, [first, None] if i % 2 else [None, second])
    assert len({tuple(t.x.values()) for t in optimizer.trials}) == 9
    assert optimizer.front().ids == []
    assert optimizer.reference_point is None


def test_nan_in_one_output_is_a_failure_and_the_rest_is_used():
    optimizer = run(7)
    x = {"x": 0.3, "y": 0.9}
    trial = optimizer.tell(x, [np.nan, 4.0])
    assert trial.failed
    assert trial.objectives == (None, 4.0)
    assert modelled_at(optimizer, x)[1] == pytest.approx(4.0, rel=1e-6)


def test_a_failed_trial_is_never_on_the_front_whatever_it_measured():
    optimizer = run(7)
    trial = optimizer.tell({"x": 0.5, "y": 0.5}, [-1.0, -1.0], failed=True)
    assert trial.id not in optimizer.front().ids
    assert trial.id not in optimise(optimizer, free, 3).front().ids


def test_a_failure_may_keep_its_constraint_values():
    optimizer = run_constrained(7)
    x = {"x": 0.5, "y": 0.9}
    trial = optimizer.tell(x, constraints=[0.7], failed=True)
    assert trial.objectives == (None, None)
    assert trial.constraints == (0.7,)
    assert modelled_at(optimizer, x)[2] == pytest.approx(0.7, rel=1e-6)


def test_a_failure_and_what_was_not_measured_are_different():
    optimizer = run(5)
    assert optimizer.tell({"x": 0.1, "y": 0.2}).failed
    assert optimizer.tell({"x": 0.1, "y": 0.3}, failed=True).failed
    assert not optimizer.tell({"x": 0.1, "y": 0.4}, [None, None], failed=False).failed
    assert optimizer.ask()


@pytest.mark.parametrize(
    "outputs", [3.0, "12", {"a": 1.0, "b": 2.0}, [1.0, "two"], [[1.0], [2.0, 3.0]]]
)
def test_outputs_that_are_no_sequence_of_numbers_are_named(outputs):
    with pytest.raises(ValueError, match="objectives"):
        Optimizer(PLANE, 2).tell({"x": 0.0, "y": 0.0}, outputs)


def test_half_the_outputs_is_a_slip():
    with pytest.raises(ValueError, match="expected 1 constraints, got none"):
        Optimizer(PLANE, 2, 1).tell({"x": 0.0, "y": 0.0}, [1.0, 1.0])


# Points under way


def test_pending_points_are_avoided():
    optimizer = run(8)
    batch = run(8).ask(2)
    (first,), (second,) = optimizer.ask(), optimizer.ask()
    assert abs(first.x["x"] - second.x["x"]) + abs(first.x["y"] - second.x["y"]) > 0.02
    assert batch == [first, second]
    assert optimizer.pending == (first, second)


def test_a_batch_spreads_out():
    batch = np.array([[p.x["x"], p.x["y"]] for p in run(8).ask(5)])
    gaps = np.linalg.norm(batch[:, None] - batch[None], axis=2)[np.triu_indices(5, 1)]
    assert gaps.min() > 0.02


def test_outcomes_may_come_in_any_order_and_by_id():
    optimizer = run(8)
    first, second = optimizer.ask(2)
    assert optimizer.tell(second.id, bowls(second.x)).x == second.x
    assert optimizer.pending == (first,)
    assert optimizer.tell(first, bowls(first.x)).id == first.id
    assert optimizer.pending == ()
    assert [t.id for t in optimizer.trials[-2:]] == [9, 8]


def test_a_forgotten_suggestion_is_no_longer_pending():
    optimizer = run(8)
    (first,) = optimizer.ask()
    optimizer.forget(first)
    assert optimizer.pending == ()
    with pytest.raises(ValueError, match="trial 8 is not pending"):
        optimizer.tell(first, [1.0, 1.0])
    with pytest.raises(ValueError, match="trial 8 is not pending"):
        optimizer.forget(first)
    assert optimizer.ask()[0].id == 9


def test_foreign_points_get_numbers_of_their_own():
    optimizer = Optimizer(PLANE, 2, reference_point=CORNER)
    first, second = optimizer.ask(2)
    foreign = optimizer.tell({"x": 0.5, "y": 0.5}, bowls({"x": 0.5, "y": 0.5}))
    assert foreign.id == 2
    optimizer.tell(first, bowls(first.x))
    (third,) = optimizer.ask()
    assert third.id == 3
    assert optimizer.pending == (second, third)
    assert 2 in optimizer.front().ids


def test_what_is_done_to_a_suggestion_does_not_reach_the_optimiser():
    optimizer = run(4)
    (point,) = optimizer.ask()
    x = dict(point.x)
    point.x.clear()
    assert optimizer.pending == (Suggestion(4, x),)
    assert optimizer.tell(point, [1.0, 1.0]).x == x


def test_suggesting_for_others_changes_nothing():
    optimizer = run(8)
    first = optimizer.suggest(8)
    optimizer.suggest(10, pending=[{"x": 0.2, "y": 0.3}])
    assert optimizer.suggest(8) == first
    assert optimizer.ask()[0].x == first
