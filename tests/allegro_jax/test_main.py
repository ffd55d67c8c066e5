"""The command `allegro-jax` trains, evaluates and says in one line what is wrong."""

import json
from pathlib import Path
from typing import Any

import ase.io
import pytest

import allegro_jax as aj
from allegro_jax import fitting
from allegro_jax.__main__ import main
from allegro_jax.training import TrainingStoppedError

STORED = Path(__file__).parents[1] / "physics" / "potentials" / "aspirin"


def test_what_is_given_reaches_fit_as_it_is_meant(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`test_train.py` trains with the same arguments."""
    given: dict[str, Any] = {}

    class Result:
        def summary(self) -> str:
            return "errors"

    def fit(dataset: str, **options: Any) -> Result:
        given.update(options, dataset=dataset)
        return Result()

    monkeypatch.setattr(fitting, "fit", fit)
    flags = ["--workdir=run", "--valid=9", "--test=held_out.xyz", "--minutes=0.5"]
    main(["fit", "mine.extxyz", *flags, "--set=num_layers=3", "--set=loss=mae"])
    assert capsys.readouterr().out == "errors\n"
    expected = {"dataset": "mine.extxyz", "workdir": "run", "preset": "small", "minutes": 0.5}
    expected |= {"valid": 9, "test": "held_out.xyz", "num_layers": 3, "loss": "mae"}
    assert given.items() >= expected.items()


def test_a_stopped_training_says_how_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fit(*_: Any, should_stop: Any, **__: Any) -> None:
        raise TrainingStoppedError("stopped as asked")

    monkeypatch.setattr(fitting, "fit", fit)
    with pytest.raises(SystemExit):
        main(["fit", "mine.extxyz", "--workdir=run"])
    assert "the same command continues" in capsys.readouterr().err


def test_errors_of_a_potential_are_a_line_of_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = aj.load("rmd17-aspirin")
    ase.io.write(tmp_path / "few.extxyz", [data.to_atoms(k) for k in range(3)])
    main(["evaluate", str(STORED), str(tmp_path / "few.extxyz"), "--batch_size=3"])
    errors = json.loads(capsys.readouterr().out)
    assert 0 < errors["forces_mae"] < 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "mine.extxyz", "--workdir=x"], "error: no data file mine.extxyz"),
        (["fit", "rmd17-benzene", "--workdir=x", "--set=l_max"], "error: a setting has the form"),
        (["evaluate", "nowhere", "rmd17-benzene"], "error: "),
        (["evaluate", "nowhere", "culi", "--split=best"], "error: culi has no split 'best'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments, message, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert str(caught.value.code).startswith(message)
    assert "\n" not in str(caught.value.code)


def test_the_report_is_a_command_too(monkeypatch, capsys) -> None:
    monkeypatch.setattr("allegro_jax.info.info", lambda: "versions")
    main(["info"])
    assert capsys.readouterr().out == "versions\n"
