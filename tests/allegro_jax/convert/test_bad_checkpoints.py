"""Files that are no checkpoints, damaged ones, and such as would run code."""

import builtins
import os
import pickle
import random
import subprocess
import typing
import zipfile
from pathlib import Path

import pytest

from allegro_jax.convert import load_nequip
from allegro_jax.convert.pickles import read_pickle
from experiments.parity import FOLDER

CHECKPOINT = FOLDER / "real_best.ckpt"
CONFIG = b"training_module: {model: {_target_: allegro.model.AllegroModel}}"
PICKLES = {"checkpoint": "archive/data.pkl", "package": "pkg/model/eager_model.pkl"}


def write_archive(path: Path, entries: dict[str, bytes], compression=zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def entries_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


class Call:
    """Pickles into a call."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


def payloads(marker: Path) -> dict[str, bytes]:
    """Pickles that leave a file behind if anything in them is executed."""
    command = f"touch {marker}"
    code = f"open({str(marker)!r}, 'w').close()"
    calls = {
        "system": Call(os.system, command),
        "eval": Call(builtins.eval, code),
        "exec": Call(builtins.exec, code),
        "popen": Call(subprocess.Popen, ["touch", str(marker)]),
        "open": Call(builtins.open, str(marker), "w"),
        "getattr": Call(getattr, Call(__import__, "os"), "system"),
        "loads": Call(pickle.loads, pickle.dumps(Call(os.system, command))),
    }
    made = {
        f"{name}-{protocol}": pickle.dumps({"state_dict": call}, protocol)
        for name, call in calls.items()
        for protocol in (2, 4)
    }
    text = command.encode()
    return {
        **made,
        "instance opcode": b"(S'" + text + b"'\nios\nsystem\n.",
        "object opcode": b"(cos\nsystem\nS'" + text + b"'\no.",
        "extension opcode": b"\x80\x02\x82\x01.",
        "attribute of a library": b"\x80\x04\x8c\x08torch.nn\x8c\x09os.system\x93" + b"\x85R.",
        "loader of torch": b"\x80\x02ctorch\nload\nX\x01\0\0\0x\x85R.",
        "runner of numpy": b"\x80\x02cnumpy.testing._private.utils\nrunstring\nX\0\0\0\0}\x86R.",
        "function of nequip": b"\x80\x02cnequip.utils\nload_callable\nX\x01\0\0\0x\x85R.",
        "after the end": pickle.dumps({}, 2)[:-1] + b"0cos\nsystem\nX" + b"\x01\0\0\0x\x85R.",
    }


PAYLOADS = sorted(payloads(Path("marker")))


@pytest.mark.parametrize("kind", sorted(PICKLES))
@pytest.mark.parametrize("name", PAYLOADS)
def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(tmp_path, name, kind):
    marker = tmp_path / "marker"
    entries = {
        PICKLES[kind]: payloads(marker)[name],
        "pkg/model/config.yaml": CONFIG,
    }
    path = write_archive(tmp_path / "evil.ckpt", entries)
    with pytest.raises(ValueError, match=r"refused|damaged"):
        load_nequip(path)
    assert not marker.exists()


def test_the_payloads_do_run_in_an_ordinary_unpickler(tmp_path):
    marker = tmp_path / "marker"
    pickle.loads(payloads(marker)["exec-2"])
    assert marker.exists()


def test_the_function_that_a_malicious_pickle_asks_for_is_named(tmp_path):
    payload = payloads(tmp_path / "marker")["eval-2"]
    path = write_archive(tmp_path / "evil.ckpt", {PICKLES["checkpoint"]: payload})
    with pytest.raises(
        ValueError, match=r"(__builtin__|builtins)\.eval.*nothing in it was executed"
    ):
        load_nequip(path)


def test_types_that_a_settings_container_notes_are_read_as_names():
    """As OmegaConf pickles what its lists and dictionaries may hold; Muon's checkpoints have it."""
    noted = {"ref_type": typing.Any, "element_type": int, "key_type": str}
    read = read_pickle(pickle.dumps(noted, protocol=2))
    assert {str(name) for name in read.values()} == {
        "typing.Any",
        "builtins.long",
        "builtins.unicode",
    }


def test_yaml_tags_in_a_package_construct_nothing(tmp_path):
    marker = tmp_path / "marker"
    tag = f"training_module: !!python/object/apply:os.system ['touch {marker}']".encode()
    entries = {"pkg/model/config.yaml": tag, PICKLES["package"]: pickle.dumps({}, 2)}
    with pytest.raises(ValueError, match="damaged"):
        load_nequip(write_archive(tmp_path / "evil.nequip.zip", entries))
    assert not marker.exists()


def test_foreign_files_are_refused_in_plain_words(tmp_path):
    (tmp_path / "text.ckpt").write_text("no weights here")
    (tmp_path / "legacy.ckpt").write_bytes(pickle.dumps({"state_dict": {}}))
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 not really")
    write_archive(tmp_path / "other.ckpt", {"word/document.xml": b"<w/>"})
    foreign = {PICKLES["checkpoint"]: pickle.dumps({"weights": [1.0]}, 2)}
    write_archive(tmp_path / "foreign.ckpt", foreign)
    small = {PICKLES["checkpoint"]: b"\x80\x02}."}
    write_archive(tmp_path / "compressed.ckpt", small, zipfile.ZIP_DEFLATED)
    messages = {
        "text.ckpt": "no zip archive",
        "legacy.ckpt": "no zip archive",
        "broken.npz": "no npz file",
        "other.ckpt": "no checkpoint or package",
        "foreign.ckpt": "hyper_parameters",
        "compressed.ckpt": "compressed",
        "missing.ckpt": "no file",
        "missing.npz": "no npz file",
    }
    for name, message in messages.items():
        with pytest.raises(ValueError, match=message):
            load_nequip(tmp_path / name)


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_checkpoint_is_refused(tmp_path, fraction):
    content = CHECKPOINT.read_bytes()
    (tmp_path / "cut.ckpt").write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(ValueError, match=r"cut\.ckpt"):
        load_nequip(tmp_path / "cut.ckpt")


def test_changed_weights_are_noticed(tmp_path):
    content = bytearray(CHECKPOINT.read_bytes())
    with zipfile.ZipFile(CHECKPOINT) as archive:
        start = archive.getinfo("archive/data/36").header_offset
        weights = archive.read("archive/data/36")
    content[content.index(weights, start)] ^= 1
    (tmp_path / "changed.ckpt").write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        load_nequip(tmp_path / "changed.ckpt")


def test_a_storage_that_is_too_short_for_its_tensors_is_noticed(tmp_path):
    entries = entries_of(CHECKPOINT)
    entries["archive/data/36"] = entries["archive/data/36"][:-64]
    with pytest.raises(ValueError, match="does not fit"):
        load_nequip(write_archive(tmp_path / "short.ckpt", entries))


def test_any_damage_to_the_pickle_ends_in_a_value_error_or_a_model(tmp_path):
    entries = entries_of(CHECKPOINT)
    original = entries["archive/data.pkl"]
    chance = random.Random(0)
    refused = 0
    for _ in range(60):
        damaged = bytearray(original)
        for _ in range(3):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        entries["archive/data.pkl"] = bytes(damaged)
        path = write_archive(tmp_path / "damaged.ckpt", entries)
        try:
            load_nequip(path)
        except ValueError:
            refused += 1
    assert refused > 20
