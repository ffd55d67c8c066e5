"""What is drawn are the trials: positions, colours and counts are read back from the pictures."""

import itertools
import math
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest

from samo_cobra import Categorical, Integer, Optimizer, Ordinal, Real, Space, hypervolume
from samo_cobra.plots import (
    plot_convergence,
    plot_front,
    plot_fronts,
    plot_model_quality,
    plot_parallel_coordinates,
)
from samo_cobra.plots.coordinates import ABSENT
from samo_cobra.problems import get

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection

PLANE = Space([Real("x", 0.0, 5.0), Real("y", 0.0, 3.0)])
NAN = math.nan


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def told(directions=("minimize", "minimize"), reference=(10.0, 10.0)):
    """One trial of each kind, two on the front."""
    optimizer = Optimizer(PLANE, 2, 1, directions=directions, reference_point=reference)
    for objectives, constraint in [
        ([1.0, 8.0], -1.0),
        ([8.0, 1.0], -1.0),
        ([8.5, 8.5], -1.0),
        ([0.5, 0.5], 1.0),
        ([2.0, NAN], -1.0),
        ([3.0, None], -1.0),
        ([NAN, NAN], NAN),
    ]:
        x = {"x": len(optimizer.trials) / 2, "y": 1.0}
        optimizer.tell(x, objectives, [constraint])
    return optimizer


def drawn(axes, label):
    """Points of the one artist whose label begins so."""
    (line,) = [a for a in axes.get_lines() if str(a.get_label()).startswith(label)]
    return np.column_stack(line.get_data()).tolist()


def texts(legend):
    return [t.get_text() for t in legend.get_texts()]


def test_a_front_shows_every_kind_of_trial_at_its_objectives():
    axes = plot_front(told(), names=["cost (USD)", "deflection (mm)"])
    assert drawn(axes, "on the front (2)") == [[1.0, 8.0], [8.0, 1.0]]
    assert drawn(axes, "feasible (1") == [[8.5, 8.5]]
    assert drawn(axes, "infeasible (1") == [[0.5, 0.5]]
    assert drawn(axes, "reference point") == [[10.0, 10.0]]
    assert axes.get_xlabel() == "← cost (USD) (minimized)"
    # The failed trial with one objective and the partly measured one are marks on the x axis.
    marks = [line for line in axes.get_lines() if line.get_transform() != axes.transData]
    ticks = [line.get_xdata()[0] for line in marks if len(line.get_xdata()) == 1]
    assert sorted(ticks) == [2.0, 3.0]
    assert "failed (2, 1 without values)" in texts(axes.get_legend())


def test_the_corners_of_the_staircase_lie_on_the_dominated_side():
    for directions, where in [
        (("minimize", "maximize"), "post"),
        (("maximize", "minimize"), "pre"),
    ]:
        optimizer = told(directions, reference=None)
        stairs = [a for a in plot_front(optimizer).get_lines() if "steps" in a.get_drawstyle()]
        assert [line.get_drawstyle() for line in stairs] == [f"steps-{where}"]


def test_a_front_says_what_is_outside_the_view():
    optimizer = told(reference=(1e6, 10.0))
    optimizer.tell({"x": 4.0, "y": 2.0}, [1e5, 1e5], [-1.0])
    entries = texts(plot_front(optimizer).get_legend())
    assert "feasible (2, 1 outside the view)" in entries
    assert entries[-1] == "reference point\n(1e+06, 10), outside the view"


def test_a_third_objective_is_the_colour():
    optimizer = Optimizer(PLANE, 3, reference_point=(9.0, 9.0, 9.0))
    for x, objectives in enumerate([[1.0, 2.0, 7.0], [2.0, 1.0, 5.0], [3.0, 3.0, 8.0]]):
        optimizer.tell({"x": float(x), "y": 0.0}, objectives)
    axes = plot_front(optimizer)
    (front,) = axes.collections
    assert front.get_offsets().tolist() == [[1.0, 2.0], [2.0, 1.0]]
    assert front.get_array().tolist() == [7.0, 5.0]


def test_one_and_four_objectives_are_pointed_elsewhere():
    with pytest.raises(ValueError, match="plot_parallel_coordinates"):
        plot_front(Optimizer(PLANE, 4))


def test_an_optimiser_without_trials_is_drawn_empty():
    optimizer = Optimizer(PLANE, 2, 1)
    assert not plot_front(optimizer).collections
    plot_convergence(optimizer)
    plot_parallel_coordinates(optimizer)


def test_named_fronts_are_drawn_on_the_given_axes():
    given = plt.figure().add_subplot()
    points = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 3.0]])
    axes = plot_fronts({"ours": points}, given, xlabel="error (eV)")
    assert axes is given
    assert drawn(axes, "ours") == [[1.0, 2.0], [2.0, 1.0]]
    assert axes.collections[0].get_offsets().tolist() == [[3.0, 3.0]]
    assert axes.get_xlabel() == "error (eV)"


def test_convergence_ends_at_the_hypervolume_of_the_optimiser():
    optimizer = told()
    axes = plot_convergence(optimizer)
    curve = axes.get_lines()[0].get_ydata()
    assert curve[-1] == pytest.approx(optimizer.hypervolume())
    assert curve[0] == pytest.approx(hypervolume(np.array([[1.0, 8.0]]), np.array([10.0, 10.0])))
    assert np.all(np.diff(curve) >= 0.0)
    assert [x for x, _ in drawn(axes, "failed")] == [5.0, 7.0]
    assert [x for x, _ in drawn(axes, "partly measured")] == [6.0]


def test_convergence_of_named_runs():
    axes = plot_convergence({"a": np.array([0.0, 1.0]), "b": np.array([0.5])}, ylabel="share")
    assert texts(axes.get_legend()) == ["a", "b"]
    assert axes.get_lines()[0].get_ydata().tolist() == [0.0, 1.0]
    assert axes.get_ylabel() == "share"


def test_coordinates_follow_the_scales_of_a_mixed_space():
    space = Space(
        [
            Categorical("solver", ("adam", "sgd")),
            Real("rate", 1e-4, 1e-2, log=True),
            Ordinal("batch", (16, 32, 64)),
            Integer("layers", 1, 5),
            Real("momentum", 0.0, 1.0, when=("solver", ("sgd",))),
        ]
    )
    optimizer = Optimizer(space, 2)
    common = {"rate": 1e-3, "batch": 64, "layers": 2}
    optimizer.tell({"solver": "adam", **common}, [1.0, 4.0])
    optimizer.tell({"solver": "sgd", **common, "momentum": 0.7}, [3.0, 2.0])
    optimizer.tell({"solver": "sgd", **common, "momentum": 0.2}, [5.0, 6.0])
    axes = plot_parallel_coordinates(optimizer, names=["error", "time"])
    lines = [c for c in axes.collections if isinstance(c, LineCollection)]
    heights = [[s[:, 1].tolist() for s in c.get_segments()] for c in lines]
    assert heights[0] == [pytest.approx([1.0, 0.5, 1.0, 0.25, 0.2, 1.0, 1.0])]
    assert heights[1][0] == pytest.approx([0.0, 0.5, 1.0, 0.25, ABSENT, 0.0, 0.5])
    assert lines[1].get_array().tolist() == [1.0, 3.0]
    assert [t.get_text() for t in axes.get_xticklabels()][-3:] == ["momentum", "error", "time"]
    assert {"adam", "sgd", "0.0001", "0.001", "64", "absent"} <= {t.get_text() for t in axes.texts}


def test_lines_of_failed_trials_end_where_nothing_was_measured():
    axes = plot_parallel_coordinates(told())
    (failed,) = [c for c in axes.collections if str(c.get_label()).startswith("failed")]
    assert [len(s) for s in failed.get_segments()] == [3, 2]


def searched(name, n):
    """An optimiser after so many trials of a test problem."""
    problem = get(name)
    optimizer = Optimizer(
        problem.space, 2, problem.n_constraints, reference_point=problem.reference_point
    )
    for _ in range(n):
        (point,) = optimizer.ask()
        optimizer.tell(point, *problem.evaluate(point.x))
    return optimizer


def test_model_quality_pairs_each_prediction_with_its_outcome():
    optimizer = searched("BNH", 8)
    optimizer.ask()  # A prediction without an outcome is left out.
    axes = plot_model_quality(optimizer, objectives=["f", "g"])
    assert len(axes) == 5
    outcomes = {t.id: t.objectives + t.constraints for t in optimizer.trials}
    expected = [[r.predicted[1], outcomes[r.id][1]] for r in optimizer.records[:-1]]
    assert axes[1].collections[0].get_offsets().tolist() == expected
    assert axes[1].get_title().startswith("g\nrank correlation")
    marks = sum(len(line.get_xdata()) for line in axes[-1].get_lines())
    assert marks == 4 * len(optimizer.records)
    rows = [t.get_text() for t in axes[-1].get_yticklabels()]
    assert rows == ["f", "g", "constraint 1", "constraint 2"]
    with pytest.raises(ValueError, match="expected 5 axes"):
        plot_model_quality(optimizer, axes[:2])


def test_marks_of_outputs_that_span_decades_on_both_sides_of_zero_do_not_touch():
    panels = plot_model_quality(searched("WB", 20))[:-1]
    assert any(axes.get_xscale() == "symlog" for axes in panels)
    panels[0].figure.draw_without_rendering()
    for axes in panels:
        low, high = axes.get_xlim()
        ticks = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
        boxes = [label.get_window_extent() for at, label in ticks if low <= at <= high]
        boxes.sort(key=lambda box: box.x0)
        assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))


def test_model_quality_needs_a_suggestion_of_the_models():
    with pytest.raises(ValueError, match="nothing yet"):
        plot_model_quality(told())


def test_names_must_fit():
    with pytest.raises(ValueError, match="names of 2 objectives"):
        plot_front(told(), names=["cost"])


def test_without_matplotlib_the_error_names_the_extra():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from samo_cobra import Optimizer, Real, Space, plots\n"
        "plots.plot_front(Optimizer(Space([Real('x', 0, 1)]), 2))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "samo-cobra[plots]" in done.stderr.splitlines()[-1]
