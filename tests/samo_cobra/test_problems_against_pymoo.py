"""Our formulas against pymoo's; run where pymoo is installed (`pip install ".[rivals]"`)."""

import numpy as np
import pytest

from samo_cobra import problems

pymoo_problems = pytest.importorskip("pymoo.problems")

# Ours, pymoo's name and arguments, where each of our parameters is in pymoo's vector.
PAIRS = [
    ("BNH-standard", "bnh", {}, None),
    ("SRN", "srn", {}, None),
    ("TNK", "tnk", {}, None),
    ("OSY", "osy", {}, None),
    ("CTP1-standard", "ctp1", {"n_var": 2}, None),
    ("CSI", "carside", {}, None),
    ("WB-standard", "welded_beam", {}, None),
    ("TBTD-standard", "truss2d", {}, [1, 2, 0]),
    ("ZDT1", "zdt1", {"n_var": 10}, None),
    ("ZDT2", "zdt2", {"n_var": 10}, None),
    ("ZDT3", "zdt3", {"n_var": 10}, None),
    ("DTLZ2", "dtlz2", {"n_var": 7, "n_obj": 3}, None),
    ("C2DTLZ2", "c2dtlz2", {"n_var": 7, "n_obj": 2, "r": 0.2}, None),
    ("C3DTLZ4-standard", "c3dtlz4", {"n_var": 6, "n_obj": 2}, None),
]


@pytest.mark.parametrize(("name", "theirs", "arguments", "order"), PAIRS)
def test_objectives_and_feasibility_agree_with_pymoo(name, theirs, arguments, order):
    ours, peer = problems.get(name), pymoo_problems.get_problem(theirs, **arguments)
    rng = np.random.default_rng(0)
    points = rng.uniform(ours.lower, ours.upper, size=(300, len(ours.lower)))
    outcomes = [ours.function(x) for x in points]
    out = peer.evaluate(points if order is None else points[:, order], return_as_dictionary=True)
    np.testing.assert_allclose([f for f, _ in outcomes], out["F"], rtol=1e-12, atol=1e-12)
    if ours.n_constraints:
        # The limit of the truss's volume is a bound of the front in pymoo's form.
        skipped = 1 if name == "TBTD-standard" else 0
        feasible = [max(g[skipped:]) <= 0 for _, g in outcomes]
        np.testing.assert_array_equal(feasible, np.all(out["G"] <= 0, axis=1))
