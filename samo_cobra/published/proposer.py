"""From the history to the next point, one at a time: design, models, search and margins."""

import time
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from scipy.stats import qmc

from samo_cobra import choice, surrogates, transforms
from samo_cobra.history import History
from samo_cobra.margins import by_outcomes
from samo_cobra.proposals import Proposal, Proposer
from samo_cobra.published import models
from samo_cobra.published.infill import Infill
from samo_cobra.published.search import Effort, choose, search
from samo_cobra.records import Record
from samo_cobra.settings import Settings
from samo_cobra.space import Real
from samo_cobra.statement import Statement


class PublishedProposer(Proposer):
    """Proposes points as the authors' program does.

    The effort of the search is state: it follows from how the searches so far ended, which is in
    their records. Everything else is computed from the trials.

    Args:
        statement: the problem.
        settings: criterion, and number of latest trials that count in the choice of models.
        seed: seed of the start point and of the inner search.
        records: records of past suggestions, as they come.

    Raises:
        ValueError: if the published algorithm cannot do the problem.
    """

    def __init__(
        self,
        statement: Statement,
        settings: Settings,
        seed: int,
        records: Mapping[int, Record],
    ) -> None:
        super().__init__(statement, settings, seed)
        _check(statement, settings)
        self._records = records
        self._size = statement.space.dims + statement.n_objectives + statement.n_constraints
        self._errors: dict[int, Float[np.ndarray, "models outputs"]] = {}
        self._fits: tuple[int, models.Fits] | None = None

    def propose(
        self,
        history: History,
        n_trials: int,
        number: int,
        pending: Float[np.ndarray, "pending dims"],
        at_once: int,  # noqa: ARG002
    ) -> Proposal:
        """The next point; it depends on the trials told, not on the other arguments.

        Raises:
            ValueError: if a trial failed or is pending, which the published algorithm cannot do.
        """
        _check_told(len(history), n_trials, len(pending))
        if len(history) < self._statement.initial_points:
            return Proposal(self._design()[len(history)])
        return self._infill(history, number)

    def _infill(self, history: History, number: int) -> Proposal:
        started = time.process_time()
        n, k = len(history), self._statement.n_objectives
        reference = self._statement.reference(history)
        assert reference is not None  # _check saw it
        fits = self._fit(history, n)
        chosen, scores = models.choose(self._counted_errors(history, reference))
        margins = by_outcomes(history.constraints[self._statement.initial_points :])
        uncertainty = fits.moments.scale[:k, 0] if self._settings.infill == "sms" else None
        predictor, front = models.Predictor(fits, chosen), history.objectives[history.front()]
        posed = Infill(predictor, front, reference, margins, uncertainty)
        ends = search(posed, self.effort(n), self._seed + n + 1)
        best = choose(ends)
        z = np.clip(best.z, -1.0, 1.0)
        record = Record(
            id=number,
            kernels=tuple(surrogates.KERNELS[c // 2] for c in chosen),
            versions=tuple(transforms.VERSIONS[c % 2] for c in chosen),
            errors=_plain(scores),
            predicted=self.in_own_signs(posed.outputs(z)),
            gain=max(-best.value, 0.0),
            margins=_plain(margins),
            reference_point=_plain(self._statement.signs * reference),
            n_trials=n,
            n_pending=0,
            steps=sum(end.calls for end in ends),
            cpu_s=time.process_time() - started,
            converged=all(end.success for end in ends),
        )
        return Proposal(z, record=record)

    def effort(self, n_trials: int) -> Effort:
        """Effort of the search after ``n_trials`` trials, from how earlier ones ended.

        Trials that were not suggested here change nothing; of a suggestion that was forgotten and
        made again the later one counts.
        """
        outcomes = {r.n_trials: r.converged for _, r in sorted(self._records.items())}
        effort = Effort.first(self._size)
        for n in range(n_trials):
            converged = outcomes.get(n)
            if converged is not None:
                effort = effort.adapted(converged, self._size)
        return effort

    def _design(self) -> Float[np.ndarray, "initial dims"]:
        """Step 1: one random point, then the Halton sequence from its second point on.

        The random point is low + u * high, cut off at the bounds, as in the authors' scripts.
        """
        reals = [p for p in self._statement.space.parameters if isinstance(p, Real)]
        low, high = (np.array([getattr(p, end) for p in reals]) for end in ("low", "high"))
        first = low + np.random.RandomState(self._seed).uniform(size=len(reals)) * high
        unit = (np.clip(first, low, high) - low) / (high - low)
        halton = qmc.Halton(len(reals), scramble=False).random(self._statement.initial_points)
        return 2.0 * np.concatenate([unit[None], halton[1:]]) - 1.0

    def _counted_errors(
        self, history: History, reference: Float[np.ndarray, " objectives"]
    ) -> Float[np.ndarray, "counted models outputs"]:
        improved = choice.improving(history.objectives, history.feasible, reference)
        counted = models.counted(improved, self._settings.latest)
        return np.array([self._errors_at(history, int(j)) for j in counted])

    def _errors_at(self, history: History, j: int) -> Float[np.ndarray, "models outputs"]:
        """Squared errors at trial ``j``; those of the initial design are 0 for all models."""
        if j < self._statement.initial_points:
            return np.zeros((models.N_MODELS, history.values.shape[1]))
        if j not in self._errors:
            updated = models.moments(history.values[: j + 1], self._statement.n_objectives)
            self._errors[j] = models.squared_errors(
                self._fit(history, j), updated, history.z[j], history.values[j]
            )
        return self._errors[j]

    def _fit(self, history: History, n: int) -> models.Fits:
        """Models of the first ``n`` trials; the latest are kept for the next errors."""
        if self._fits is None or self._fits[0] != n:
            k = self._statement.n_objectives
            self._fits = (n, models.fit(history.z[:n], history.values[:n], k))
        return self._fits[1]


def _check(statement: Statement, settings: Settings) -> None:
    reals = [p for p in statement.space.parameters if isinstance(p, Real)]
    refused = {
        "fewer than two objectives": statement.n_objectives < 2,
        "problems without constraints": statement.n_constraints < 1,
        "automatic reference points": statement.given_reference is None,
        "designs of one point": statement.initial_points < 2,
        "integers and choices": len(reals) < len(statement.space.parameters),
        "logarithmic parameters": any(p.log for p in reals),
        "conditional parameters": any(p.when is not None for p in reals),
        "known constraints": len(statement.restrictions) > 0,
        "inexpensive outputs": len(statement.exact.functions) > 0,
        "noise": settings.noise,
        "choice by leave-one-out errors": settings.model_choice != "prediction",
        "joint batches": settings.batch != "sequential",
    }
    found = [name for name, present in refused.items() if present]
    if found:
        raise ValueError(
            f"the published preset cannot do {', '.join(found)}; use the recommended settings"
        )


def _check_told(n_complete: int, n_trials: int, n_pending: int) -> None:
    if n_trials > n_complete:
        raise ValueError(
            "the published preset cannot do failed or partly measured trials, got "
            f"{n_trials - n_complete}; use the recommended settings"
        )
    if n_pending:
        raise ValueError(
            f"the published preset suggests one point at a time, got {n_pending} pending; tell or "
            "forget them first, or use the recommended settings"
        )


def _plain(values: Float[np.ndarray, " values"]) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
