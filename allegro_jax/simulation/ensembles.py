"""What is held constant: the ensembles, with their baths.

Time constants are in fs, temperatures in K, pressures in bar; `settings` turns them into the units
of a step: eV, Å, atomic mass units, and the time unit that follows, Å √(u/eV) = 10.18 fs.
"""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from ase import units

Settings = Mapping[str, float]
"""Numbers of a step in its units; traced, so that another value compiles nothing."""


@dataclasses.dataclass(frozen=True)
class NVE:
    """Constant energy: velocity Verlet.

    Attributes:
        temperature_K: of the momenta drawn for atoms that have none; None leaves these at rest.
    """

    temperature_K: float | None = None  # noqa: N815  # as ASE names it

    keeps_momentum: ClassVar[bool] = True
    changes_cell: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.temperature_K is not None:
            _check(self, "temperature_K")

    def settings(self) -> Settings:
        """Nothing but what all ensembles have."""
        return {}


@dataclasses.dataclass(frozen=True)
class NVTLangevin:
    """Constant temperature by friction and noise, in the BAOAB splitting.

    Leimkuhler & Matthews, Appl. Math. Res. Express 2013, 34 (2013). Samples the canonical ensemble
    with all 3N degrees of freedom, whatever state it starts from; use it to equilibrate. Diffusion
    is slowed down by the friction.

    Attributes:
        temperature_K: of the bath.
        friction_per_fs: rate at which velocities are forgotten.
    """

    temperature_K: float  # noqa: N815
    friction_per_fs: float = 0.01

    keeps_momentum: ClassVar[bool] = False
    changes_cell: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check(self, "temperature_K", "friction_per_fs")

    def settings(self) -> Settings:
        """Thermal energy (eV) and friction."""
        return {"kT": units.kB * self.temperature_K, "friction": self.friction_per_fs / units.fs}


@dataclasses.dataclass(frozen=True)
class NVTNoseHoover:
    """Constant temperature by a chain of thermostats, without noise.

    Martyna, Klein & Tuckerman, J. Chem. Phys. 97, 2635 (1992), integrated as in Martyna, Tuckerman,
    Tobias & Klein, Mol. Phys. 87, 1117 (1996). Dynamics stay smooth and an energy of atoms and
    thermostats is conserved; start it near equilibrium.

    Attributes:
        temperature_K: of the bath.
        time_fs: period of the thermostat, some ten or hundred time steps.
        chain: number of thermostats.
    """

    temperature_K: float  # noqa: N815
    time_fs: float = 100.0
    chain: int = 3

    keeps_momentum: ClassVar[bool] = True
    changes_cell: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check(self, "temperature_K", "time_fs")
        if not (isinstance(self.chain, int) and self.chain >= 1):
            raise ValueError(f"chain must be a number of thermostats, 1 or more; came {self.chain}")

    def settings(self) -> Settings:
        """Thermal energy (eV) and the thermostat's time."""
        return {"kT": units.kB * self.temperature_K, "thermostat_time": self.time_fs * units.fs}


@dataclasses.dataclass(frozen=True)
class NPT:
    """Constant pressure and temperature: stochastic cell rescaling with Langevin dynamics.

    Bernetti & Bussi, J. Chem. Phys. 153, 114107 (2020): the volume follows a stochastic equation
    of first order whose stationary distribution is that of the ensemble, so it neither oscillates
    nor suppresses fluctuations. The cell keeps its shape. The compressibility need not be right: it
    enters only as a factor of the time constant.

    Attributes:
        temperature_K: of the bath.
        pressure_bar: external pressure (1 GPa = 10,000 bar).
        friction_per_fs: of the Langevin thermostat.
        barostat_time_fs: time in which the volume relaxes.
        compressibility_per_bar: isothermal; the default is that of metals (1e-6, of a bulk modulus
            of 100 GPa), water has 4.5e-5.
    """

    temperature_K: float  # noqa: N815
    pressure_bar: float = 1.0
    friction_per_fs: float = 0.01
    barostat_time_fs: float = 1000.0
    compressibility_per_bar: float = 1e-6

    keeps_momentum: ClassVar[bool] = False
    changes_cell: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check(self, "temperature_K", "friction_per_fs", "barostat_time_fs")
        _check(self, "compressibility_per_bar")
        if not np.isfinite(self.pressure_bar):
            raise ValueError(f"pressure_bar must be a finite pressure; came {self.pressure_bar}")

    def settings(self) -> Settings:
        """Thermal energy (eV), friction, pressure (eV/Å³), and the mobility of the volume."""
        mobility = self.compressibility_per_bar / units.bar / (self.barostat_time_fs * units.fs)
        return {
            "kT": units.kB * self.temperature_K,
            "friction": self.friction_per_fs / units.fs,
            "pressure": self.pressure_bar * units.bar,
            "mobility": mobility,
        }


Ensemble = NVE | NVTLangevin | NVTNoseHoover | NPT


def degrees_of_freedom(ensemble: Ensemble, atoms: int, pbc: np.ndarray) -> int:
    """Momenta that can differ from zero: all of them, or less those that a run conserves.

    Without noise the total momentum stays zero, and of a molecule without periodic directions the
    angular momentum as well.
    """
    if not ensemble.keeps_momentum:
        return 3 * atoms
    conserved = 3 if np.any(pbc) or atoms == 1 else 5 if atoms == 2 else 6
    return max(3 * atoms - conserved, 1)


def _check(ensemble: object, *names: str) -> None:
    for name in names:
        value = getattr(ensemble, name)
        if not (np.isfinite(value) and value > 0):
            kind = type(ensemble).__name__
            raise ValueError(f"{kind}.{name} must be a positive number; came {value!r}")
