"""The demonstration: all three variants on rMD17 aspirin, on a laptop, in under 15 minutes.

    make demo

which is `python -m experiments.search --config=experiments/configs/demo.py --workdir=runs/demo`.

Small models (l_max 1, 32 scalar and 8 tensor channels) and 21 trainings of 16 s: the shape of the
trade-off is real, the errors are those of very short runs. Measured on 2 cores: 10 minutes with the
installation, best validation force MAE of the variants 83 to 106 meV/Å (published for Allegro
trained to the end: 7.3, Musaelian et al. 2023).
"""

from ml_collections import ConfigDict

from experiments.configs import search


def get_config() -> ConfigDict:
    """Returns the settings of the demonstration."""
    config = search.get_config("rmd17-aspirin")
    config.trials = 7
    config.initial_trials = 4
    config.model.update({"l_max": 1, "num_scalar_features": 32, "num_tensor_features": 8})
    config.model.mlp_width = 32
    config.ranges.update(
        {"cutoff": (3.0, 7.0), "num_layers": (1, 2), "batch_size": (2, 6), "qdi_depth": (1, 2)}
    )
    config.ranges.update({"mlp_width_1": (4, 128), "mlp_width_2": (4, 128)})
    config.training.time_limit_s = 16.0
    config.timing.update({"batch_size": 20, "passes": 3, "final_passes": 7})
    return config
