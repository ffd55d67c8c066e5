"""A potential that is tuned further begins where it was, also with elements it did not know."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.data import chemical_symbols

from allegro_jax import Committee, Potential, TrainingConfig, fine_tuning_config, train
from allegro_jax.configs import ModelConfig, SplineBasis
from allegro_jax.datasets import Dataset
from allegro_jax.datasets.dataset import Structure
from allegro_jax.graphs import Capacity
from allegro_jax.models.storage import flatten
from allegro_jax.potential import initial_params
from allegro_jax.training.fine_tuning import carried_over, starting_point
from allegro_jax.training.freezing import ALIASES, frozen_names
from tests.small_models import DOUBLE, SIZES, small_config

CAPACITY = Capacity(atoms=32, edges=512, graphs=6)
REFERENCES = {"H": -13.5, "C": -1030.0}
TRAINING = TrainingConfig(max_epochs=2, batch_size=4, learning_rate=1e-2)
SMALL = {"l_max": 0, "num_layers": 1, "cutoff": 3.0}


def drawn(config: ModelConfig, seed: int = 0) -> Potential:
    """With every parameter away from the values that all types share at first."""
    params = jax.tree.map(
        lambda leaf: np.asarray(leaf) + 0.1 * np.random.default_rng(seed).normal(size=leaf.shape),
        initial_params(config, seed),
    )
    references = {name: REFERENCES.get(name, -10.0) for name in config.type_names}
    return Potential(config, params, references)


def dataset_of(items: list[Structure]) -> Dataset:
    has_forces = all(item.forces is not None for item in items)
    return Dataset(
        "a few",
        numbers=np.concatenate([item.numbers for item in items]),
        positions=np.concatenate([item.positions for item in items]),
        n_atoms=np.array([len(item.numbers) for item in items]),
        energy=np.array([item.energy for item in items]),
        forces=np.concatenate([item.forces for item in items]) if has_forces else None,
    )


def with_elements_of(name: str) -> Dataset:
    plain = Structure.from_atoms(molecule(name))
    return dataset_of([dataclasses.replace(plain, energy=0.0)])


def labelled_by(potential: Potential, structures: list[Atoms], offsets=None) -> Dataset:
    """With the energies and forces of a potential, and an energy for every atom in `offsets`."""
    results = potential(structures, capacity=CAPACITY)
    items = []
    for atoms, result in zip(structures, results, strict=True):
        extra = sum((offsets or {}).get(symbol, 0.0) for symbol in atoms.symbols)
        plain = Structure.from_atoms(atoms)
        energy = result.energy + extra
        items.append(dataclasses.replace(plain, energy=energy, forces=result.forces))
    return dataset_of(items)


def hydrocarbons(number: int = 8) -> list[Atoms]:
    found = []
    for k in range(number):
        atoms = molecule("CH4" if k % 2 else "C2H4")
        atoms.rattle(0.05, seed=k)
        found.append(atoms)
    return found


VARIANTS = {
    "bessels": small_config(
        type_names=("H", "C"), precision=DOUBLE, avg_num_neighbors=(3.0, 4.0),
        trainable_scales=True, trainable_shifts=True, **SMALL,
    ),
    "splines": small_config(
        type_names=("H", "C"), precision=DOUBLE, splines=SplineBasis(6, 4),
        per_edge_type_cutoff=((2.0, 2.5), (2.5, 3.0)), per_type_energy_scales=(2.0, 3.0),
        per_type_energy_shifts=(-1.0, -2.0), **SMALL,
    ),
    "2023": small_config(
        "2023", type_names=("H", "C"), precision=DOUBLE, trainable_edge_scales=True, **SMALL
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "variant", ["bessels", pytest.param("splines", marks=pytest.mark.slow), "2023"]
)
def test_new_elements_leave_the_predictions_for_old_ones_as_they_are(variant: str) -> None:
    old = drawn(VARIANTS[variant])
    config = fine_tuning_config(old, with_elements_of("CH3CONH2"))
    assert config.type_names == ("H", "C", "N", "O")
    reordered = dataclasses.replace(config, type_names=("O", "C", "N", "H"))
    if variant == "2023":  # of the other two the values by type would have to be put in order
        config = reordered
    new = carried_over(old, config, seed=3)
    molecules = [molecule(name) for name in ("CH4", "C2H4", "CH3CONH2")]
    before = old(molecules[:2], capacity=CAPACITY)
    *after, with_new = new(molecules, capacity=CAPACITY)
    for expected, found in zip(before, after, strict=True):
        np.testing.assert_allclose(found.atomic_energies, expected.atomic_energies, rtol=1e-13)
        np.testing.assert_allclose(found.forces, expected.forces, atol=1e-10)
    assert np.abs(with_new.forces).max() > 1e-3


def test_the_values_of_new_elements_follow_the_old_ones() -> None:
    old = drawn(VARIANTS["splines"])
    config = fine_tuning_config(old, with_elements_of("H2O"))
    assert config.per_type_energy_scales == (2.0, 3.0, 2.5)
    assert config.per_edge_type_cutoff == ((2.0, 2.5, 3.0), (2.5, 3.0, 3.0), (3.0, 3.0, 3.0))
    assert config.per_type_energy_shifts is None, "they became reference energies"
    new = carried_over(old, config)
    assert new.atomic_energies == {"H": -14.5, "C": -1032.0, "O": 0.0}


@pytest.fixture(scope="module")
def old() -> Potential:
    return drawn(small_config(type_names=("H", "C"), **SMALL))


@pytest.fixture(scope="module")
def data(old: Potential) -> Dataset:
    return labelled_by(old, hydrocarbons())


def references_for(old: Potential, data: Dataset, way: str) -> dict[str, float]:
    training = dataclasses.replace(TRAINING, references=way)
    return starting_point(fine_tuning_config(old, data), training, data, old).atomic_energies


def test_data_that_the_potential_explains_leave_its_reference_energies(old, data) -> None:
    """Also where they have one composition, which says nothing of single elements."""
    found = references_for(old, data.select(range(0, 8, 2)), "fit")
    assert found == pytest.approx(REFERENCES, abs=1e-3)


def test_other_energies_of_free_atoms_are_taken_up_unless_old_ones_are_kept(old) -> None:
    shifted = labelled_by(old, hydrocarbons(), {"H": 0.75, "C": -20.0})
    found = references_for(old, shifted, "fit")
    assert found == pytest.approx({"H": -12.75, "C": -1050.0}, abs=1e-3)
    assert references_for(old, shifted, "keep") == REFERENCES


@pytest.mark.parametrize("way", ["fit", "keep"])
def test_new_elements_get_reference_energies_from_the_data(old, way: str) -> None:
    wider = carried_over(old, dataclasses.replace(old.config, type_names=("H", "C", "O")))
    mixed = [*hydrocarbons(4), molecule("CO2"), molecule("H2O"), molecule("H2O2")]
    data = labelled_by(wider, mixed, {"O": -2042.0})
    found = references_for(old, data, way)
    assert found == pytest.approx({**REFERENCES, "O": -2042.0}, abs=1e-2)


def test_training_begins_with_the_parameters_of_the_potential(old, data) -> None:
    (params,) = starting_point(old.config, TRAINING, data, old).params
    assert all(jax.tree.leaves(jax.tree.map(np.array_equal, params, old.params)))


def test_frozen_parameters_stay_to_the_last_bit_and_the_others_move(old, data, tmp_path) -> None:
    other = labelled_by(drawn(old.config, seed=1), hydrocarbons())
    frozen = dataclasses.replace(TRAINING, freeze=("embedding", "latent_0"))
    result = train(old.config, frozen, other, data, init=old, workdir=tmp_path)
    before, after = flatten(old.params), flatten(result.potential.params)
    still = {name for name in before if np.array_equal(before[name], after[name])}
    assert still == frozen_names(old.params, frozen.freeze)
    assert {name.split("/")[0] for name in set(before) - still} == {"tensor_product_0", "readout"}
    with pytest.raises(ValueError, match=r"another run: data\.init was"):
        train(old.config, frozen, other, data, init=drawn(old.config, seed=2), workdir=tmp_path)


@pytest.mark.parametrize("architecture", SIZES)
def test_every_parameter_has_a_part_of_the_model_that_names_it(architecture: str) -> None:
    """Also where everything that can be trained is."""
    config = small_config(architecture, trainable_scales=True, trainable_shifts=True)
    if architecture == "2023":
        options = {"trainable_edge_scales": True, "trainable_residual": True}
        config = dataclasses.replace(config, **options)
    params = jax.eval_shape(lambda: initial_params(config))
    for name in flatten(params):
        parts = [alias for alias in ALIASES if name in _named(params, alias)]
        assert len(parts) == 1, name


def _named(params, alias: str) -> frozenset[str]:
    try:
        return frozen_names(params, (alias,))
    except ValueError:
        return frozenset()


def test_parts_that_do_not_exist_are_refused_with_those_that_do(old) -> None:
    for part in ("readuot", "latent", "readout/mlp/weight"):
        with pytest.raises(ValueError, match=rf"freeze names '{part}'.*latent_0/.*'readout'\]"):
            frozen_names(old.params, (part,))
    with pytest.raises(ValueError, match="no parameter to train"):
        frozen_names(old.params, ("embedding", "layers", "readout"))
    for wrong in ("readout", (1,)):
        with pytest.raises(ValueError, match="a tuple of names"):
            TrainingConfig(freeze=wrong)


def test_a_config_of_another_model_is_refused_with_every_field_that_differs(old, data) -> None:
    other = dataclasses.replace(old.config, num_bessels=4, avg_num_neighbors=3.0)
    message = r"num_bessels was 8, is now 4; avg_num_neighbors was .*18.*3.*fine_tuning_config"
    with pytest.raises(ValueError, match=message):
        train(other, TRAINING, data, data, init=old)
    with pytest.raises(ValueError, match=r"training set has \['O'\], .*fine_tuning_config"):
        train(old.config, TRAINING, with_elements_of("H2O"), data, init=old)
    fewer = dataclasses.replace(old.config, type_names=("C",))
    with pytest.raises(ValueError, match=r"lacks the types \['H'\]"):
        carried_over(old, fewer)
    with pytest.raises(ValueError, match="Allegro2023Config model and the config a AllegroConfig"):
        carried_over(drawn(VARIANTS["2023"]), old.config)


def test_a_committee_is_not_tuned_from_one_potential(old, data) -> None:
    two = dataclasses.replace(TRAINING, members=2)
    with pytest.raises(ValueError, match="would make equal members"):
        train(old.config, two, data, data, init=old)
    committee = Committee.of([old, drawn(old.config, seed=1)])
    with pytest.raises(ValueError, match=r"of 2 members, and TrainingConfig\.members is 1"):
        train(old.config, TRAINING, data, data, init=committee)
    start = starting_point(old.config, two, data, committee)
    assert len(start.params) == 2
    uneven = Committee.of([old, Potential(old.config, old.params, {"H": 0.0, "C": 0.0})])
    with pytest.raises(ValueError, match="equal reference energies"):
        starting_point(old.config, two, data, uneven)


@pytest.mark.slow
def test_a_model_that_nequip_trained_can_be_tuned_further() -> None:
    path = Path(__file__).parents[2] / "parity" / "real_best.ckpt"
    old = Potential.from_nequip(path)
    atoms = Atoms([old.config.type_names[0]] * 3, [[0, 0, 0], [0, 0, 1.5], [0, 1.4, 0.3]])
    labels = dataclasses.replace(Structure.from_atoms(atoms), energy=1.0)
    extra = chemical_symbols.index("Xe")
    xenon = Structure(np.array([extra]), np.zeros((1, 3)), np.zeros((3, 3)), np.zeros(3, bool), 2.0)
    config = fine_tuning_config(old, dataset_of([labels, xenon]))
    assert config.type_names == (*old.config.type_names, "Xe")
    before, after = old(atoms), carried_over(old, config)(atoms)
    assert after.energy == pytest.approx(before.energy, rel=1e-6)
    np.testing.assert_allclose(after.forces, before.forces, atol=1e-5)
