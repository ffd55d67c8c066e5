"""A calculator that knows every element and costs nothing, for tests of `build_culi`."""

from ase.calculators.lj import LennardJones


def calculator() -> LennardJones:
    return LennardJones(sigma=2.3, epsilon=0.3, rc=5.0, smooth=True)
