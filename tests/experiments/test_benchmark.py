"""The benchmark: real subprocesses on tiny cases, counts against XLA's, tables, messages."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jax
import pytest

from allegro_jax.models import blocks, energy
from experiments import benchmark
from experiments.benchmarks import analysis, machine, peer_runs, processes, run, table, worker
from experiments.benchmarks.cases import SYSTEMS, Case, all_cases
from experiments.benchmarks.circuits import CircuitCase
from experiments.benchmarks.counts import number_of_blocks, operations
from experiments.benchmarks.peers import environments
from experiments.benchmarks.structures import graphs_of, padded_batch, write_arrays

ROOT = Path(__file__).parents[2]
TINY = Case("S", "molecule-1")


def settings(warnings: list[str]) -> run.Settings:
    return run.Settings(0.01, processes.default_core(), "cpu", warnings.append)


def line(implementation: str, milliseconds: float, case: Case = TINY, **changes: object) -> dict:
    times = {"min": milliseconds, "median": 2 * milliseconds, "spread": 0.1}
    return {
        "run": "now",
        "name": case.name,
        "case": case.as_dict(),
        "implementation": implementation,
        "platform": "cpu",
        "cpu_ms": times,
        "wall_ms": times,
        "edges": 366,
        "padded_edges": 384,
        "parameters": 8848,
        "first_call_s": 1.0,
        "compile_cpu_s": 1.0,
        "peak_rss_mb": 500.0,
        "xla_mb": 1.0,
        **changes,
    }


@pytest.fixture(scope="module")
def measured() -> list[dict]:
    """A tiny case and a tiny circuit, through the processes of a real run."""
    warnings: list[str] = []
    cases = [TINY, CircuitCase(qubits=2, depth=1, edges=8)]
    lines = list(run.measurements(cases, [], settings(warnings)))
    assert not warnings
    return lines


@pytest.mark.slow
def test_every_measurement_is_one_json_line_of_positive_numbers(measured: list[dict]) -> None:
    assert [item["implementation"] for item in measured] == ["allegro_jax", "allegro_jax", "qnode"]
    for item in json.loads(json.dumps(measured)):
        for clock in ("cpu_ms", "wall_ms"):
            assert 0 < item[clock]["min"] <= item[clock]["median"]
        positive = ("compile_cpu_s", "first_call_s", "repeats", "peak_rss_mb", "xla_mb")
        assert all(item[key] > 0 for key in (*positive, "parameters", "edges"))
        assert item["versions"]["jax"] == jax.__version__
        assert item["device"]
        assert item["commit"]


@pytest.mark.slow
def test_a_case_reports_its_atoms_and_its_padding(measured: list[dict]) -> None:
    item = measured[0]
    assert item["atoms"] == 21
    assert item["edges"] == padded_edges_of(TINY)[0]
    assert item["padded_edges"] == padded_edges_of(TINY)[1]
    assert item["xla_flops"] > 0


def padded_edges_of(case: Case) -> tuple[int, int]:
    system = SYSTEMS[case.system]
    graph = padded_batch(graphs_of(system), system, case.dtype)
    return int(graph.n_edge[: system.batch].sum()), len(graph.senders)


@pytest.mark.slow
def test_tables_hold_every_measurement_and_the_rates_of_the_machine(measured: list[dict]) -> None:
    rates = {
        "dtype": "float32",
        "device": "cpu",
        "matmul_gflops": 100.0,
        "copy_gbs": {"0.25": 80.0, "16": 20.0},
        "multiply_add_gbs": 15.0,
        "multiply_add_gflops": 80.0,
        "exp_gops": 2.0,
    }
    for style in ("text", "markdown"):
        text = benchmark.tables([*measured, {"machine": rates}], style)
        assert text.count(TINY.name) == 2
        assert text.count("qnode") == 1
        assert "matmul 100 GFLOP/s" in text
    found = analysis.position(measured[0], rates)
    assert found.share > 0
    assert found.xla_gflop > 0.8 * (found.matmul_gflop + found.product_gflop)


@pytest.mark.parametrize(
    "case", [TINY, Case("S", "molecule-1", "training"), Case("M", "molecule-5")], ids=str
)
def test_counted_operations_agree_with_xla(case: Case, monkeypatch) -> None:
    """To a quarter: XLA counts activations and harmonics too, a program may save products.

    In one piece and with more atoms than channels: the one-hot matrices of a few atoms, which
    save time and not operations, are not in our count.
    """
    monkeypatch.setattr(energy, "plan_blocks", lambda *_: None)
    function, arguments = worker.program_of(case)
    counted = operations(worker.config_of(case), len(arguments[-1].senders), case.task)
    cost = jax.jit(function).lower(*arguments).cost_analysis()
    assert cost["flops"] == pytest.approx(counted.matmul + counted.products, rel=0.25)


def test_the_copy_rate_is_that_of_the_nearest_working_set() -> None:
    rates = {"copy_gbs": {"0.25": 80.0, "16": 20.0, "128": 10.0}}
    assert machine.copy_rate(rates, 0.01) == 80.0
    assert machine.copy_rate(rates, 20.0) == 20.0
    assert machine.copy_rate(rates, 5000.0) == 10.0


def test_a_ratio_is_ours_over_the_peer_of_the_same_run_and_case() -> None:
    lines = [line("allegro_jax", 2.0), line("nequip-aot", 5.0), line("mlip-nequip", 4.0)]
    other_run = line("nequip-aot", 5.0, run="before")
    other_case = line("nequip-aot", 5.0, Case("M", "molecule-1"))
    cells = [row[-2:] for row in table.rows([*lines, other_run, other_case])]
    assert cells == [("", ""), ("0.400", "0.400"), ("0.500", "0.500"), ("", ""), ("", "")]


def test_the_quantum_readout_is_compared_with_the_plain_one() -> None:
    quantum = Case("S", "molecule-1", readout="qdi")
    rows = table.rows([line("allegro_jax", 2.0), line("allegro_jax", 2.2, quantum)])
    assert rows[1][-2] == "1.100 x plain"


def test_off_the_cpu_wall_times_are_compared() -> None:
    ours = line("allegro_jax", 1.0, platform="gpu", wall_ms={"min": 3.0, "median": 3.0})
    assert table.ratio(ours, line("nequip-aot", 6.0, platform="gpu")) == 0.5


def test_a_peer_without_an_environment_is_named_with_its_command_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_runs, "ENVIRONMENTS", tmp_path)
    warnings: list[str] = []
    assert list(run.measurements([], ["nequip-aot"], settings(warnings))) == []
    (message,) = warnings
    assert "nequip-aot is skipped" in message
    assert "python -m experiments.benchmarks.peers.environments nequip" in message


def test_a_process_that_fails_says_why() -> None:
    command = [sys.executable, "-c", "raise MemoryError('the program needs 9 MB')"]
    with pytest.raises(processes.MeasurementError, match=r"^the program needs 9 MB$"):
        processes.run(command, {}, -1, ROOT)
    with pytest.raises(processes.MeasurementError, match="killed"):
        processes.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], {}, -1, ROOT)


def test_every_peer_has_an_environment_that_can_be_made() -> None:
    assert {peer.environment for peer in peer_runs.PEERS.values()} == set(environments.names())
    assert all((peer_runs.SCRIPTS / peer.script).is_file() for peer in peer_runs.PEERS.values())
    with pytest.raises(ValueError, match="unknown environment torch"):
        environments.make("torch")


def test_peers_read_the_edges_that_we_have(tmp_path: Path) -> None:
    import numpy as np

    system = SYSTEMS["molecule-5"]
    graphs = graphs_of(system)
    write_arrays(graphs, system, tmp_path / "arrays.npz")
    arrays = np.load(tmp_path / "arrays.npz")
    graph = padded_batch(graphs, system, "float64")
    edges = len(arrays["centres"])
    np.testing.assert_array_equal(arrays["centres"], graph.receivers[:edges])
    np.testing.assert_array_equal(arrays["neighbors"], graph.senders[:edges])
    np.testing.assert_array_equal(arrays["positions"], graph.nodes["positions"][:105])
    np.testing.assert_array_equal(arrays["n_edges"], graph.n_edge[:5])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["XL"], ["molecule-1"], ["inference"]), "unknown size XL; choose from S, M, L"),
        ((["S"], ["water"], ["inference"]), "unknown system water"),
        ((["S"], ["molecule-1"], ["testing"]), "unknown task testing"),
        ((["S"], ["molecule-1"], ["training"], ["snn"]), "unknown readout snn"),
        ((["S"], ["molecule-1"], ["training"], ["mlp"], ["int8"]), "unknown dtype int8"),
    ],
)
def test_unknown_names_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        all_cases(*arguments)


def test_unknown_peers_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown peer schnet; choose from nequip"):
        benchmark.chosen_peers(["nequip-aot", "schnet"])
    assert benchmark.chosen_peers(["all"]) == list(peer_runs.PEERS)


def test_every_centre_is_in_one_of_the_counted_blocks(monkeypatch):
    case = Case("S", "molecule-5", "inference", "mlp", "float32")
    system = SYSTEMS[case.system]
    graph = padded_batch(graphs_of(system, 0), system, case.dtype)
    for plan, expected in ((blocks.Plan(10_000, 10_000), 1), (blocks.Plan(10_000, 21), 5)):
        monkeypatch.setattr(blocks, "plan_blocks", lambda *_, plan=plan: plan)
        assert number_of_blocks(worker.config_of(case), graph) == expected
