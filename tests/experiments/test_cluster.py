"""What starts workers on clusters names flags that exist, and passes settings on unchanged."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from experiments import search_loop
from experiments.cluster.work import work
from experiments.configs import joint

FOLDER = Path(__file__).parents[2] / "experiments" / "cluster"
FILES = ("slurm_search.sh", "ssh_search.sh", "kubernetes_search.yaml")


@pytest.mark.parametrize("name", FILES)
def test_the_flags_of_a_file_exist(name: str) -> None:
    text = (FOLDER / name).read_text()
    used = re.findall(r"--(config\.[a-z_.]+|config|workdir|workers|nowait|wait)\b", text)
    assert {"config", "workdir", "config.storage"} <= set(used)
    settings = joint.get_config()
    program = (FOLDER.parent / "search.py").read_text()
    defined = set(re.findall(r'DEFINE_\w+\(\s*"(\w+)"', program))
    for flag in used:
        part = settings
        for key in flag.split(".")[1:]:
            part = part[key]
        assert flag.split(".")[0].removeprefix("no") in defined


def test_the_files_can_be_read() -> None:
    for name in FILES[:2]:
        subprocess.run(["bash", "-n", FOLDER / name], check=True)
    job = yaml.safe_load((FOLDER / FILES[2]).read_text())
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["python", "-m", "experiments.search"]


def test_a_worker_of_dask_gets_the_settings_as_they_are(monkeypatch, tmp_path) -> None:
    got = []
    monkeypatch.setattr(search_loop, "search", lambda config, *_, **__: got.append(config))
    config = joint.get_config("culi")
    config.constraints.parameters = 500.0
    config.training.time_limit_s = 7.0
    work(config.to_json_best_effort(), str(tmp_path))
    assert got[0].to_dict() == config.to_dict()
