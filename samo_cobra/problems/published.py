"""The 18 published test problems as the authors of SAMO-COBRA coded them.

Some deviate from the standard definitions, noted at each; hypervolumes can only be compared on
the same code. :mod:`samo_cobra.problems.standard` has the standard forms.
"""

import math

import numpy as np
from jaxtyping import Float

from samo_cobra.problems.problem import Outputs, Problem
from samo_cobra.problems.results import published


def bnh(x: Float[np.ndarray, " 2"]) -> Outputs:
    """Binh and Korn. The standard has x2^2 in the first and (x2 + 3)^2 in the second constraint."""
    f = [4 * x[0] ** 2 + 4 * x[1] ** 2, (x[0] - 5) ** 2 + (x[1] - 5) ** 2]
    return f, [(x[0] - 5) ** 2 + x[1] - 25, 7.7 - (x[0] - 8) ** 2 - (x[1] - 3) ** 2]


def cexp(x: Float[np.ndarray, " 2"]) -> Outputs:
    """Constr-Ex of Deb."""
    return [x[0], (1 + x[1]) / x[0]], [6 - x[1] - 9 * x[0], 1 + x[1] - 9 * x[0]]


def srn(x: Float[np.ndarray, " 2"]) -> Outputs:
    """Srinivas and Deb."""
    f = [2 + (x[0] - 2) ** 2 + (x[1] - 1) ** 2, 9 * x[0] - (x[1] - 1) ** 2]
    return f, [x[0] ** 2 + x[1] ** 2 - 225, x[0] - 3 * x[1] + 10]


def tnk(x: Float[np.ndarray, " 2"]) -> Outputs:
    """Tanaka."""
    ripple = 1 + 0.1 * math.cos(16 * math.atan(x[1] / x[0]))
    g = [ripple - x[0] ** 2 - x[1] ** 2, (x[0] - 0.5) ** 2 + (x[1] - 0.5) ** 2 - 0.5]
    return [x[0], x[1]], g


def ctp1(x: Float[np.ndarray, " 2"]) -> Outputs:
    """CTP1 with ratios in place of differences, and 0.285 in place of the standard 0.295."""
    f1, f2 = x[0], (1 + x[1]) * math.exp(-x[0] / (1 + x[1]))
    g1 = 1 - f2 / (0.858 * math.exp(-0.541 * f1))
    return [f1, f2], [g1, 1 - f2 / (0.728 * math.exp(-0.285 * f1))]


def c3dtlz4(x: Float[np.ndarray, " dims"]) -> Outputs:
    """C3-DTLZ4 with two objectives, without the power of 100 on x1."""
    h = float(np.sum((x[1:] - 0.5) ** 2))
    f1 = (1 + h) * math.cos(math.pi * x[0] / 2)
    f2 = (1 + h) * math.sin(math.pi * x[0] / 2)
    return [f1, f2], [1 - f1**2 / 4 - f2**2, 1 - f2**2 / 4 - f1**2]


def osy(x: Float[np.ndarray, " 6"]) -> Outputs:
    """Osyczka and Kundu, constraints not normalised."""
    f1 = -(25 * (x[0] - 2) ** 2 + float(np.sum((x[1:5] - [2, 1, 4, 1]) ** 2)))
    g = [
        2 - x[0] - x[1],
        x[0] + x[1] - 6,
        x[1] - x[0] - 2,
        x[0] - 3 * x[1] - 2,
        (x[2] - 3) ** 2 + x[3] - 4,
        4 - (x[4] - 3) ** 2 - x[5],
    ]
    return [f1, float(np.sum(x**2))], g


def tbtd(x: Float[np.ndarray, " 3"]) -> Outputs:
    """Two-bar truss; the second objective is the first stress, in later papers the larger one."""
    y, a1, a2 = x
    volume = a1 * math.sqrt(16 + y**2) + a2 * math.sqrt(1 + y**2)
    stress_ac = 20 * math.sqrt(16 + y**2) / (y * a1)
    stress_bc = 80 * math.sqrt(1 + y**2) / (y * a2)
    return [volume, stress_ac], [volume - 0.1, stress_ac - 1e5, stress_bc - 1e5]


def nbp(x: Float[np.ndarray, " 2"]) -> Outputs:
    """Cantilever beam of Nowacki: height and breadth in mm."""
    length, force, young, shear, poisson = 1500.0, 5000.0, 216620.0, 86650.0, 0.27
    h, b = x
    inertia_x, inertia_z = b * h**3 / 12, b**3 * h / 12
    stress = 6 * force * length / (b * h**2)
    torsion = shear * (inertia_x + inertia_z)
    buckling = 4 / length**2 * math.sqrt(torsion * young * inertia_z / (1 - poisson**2))
    g = [
        force * length**3 / (3 * young * inertia_x) - 5,
        stress - 240,
        3 * force / (2 * b * h) - 120,
        h / b - 10,
        2 * force - buckling,
    ]
    return [b * h, stress], g


def dbd(x: Float[np.ndarray, " 4"]) -> Outputs:
    """Disc brake: inner and outer radius, engaging force, number of discs (real)."""
    squares, cubes = x[1] ** 2 - x[0] ** 2, x[1] ** 3 - x[0] ** 3
    g = [
        20 - (x[1] - x[0]),
        2.5 * (x[3] + 1) - 30,
        x[2] / (3.14 * squares) - 0.4,
        2.22e-3 * x[2] * cubes / squares**2 - 1,
        900 - 2.66e-2 * x[2] * x[3] * cubes / squares,
    ]
    return [4.9e-5 * squares * (x[3] - 1), 9.82e6 * squares / (x[2] * x[3] * cubes)], g


def spd(x: Float[np.ndarray, " 6"]) -> Outputs:
    """Bulk carrier design of Parsons and Scott: transport cost, light ship mass, annual cargo."""
    length, beam, depth, draft, speed, block = x
    displacement = 1.025 * length * beam * draft * block
    froude = 0.5144 * speed / math.sqrt(9.8065 * length)
    a = 4977.06 * block**2 - 8105 * block + 4456.51
    b = -10847.2 * block**2 + 12817 * block - 6960.32
    power = displacement ** (2 / 3) * speed**3 / (a + b * froude)
    machinery = 0.17 * power**0.9
    outfit = length**0.8 * beam**0.6 * depth**0.3 * block**0.1
    steel = 0.034 * length**1.7 * beam**0.7 * depth**0.4 * block**0.5
    light = steel + outfit + machinery
    deadweight = displacement - light
    daily_fuel = 0.19 * 24 * power / 1000 + 0.2
    sea_days = 5000 / (24 * speed)
    # Non-negative base: light ships heavier than their displacement are refused by a constraint.
    carried = max(deadweight, 0.0)
    cargo = deadweight - daily_fuel * (sea_days + 5) - 2 * math.sqrt(carried)
    port_days = 2 * (cargo / 8000 + 0.5)
    trips = 350 / (sea_days + port_days)
    capital = 0.2 * 1.3 * (2000 * steel**0.85 + 3500 * outfit + 2400 * power**0.8)
    voyage = 105 * daily_fuel * sea_days + 6.3 * carried**0.8
    cost = capital + 40000 * carried**0.3 + voyage * trips
    centre = 0.53 * draft + (0.085 * block - 0.002) * beam**2 / (draft * block)
    g = [
        6 - length / beam,
        length / depth - 15,
        length / draft - 19,
        draft - 0.45 * carried**0.31,
        draft - 0.7 * depth - 0.7,
        3000 - deadweight,
        deadweight - 500000,
        froude - 0.32,
        0.07 * beam - (centre - 1 - 0.52 * depth),
    ]
    return [cost / (cargo * trips), light, -cargo * trips], g


def csi(x: Float[np.ndarray, " 7"]) -> Outputs:
    """Car side impact of Jain and Deb: mass, pubic force, velocity; constraints not normalised."""
    x1, x2, x3, x4, x5, x6, x7 = x
    force = 4.72 - 0.5 * x4 - 0.19 * x2 * x3
    v_pillar = 10.58 - 0.674 * x1 * x2 - 0.67275 * x2
    v_door = 16.45 - 0.489 * x3 * x7 - 0.843 * x5 * x6
    f1 = 1.98 + 4.9 * x1 + 6.67 * x2 + 6.98 * x3 + 4.01 * x4 + 1.78 * x5 + 1e-5 * x6 + 2.73 * x7
    viscous_middle = 0.214 + 0.00817 * x5 - 0.045195 * x1 - 0.0135168 * x1 + 0.03099 * x2 * x6
    viscous_middle += -0.018 * x2 * x7 + (0.007176 + 0.023232) * x3 - 0.00364 * x5 * x6
    g = [
        1.16 - 0.3717 * x2 * x4 - 0.0092928 * x3 - 1,
        0.261
        - 0.0159 * x1 * x2
        - 0.06486 * x1
        - 0.019 * x2 * x7
        + 0.0144 * x3 * x5
        + 0.0154464 * x6
        - 0.32,
        viscous_middle - 0.018 * x2**2 - 0.32,
        0.74 - 0.61 * x2 - 0.031296 * x3 - 0.031872 * x7 + 0.227 * x2**2 - 0.32,
        28.98 + 3.818 * x3 - 4.2 * x1 * x2 + 1.27296 * x6 - 2.68065 * x7 - 32,
        33.86 + 2.95 * x3 - 5.057 * x1 * x2 - 3.795 * x2 - 3.4431 * x7 + 1.45728 - 32,
        46.36 - 9.9 * x2 - 4.4505 * x1 - 32,
        force - 4,
        v_pillar - 9.9,
        v_door - 15.7,
    ]
    return [f1, force, (v_pillar + v_door) / 2], g


def srd_objectives(x: Float[np.ndarray, " 7"], shaft_weight: float, load: float) -> list[float]:
    """Weight of the speed reducer and stress of its first shaft."""
    f1 = 0.7854 * x[0] * x[1] ** 2 * (10 * x[2] ** 2 / 3 + 14.933 * x[2] - 43.0934)
    f1 += -1.508 * x[0] * (x[5] ** 2 + x[6] ** 2) + shaft_weight * (x[5] ** 3 + x[6] ** 3)
    f1 += 0.7854 * (x[3] * x[5] ** 2 + x[4] * x[6] ** 2)
    f2 = math.sqrt((745 * x[3] / (x[1] * x[2])) ** 2 + load) / (0.1 * x[5] ** 3)
    return [f1, f2]


def srd_geometry(x: Float[np.ndarray, " 7"]) -> list[float]:
    """The nine constraints of the speed reducer that all codings share."""
    teeth = x[1] * x[2]
    return [
        1 / (x[0] * x[1] ** 2 * x[2]) - 1 / 27,
        1 / (x[0] * x[1] ** 2 * x[2] ** 2) - 1 / 397.5,
        x[3] ** 3 / (teeth * x[5] ** 4) - 1 / 1.93,
        x[4] ** 3 / (teeth * x[6] ** 4) - 1 / 1.93,
        teeth - 40,
        x[0] / x[1] - 12,
        5 - x[0] / x[1],
        1.9 - x[3] + 1.5 * x[5],
        1.9 - x[4] + 1.1 * x[6],
    ]


def srd(x: Float[np.ndarray, " 7"]) -> Outputs:
    """Speed reducer with powers in place of x 10^7 and x 10^8 and x3 real.

    The sums of the stresses stand outside their roots, so the last two constraints are looser.
    """
    teeth = x[1] * x[2]
    stress1 = (745 * x[3] / teeth + 1.691**7) / (0.1 * x[5] ** 3)
    stress2 = (745 * x[4] / teeth + 1.5751**8) / (0.1 * x[6] ** 3)
    g = [*srd_geometry(x), stress1 - 1300, stress2 - 1100]
    return srd_objectives(x, 7.477, 1.691e7), g


def wb_of(x: Float[np.ndarray, " 4"], throat: float, buckling_modulus: float) -> Outputs:
    """Welded beam: cost and deflection.

    Args:
        x: height and length of the weld, height and breadth of the bar, in inches.
        throat: factor of the weld's height in the polar moment of inertia.
        buckling_modulus: modulus in the buckling load, in psi.
    """
    load, length, young, shear = 6000.0, 14.0, 30e6, 12e6
    f1 = 1.10471 * x[0] ** 2 * x[1] + 0.04811 * x[2] * x[3] * (14 + x[1])
    f2 = 4 * load * length**3 / (young * x[3] * x[2] ** 3)
    arm = math.sqrt(x[1] ** 2 / 4 + ((x[0] + x[2]) / 2) ** 2)
    inertia = 2 * throat * x[0] * x[1] * (x[1] ** 2 / 12 + ((x[0] + x[2]) / 2) ** 2)
    direct = load / (math.sqrt(2) * x[0] * x[1])
    torsion = load * (length + x[1] / 2) * arm / inertia
    tau = math.sqrt(direct**2 + torsion**2 + direct * torsion * x[1] / arm)
    sigma = 6 * load * length / (x[3] * x[2] ** 2)
    slender = 1 - x[2] / (2 * length) * math.sqrt(young / (4 * shear))
    buckling = 4.013 * buckling_modulus * x[2] * x[3] ** 3 / (6 * length**2) * slender
    return [f1, f2], [tau - 13600, sigma - 30000, x[0] - x[3], 0.125 - x[0], load - buckling]


def wb(x: Float[np.ndarray, " 4"]) -> Outputs:
    """Welded beam in Coello's coding: twice the polar moment of inertia of Ragsdell and Phillips.

    Its buckling load has Young's modulus where theirs has the geometric mean of both moduli.
    """
    return wb_of(x, math.sqrt(2), 30e6)


def bicop1(x: Float[np.ndarray, " dims"]) -> Outputs:
    """BICOP1 of Datta and Regis; its constraint is never active."""
    g = 1 + float(np.sum(x[1:]))
    f1 = x[0] * g
    return [f1, g - math.sqrt(f1 / g)], [-g]


def bicop2_of(x1: float, h: float) -> Outputs:
    """BICOP2 of Datta and Regis as a function of x1 and the distance h."""
    return [x1 + h, 1 - x1**2 + h], [0.1 - h, h - 0.9]


def bicop2(x: Float[np.ndarray, " dims"]) -> Outputs:
    """BICOP2 with the square of a sum where the standard sums squares."""
    h = float(np.sum(x[1:] - math.sin(math.pi * x[0] / 2))) ** 2
    return bicop2_of(x[0], h)


def tricop(x: Float[np.ndarray, " 2"]) -> Outputs:
    """TRICOP of Datta and Regis."""
    f1 = (x[0] - 2) ** 2 / 2 + (x[1] + 1) ** 2 / 13 + 3
    f2 = (x[0] + x[1] - 3) ** 2 / 175 + (2 * x[1] - x[0]) ** 2 / 17 - 13
    f3 = (3 * x[0] - 2 * x[1] + 4) ** 2 / 8 + (x[0] - x[1] + 1) ** 2 / 27 + 15
    return [f1, f2, f3], [4 * x[0] + x[1] - 4, -x[0] - 1, x[0] - x[1] - 2]


def wp(x: Float[np.ndarray, " 3"]) -> Outputs:
    """Water resource planning; the third objective is a millionth of the standard one."""
    x1, x2, x3 = x
    flow = x1 * x2
    f = [
        106780.37 * (x2 + x3) + 61704.67,
        3000 * x1,
        30570 * 0.02289 * x2 / (0.06 * 2289) ** 0.65,
        250 * 2289 * math.exp(-39.75 * x2 + 9.9 * x3 + 2.74),
        25 * (1.39 / flow + 4940 * x3 - 80),
    ]
    g = [
        0.00139 / flow + 4.94 * x3 - 1.08,
        0.000306 / flow + 1.082 * x3 - 1.0986,
        12.307 / flow + 49408.24 * x3 - 45948.98,
        2.098 / flow + 8046.33 * x3 - 16696.71,
        2.138 / flow + 7883.39 * x3 - 10705.04,
        0.417 * flow + 1721.26 * x3 - 2136.54,
        0.164 / flow + 631.13 * x3 - 604.48,
    ]
    return f, g


_SOURCE = "RoydeZomer/Multi-Point-SAMO-COBRA, as coded; best known: front of all the authors' runs"
_BNH = "RoydeZomer/Multi-Point-SAMO-COBRA, as coded; best known: the front is x1 = x2 <= 3, x2 = 3"
_UNIT6, _UNIT10 = ((0.0,) * 6, (1.0,) * 6), ((0.0,) * 10, (1.0,) * 10)

BNH_BOUNDS = ((0.0, 0.0), (5.0, 3.0))
OSY_BOUNDS = ((0.0, 0.0, 1.0, 0.0, 1.0, 0.0), (10.0, 10.0, 5.0, 6.0, 5.0, 10.0))
TBTD_BOUNDS = ((1.0, 0.0005, 0.0005), (3.0, 0.05, 0.05))
DBD_BOUNDS = ((55.0, 75.0, 500.0, 2.0), (80.0, 110.0, 3000.0, 20.0))
SPD_BOUNDS = ((150.0, 25.0, 12.0, 8.0, 14.0, 0.63), (274.32, 32.31, 22.0, 11.71, 18.0, 0.75))
CSI_BOUNDS = ((0.5, 0.45, 0.5, 0.5, 0.875, 0.4, 0.4), (1.5, 1.35, 1.5, 1.5, 2.625, 1.2, 1.2))
SRD_BOUNDS = ((2.6, 0.7, 17.0, 7.3, 7.3, 2.9, 5.0), (3.6, 0.8, 28.0, 8.3, 8.3, 3.9, 5.5))
WB_BOUNDS = ((0.125, 0.1, 0.1, 0.125), (5.0, 10.0, 10.0, 5.0))
WP_BOUNDS = ((0.01, 0.01, 0.01), (0.45, 0.1, 0.1))
WP_REFERENCE = (83000.0, 1350.0, 2.85, 15989825.0, 25000.0)

# name, bounds, reference point, function, number of constraints, best known hypervolume
_ROWS = (
    ("BNH", BNH_BOUNDS, (140.0, 50.0), bnh, 2, 5285 + 1 / 3),
    ("CEXP", ((0.1, 0.0), (1.0, 5.0)), (1.0, 9.0), cexp, 2, 3.820616265081285),
    ("SRN", ((-20.0, -20.0), (20.0, 20.0)), (301.0, 72.0), srn, 2, 62731.226367183386),
    ("TNK", ((1e-5, 1e-5), (math.pi, math.pi)), (3.0, 3.0), tnk, 2, 8.063571794836434),
    ("CTP1", ((0.0, 0.0), (1.0, 1.0)), (1.0, 2.0), ctp1, 2, 1.3063935886482252),
    ("C3DTLZ4", _UNIT6, (3.0, 3.0), c3dtlz4, 2, 6.756561128507983),
    ("OSY", OSY_BOUNDS, (0.0, 386.0), osy, 6, 100636.88758962932),
    ("TBTD", TBTD_BOUNDS, (0.1, 50000.0), tbtd, 3, 4127.436004421263),
    ("NBP", ((20.0, 10.0), (250.0, 50.0)), (11150.0, 12500.0), nbp, 5, 107855352.24143702),
    ("DBD", DBD_BOUNDS, (5.0, 50.0), dbd, 5, 228.90869442776486),
    ("SPD", SPD_BOUNDS, (16.0, 19000.0, -260000.0), spd, 9, 39441232720.64545),
    ("CSI", CSI_BOUNDS, (42.0, 4.5, 13.0), csi, 10, 28.548830348121335),
    ("SRD", SRD_BOUNDS, (7000.0, 1700.0), srd, 11, 4208003.648428516),
    ("WB", WB_BOUNDS, (350.0, 0.1), wb, 5, 34.63097658982162),
    ("BICOP1", _UNIT10, (9.0, 9.0), bicop1, 1, 80.66650805327271),
    ("BICOP2", _UNIT10, (70.0, 70.0), bicop2, 2, 4875.329043365574),
    ("TRICOP", ((-4.0, -4.0), (4.0, 4.0)), (34.0, -4.0, 90.0), tricop, 3, 20614.288153945534),
    ("WP", WP_BOUNDS, WP_REFERENCE, wp, 7, None),
)


def problems() -> list[Problem]:
    """All 18, in the order of the authors' tables."""
    return [
        Problem(
            name,
            lower=bounds[0],
            upper=bounds[1],
            reference_point=reference,
            function=function,
            n_constraints=m,
            budget=40 * len(bounds[0]),
            best_known_hypervolume=best,
            source=_BNH if name == "BNH" else _SOURCE,
            results=published()[name],
        )
        for name, bounds, reference, function, m, best in _ROWS
    ]
