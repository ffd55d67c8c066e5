"""Standard test problems: ZDT, DTLZ, and the standard forms of what the authors coded otherwise."""

import math

import numpy as np
from jaxtyping import Float

from samo_cobra.problems import published as coded
from samo_cobra.problems.problem import Outputs, Problem
from samo_cobra.problems.results import published


def _zdt_g(x: Float[np.ndarray, " dims"]) -> float:
    return 1 + 9 * float(np.sum(x[1:])) / (len(x) - 1)


def zdt1(x: Float[np.ndarray, " dims"]) -> Outputs:
    """Convex front f2 = 1 - sqrt(f1)."""
    g = _zdt_g(x)
    return [x[0], g * (1 - math.sqrt(x[0] / g))], []


def zdt2(x: Float[np.ndarray, " dims"]) -> Outputs:
    """Concave front f2 = 1 - f1^2."""
    g = _zdt_g(x)
    return [x[0], g * (1 - (x[0] / g) ** 2)], []


def zdt3(x: Float[np.ndarray, " dims"]) -> Outputs:
    """Front of five pieces."""
    g = _zdt_g(x)
    return [x[0], g * (1 - math.sqrt(x[0] / g) - x[0] / g * math.sin(10 * math.pi * x[0]))], []


def dtlz2_objectives(x: Float[np.ndarray, " dims"], k: int) -> list[float]:
    """The ``k`` objectives of DTLZ2: the front is the unit sphere."""
    radius = 1 + float(np.sum((x[k - 1 :] - 0.5) ** 2))
    angles = x[: k - 1] * math.pi / 2
    objectives = []
    for i in range(k):
        f = radius * float(np.prod(np.cos(angles[: k - 1 - i])))
        objectives.append(f if i == 0 else f * math.sin(angles[k - 1 - i]))
    return objectives


def dtlz2(x: Float[np.ndarray, " dims"]) -> Outputs:
    """DTLZ2 with three objectives."""
    return dtlz2_objectives(x, 3), []


def c2dtlz2(x: Float[np.ndarray, " dims"]) -> Outputs:
    """C2-DTLZ2 with two objectives: the front is three arcs around the axes and the diagonal."""
    f, radius = dtlz2_objectives(x, 2), 0.2
    middle = sum((v - math.sqrt(0.5)) ** 2 for v in f)
    ends = [(f[0] - 1) ** 2 + f[1] ** 2, f[0] ** 2 + (f[1] - 1) ** 2]
    return f, [min(middle, *ends) - radius**2]


def c2dtlz2_hypervolume(reference: float = 1.1, radius: float = 0.2) -> float:
    """Area above the three arcs of C2-DTLZ2 within (reference, reference).

    An arc around a point of the unit circle reaches the angle 2 asin(radius / 2) to both sides.
    Between the arcs the staircase stays at the height where the last arc ended.
    """
    reach = 2 * math.asin(radius / 2)
    quarter = math.pi / 4
    # From left to right: f1 = sin(t), f2 = cos(t).
    arcs = [(0.0, reach), (quarter - reach, quarter + reach), (2 * quarter - reach, 2 * quarter)]
    area, ends = 0.0, [math.sin(start) for start, _ in arcs[1:]] + [reference]
    for (start, stop), end in zip(arcs, ends, strict=True):
        below = 0.5 * (stop - start) + 0.25 * (math.sin(2 * stop) - math.sin(2 * start))
        area += reference * (math.sin(stop) - math.sin(start)) - below
        area += (reference - math.cos(stop)) * (end - math.sin(stop))
    return area


def bnh(x: Float[np.ndarray, " 2"]) -> Outputs:
    """Binh and Korn."""
    f, _ = coded.bnh(x)
    return f, [(x[0] - 5) ** 2 + x[1] ** 2 - 25, 7.7 - (x[0] - 8) ** 2 - (x[1] + 3) ** 2]


def ctp1(x: Float[np.ndarray, " 2"]) -> Outputs:
    """CTP1 of Deb, Pratap and Meyarivan."""
    (f1, f2), _ = coded.ctp1(x)
    pairs = ((0.858, 0.541), (0.728, 0.295))
    return [f1, f2], [a * math.exp(-b * f1) - f2 for a, b in pairs]


def c3dtlz4(x: Float[np.ndarray, " dims"]) -> Outputs:
    """C3-DTLZ4 with two objectives: x1 to the power of 100."""
    return coded.c3dtlz4(np.concatenate([x[:1] ** 100, x[1:]]))


def tbtd(x: Float[np.ndarray, " 3"]) -> Outputs:
    """Two-bar truss: volume and the larger stress."""
    (volume, _), g = coded.tbtd(x)
    return [volume, max(g[1], g[2]) + 1e5], g


def srd(x: Float[np.ndarray, " 7"]) -> Outputs:
    """Speed reducer of Golinski: whole number of teeth, sums inside the roots."""
    teeth = x[1] * x[2]
    objectives = coded.srd_objectives(x, 7.4777, 1.69e7)
    stress2 = math.sqrt((745 * x[4] / teeth) ** 2 + 1.575e8) / (0.1 * x[6] ** 3)
    return objectives, [*coded.srd_geometry(x), objectives[1] - 1300, stress2 - 1100]


def wb(x: Float[np.ndarray, " 4"]) -> Outputs:
    """Welded beam of Ragsdell and Phillips, as Deb made it bi-objective."""
    return coded.wb_of(x, math.sqrt(0.5), math.sqrt(30e6 * 12e6))


def bicop2(x: Float[np.ndarray, " dims"]) -> Outputs:
    """BICOP2 of Datta and Regis: sum of squares."""
    h = float(np.sum((x[1:] - math.sin(math.pi * x[0] / 2)) ** 2))
    return coded.bicop2_of(x[0], h)


def wp(x: Float[np.ndarray, " 3"]) -> Outputs:
    """Water resource planning of Ray, Tai and Seow."""
    f, g = coded.wp(x)
    return [f[0], f[1], 1e6 * f[2], f[3], f[4]], g


_ZDT = "Zitzler, Deb and Thiele, Evolutionary Computation 8 (2000); best known: analytic"
_ZDT3 = (
    "Zitzler, Deb and Thiele, Evolutionary Computation 8 (2000); best known: 121 less the integral "
    "over f1 in [0, 11] of the lowest f2 of the front so far, on a grid of 10^7 points"
)
_DTLZ = (
    "Deb, Thiele, Laumanns and Zitzler, CEC 2002; best known: 1.1^3 less an eighth of the unit ball"
)
_C2DTLZ = (
    "Jain and Deb, IEEE Trans. Evol. Comput. 18 (2014); best known: the arcs integrated in closed "
    "form, see c2dtlz2_hypervolume"
)
_STANDARD = "standard form of the problem of this name"
_CTP1 = f"{_STANDARD}; best known: the front is the largest of exp(-f1) and both limits, integrated"
_BNH = f"{_STANDARD}; best known: the front is x1 = x2 <= 3, then x2 = 3"

_WB = f"{_STANDARD}; best known: two runs of NSGA-II with 400 generations of 400, a lower bound"


def _unit(dims: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return (0.0,) * dims, (1.0,) * dims


def problems() -> list[Problem]:
    """ZDT1 to 3, DTLZ2, C2DTLZ2 and the standard forms."""
    measured = published()
    wp_reference = tuple(v * (1e6 if i == 2 else 1) for i, v in enumerate(coded.WP_REFERENCE))
    zdt = (*_unit(10), (11.0, 11.0))
    return [
        Problem("ZDT1", *zdt, zdt1, 0, 100, 120 + 2 / 3, _ZDT, measured["ZDT1"]),
        Problem("ZDT2", *zdt, zdt2, 0, 100, 120 + 1 / 3, _ZDT, measured["ZDT2"]),
        Problem("ZDT3", *zdt, zdt3, 0, 100, 128.77811613, _ZDT3),
        Problem("DTLZ2", *_unit(7), (1.1,) * 3, dtlz2, 0, 280, 1.1**3 - math.pi / 6, _DTLZ),
        Problem("C2DTLZ2", *_unit(7), (1.1,) * 2, c2dtlz2, 1, 280, c2dtlz2_hypervolume(), _C2DTLZ),
        Problem("BNH-standard", *coded.BNH_BOUNDS, (140.0, 50.0), bnh, 2, 80, 5285 + 1 / 3, _BNH),
        Problem("CTP1-standard", *_unit(2), (1.0, 2.0), ctp1, 2, 80, 1.308163419, _CTP1),
        Problem("C3DTLZ4-standard", *_unit(6), (3.0, 3.0), c3dtlz4, 2, 240, None, _STANDARD),
        Problem("TBTD-standard", *coded.TBTD_BOUNDS, (0.1, 50000.0), tbtd, 3, 120, None, _STANDARD),
        Problem(
            "SRD-standard",
            lower=coded.SRD_BOUNDS[0],
            upper=coded.SRD_BOUNDS[1],
            reference_point=(7000.0, 1700.0),
            function=srd,
            n_constraints=11,
            budget=280,
            best_known_hypervolume=None,
            source=_STANDARD,
            integer_axes=(2,),
        ),
        Problem("WB-standard", *coded.WB_BOUNDS, (350.0, 0.1), wb, 5, 160, 34.57209, _WB),
        Problem("BICOP2-standard", *_unit(10), (70.0, 70.0), bicop2, 2, 400, None, _STANDARD),
        Problem("WP-standard", *coded.WP_BOUNDS, wp_reference, wp, 7, 120, None, _STANDARD),
    ]
