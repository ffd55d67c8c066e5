"""Checkpoints that are damaged, incomplete or do not fit on the disk."""

import json
import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from allegro_jax.training import checkpoints as checkpoints_module
from allegro_jax.training.checkpoints import Checkpoints

IDENTITY = {"model": {"widths": ((8, 8),)}, "data": {"train": "abc"}}
SIZE = 20_000  # numbers: more than a file may hold in `small_files`


def arrays(moment: int) -> dict[str, jnp.ndarray]:
    values = np.random.default_rng(moment).normal(size=SIZE).astype(np.float32)
    return {"params": jnp.asarray(values), "step": jnp.int32(moment)}


def save(checkpoints: Checkpoints, *moments: int) -> None:
    for moment in moments:
        checkpoints.save(moment, arrays(moment), {"loss": [0.1 * moment]})


def restored_moment(folder: Path) -> int:
    """The moment that is restored, after a look at all that came with it."""
    found, progress = Checkpoints(folder, IDENTITY).restore(arrays(0))
    moment = int(found["step"])
    np.testing.assert_array_equal(found["params"], arrays(moment)["params"])
    assert progress == {"loss": [0.1 * moment]}
    return moment


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "checkpoints"
    save(Checkpoints(folder, IDENTITY), 1, 2)
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return shutil.copytree(written, tmp_path / "checkpoints")


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_the_newest_of_two_is_restored_to_the_last_bit(folder: Path) -> None:
    assert restored_moment(folder) == 2


@pytest.mark.filterwarnings("ignore:the checkpoint")
@pytest.mark.parametrize("damage", [truncated, flipped, Path.unlink])
def test_damage_to_any_file_never_changes_what_is_restored(
    folder: Path, damage, tmp_path: Path
) -> None:
    """Some files are not needed; for the others the checkpoint before is taken."""
    files = [path.relative_to(folder / "2") for path in (folder / "2").rglob("*")]
    fell_back = []
    for file in files:
        if not (folder / "2" / file).is_file() or not (folder / "2" / file).stat().st_size:
            continue
        copy = shutil.copytree(folder, tmp_path / "copy" / "checkpoints")
        damage(copy / "2" / file)
        if restored_moment(copy) == 1:
            fell_back.append(file)
        shutil.rmtree(tmp_path / "copy")
    arrays_file = max(files, key=lambda file: (folder / "2" / file).stat().st_size)
    assert {arrays_file, Path("run/metadata")} <= set(fell_back)


def test_a_damaged_newest_checkpoint_is_named_set_aside_and_written_again(folder: Path) -> None:
    truncated(folder / "2" / "run" / "metadata")
    with pytest.warns(RuntimeWarning, match=f"{folder / '2'} cannot be read .* one before it"):
        assert restored_moment(folder) == 1
    assert (folder.parent / "checkpoints-unreadable" / "2" / "state").is_dir()
    checkpoints = Checkpoints(folder, IDENTITY)
    save(checkpoints, 2, 3)
    assert restored_moment(folder) == 3


def test_where_no_checkpoint_is_whole_nothing_is_begun_anew(folder: Path) -> None:
    for path in (folder / "1").iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    flipped(folder / "2" / "run" / "metadata")
    with pytest.raises(ValueError, match=r"none of the checkpoints .* Put a copy .* remove that"):
        Checkpoints(folder, IDENTITY).restore(arrays(0))
    assert {path.name for path in folder.iterdir()} == {"1", "2"}


def test_another_run_is_refused_by_name_of_what_differs(folder: Path) -> None:
    other = json.loads(json.dumps(IDENTITY))
    other["data"]["train"] = "xyz"
    with pytest.raises(ValueError, match=r"data\.train was 'abc', is now 'xyz'.*settings and data"):
        Checkpoints(folder, other).restore(arrays(0))


def test_what_a_killed_write_left_is_removed(folder: Path) -> None:
    shutil.copytree(folder / "2", folder / "3.orbax-checkpoint-tmp")
    assert restored_moment(folder) == 2
    assert not (folder / "3.orbax-checkpoint-tmp").exists()


@contextmanager
def small_files() -> Iterator[None]:
    """Lets the system refuse what is longer than 16 kB, as it refuses a file on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_the_system_refuses_leaves_the_earlier_checkpoints(folder: Path) -> None:
    checkpoints = Checkpoints(folder, IDENTITY)
    with small_files(), pytest.raises(OSError, match="no checkpoint could be written to"):
        save(checkpoints, 3)
    assert {path.name for path in folder.iterdir() if path.name.isdigit()} == {"1", "2"}
    assert restored_moment(folder) == 2
    save(checkpoints, 4)
    assert restored_moment(folder) == 4


def test_files_that_come_after_a_failed_write_are_removed_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orbax raises the first error while its threads go on with the other items."""
    checkpoints = Checkpoints(folder, IDENTITY)
    item = folder / "3.orbax-checkpoint-tmp" / "run.orbax-checkpoint-tmp"
    late = iter(range(3))

    def write(*_: object) -> None:
        item.mkdir(parents=True)
        (item / "metadata").write_text("{}")

    def refused(*_: object, **__: object) -> None:
        write()
        raise OSError("refused")

    def write_again(_: float) -> None:
        if next(late, None) is not None:
            write()

    monkeypatch.setattr(checkpoints._manager, "save", refused)
    monkeypatch.setattr(checkpoints_module.time, "sleep", write_again)
    with pytest.raises(OSError, match=r"no checkpoint could be written to .*: refused"):
        save(checkpoints, 3)
    assert next(late, None) is None
    assert {path.name for path in folder.iterdir()} == {"1", "2"}


def test_too_little_space_is_seen_before_anything_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = SimpleNamespace(free=1000)
    monkeypatch.setattr(checkpoints_module.shutil, "disk_usage", lambda _: full)
    with pytest.raises(OSError, match=r"No space left.* 1\.1 MB are needed and 0\.0 MB are free"):
        save(Checkpoints(folder, IDENTITY), 3)
    assert {path.name for path in folder.iterdir()} == {"1", "2"}
