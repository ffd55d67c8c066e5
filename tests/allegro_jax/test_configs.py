"""Configs: equality by value, JSON both ways, errors that name the field and the value."""

import dataclasses
import json

import numpy as np
import pytest

from allegro_jax.configs import (
    ZBL,
    Allegro2023Config,
    AllegroConfig,
    CircuitReadout,
    FrozenQDIReadout,
    LinearControl,
    MLPConfig,
    MLPControl,
    MLPReadout,
    Precision,
    QDILayer,
    QDIReadout,
    SplineBasis,
    StackedMLPReadout,
    TrigonometricControl,
    config_from_json,
)

MINIMAL = {"type_names": ("H", "O"), "cutoff": 4.0}

CONFIGS = {
    "defaults": AllegroConfig(**MINIMAL),
    "stacked": AllegroConfig(**MINIMAL, readout=StackedMLPReadout((16,), 4, (8, 8))),
    "qdi": AllegroConfig(**MINIMAL, readout=QDIReadout(features=8, n_qubits=4, measure="X")),
    "frozen": AllegroConfig(**MINIMAL, readout=FrozenQDIReadout(features=8, depth=2)),
    "mlp control": AllegroConfig(**MINIMAL, readout=MLPControl((8,), 3, (5, 6), None)),
    "linear": AllegroConfig(**MINIMAL, readout=LinearControl((8,), 3, 2, 5)),
    "trigonometric": AllegroConfig(
        **MINIMAL, readout=TrigonometricControl(features=12, frequencies=30, seed=4)
    ),
    "everything": AllegroConfig(
        **MINIMAL,
        splines=SplineBasis(8, 5),
        per_edge_type_cutoff=((3.0, 3.5), (3.5, 4.0)),
        scalar_embed_mlp=MLPConfig(0, 8, None),
        readout=MLPReadout((), None),
        avg_num_neighbors=(3.0, 4.0),
        per_type_energy_scales=1.5,
        per_type_energy_shifts=(-1.0, -2.0),
        pair_potential=ZBL(5.0),
        polynomial_cutoff_p=6.5,
        precision=Precision("float64", "float32", "float64"),
    ),
    "quantum": AllegroConfig(
        **MINIMAL,
        latent_circuit=QDILayer(4, 2, 2, ranges=(1, 1), initialization="zeros"),
        readout=QDIReadout(
            features=6,
            n_qubits=3,
            entangling="basic",
            measurement_mode="single",
            input_scale=0.5,
            train_input_scale=True,
            learn_frequency=True,
            initialization="normal",
            initial_std=0.2,
            drop_dead_weights=True,
            simulator="layers",
            n_circuits=2,
            parallel_widths=(8, 4),
        ),
    ),
    "2023": Allegro2023Config(**MINIMAL),
    "2023, everything": Allegro2023Config(
        **MINIMAL,
        two_body_widths=(16, 32, 8),
        latent_widths=(8,),
        latent_nonlinearity=None,
        trainable_residual=True,
        trainable_edge_scales=True,
        readout=QDIReadout(features=8, n_qubits=4),
        avg_num_neighbors=(3.0, 4.0),
        pair_potential=ZBL(5.0, "covalent"),
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_survives_json(name):
    text = json.dumps(CONFIGS[name].to_json())
    restored = config_from_json(json.loads(text))
    assert type(restored) is type(CONFIGS[name])
    assert restored == CONFIGS[name]
    assert hash(restored) == hash(CONFIGS[name])


def test_equal_fields_make_equal_configs():
    lists = AllegroConfig(type_names=["H", "O"], cutoff=4.0, avg_num_neighbors=np.float32(2.0))
    tuples = AllegroConfig(type_names=("H", "O"), cutoff=4.0, avg_num_neighbors=2.0)
    assert lists == tuples
    assert hash(lists) == hash(tuples)
    assert lists != dataclasses.replace(tuples, avg_num_neighbors=2.5)


def test_a_pair_potential_is_chosen_by_name_or_by_its_fields():
    config = AllegroConfig(**MINIMAL, pair_potential=ZBL(cutoff="covalent"))
    for value in ("zbl-covalent", "ZBL-covalent", {"cutoff": "covalent"}):
        assert AllegroConfig(**MINIMAL, pair_potential=value) == config
    assert AllegroConfig(**MINIMAL, pair_potential="zbl").pair_potential == ZBL()
    assert AllegroConfig(**MINIMAL).pair_potential is None


INVALID = {
    "type_names": [(), ("H", "H"), ("H", "Xx")],
    "cutoff": [0.0, -1.0, float("nan"), "5"],
    "l_max": [-1, 1.0, True],
    "num_layers": [0],
    "num_scalar_features": [0, 7],  # an odd number cannot be halved for the two atoms
    "num_tensor_features": [0],
    "radial_chemical_embed_dim": [3, 0],
    "num_bessels": [0],
    "polynomial_cutoff_p": [1.5, float("inf")],
    "splines": ["8"],
    "per_edge_type_cutoff": [((3.0,),), ((3.0, 3.0), (3.0, 4.5))],
    "scalar_embed_mlp": [(1, 64)],
    "readout": ["mlp"],
    "avg_num_neighbors": [0.0, (1.0,), None],
    "per_type_energy_scales": [(1.0, 2.0, 3.0)],
    "per_type_energy_shifts": [float("nan")],
    "pair_potential": ["lj", 6.0],
    "tensor_product": ["cuda"],
    "precision": ["float32"],
}


@pytest.mark.parametrize(("field", "value"), [(f, v) for f, vs in INVALID.items() for v in vs])
def test_an_invalid_field_is_named_with_the_value_received(field, value):
    expected = (
        "radial_chemical_embed_dim" if (field, value) == ("num_scalar_features", 7) else field
    )
    with pytest.raises(ValueError, match=expected) as error:
        AllegroConfig(**(MINIMAL | {field: value}))
    shown = value[-1] if field == "type_names" and value else value
    assert repr(shown) in str(error.value)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Allegro2023Config(**MINIMAL, two_body_widths=()), "two_body_widths"),
        (lambda: Allegro2023Config(**MINIMAL, latent_widths=(64, 32)), "latent_widths.*64"),
        (lambda: Allegro2023Config(**MINIMAL, latent_nonlinearity="relu"), "latent_nonlin"),
        (lambda: Allegro2023Config(**MINIMAL, l_max=-1), "Allegro2023Config.l_max"),
        (lambda: MLPConfig(depth=-1), "depth"),
        (lambda: MLPConfig(nonlinearity="relu"), "nonlinearity"),
        (lambda: MLPReadout(hidden=(0,)), "hidden"),
        (lambda: StackedMLPReadout(features=0), "features"),
        (lambda: StackedMLPReadout(final_hidden=(4, -1)), "final_hidden"),
        (lambda: QDIReadout(features=5, n_qubits=4), "features"),
        (lambda: QDIReadout(entangling="weak"), "entangling"),
        (lambda: QDIReadout(rotation="W"), "rotation"),
        (lambda: QDIReadout(n_qubits=0), "n_qubits.*>= 1; got 0"),
        (lambda: QDIReadout(features=5, n_qubits=4), "multiple of n_qubits = 4, such as 4 or 8"),
        (lambda: QDIReadout(measurement_mode="odd"), "measurement_mode"),
        (lambda: QDIReadout(ranges=(4,)), "ranges.*no multiples of n_qubits = 4"),
        (lambda: QDIReadout(entangling="basic", ranges=(1,)), "ranges.*strong"),
        (lambda: QDIReadout(input_scale=float("inf")), "input_scale"),
        (lambda: QDIReadout(initialization="ones"), "initialization"),
        (lambda: QDIReadout(initial_std=0.0), "initial_std"),
        (lambda: QDIReadout(n_circuits=0), "n_circuits"),
        (lambda: QDIReadout(parallel_widths=(0,)), "parallel_widths"),
        (lambda: QDIReadout(simulator="mps"), "simulator"),
        (lambda: CircuitReadout(circuit="nobody's"), 'no circuit is registered as "nobody\'s"'),
        (lambda: AllegroConfig(**MINIMAL, latent_circuit=QDIReadout()), "latent_circuit"),
        (lambda: FrozenQDIReadout(features=5, n_qubits=4), "FrozenQDIReadout.features"),
        (lambda: MLPControl(final_hidden=(0,)), "final_hidden"),
        (lambda: LinearControl(outputs=0), "outputs"),
        (lambda: TrigonometricControl(features=4, frequencies=41), "from 1 to 40"),
        (lambda: TrigonometricControl(features=12), "at most 265720.*say how many to draw"),
        (lambda: TrigonometricControl(seed=-1), "seed"),
        (lambda: Precision(network="float16"), "network"),
        (lambda: ZBL(polynomial_cutoff_p=1), "polynomial_cutoff_p"),
        (lambda: ZBL(cutoff=0.0), "ZBL.cutoff.*positive.*got 0.0"),
        (lambda: AllegroConfig(**MINIMAL, pair_potential={"p": 6}), r"ZBL has no fields \['p'\]"),
        (lambda: AllegroConfig(**MINIMAL, pair_potential=ZBL(cutoff=9.0)), "at most.*4.0 Å.*9.0"),
        (lambda: SplineBasis(num_splines=4, span=4), "span"),
    ],
)
def test_an_invalid_part_is_named(make, field):
    with pytest.raises(ValueError, match=field):
        make()


def test_json_of_another_version_or_with_unknown_fields_is_refused():
    data = AllegroConfig(**MINIMAL).to_json()
    with pytest.raises(ValueError, match="format_version 1; got 99"):
        AllegroConfig.from_json(data | {"format_version": 99})
    with pytest.raises(ValueError, match="no fields \\['colour'\\]"):
        AllegroConfig.from_json(data | {"colour": "blue"})
    with pytest.raises(ValueError, match=r"kind.*got 'gp'"):
        AllegroConfig.from_json(data | {"readout": {"kind": "gp"}})
    del data["cutoff"]
    with pytest.raises(ValueError, match="needs the fields \\['cutoff'\\]"):
        AllegroConfig.from_json(data)


def test_json_names_its_architecture_and_is_refused_by_another():
    data = Allegro2023Config(**MINIMAL).to_json()
    assert data["architecture"] == "2023"
    with pytest.raises(ValueError, match=r"architecture '2025'.*got '2023'"):
        AllegroConfig.from_json(data)
    with pytest.raises(ValueError, match="got '2021'"):
        config_from_json(data | {"architecture": "2021"})


def test_json_without_an_architecture_is_of_the_current_one():
    data = AllegroConfig(**MINIMAL).to_json()
    del data["architecture"]
    assert config_from_json(data) == AllegroConfig(**MINIMAL)


def test_json_of_the_first_qdi_readouts_still_loads():
    """As written before circuits had options: these fields, and the simulator by name."""
    data = AllegroConfig(**MINIMAL).to_json()
    del data["latent_circuit"]
    data["readout"] = {
        "kind": "qdi",
        "hidden": [32],
        "features": 4,
        "n_qubits": 4,
        "depth": 1,
        "entangling": "strong",
        "rotation": "Z",
        "measure": "Y",
        "final_width": 16,
        "activation": "silu",
        "simulator": "unitaries",
    }
    expected = QDIReadout(simulator="unitaries")
    assert config_from_json(json.loads(json.dumps(data))).readout == expected


def test_numbers_of_the_types_are_atomic_numbers():
    assert AllegroConfig(type_names=("Cl", "Na"), cutoff=3.0).atomic_numbers == (17, 11)
