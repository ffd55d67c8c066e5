"""The examples of docs/simulations.md run as they stand."""

import re
import shutil
from pathlib import Path

import jax
import pytest

ROOT = Path(__file__).parents[3]
RUN, THROUGH_JAX_MD = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "simulations.md").read_text(), re.DOTALL
)


def execute(code, tmp_path, monkeypatch):
    for name in ("aspirin", "cu"):
        shutil.copytree(ROOT / "tests" / "physics" / "potentials" / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "docs/simulations.md", "exec"), {})


def test_the_run_of_the_page(tmp_path, monkeypatch, capsys):
    execute(RUN, tmp_path, monkeypatch)
    assert "meV/atom/ps; 11 frames" in capsys.readouterr().out
    assert (tmp_path / "aspirin-nve" / "trajectory.traj").exists()


@pytest.mark.slow
def test_the_jax_md_example_of_the_page(tmp_path, monkeypatch, capsys):
    pytest.importorskip("jax_md")
    with jax.numpy_rank_promotion("allow"):  # jax-md's own code promotes ranks
        execute(THROUGH_JAX_MD, tmp_path, monkeypatch)
    assert "K" in capsys.readouterr().out
