"""What a person sees while a search runs: one bar, best values, remaining time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import optuna
from optuna.trial import TrialState
from tqdm import tqdm

from experiments.objectives import leading_error, shown
from experiments.searches.study import FAILURE, n_finished

COMPILATIONS = "compilations"
"""Attribute of a trial: how many programs it compiled."""


class SearchProgress:
    """A progress bar over the trials of all variants.

    Args:
        studies: Study of each variant.
        trials: Trials of each.
        workdir: Folder of the search, named in the first line.
        objectives: Names of what is minimised.
    """

    def __init__(
        self,
        studies: Mapping[str, optuna.Study],
        trials: int,
        workdir: Path,
        objectives: Sequence[str],
    ) -> None:
        self._studies, self._trials, self._workdir = studies, trials, workdir
        self._objectives = tuple(objectives)
        self._current = ""
        self._number = 0
        self._bar: tqdm | None = None

    def __enter__(self) -> Self:
        total = self._trials * len(self._studies)
        done = self._done()
        verb = f"continues at {done} of" if done else "begins:"
        tqdm.write(f"search in {self._workdir} {verb} {total} trials")
        # Processes that share a terminal draw no bar: `disable=None` leaves it out of pipes.
        self._bar = tqdm(total=total, initial=done, unit="trial", dynamic_ncols=True, disable=None)
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
        name = leading_error(self._objectives)
        error = f", {shown(name, row[name])}" if name in row else ""
        self._show(f"{self._current}: epoch {row['epoch']:.0f}{error} | {self._best()}")

    def trial_done(self, study: optuna.Study) -> None:
        """Writes one line for the trial that this process has just finished."""
        trial = study.get_trials(deepcopy=False)[self._number]
        if trial.state == TrialState.COMPLETE:
            values = zip(self._objectives, trial.values, strict=True)
            programs, compile_s = (trial.user_attrs[key] for key in (COMPILATIONS, "compilation"))
            result = ", ".join(shown(name, value) for name, value in values)
            result += f", {programs} programs compiled in {compile_s:.0f} s"
        else:
            result = f"failed: {trial.user_attrs.get(FAILURE, 'interrupted')}"
        settings = ", ".join(f"{key} {_short(value)}" for key, value in trial.params.items())
        tqdm.write(f"{self._current}: {result}  ({settings})")
        self._show(self._best())

    def waits(self) -> None:
        """Tells that nothing is left to begin while others are still at work."""
        self._show(f"waiting for the trials of other workers | {self._best()}")

    def _done(self) -> int:
        return sum(min(n_finished(study), self._trials) for study in self._studies.values())

    def _best(self) -> str:
        parts = []
        for variant, study in self._studies.items():
            done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            if done:
                best = min(trial.values[0] for trial in done)
                parts.append(f"{variant} {shown(self._objectives[0], best)}")
        return "best " + ", ".join(parts) if parts else ""

    def _show(self, text: str) -> None:
        if self._bar is not None:
            self._bar.n = self._done()  # other workers end trials too
            self._bar.set_postfix_str(text)


def _short(value: float) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
