"""A committee in training: every member is what a training of its own would have made."""

import dataclasses

import jax
import numpy as np
import pytest

from allegro_jax import (
    Committee,
    Potential,
    TrainingConfig,
    config_from_data,
    evaluate,
    load,
    train,
)
from allegro_jax.committee import load_potential
from allegro_jax.potential import initial_params
from allegro_jax.training import TrainingResult, atomic_energies
from allegro_jax.training.members import improved
from tests.small_models import SIZES

TOGETHER = TrainingConfig(max_epochs=3, batch_size=5, learning_rate=2e-2, clip_norm=0.5, members=2)
"""So low a clipping that every step is clipped, for each member by the norm of its own gradient."""


@pytest.fixture(scope="module")
def sets():
    benzene = load("rmd17-benzene")
    return benzene.select(range(17)), benzene.select(range(40, 50))


@pytest.fixture(scope="module")
def config(sets):
    return config_from_data(sets[0], 3.5, **{**SIZES["2025"], "l_max": 0, "num_layers": 1})


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return tmp_path_factory.mktemp("committee")


@pytest.fixture(scope="module")
def result(config, sets, workdir) -> TrainingResult:
    return train(config, TOGETHER, *sets, workdir=workdir)


def test_a_member_is_the_potential_of_a_training_with_its_seed(config, sets, result) -> None:
    """Up to rounding; optimised for this CPU, to the last bit (docs/committees.md)."""
    alone = dataclasses.replace(TOGETHER, members=1, references="keep")
    start = Potential(config, initial_params(config, 1), atomic_energies(sets[0]))
    single = train(config, alone, *sets, init=start)
    errors = [row["forces_mae/member_1"] for row in result.history]
    np.testing.assert_allclose(errors, [row["forces_mae"] for row in single.history], rtol=1e-4)
    leaves = zip(
        jax.tree.leaves(single.potential.params),
        jax.tree.leaves(result.potential.members[1].params),
        strict=True,
    )
    for expected, found in leaves:
        np.testing.assert_allclose(found, expected, atol=1e-3)
    assert result.potential.members[1].atomic_energies == single.potential.atomic_energies


def test_the_errors_of_a_row_are_those_of_the_mean(result, sets) -> None:
    row, committee = result.history[-1], result.potential
    assert row["forces_mae"] < max(row[f"forces_mae/member_{k}"] for k in range(2))
    assert row is result.best, "every epoch was better, so the committee is that of the last one"
    errors = evaluate(committee, sets[1])
    for name in (
        "forces_mae",
        "energy_mae",
        "forces_rmse/member_0",
        "energy_per_atom_mae/member_1",
    ):
        assert errors[name] == pytest.approx(row[name], rel=1e-4)
    forces = [structure.forces for structure in committee(sets[1])]
    error = np.abs(np.concatenate(forces) - sets[1].forces).mean()
    assert errors["forces_mae"] == pytest.approx(error, rel=1e-4)


def test_members_differ_and_the_best_parameters_of_each_are_kept(result) -> None:
    first, second = (jax.tree.leaves(member.params) for member in result.potential.members)
    assert not np.allclose(first[0], second[0])
    history = [{"e/member_0": a, "e/member_1": b} for a, b in ((3, 3), (2, 4), (4, 1))]
    found = [improved(history[: epoch + 1], "e", 2) for epoch in range(3)]
    assert found == [[True, True], [True, False], [False, True]]


def test_the_work_directory_holds_the_committee_and_a_finished_run_is_taken_up(
    config, sets, result, workdir
) -> None:
    saved = load_potential(workdir / "potential")
    assert isinstance(saved, Committee)
    again = train(config, TOGETHER, *sets, workdir=workdir)
    assert again.history == result.history
    for committee in (saved, again.potential):
        same = jax.tree.map(np.array_equal, committee.params, result.potential.params)
        assert all(jax.tree.leaves(same))
    with pytest.raises(ValueError, match=r"Committee\.load"):
        Potential.load(workdir / "potential")
