"""What a worker of Dask does of a search; no flags here, so that it can be imported there."""

from __future__ import annotations

import json
import platform
from pathlib import Path

from ml_collections import ConfigDict

from experiments import search_loop
from experiments.configs import search as base


def work(settings: str, workdir: str) -> str:
    """Works on a search; runs on a worker of Dask.

    Args:
        settings: Of the search, as JSON.
        workdir: Its folder.

    Returns:
        The host that did it.
    """
    config = base.get_config()
    config.update(ConfigDict(json.loads(settings)))
    search_loop.search(config, Path(workdir), wait=False, report=False)
    return platform.node()
