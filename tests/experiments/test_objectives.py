"""Objectives and limits by name, checked before anything is trained."""

import jax
import pytest
from ml_collections import ConfigDict
from optuna.trial import TrialState

from allegro_jax.models.energy import parameter_shapes
from experiments import objectives, search_loop, spaces
from experiments.configs import demo, joint
from experiments.data import load_splits
from experiments.models import model_config
from experiments.searches.front import candidates
from experiments.searches.hopeless import HopelessError, Judge
from experiments.searches.known import KnownQuantities
from experiments.searches.study import failures
from tests.experiments.search_worker import record


def settings(name: str = "rmd17-benzene", **changes: object) -> ConfigDict:
    config = demo.get_config()
    config.data.update({"name": name, "train": 20, "valid": 5, "test": 5})
    config.update(changes)
    return config


def test_the_pair_of_the_paper_is_the_default_and_follows_the_data() -> None:
    for name, error in (("rmd17-benzene", "forces_mae"), ("qm9", "energy_mae")):
        config = settings(name)
        resolved = objectives.resolved(config, load_splits(config.data))
        assert resolved.objectives == (error, "inference_time")
        assert config.objectives == ()
    assert joint.get_config().objectives == ("energy_mae", "forces_mae", "inference_time")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objectives": ("forces_mea", "flops")}, "did you mean 'forces_mae'"),
        ({"objectives": ("flops",)}, "two or three different"),
        ({"objectives": ("flops", "flops")}, "two or three different"),
        ({"objectives": ("stress_mae", "flops")}, "stress_mae needs stress labels"),
        ({"constraints": {"flops": -1.0}}, "limit of flops must be positive"),
        ({"constraints": {"flops": 10.0}}, "no trial of 'allegro' can keep flops"),
        ({"constraints": {"parameters": 100.0}}, "no trial of 'allegro' can keep parameters"),
        ({"sampler": "cma"}, "unknown sampler 'cma'"),
        ({"training": {"time_limit_s": 0.0}}, "time_limit_s"),
        ({"timing": {"passes": 0}}, "at least one pass"),
    ],
    ids=str,
)
def test_what_cannot_be_is_said_before_anything_is_written(
    changes: dict, message: str, tmp_path
) -> None:
    with pytest.raises(ValueError, match=message):
        search_loop.search(settings(**changes), tmp_path / "search")
    assert not (tmp_path / "search").exists()


def test_forces_of_data_without_forces_are_refused(tmp_path) -> None:
    config = settings("qm9", objectives=("forces_mae", "inference_time"))
    with pytest.raises(ValueError, match=r"forces_mae needs forces labels.* of 'qm9'"):
        search_loop.search(config, tmp_path / "search")


def test_a_work_directory_that_cannot_be_written_is_named(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot be written"):
        search_loop.search(settings(), tmp_path / "file" / "search")


@pytest.mark.parametrize("variant", spaces.EXTRA)
def test_parameters_are_counted_without_making_the_model(variant: str) -> None:
    config = settings(constraints={"parameters": 1e6})
    splits = load_splits(config.data)
    known = KnownQuantities(variant, config, splits)
    odd = {"edge_mlp_width": 7, "mlp_features": 3, "mlp_width_1": 5, "qdi_final_width": 9}
    params = {**spaces.default_trial(variant, config.ranges), **odd}
    shapes = parameter_shapes(model_config(variant, params, config.model, splits.train))
    assert known.parameters(params) == sum(leaf.size for leaf in jax.tree.leaves(shapes))


def made(config, splits, variant, number, params, folder, **_):
    result = record(variant, number, params, [params["cutoff"], 1.0 / params["cutoff"]])
    result.save(folder / "record.json")
    return result


def test_trials_above_a_known_limit_are_not_trained(tmp_path, monkeypatch) -> None:
    """Random search knows nothing of the limit; SAMO-COBRA keeps it by itself."""
    config = settings(variants=("allegro",), trials=5, initial_trials=5)
    config.data.valid = 10
    splits = load_splits(config.data)
    known = KnownQuantities("allegro", config, splits)
    space = {"edge_mlp_width": (4, 128), "num_layers": (1, 1)}
    config.ranges.update(space)
    middle = {**spaces.default_trial("allegro", config.ranges), "edge_mlp_width": 16}
    config.constraints.parameters = known.parameters(middle)
    config.timing.lock_file = str(tmp_path / "lock")
    widths = {}
    for name in ("random", "samo"):
        config.sampler = name
        opened = search_loop.open_search(config, tmp_path / name)
        search_loop.search(config, tmp_path / name, evaluate=made, report=False)
        trials = opened.studies["allegro"].get_trials()
        widths[name] = [trial.params["edge_mlp_width"] for trial in trials]
        for trial in trials:
            above = trial.params["edge_mlp_width"] > 16
            assert trial.state == (TrialState.PRUNED if above else TrialState.COMPLETE)
            assert (trial.constraints.get("parameters", -1.0) > 0) == above
        reasons = failures(opened.studies["allegro"])
        assert len(reasons) == sum(width > 16 for width in widths[name])
        assert all(reason.startswith("not trained: parameters") for reason in reasons.values())
    assert len(widths["samo"]) == len(widths["random"]) == 5
    assert max(widths["samo"]) <= 16 < max(widths["random"])


def test_the_front_of_three_objectives_keeps_limits() -> None:
    names = ("energy_mae", "forces_mae", "inference_time")
    config = settings(objectives=names, constraints={"energy_mae": 5.0})
    rows = [[1.0, 9.0, 1.0], [2.0, 2.0, 1.2], [9.0, 1.0, 0.1], [2.5, 3.0, 9.0], [2.5, 3.0, 1.4]]
    trials = []
    for number, row in enumerate(rows):
        measured = dict(zip(names, row, strict=True))
        fields = {"objectives": row, "measured": measured}
        base = record("allegro", number, {}, [0.0, 0.0])
        trials.append(type(base)(**{**base.__dict__, **fields}))
    # 2 is above the limit; 3 is beaten for certain; 4 only by its time, which may be measured anew.
    assert [t.number for t in candidates({"allegro": trials}, config)] == [0, 1, 4]


def curve(*errors: float) -> list[dict[str, float]]:
    rows = enumerate(errors, 1)
    return [{"epoch": float(k), "seconds": float(k), "forces_mae": e} for k, e in rows]


def test_only_a_curve_far_behind_all_others_is_hopeless() -> None:
    config = settings(objectives=("forces_mae", "inference_time"))
    config.training.time_limit_s = 10.0
    config.prune.update({"factor": 2.0, "after": 0.3, "trials": 2})
    finished = [curve(8.0, 4.0, 2.0, 1.0), curve(9.0, 6.0, 3.0, 2.0)]
    judge = Judge(config, finished)
    for row in curve(50.0, 40.0, 5.9, 7.0):  # early, then within twice the worst of its time
        judge.epoch_done(row) if row["seconds"] < 4 else None
    with pytest.raises(HopelessError, match=r"hopeless: after 3\.0 s.*the worst finished"):
        Judge(config, finished).epoch_done(curve(50.0, 40.0, 6.1)[-1])
    few = Judge(config, finished[:1])
    few.epoch_done(curve(50.0, 40.0, 99.0)[-1])
