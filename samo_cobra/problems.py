"""Published test problems as the authors of SAMO-COBRA coded them.

Some deviate from the standard definitions (noted at each); hypervolumes can only be compared on
the same code. Reference results: RoydeZomer/SAMO-COBRA and RoydeZomer/Multi-Point-SAMO-COBRA, 40
evaluations per variable, medians of the stored runs (11 Multi-Point with batch 1, 10 with PHV).
"""

import dataclasses
import math
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float

from samo_cobra.space import Real, Space

Outputs = tuple[list[float], list[float]]


@dataclasses.dataclass(frozen=True)
class Problem:
    """A test problem, all objectives minimised, feasible where every constraint is <= 0.

    Attributes:
        name: name used in the papers.
        lower: lower bounds.
        upper: upper bounds.
        reference_point: upper corner of the hypervolume.
        function: maps a vector to objectives and constraints.
        n_constraints: number of constraints.
        budget: evaluations in the published runs.
        published_hypervolume: median final hypervolume of the authors' runs, if any.
        best_known_hypervolume: analytic maximum or front of all stored runs together.
        source: where the definition comes from.
    """

    name: str
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    reference_point: tuple[float, ...]
    function: Callable[[Float[np.ndarray, " dims"]], Outputs]
    n_constraints: int
    budget: int
    published_hypervolume: float | None
    best_known_hypervolume: float | None
    source: str

    @property
    def n_objectives(self) -> int:
        """Number of objectives."""
        return len(self.reference_point)

    @property
    def space(self) -> Space:
        """Search space with parameters x1, x2, ..."""
        bounds = zip(self.lower, self.upper, strict=True)
        return Space([Real(f"x{i}", low, high) for i, (low, high) in enumerate(bounds, start=1)])

    def evaluate(
        self, x: Mapping[str, float]
    ) -> tuple[Float[np.ndarray, " objectives"], Float[np.ndarray, " constraints"]]:
        """Objectives and constraints at named values."""
        vector = np.array([x[p.name] for p in self.space.parameters])
        objectives, constraints = self.function(vector)
        return np.array(objectives, dtype=float), np.array(constraints, dtype=float)


def _bnh(x: Float[np.ndarray, " 2"]) -> Outputs:
    # As coded: the standard has x2^2 in the first and (x2 + 3)^2 in the second constraint.
    f = [4 * x[0] ** 2 + 4 * x[1] ** 2, (x[0] - 5) ** 2 + (x[1] - 5) ** 2]
    return f, [(x[0] - 5) ** 2 + x[1] - 25, 7.7 - (x[0] - 8) ** 2 - (x[1] - 3) ** 2]


def _cexp(x: Float[np.ndarray, " 2"]) -> Outputs:
    return [x[0], (1 + x[1]) / x[0]], [6 - x[1] - 9 * x[0], 1 + x[1] - 9 * x[0]]


def _srn(x: Float[np.ndarray, " 2"]) -> Outputs:
    f = [2 + (x[0] - 2) ** 2 + (x[1] - 1) ** 2, 9 * x[0] - (x[1] - 1) ** 2]
    return f, [x[0] ** 2 + x[1] ** 2 - 225, x[0] - 3 * x[1] + 10]


def _tnk(x: Float[np.ndarray, " 2"]) -> Outputs:
    ripple = 1 + 0.1 * math.cos(16 * math.atan(x[1] / x[0]))
    g = [ripple - x[0] ** 2 - x[1] ** 2, (x[0] - 0.5) ** 2 + (x[1] - 0.5) ** 2 - 0.5]
    return [x[0], x[1]], g


def _ctp1(x: Float[np.ndarray, " 2"]) -> Outputs:
    # As coded: ratios in place of differences, 0.285 in place of the standard 0.295.
    f1, f2 = x[0], (1 + x[1]) * math.exp(-x[0] / (1 + x[1]))
    g1 = 1 - f2 / (0.858 * math.exp(-0.541 * f1))
    return [f1, f2], [g1, 1 - f2 / (0.728 * math.exp(-0.285 * f1))]


def _c3dtlz4(x: Float[np.ndarray, " 6"]) -> Outputs:
    # As coded: no power of 100 on x1.
    h = float(np.sum((x[1:] - 0.5) ** 2))
    f1 = (1 + h) * math.cos(math.pi * x[0] / 2)
    f2 = (1 + h) * math.sin(math.pi * x[0] / 2)
    return [f1, f2], [1 - f1**2 / 4 - f2**2, 1 - f2**2 / 4 - f1**2]


def _osy(x: Float[np.ndarray, " 6"]) -> Outputs:
    f1 = -(
        25 * (x[0] - 2) ** 2 + (x[1] - 2) ** 2 + (x[2] - 1) ** 2 + (x[3] - 4) ** 2 + (x[4] - 1) ** 2
    )
    g = [
        2 - x[0] - x[1],
        x[0] + x[1] - 6,
        x[1] - x[0] - 2,
        x[0] - 3 * x[1] - 2,
        (x[2] - 3) ** 2 + x[3] - 4,
        4 - (x[4] - 3) ** 2 - x[5],
    ]
    return [f1, float(np.sum(x**2))], g


def _wb(x: Float[np.ndarray, " 4"]) -> Outputs:
    load, length, young, shear = 6000.0, 14.0, 30e6, 12e6
    f1 = 1.10471 * x[0] ** 2 * x[1] + 0.04811 * x[2] * x[3] * (14 + x[1])
    f2 = 4 * load * length**3 / (young * x[3] * x[2] ** 3)
    arm = math.sqrt(x[1] ** 2 / 4 + ((x[0] + x[2]) / 2) ** 2)
    inertia = 2 * math.sqrt(2) * x[0] * x[1] * (x[1] ** 2 / 12 + ((x[0] + x[2]) / 2) ** 2)
    direct = load / (math.sqrt(2) * x[0] * x[1])
    torsion = load * (length + x[1] / 2) * arm / inertia
    tau = math.sqrt(direct**2 + torsion**2 + direct * torsion * x[1] / arm)
    sigma = 6 * load * length / (x[3] * x[2] ** 2)
    buckling = (
        4.013
        * young
        * math.sqrt(x[2] ** 2 * x[3] ** 6 / 36)
        / length**2
        * (1 - x[2] / (2 * length) * math.sqrt(young / (4 * shear)))
    )
    return [f1, f2], [tau - 13600, sigma - 30000, x[0] - x[3], 0.125 - x[0], load - buckling]


def _zdt_g(x: Float[np.ndarray, " dims"]) -> float:
    return 1 + 9 * float(np.sum(x[1:])) / (len(x) - 1)


def _zdt1(x: Float[np.ndarray, " dims"]) -> Outputs:
    g = _zdt_g(x)
    return [x[0], g * (1 - math.sqrt(x[0] / g))], []


def _zdt2(x: Float[np.ndarray, " dims"]) -> Outputs:
    g = _zdt_g(x)
    return [x[0], g * (1 - (x[0] / g) ** 2)], []


_AUTHORS = "RoydeZomer/Multi-Point-SAMO-COBRA, as coded"
_ZDT = "Zitzler, Deb and Thiele, Evolutionary Computation 8 (2000)"
_OSY_BOUNDS = ((0.0, 0.0, 1.0, 0.0, 1.0, 0.0), (10.0, 10.0, 5.0, 6.0, 5.0, 10.0))
_WB_BOUNDS = ((0.125, 0.1, 0.1, 0.125), (5.0, 10.0, 10.0, 5.0))

_PROBLEMS = {
    p.name: p
    for p in (
        Problem(
            "BNH", (0.0, 0.0), (5.0, 3.0), (140.0, 50.0), _bnh, 2, 80, 5256.39, 5284.06, _AUTHORS
        ),
        Problem(
            "CEXP", (0.1, 0.0), (1.0, 5.0), (1.0, 9.0), _cexp, 2, 80, 3.79698, 3.82062, _AUTHORS
        ),
        Problem(
            "SRN",
            (-20.0, -20.0),
            (20.0, 20.0),
            (301.0, 72.0),
            _srn,
            2,
            80,
            62398.3,
            62731.2,
            _AUTHORS,
        ),
        Problem(
            "TNK",
            (1e-5, 1e-5),
            (math.pi, math.pi),
            (3.0, 3.0),
            _tnk,
            2,
            80,
            8.05179,
            8.06357,
            _AUTHORS,
        ),
        Problem(
            "CTP1", (0.0, 0.0), (1.0, 1.0), (1.0, 2.0), _ctp1, 2, 80, 1.30302, 1.30639, _AUTHORS
        ),
        Problem(
            "C3DTLZ4",
            (0.0,) * 6,
            (1.0,) * 6,
            (3.0, 3.0),
            _c3dtlz4,
            2,
            240,
            6.48624,
            6.75656,
            _AUTHORS,
        ),
        Problem("OSY", *_OSY_BOUNDS, (0.0, 386.0), _osy, 6, 240, 100604.3, 100636.9, _AUTHORS),
        Problem("WB", *_WB_BOUNDS, (350.0, 0.1), _wb, 5, 160, 34.4597, 34.6310, _AUTHORS),
        Problem(
            "ZDT1", (0.0,) * 10, (1.0,) * 10, (11.0, 11.0), _zdt1, 0, 100, 120.63, 120 + 2 / 3, _ZDT
        ),
        Problem(
            "ZDT2", (0.0,) * 10, (1.0,) * 10, (11.0, 11.0), _zdt2, 0, 100, 120.32, 120 + 1 / 3, _ZDT
        ),
    )
}


def names() -> list[str]:
    """Names that :func:`get` knows."""
    return list(_PROBLEMS)


def get(name: str) -> Problem:
    """Looks up a test problem.

    Raises:
        ValueError: if the name is unknown.
    """
    if name not in _PROBLEMS:
        raise ValueError(f"unknown problem {name!r}; choose one of {names()}")
    return _PROBLEMS[name]
