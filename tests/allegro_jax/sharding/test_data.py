"""Devices that share batches train as one device does."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from allegro_jax.sharding.data import DataParallel, agreed
from allegro_jax.training import TrainingConfig

ROOT = Path(__file__).parents[3]


def start(arguments: list[str], devices: int) -> subprocess.Popen:
    flags = os.environ.get("XLA_FLAGS", "")
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"{flags} --xla_force_host_platform_device_count={devices}",
        "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".jax_cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3",
    }
    command = [sys.executable, "-m", "tests.allegro_jax.sharding.curves", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes)


def curves_of(process: subprocess.Popen) -> list[dict[str, list[float]]]:
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return json.loads(output.splitlines()[-1])


def assert_same(run: dict[str, list[float]], reference: dict[str, list[float]]) -> None:
    np.testing.assert_allclose(run["losses"], reference["losses"], rtol=1e-6)
    np.testing.assert_allclose(run["params"], reference["params"], rtol=1e-6, atol=1e-9)


@pytest.fixture(scope="module")
def one_and_eight() -> list[dict[str, list[float]]]:
    """Of one device, of eight, and of four that take every batch in two parts."""
    return curves_of(start(["1:1", "8:1", "4:1:2"], devices=8))


def test_eight_devices_have_the_losses_and_parameters_of_one(one_and_eight) -> None:
    one, eight, _ = one_and_eight
    assert_same(eight, one)
    assert len(set(one["losses"])) == len(one["losses"])


def test_devices_that_accumulate_batches_have_them_too(one_and_eight) -> None:
    one, _, four = one_and_eight
    assert_same(four, one)


@pytest.mark.slow
def test_two_processes_that_stream_their_parts_have_them_too(one_and_eight) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = [start(["4:0", f"--join={port},2,{number}"], devices=2) for number in range(2)]
    for process in started:
        (run,) = curves_of(process)
        assert_same(run, one_and_eight[0])


def test_one_device_is_taken_silently_and_others_must_fit() -> None:
    here = len(jax.devices())
    assert DataParallel.over(batch_size=here).size == here
    assert DataParallel.over(batch_size=5, devices=1).axis is None
    with pytest.raises(ValueError, match=f"at most {here}; got batch_size=3 and devices=1000"):
        DataParallel.over(batch_size=3, devices=1000)
    with pytest.raises(ValueError, match="devices must be >= 1"):
        TrainingConfig(devices=0)


def test_one_process_agrees_with_itself_to_the_last_digit() -> None:
    assert agreed(1 / 3) == 1 / 3
