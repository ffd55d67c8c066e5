import importlib.util
import json
import subprocess
import sys

import pytest

MODULE = "tests.allegro_jax.graphs.store_measurements"


@pytest.mark.slow  # a minute: all of QM9 is read, written, and trained on for some seconds
@pytest.mark.skipif(importlib.util.find_spec("qm9pack") is None, reason="qm9pack is not installed")
def test_all_of_qm9_is_written_and_streamed_in_less_than_3_gib(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for way in ("write", "streamed"):
        command = [sys.executable, "-m", MODULE, str(tmp_path / "store"), "5", way]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        measured = json.loads(output.splitlines()[-1])
        assert measured["peak_rss_gib"] < 3
        assert measured.get("structures", 130_831) == 130_831
        assert measured.get("steps", 1) >= 1
