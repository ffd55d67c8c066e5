"""What a person sees while a search runs: one bar, best values, remaining time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import optuna
from optuna.trial import TrialState
from tqdm import tqdm

from experiments.study import FAILURE, n_finished

UNITS = {"forces_mae": (1e3, "meV/Å"), "energy_mae": (1e3, "meV")}
"""Factor from eV and Å, and the unit shown, of each validation error."""

COMPILATIONS = "compilations"
"""Attribute of a trial: how many programs it compiled."""


class SearchProgress:
    """A progress bar over the trials of all variants.

    Args:
        studies: Study of each variant.
        trials: Trials of each.
        workdir: Folder of the search, named in the first line.
        error: Name of the error that is minimised.
    """

    def __init__(
        self, studies: Mapping[str, optuna.Study], trials: int, workdir: Path, error: str
    ) -> None:
        self._studies, self._trials, self._workdir = studies, trials, workdir
        self._error = error
        self._factor, self._unit = UNITS[error]
        self._current = ""
        self._number = 0
        self._bar: tqdm | None = None

    def __enter__(self) -> Self:
        total = self._trials * len(self._studies)
        done = sum(min(n_finished(study), self._trials) for study in self._studies.values())
        verb = f"continues at {done} of" if done else "begins:"
        tqdm.write(f"search in {self._workdir} {verb} {total} trials")
        self._bar = tqdm(total=total, initial=done, unit="trial", dynamic_ncols=True)
        self._show(self._best())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def trial_begins(self, variant: str, number: int) -> None:
        """Names the trial that runs."""
        self._current, self._number = f"{variant} {number}", number
        self._show(f"{self._current}: compiling | {self._best()}")

    def epoch_done(self, row: Mapping[str, float]) -> None:
        """Shows the validation error of the epoch just done."""
        error = f"epoch {row['epoch']:.0f}, {self._format(row[self._error])}"
        self._show(f"{self._current}: {error} | {self._best()}")

    def trial_done(self, study: optuna.Study) -> None:
        """Writes one line for the trial that this process has just finished."""
        trial = study.get_trials(deepcopy=False)[self._number]
        if trial.state == TrialState.COMPLETE:
            error, seconds = trial.values
            programs, compile_s = (trial.user_attrs[key] for key in (COMPILATIONS, "compilation"))
            result = (
                f"{self._format(error)}, {seconds:.3f} s, "
                f"{programs} programs compiled in {compile_s:.0f} s"
            )
        else:
            result = f"failed: {trial.user_attrs.get(FAILURE, 'interrupted')}"
        settings = ", ".join(f"{key} {_short(value)}" for key, value in trial.params.items())
        tqdm.write(f"{self._current}: {result}  ({settings})")
        if self._bar is not None:
            self._bar.update()
        self._show(self._best())

    def _best(self) -> str:
        parts = []
        for name, study in self._studies.items():
            done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            if done:
                parts.append(f"{name} {self._format(min(trial.values[0] for trial in done))}")
        return "best " + ", ".join(parts) if parts else ""

    def _show(self, text: str) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(text)

    def _format(self, error: float) -> str:
        return f"{self._factor * error:.1f} {self._unit}"


def _short(value: float) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
