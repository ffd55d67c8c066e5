"""Search of accuracy against speed: Allegro, Allegro+MLP and Allegro+QDI on one data set.

    python -m experiments.search --config=experiments/configs/search.py:rmd17-aspirin --workdir=DIR

Data sets: rmd17-aspirin, rmd17-benzene, qm9, culi, cu, li. Every trial is a short training of at
most `config.training.time_limit_s` seconds plus compilation and timing; the whole search takes
about `len(variants) * trials` times that. `config.variants` may also name the controls of QDI
(`experiments.spaces.CONTROLS`, docs/readouts.md). Any value can be set by a flag:
`--config.trials=40 --config.training.time_limit_s=600 --config.ranges.cutoff='(4.0, 8.0)'`.

What is minimised is the paper's pair by default: force error (energy error on QM9, which has no
forces) and inference time. `config.objectives` names any two or three quantities of
`experiments.objectives`, `config.constraints.<name>` limits any of them from above, and
`config.sampler` chooses who searches; docs/searching.md has the rest.
"""

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder

from experiments import objectives, spaces


def get_config(dataset: str = "rmd17-aspirin") -> ConfigDict:
    """Returns the settings of a search on `dataset`."""
    config = ConfigDict()
    config.variants = ("allegro", "allegro-mlp", "allegro-qdi")
    config.trials = 60
    config.initial_trials = 12
    config.seed = 0
    config.storage = ""
    config.study = ""
    config.sampler = "samo"
    config.objectives = ()
    config.constraints = ConfigDict({name: placeholder(float) for name in objectives.QUANTITIES})
    config.prune = ConfigDict({"factor": 0.0, "after": 0.3, "trials": 5})
    config.heartbeat_s = 30

    config.data = data_config(dataset)
    config.model = model_config()
    config.ranges = ConfigDict(spaces.ranges(dataset))
    config.training = ConfigDict(
        {
            "max_epochs": 1000,
            "time_limit_s": 300.0,
            "schedule": "cosine",
            "energy_weight": 1.0,
            "forces_weight": 1.0,
            "ema_decay": 0.99,
            "clip_norm": 10.0,
        }
    )
    config.timing = ConfigDict({"batch_size": 20, "passes": 5, "final_passes": 15, "lock_file": ""})
    return config


def data_config(dataset: str) -> ConfigDict:
    """Returns which structures are used: the official split where there is one."""
    sizes = {"rmd17-aspirin": 50, "rmd17-benzene": 50, "culi": 0, "cu": 30, "li": 30}
    config = ConfigDict({"name": dataset, "path": "", "split_seed": 0, "train": 0, "test": 0})
    config.valid = sizes.get(dataset, 500)
    if dataset == "qm9":
        config.train, config.test = 3500, 1000
    return config


def model_config() -> ConfigDict:
    """Returns the fields of the model's config that the search leaves alone.

    `architecture` is "2025", that of nequip-allegro 0.8, or "2023", that of the 2023 paper.
    """
    return ConfigDict(
        {
            "architecture": "2025",
            "l_max": 2,
            "num_scalar_features": 64,
            "num_tensor_features": 16,
            "num_bessels": 8,
            "mlp_depth": 1,
            "mlp_width": 64,
            "n_qubits": 4,
        }
    )
