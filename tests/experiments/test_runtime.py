"""Programs keep their compilations, within bounds, unless told otherwise."""

import os
import subprocess
import sys
from pathlib import Path

from allegro_jax.compilation_cache import cache_folder, remove_oldest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from absl import flags
from experiments import runtime
flags.FLAGS(sys.argv)
runtime.set_up()
import jax
print(jax.config.jax_compilation_cache_dir)
"""


def folder_used(home: Path, *arguments: str, **variables: str) -> str:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("JAX_")}
    environment = {**inherited, "XDG_CACHE_HOME": str(home), **variables}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    options = {"cwd": ROOT, "env": environment, "capture_output": True, "text": True}
    return subprocess.run(command, **options, check=True).stdout.strip()


def test_the_cache_is_the_users_until_a_flag_or_variable_says_otherwise(tmp_path: Path) -> None:
    folder = Path(folder_used(tmp_path))
    assert folder.parent == tmp_path / "allegro_jax" / "jax"
    assert folder.is_dir()
    assert folder_used(tmp_path, "--nocompilation_cache") == "None"
    named = str(tmp_path / "named")
    assert folder_used(tmp_path, JAX_COMPILATION_CACHE_DIR=named) == named


def test_a_folder_that_cannot_be_made_is_done_without(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert folder_used(file) == "None"


def test_importing_the_library_sets_no_cache() -> None:
    code = "import allegro_jax.training, jax; assert jax.config.jax_compilation_cache_dir is None"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("JAX_")}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)


def test_the_files_used_longest_ago_are_removed(tmp_path: Path) -> None:
    for age in range(5):
        path = tmp_path / f"{age}-cache"
        path.write_bytes(bytes(100))
        os.utime(path, (1e9 - age, 1e9 - age))
    remove_oldest(tmp_path, 250)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0-cache", "1-cache"]


def test_kinds_of_processors_have_folders_of_their_own(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    here = cache_folder()
    monkeypatch.setattr("allegro_jax.compilation_cache._processor", lambda: "another")
    assert cache_folder() != here
