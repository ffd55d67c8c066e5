"""Parameters and config in one object: from structures to energies, forces and stresses."""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import jax
import jax.numpy as jnp
import jraph
import numpy as np
from jaxtyping import Float

from allegro_jax.batched_evaluation import BatchedEvaluation
from allegro_jax.configs import D3, AllegroConfig, ModelConfig
from allegro_jax.datasets.dataset import Structure
from allegro_jax.dispersion import DispersionTerms, added_dispersion, dispersion_terms
from allegro_jax.models.build import build_model
from allegro_jax.models.energy import (
    Params,
    Predictions,
    compiled_predict,
    energies,
    initial_params,
    parameter_shapes,
    precision_scope,
    predict,
)
from allegro_jax.models.storage import check_params, read_potential, write_potential

if TYPE_CHECKING:
    from allegro_jax.interfaces.ase import AllegroCalculator
    from allegro_jax.sharding.spatial import ShardedPotential

__all__ = [
    "Params",
    "Potential",
    "Predictions",
    "Result",
    "energies",
    "initial_params",
    "predict",
]


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """What a potential says about one structure.

    Reference energies, and the dispersion of a potential that has one, are included.

    Attributes:
        energy: total energy (eV).
        forces: eV/Å.
        atomic_energies: eV; they add up to `energy`.
        stress: eV/Å³, positive under tension as in ASE; None without a periodic cell.
    """

    energy: float
    forces: Float[np.ndarray, "atoms 3"]
    atomic_energies: Float[np.ndarray, "atoms"]
    stress: Float[np.ndarray, "3 3"] | None

    def plus(self, terms: DispersionTerms) -> Self:
        """Returns the result with a dispersion correction added."""
        stress = self.stress
        if stress is not None and terms.stress is not None:
            stress = stress + terms.stress
        return type(self)(
            self.energy + terms.energy,
            self.forces + terms.forces,
            self.atomic_energies + terms.atomic_energies,
            stress,
        )


class Potential(BatchedEvaluation[Result]):
    """An Allegro model with its parameters and the reference energies of its elements.

    Attributes:
        config: architecture.
        params: nested dictionary of arrays, in the precision of the config.
        atomic_energies: reference energy of each type by chemical symbol (eV).
        dispersion: correction that is added to what the model says, or None; see
            `with_dispersion`.

    Example:
        >>> from ase.build import molecule
        >>> from allegro_jax.configs import AllegroConfig
        >>> from allegro_jax.potential import Potential, initial_params
        >>> config = AllegroConfig(type_names=("H", "O"), cutoff=4.0)
        >>> potential = Potential(config, initial_params(config))
        >>> potential(molecule("H2O")).forces.shape
        (3, 3)
    """

    def __init__(
        self,
        config: ModelConfig,
        params: Params,
        atomic_energies: Mapping[str, float] | None = None,
        dispersion: D3 | str | None = None,
    ) -> None:
        """Puts the parts together.

        Args:
            config: architecture.
            params: parameters, for example from `initial_params`.
            atomic_energies: reference energies by chemical symbol (eV); None for zeros.
            dispersion: correction that the model lacks and that is added to it, as `D3.of` takes
                it; None for none.

        Raises:
            ValueError: parameters of other names or shapes than the config asks for, or a type
                without a reference energy.
        """
        expected = parameter_shapes(config)
        check_params(config, params, expected)
        self.config = config
        with precision_scope(config.precision):
            self.params = jax.tree.map(
                lambda array, like: jnp.asarray(array, like.dtype), params, expected
            )
        self.atomic_energies = _reference_energies(config, atomic_energies)
        self.dispersion = None if dispersion is None else D3.of(dispersion)

    def predict(self, graph: jraph.GraphsTuple) -> Predictions:
        """Evaluates a padded batch by the compiled function shared by all equal configs.

        Args:
            graph: batch in the layout of `allegro_jax.graphs`.

        Returns:
            Device arrays in network precision, without reference energies and dispersion.
        """
        with precision_scope(self.config.precision):
            return compiled_predict(build_model(self.config), self.params, graph)

    def sharded(self, devices: "Sequence[jax.Device] | None" = None) -> "ShardedPotential":
        """Returns the same potential, evaluating one structure in parts, one on each device.

        Args:
            devices: what the structure is spread over; None for all devices of this process.

        Raises:
            ValueError: no devices, or the same one twice.

        Example:
            >>> from ase.build import bulk
            >>> from allegro_jax.configs import AllegroConfig
            >>> from allegro_jax.potential import Potential, initial_params
            >>> config = AllegroConfig(type_names=("Cu",), cutoff=4.0)
            >>> sharded = Potential(config, initial_params(config)).sharded()
            >>> sharded(bulk("Cu", cubic=True) * 3).forces.shape
            (108, 3)
        """
        from allegro_jax.sharding.spatial import ShardedPotential  # needs this module's results

        return ShardedPotential(self, devices)

    def with_dispersion(self, dispersion: D3 | str) -> Self:
        """Returns the same potential with a D3 correction added to all that it predicts.

        For labels without dispersion. Where labels have it, let the training take it off
        (`TrainingConfig.dispersion`), which gives such a potential.

        Args:
            dispersion: "PBE-D3(BJ)" and the like, or a `D3`.

        Raises:
            ModuleNotFoundError: s-dftd3 is not installed.
            ValueError: no such correction, or the potential has one already.

        Example:
            >>> from ase.build import molecule
            >>> from allegro_jax.configs import AllegroConfig
            >>> from allegro_jax.potential import Potential, initial_params
            >>> config = AllegroConfig(type_names=("H", "O"), cutoff=4.0)
            >>> bare = Potential(config, initial_params(config))
            >>> whole = bare.with_dispersion("PBE-D3(BJ)")
            >>> round(whole(molecule("H2O")).energy - bare(molecule("H2O")).energy, 4)
            -0.0098
        """
        added = added_dispersion(self.dispersion, dispersion)
        return type(self)(self.config, self.params, self.atomic_energies, added)

    def without_dispersion(self) -> Self:
        """Returns what the model itself says, for programs that add the dispersion themselves."""
        return type(self)(self.config, self.params, self.atomic_energies)

    def calculator(
        self,
        skin: float = 1.0,
        devices: "Sequence[jax.Device] | None" = None,
        *,
        dispersion: D3 | str | None = None,
    ) -> "AllegroCalculator":
        """Returns a calculator for ASE: energy, energies of the atoms, forces, stress.

        Args:
            skin: Å by which neighbour lists exceed the cutoff; a larger skin means fewer searches
                and more pairs to look at in every step.
            devices: what each structure is spread over, see `sharded`; None for the default one.
            dispersion: correction to add, see `with_dispersion`; that which the potential has is
                applied unasked.

        Example:
            >>> from ase.build import molecule
            >>> from allegro_jax.configs import AllegroConfig
            >>> from allegro_jax.potential import Potential, initial_params
            >>> config = AllegroConfig(type_names=("H", "O"), cutoff=4.0)
            >>> water = molecule("H2O")
            >>> water.calc = Potential(config, initial_params(config)).calculator()
            >>> water.get_forces().shape
            (3, 3)
        """
        from allegro_jax.interfaces.ase import AllegroCalculator  # ASE's half a second

        chosen = default_device() if devices is None else devices
        whole = self if dispersion is None else self.with_dispersion(dispersion)
        return AllegroCalculator(whole, skin, chosen)

    def results(self, structures: Iterable[Structure], predictions: Predictions) -> list[Result]:
        """Takes an evaluated batch apart; adds reference energies and dispersion, in float64.

        Args:
            structures: those of the batch, in order.
            predictions: what `predict` returned for it, as numpy arrays.
        """
        structures = list(structures)
        results = self.results_of_model(structures, predictions)
        if self.dispersion is None:
            return results
        pairs = zip(results, structures, strict=True)
        return [own.plus(dispersion_terms(atoms, self.dispersion)) for own, atoms in pairs]

    def results_of_model(
        self, structures: Iterable[Structure], predictions: Predictions
    ) -> list[Result]:
        """Does what `results` does, without dispersion."""
        results = []
        start = 0
        for index, structure in enumerate(structures):
            atoms = slice(start, start + len(structure.numbers))
            start = atoms.stop
            references = [self._references[number] for number in structure.numbers.tolist()]
            atomic = np.asarray(predictions.atomic_energies[atoms], np.float64) + references
            has_stress = np.any(structure.pbc) and abs(np.linalg.det(structure.cell)) > 0.0
            stress = np.asarray(predictions.stress[index], np.float64) if has_stress else None
            forces = np.asarray(predictions.forces[atoms], np.float64)
            results.append(Result(float(atomic.sum()), forces, atomic, stress))
        return results

    def check_elements(self, structure: Structure, index: int = 0) -> None:
        """Raises a ValueError without atoms, or with elements that the potential does not know.

        Args:
            structure: what is to be evaluated.
            index: its place in a list, for the message.
        """
        if len(structure.numbers) == 0:
            raise ValueError(f"Structure {index} has no atoms; a potential needs at least one.")
        unseen = set(np.unique(structure.numbers).tolist()) - set(self.config.atomic_numbers)
        if unseen:
            from ase.data import chemical_symbols

            names = ", ".join(chemical_symbols[number] for number in sorted(unseen))
            raise ValueError(
                f"Structure {index} contains {names}, which this potential has not seen; it knows "
                f"{', '.join(self.config.type_names)}. Train one with these elements."
            )

    def save(self, folder: str | Path) -> None:
        """Writes the potential into a folder as JSON and arrays; see `load`."""
        parts = self.config, self.params, self.atomic_energies, self.dispersion
        write_potential(folder, *parts)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Reads a potential from the folder that `save` wrote.

        Raises:
            ValueError: no such folder, not a potential, or arrays that do not fit the config.
        """
        return cls(*read_potential(folder))

    @classmethod
    def from_nequip(cls, path: str | Path) -> Self:
        """Imports a model that nequip trained, without torch and without running code of the file.

        Args:
            path: Lightning checkpoint (`.ckpt`; averaged weights if it has them), package
                (`.nequip.zip`), or dump of a state dict (`.npz`).

        Raises:
            ValueError: a damaged or foreign file, or a model that cannot be imported; the message
                names what stands in the way.
        """
        from allegro_jax.convert import load_nequip  # here: few programs need it

        return cls(*load_nequip(path))

    def save_nequip(self, path: str | Path) -> None:
        """Writes arguments and state dict of nequip's `AllegroModel` into an npz file.

        The reference energies go into the shifts. See `allegro_jax.convert.nequip_export` for how
        to read the file in PyTorch.

        Raises:
            ValueError: nequip has no such model; the message names the option.
        """
        self.check_no_dispersion("an AllegroModel of nequip")
        from allegro_jax.convert import save_nequip_npz  # here: few programs need it

        if not isinstance(self.config, AllegroConfig):
            raise ValueError(
                "nequip's current release reads AllegroConfig models alone; "
                f"this potential is a {type(self.config).__name__}"
            )
        save_nequip_npz(path, self.config, self.params, self.atomic_energies)

    def export(self, path: str | Path, platforms: Sequence[str] = ("cpu", "cuda", "tpu")) -> Path:
        """Writes the potential into one file that runs without this package.

        The file holds programs for any number of atoms; see docs/deployment.md.

        Args:
            path: the file, by custom ending in `.aj`.
            platforms: of "cpu", "cuda", "rocm" and "tpu".

        Returns:
            The path.

        Raises:
            ValueError: see `allegro_jax.export.export_potential`.
        """
        from allegro_jax.export import export_potential  # here: few programs need it

        return export_potential(self, path, platforms)

    def check_no_dispersion(self, target: str) -> None:
        """Raises a ValueError if the model alone is not what the potential predicts.

        For all that takes config and parameters to where nothing adds the dispersion.

        Args:
            target: where they are taken, for the message.
        """
        if self.dispersion is not None:
            raise ValueError(
                f"this potential is its model and {self.dispersion.name}, which {target} would "
                "lack: give it potential.without_dispersion(), and add the dispersion there "
                "(LAMMPS: pair_style dispersion/d3), or use potential.calculator()"
            )

    @functools.cached_property
    def _references(self) -> dict[int, float]:
        symbols = zip(self.config.atomic_numbers, self.config.type_names, strict=True)
        return {number: self.atomic_energies[symbol] for number, symbol in symbols}


def default_device() -> list[jax.Device]:
    """Returns the device that a calculator uses unless told otherwise."""
    return list(jnp.zeros(()).devices())  # as `jax.default_device` has it


def _reference_energies(config: ModelConfig, given: Mapping[str, float] | None) -> dict[str, float]:
    if given is None:
        return dict.fromkeys(config.type_names, 0.0)
    missing = [name for name in config.type_names if name not in given]
    if missing:
        raise ValueError(
            f"atomic_energies must hold the reference energy (eV) of every type; {missing} are "
            f"missing from {dict(given)}."
        )
    return {name: float(given[name]) for name in config.type_names}
