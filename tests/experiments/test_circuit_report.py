"""The report of a circuit: what it writes, and what it refuses."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from allegro_jax.configs import QDILayer
from allegro_jax.potential import Potential, initial_params
from allegro_jax.quantum.circuits import QDICircuit
from experiments.circuit_reports.measurements import Effort
from experiments.circuit_reports.reports import (
    circuit_report,
    hardware_settings,
    potential_report,
)
from tests.small_models import small_config

LITTLE = Effort(samples=4, inputs=4, pairs=50, qubits=(1, 2), depths=(1,), gradients=20)


def images_of(page: str) -> set[str]:
    return {part.split('"')[0] for part in page.split('src="')[1:]}


def test_a_report_is_a_page_whose_pictures_and_numbers_lie_beside_it(tmp_path: Path) -> None:
    numbers = circuit_report(QDICircuit(2, 2), LITTLE, tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert {path.name for path in tmp_path.glob("*.png")} == images_of(page)
    assert len(images_of(page)) == 6
    assert json.loads((tmp_path / "report.json").read_text())["weights"] == numbers["weights"]
    assert numbers["weights"]["dead"] == ["w1", "w4"]
    assert "2 (w1, w4)" in page
    assert numbers["frequencies"] == 9
    assert numbers["trained"] is None


def test_a_potential_is_reported_with_its_losses_on_hardware(tmp_path: Path) -> None:
    options = {"type_names": ("H", "C", "O"), "cutoff": 1.6, "num_layers": 1, "l_max": 0}
    config = small_config(readout="qdi", **options)
    Potential(config, initial_params(config)).save(tmp_path / "potential")
    settings = [(100, 0.0, 0.0), (None, 0.001, 0.01)]
    effort = dataclasses.replace(LITTLE, qubits=(2,))
    potential = str(tmp_path / "potential")
    (numbers,) = potential_report(
        potential, "rmd17-aspirin", "", 1, settings, effort, tmp_path / "out"
    )
    page = (tmp_path / "out" / "report.html").read_text()
    assert {"angles.png", "hardware.png"} <= images_of(page)
    assert "On hardware" in page
    assert [each["hardware"]["shots"] for each in numbers["hardware"]] == [100, None]
    assert all(each["forces_mae"] > 0 for each in numbers["hardware"])
    assert numbers["trained"]["edges"] > 10
    assert (tmp_path / "out" / "circuit.qasm").read_text().startswith("OPENQASM 2.0;")


@pytest.mark.slow
def test_every_circuit_of_a_potential_has_a_folder(tmp_path: Path) -> None:
    layer = QDILayer(2, 2, input_scale=0.5)
    config = small_config(
        type_names=("H", "C", "O"), cutoff=2.0, num_layers=1, readout="qdi", latent_circuit=layer
    )
    Potential(config, initial_params(config)).save(tmp_path / "potential")
    effort = dataclasses.replace(LITTLE, qubits=(2,))
    potential, out = str(tmp_path / "potential"), tmp_path / "out"
    reports = potential_report(potential, "rmd17-aspirin", "", 1, [], effort, out)
    assert {path.name for path in out.iterdir()} == {"latent_0_circuit-circuit", "readout-circuit"}
    assert [each["circuit"]["n_features"] for each in reports] == [2, 4]
    for each in reports:
        page = Path(each["report"])
        assert (page.parent / "circuit.qasm").exists()
        assert f"({page.parent.name.replace('-', '/')})" in page.read_text()


OWN_CIRCUIT = """
import allegro_jax as aj
import pennylane as qml

@qml.qnode(qml.device("default.qubit", wires=1), diff_method="backprop")
def qnode(features, weights):
    qml.RY(weights[0], wires=0)
    qml.RZ(features[0], wires=0)
    qml.RX(weights[1], wires=0)
    qml.RX(weights[2], wires=0)
    return qml.expval(qml.Z(0))

aj.register_circuit("own", qnode, n_features=1, weight_shape=(3,))
"""


@pytest.mark.slow
def test_a_circuit_of_the_user_is_reported_by_name(tmp_path: Path) -> None:
    (tmp_path / "my_circuits.py").write_text(OWN_CIRCUIT)
    command = [sys.executable, "-m", "experiments.circuit_report", f"--workdir={tmp_path / 'out'}"]
    command += ["--module=my_circuits", "--circuit=own", "--samples=4"]
    path = os.pathsep.join([str(tmp_path), str(Path.cwd())])
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr
    brief = json.loads(done.stdout.splitlines()[-1])
    assert (brief["weights"], brief["rank"], brief["dead"]) == (3, 2, [])
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Circuit own: 1 qubits, 1 features" in page
    assert "Gradients against size" not in page
    assert "gradients.png" not in images_of(page)


def test_what_is_too_large_for_a_grid_or_a_picture_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from experiments.circuit_reports import figures

    monkeypatch.setattr(figures, "MAX_DRAWN", 10)
    effort = dataclasses.replace(LITTLE, qubits=(2,))
    numbers = circuit_report(QDICircuit(10, 2, 1, "basic"), effort, tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert images_of(page) == {"weights.png", "fisher.png", "states.png", "gradients.png"}
    assert "Too many gates" in page
    assert "Coefficients are left out" in page
    assert numbers["frequencies"] == 3**10
    assert numbers["fourier"] is None


def test_settings_are_every_shot_without_noise_and_every_noise_with_and_without_shots() -> None:
    assert hardware_settings(["10"], ["1e-3:1e-2"]) == [
        (10, 0.0, 0.0),
        (10, 1e-3, 1e-2),
        (None, 1e-3, 1e-2),
    ]
    with pytest.raises(ValueError, match=r"--noise=1e-4:1e-3, got 10 and 1e-3 "):
        hardware_settings(["10"], ["1e-3"])


WRONG = {
    "--features=5": "multiple of n_qubits",
    "--ranges=2,1": "one per layer",
    "--circuit=missing": "no circuit is registered as 'missing'",
    "--module=no_such_module": "No module named 'no_such_module'",
    "--potential=missing": "needs --dataset",
    "--potential=missing --dataset=rmd17-aspirin": "missing does not exist",
}
EACH_IN_TURN = """
import sys
from absl import flags
from absl.testing import flagsaver
from experiments import circuit_report

workdir, *wrong = sys.argv[1:]
for each in wrong:
    with flagsaver.flagsaver():
        flags.FLAGS(["circuit_report", workdir, *each.split()])
        try:
            circuit_report.main([])
        except SystemExit as end:
            print(end.code)
"""


def test_wrong_flags_end_with_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-c", EACH_IN_TURN, f"--workdir={tmp_path}", *WRONG]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert len(said) == len(WRONG)
    for line, message in zip(said, WRONG.values(), strict=True):
        assert line.startswith("error: ")
        assert message in line
