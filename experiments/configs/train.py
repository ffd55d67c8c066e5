"""Training of one potential on one data set.

    python -m experiments.train --config=experiments/configs/train.py:rmd17-aspirin --workdir=DIR

Model and data are those of `search.py`; the hyperparameters are the first trial of a search. Any
value can be set by a flag: `--config.variant=allegro-qdi --config.params.cutoff=6.0`;
`--config.training.devices=1` takes one device where there are more.
"""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from experiments import spaces
from experiments.configs import search


def get_config(dataset: str = "rmd17-aspirin") -> ConfigDict:
    """Returns the settings of a training on `dataset`."""
    base = search.get_config(dataset)
    config = ConfigDict({"variant": "allegro", "seed": 0})
    config.data, config.model, config.training = base.data, base.model, base.training
    config.data.by_group = False
    config.params = ConfigDict(dict(spaces.DEFAULTS))
    config.training.time_limit_s = 1800.0
    config.model.pair_potential = placeholder(str)  # "zbl" or "zbl-covalent"
    config.training.devices = placeholder(int)
    config.training.dispersion = placeholder(str)  # such as "PBE-D3(BJ)"
    config.training.resident_gb = 1.0
    return config
