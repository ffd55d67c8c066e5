"""One small problem for the tests of the optimiser: programs are compiled once per shape.

Two bowls at opposite corners of the unit square; the front is the diagonal between them. The
constrained one leaves out a disc in the middle of it.
"""

import numpy as np

from samo_cobra import Optimizer, Real, Space, hypervolume

PLANE = Space([Real("x", 0.0, 1.0), Real("y", 0.0, 1.0)])
CORNER = (2.0, 2.0)


def bowls(x):
    near, far = x["x"] ** 2 + x["y"] ** 2, (x["x"] - 1.0) ** 2 + (x["y"] - 1.0) ** 2
    return [near, far]


def disc(x):
    return 0.04 - (x["x"] - 0.5) ** 2 - (x["y"] - 0.5) ** 2


def free(x):
    return (bowls(x),)


def constrained(x):
    return bowls(x), [disc(x)]


def optimise(optimizer, evaluate, n):
    for _ in range(n):
        (point,) = optimizer.ask()
        optimizer.tell(point, *evaluate(point.x))
    return optimizer


def run(n, **options):
    """An optimiser of the bowls after ``n`` trials."""
    return optimise(Optimizer(PLANE, 2, **{"reference_point": CORNER} | options), free, n)


def run_constrained(n, **options):
    options = {"reference_point": CORNER} | options
    return optimise(Optimizer(PLANE, 2, 1, **options), constrained, n)


def off_front(points):
    """Distance of every point from the diagonal."""
    return np.array([abs(p["x"] - p["y"]) / np.sqrt(2.0) for p in points])


def best_hypervolume(n=400):
    t = np.linspace(0.0, 1.0, n)
    return hypervolume(np.stack([2.0 * t**2, 2.0 * (1.0 - t) ** 2], axis=1), np.array(CORNER))
