"""Trains a small potential of this folder: `-m tests.physics.potentials.make NAME SECONDS`."""

import sys
from pathlib import Path

import allegro_jax as aj
from allegro_jax.configs import ZBL, MLPConfig

POTENTIALS = {
    "aspirin": ("rmd17-aspirin", 4.0, aj.MLPReadout((16,))),
    "aspirin-mlp": ("rmd17-aspirin", 4.0, aj.StackedMLPReadout((16,), 8, (16, 16))),
    "aspirin-qdi": ("rmd17-aspirin", 4.0, aj.QDIReadout((16,), final_width=8)),
    "aspirin-2023": ("rmd17-aspirin", 4.0, aj.MLPReadout((16,))),
    "cu": ("cu", 4.2, aj.MLPReadout((16,))),
}
SIZE = {
    "l_max": 1,
    "num_layers": 1,
    "num_scalar_features": 16,
    "num_tensor_features": 8,
    "scalar_embed_mlp": MLPConfig(1, 16),
    "allegro_mlp": MLPConfig(1, 32),
    "pair_potential": ZBL(),
}
SIZE_2023 = {
    "architecture": "2023",
    "l_max": 1,
    "num_layers": 1,
    "num_tensor_features": 8,
    "two_body_widths": (16, 16),
    "latent_widths": (32, 16),
    "pair_potential": ZBL(),
}


def make(name: str, seconds: float) -> None:
    source, cutoff, readout = POTENTIALS[name]
    data = aj.official_split(aj.load(source), valid=20)
    size = SIZE_2023 if name.endswith("2023") else SIZE
    config = aj.config_from_data(data.train, cutoff=cutoff, readout=readout, **size)
    settings = aj.TrainingConfig(
        max_epochs=10_000,
        time_limit_s=seconds,
        learning_rate=0.01,
        energy_weight=10.0,
        stress_weight=100.0 if name == "cu" else 0.0,
    )
    result = aj.train(config, settings, data.train, data.valid)
    result.potential.save(Path(__file__).parent / name)
    sys.stdout.write(f"{name}: {result.best}\n")


if __name__ == "__main__":
    make(sys.argv[1], float(sys.argv[2]))
