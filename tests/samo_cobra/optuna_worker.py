"""A worker process of the tests: `python -m tests.samo_cobra.optuna_worker URL TRIALS`.

It says "ready" once everything is imported, waits for a line, and runs its trials. With "hang" in
place of a number it begins one trial, says its number, and never ends.
"""

import sys
import time

import optuna
from optuna.distributions import FloatDistribution

from samo_cobra.optuna import SamoCobraSampler

STUDY = "shared"
SPACE = {"x": FloatDistribution(0.0, 5.0), "y": FloatDistribution(0.0, 3.0)}


def sampler(**options) -> SamoCobraSampler:
    return SamoCobraSampler(SPACE, seed=4, **options)


def objective(trial: optuna.Trial) -> tuple[float, float]:
    x, y = trial.suggest_float("x", 0.0, 5.0), trial.suggest_float("y", 0.0, 3.0)
    trial.set_constraint("disc", (x - 5) ** 2 + y - 25)
    return 4 * x**2 + 4 * y**2, (x - 5) ** 2 + (y - 5) ** 2


def hang(trial: optuna.Trial) -> tuple[float, float]:
    objective(trial)
    sys.stdout.write(f"{trial.number}\n")
    sys.stdout.flush()
    time.sleep(600)
    return 0.0, 0.0


def main(url: str, trials: str) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.load_study(study_name=STUDY, storage=url, sampler=sampler())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    if trials == "hang":
        study.optimize(hang, n_trials=1)
    else:
        study.optimize(objective, n_trials=int(trials))


if __name__ == "__main__":
    main(*sys.argv[1:])
