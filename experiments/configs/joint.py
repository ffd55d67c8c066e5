"""Search of energy error, force error and inference time together, which the paper leaves open.

    python -m experiments.search --config=experiments/configs/joint.py:rmd17-aspirin --workdir=DIR

All else is that of `search.py`. QM9 has no forces, and so no such search.
"""

from ml_collections import ConfigDict

from experiments.configs import search


def get_config(dataset: str = "rmd17-aspirin") -> ConfigDict:
    """Returns the settings of a search of three objectives on `dataset`."""
    config = search.get_config(dataset)
    config.objectives = ("energy_mae", "forces_mae", "inference_time")
    return config
