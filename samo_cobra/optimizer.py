"""The optimiser: ask for points, tell what came out. The only stateful object of the package."""

import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from samo_cobra import choice, design, infill, pareto, surrogates
from samo_cobra.history import Front, History, Trial
from samo_cobra.padding import capacity, pad_rows
from samo_cobra.precision import float64_on_cpu
from samo_cobra.space import Space

_FORMAT = 1
# Latest evaluations that count in the choice of models besides those that extended the front.
_LATEST = 2


class Optimizer:
    """Surrogate-assisted multi-objective constrained optimiser, all objectives minimised.

    A suggestion is a function of the seed, the trials in the order they were told, and the pending
    points: an optimiser rebuilt by the same ``tell`` calls, or loaded, suggests the same points.

    Args:
        space: what to search.
        n_objectives: number of objectives, at least 1.
        n_constraints: number of constraints, feasible where every one is <= 0.
        reference_point: upper corner of the hypervolume. By default the worst of each objective in
            the first ``initial_points`` successful trials plus 10 % of their spread; it stays
            fixed from then on.
        seed: non-negative seed of the initial design and of the inner search.
        initial_points: size of the initial design; by default ``space.dims + 1``.

    Raises:
        ValueError: if a count or the reference point does not fit.

    Example:
        >>> from samo_cobra import Optimizer, Real, Space
        >>> optimizer = Optimizer(Space([Real("x", 0.0, 2.0)]), 2, reference_point=(4.0, 4.0))
        >>> for _ in range(4):
        ...     (point,) = optimizer.ask()
        ...     optimizer.tell(point, [point["x"] ** 2, (point["x"] - 2.0) ** 2])
        >>> optimizer.hypervolume() > 8.0
        True
    """

    def __init__(
        self,
        space: Space,
        n_objectives: int,
        n_constraints: int = 0,
        reference_point: Sequence[float] | None = None,
        seed: int = 0,
        initial_points: int | None = None,
    ) -> None:
        if n_objectives < 1 or n_constraints < 0:
            raise ValueError(
                "need n_objectives >= 1 and n_constraints >= 0, "
                f"got {n_objectives} and {n_constraints}"
            )
        if initial_points is not None and initial_points < 1:
            raise ValueError(f"initial_points must be at least 1, got {initial_points}")
        if seed < 0:
            raise ValueError(f"seed must not be negative, got {seed}")
        self.space = space
        self.n_objectives = n_objectives
        self.n_constraints = n_constraints
        self.seed = seed
        self.initial_points = space.dims + 1 if initial_points is None else initial_points
        self._given_reference = _check_reference(reference_point, n_objectives)
        self._trials: list[Trial] = []
        self._units: list[Float[np.ndarray, " dims"]] = []
        # Errors of all models at each successful trial: derived from the trials, kept for speed.
        self._errors: list[Float[np.ndarray, "models outputs"]] = []
        self._fitted: tuple[int, surrogates.Surrogates] | None = None
        self._sobol: Float[np.ndarray, "candidates dims"] | None = None

    def tell(
        self,
        x: Mapping[str, Any],
        objectives: Sequence[float] | np.ndarray | None = None,
        constraints: Sequence[float] | np.ndarray | None = None,
    ) -> None:
        """Records the outcome of one evaluation.

        Args:
            x: named parameter values; any point of the space, suggested or not.
            objectives: objective values. ``None``, or a value that is NaN or infinite, here or in
                the constraints, records a failure: the place is avoided and never modelled.
            constraints: constraint values, feasible where <= 0; may be left out for a failure.

        Raises:
            ValueError: if names, ranges or lengths do not fit.
        """
        # Numbers out of arrays would not survive JSON.
        point = {name: v.item() if isinstance(v, np.generic) else v for name, v in x.items()}
        unit = self.space.to_unit(point)
        if objectives is not None and len(objectives) != self.n_objectives:
            raise ValueError(f"expected {self.n_objectives} objectives, got {len(objectives)}")
        given = () if constraints is None else tuple(float(g) for g in constraints)
        if len(given) != self.n_constraints and (objectives is not None or given):
            raise ValueError(f"expected {self.n_constraints} constraints, got {len(given)}")
        values = None if objectives is None else tuple(float(f) for f in objectives)
        if values is None or not np.all(np.isfinite(values + given)):
            values, given = None, ()
        self._trials.append(Trial(point, values, given))
        self._units.append(unit)

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All trials in the order they were told."""
        return tuple(self._trials)

    @property
    def reference_point(self) -> Float[np.ndarray, " objectives"] | None:
        """Upper corner of the hypervolume; ``None`` until there is data for the automatic one."""
        if self._given_reference is not None:
            return self._given_reference.copy()
        first = self._history().objectives[: self.initial_points]
        if len(first) == 0:
            return None
        spread = np.ptp(first, axis=0)
        return first.max(axis=0) + 0.1 * np.where(spread > 0.0, spread, 1.0)

    def front(self) -> Front:
        """Returns the feasible trials that no other feasible trial dominates."""
        history = self._history()
        good = history.front()
        successes = [t for t in self._trials if not t.failed]
        return Front(
            [dict(successes[i].x) for i in good],
            history.objectives[good],
            history.constraints[good],
        )

    def hypervolume(self) -> float:
        """Hypervolume of the front with respect to :attr:`reference_point`."""
        reference = self.reference_point
        if reference is None:
            return 0.0
        return pareto.hypervolume(self.front().objectives, reference)

    def ask(self, n: int = 1, pending: Iterable[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
        """Suggests the next points to evaluate.

        The first ``initial_points`` come from a scrambled Sobol sequence, the others from the
        surrogates. In a batch, and with pending points, the models believe their own predictions
        of the points under way. A point of a discrete space is suggested again only when no
        other is left.

        Args:
            n: number of points.
            pending: points that are being evaluated elsewhere.

        Returns:
            ``n`` points, most promising first.

        Raises:
            ValueError: if ``n`` is below 1 or a pending point is outside the space.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        under_way = list(pending)
        suggestions = []
        for _ in range(n):
            x = self.suggest(len(self._trials) + len(under_way), under_way)
            suggestions.append(x)
            under_way.append(x)
        return suggestions

    def suggest(self, number: int, pending: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
        """Suggests the point of trial ``number``, for workers that share one numbered history.

        Workers that pass their trial numbers take different points of one initial design without
        talking to each other, and different random numbers for the inner search.

        Args:
            number: number of the trial, from 0.
            pending: points that are being evaluated elsewhere.

        Returns:
            Named parameter values.

        Raises:
            ValueError: if ``number`` is negative or a pending point is outside the space.
        """
        if number < 0:
            raise ValueError(f"number must not be negative, got {number}")
        units = [self.space.to_unit(x) for x in pending]
        if self._needs_design(number, len(units)):
            return self.space.from_unit(self._design_point(number, units))
        rng = np.random.default_rng([self.seed, number, len(self._trials)])
        under_way = 2.0 * np.array(units).reshape(-1, self.space.dims) - 1.0
        return self.space.from_unit(0.5 * (self._infill(under_way, rng) + 1.0))

    def _needs_design(self, number: int, n_pending: int) -> bool:
        """Whether there are too few outcomes for models; failures prolong the design."""
        successes = sum(not t.failed for t in self._trials)
        if number < self.initial_points or successes < min(2, self.initial_points):
            return True
        wanting = successes + n_pending < self.initial_points
        return wanting and number < 2 * self.initial_points

    def _design_point(
        self, index: int, under_way: list[Float[np.ndarray, " dims"]]
    ) -> Float[np.ndarray, " dims"]:
        """Point ``index`` of the sequence, or the next one that is not a repetition."""
        taken = np.array([*self._units, *under_way]).reshape(-1, self.space.dims)
        sequence = design.low_discrepancy(index + 64, self.space.dims, self.seed)
        snapped = self.space.snap(sequence[index:])
        fresh = snapped[infill.fresh(snapped, taken)]
        if len(fresh) == 0 and self.space.size <= infill.LARGEST_GRID:
            # Of a nearly exhausted space the sequence may miss the last points.
            rng = np.random.default_rng([self.seed, index])
            return 0.5 * (infill.unevaluated(self.space, 2.0 * taken - 1.0, rng)[0] + 1.0)
        return fresh[0] if len(fresh) else snapped[0]

    def _infill(
        self, pending: Float[np.ndarray, "pending dims"], rng: np.random.Generator
    ) -> Float[np.ndarray, " dims"]:
        history = self._history()
        model, history = self._model(history, pending)
        reference = self.reference_point
        assert reference is not None  # two successful trials are enough for one
        if self._sobol is None:
            self._sobol = design.low_discrepancy(infill.N_CANDIDATES, self.space.dims, self.seed)
        pool = infill.candidates(self.space, history.elite(), history.taken, self._sobol, rng)
        free = ~self.space.discrete_axes
        margins = self._history().margins(self.initial_points)
        best = infill.search(infill.problem(history, model, reference, margins), pool, free)
        inside = history.feasible & np.all(history.objectives < reference, axis=1)
        if best.gain <= 0.0 and not inside.any():
            # The reference point looks out of reach: work on the best front there is.
            reachable = infill.reachable_reference(history, reference)
            best = infill.search(infill.problem(history, model, reachable, margins), pool, free)
        return best.z

    def _model(
        self, history: History, pending: Float[np.ndarray, "pending dims"]
    ) -> tuple[surrogates.Model, History]:
        """Chosen models, and the history in which pending points have their believed outputs."""
        self._complete_errors(history)
        fitted = self._fit_told(history, len(history))
        reference = self.reference_point
        assert reference is not None
        improved = choice.improving(history.objectives, history.feasible, reference)
        chosen = choice.choose(np.array(self._errors), improved, _LATEST)
        with float64_on_cpu():
            model = surrogates.select(fitted, jnp.asarray(chosen))
            if len(pending) == 0:
                return model, history
            padded = jnp.asarray(pad_rows(pending, capacity(len(pending))))
            believed = np.asarray(surrogates.predict(model, padded)[0])[: len(pending)]
            # A wild extrapolation is not worth believing: it would set the scale of the next fit.
            spread = np.ptp(history.values, axis=0)
            low, high = history.values.min(axis=0) - spread, history.values.max(axis=0) + spread
            history = history.extended(pending, np.clip(believed, low, high))
            return surrogates.select(_fit(history, len(history)), jnp.asarray(chosen)), history

    def _fit_told(self, history: History, n: int) -> surrogates.Surrogates:
        """Models of the first ``n`` successful trials; the latest are kept for the next call."""
        if self._fitted is None or self._fitted[0] != n:
            self._fitted = (n, _fit(history, n))
        return self._fitted[1]

    def _complete_errors(self, history: History) -> None:
        """Lets the models of every earlier moment predict the trial that came next."""
        for j in range(len(self._errors), len(history)):
            if j < self.initial_points:
                outputs = history.values.shape[1]
                self._errors.append(np.zeros((surrogates.N_MODELS, outputs)))
            else:
                models = self._fit_told(history, j)
                self._errors.append(
                    choice.prediction_errors(models, history.z[j], history.values[j])
                )

    def _history(self) -> History:
        sizes = (self.space.dims, self.n_objectives, self.n_constraints)
        return History.of(self._trials, self._units, sizes)

    def to_json(self) -> dict[str, Any]:
        """Plain data from which :meth:`from_json` rebuilds the optimiser."""
        given = self._given_reference
        return {
            "format": _FORMAT,
            "space": self.space.to_json(),
            "n_objectives": self.n_objectives,
            "n_constraints": self.n_constraints,
            "reference_point": None if given is None else given.tolist(),
            "seed": self.seed,
            "initial_points": self.initial_points,
            "trials": [_trial_to_json(t) for t in self._trials],
            # Derived, but as dear to compute as all the fits of the run.
            "errors": [e.tolist() for e in self._errors],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Optimizer":
        """Rebuilds an optimiser; its next suggestion is the one the original would make.

        Raises:
            ValueError: if the data were written by another format version.
        """
        if data.get("format") != _FORMAT:
            raise ValueError(f"expected format {_FORMAT}, got {data.get('format')!r}")
        names = ("n_objectives", "n_constraints", "reference_point", "seed", "initial_points")
        optimizer = cls(Space.from_json(data["space"]), **{name: data[name] for name in names})
        for trial in data["trials"]:
            optimizer.tell(trial["x"], trial["objectives"], trial["constraints"])
        optimizer._errors = [np.array(e) for e in data["errors"]]
        return optimizer

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the optimiser as JSON; a reader never sees half a file."""
        target = Path(path)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(self.to_json(), file, allow_nan=False)
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Optimizer":
        """Reads what :meth:`save` wrote."""
        return cls.from_json(json.loads(Path(path).read_text(encoding="utf-8")))


def _fit(history: History, n: int) -> surrogates.Surrogates:
    """Models of the first ``n`` points of a history."""
    size = capacity(n)
    with float64_on_cpu():
        return surrogates.fit(
            jnp.asarray(pad_rows(history.z[:n], size)),
            jnp.asarray(pad_rows(history.values[:n], size)),
            jnp.asarray(np.arange(size) < n),
            n_objectives=history.objectives.shape[1],
        )


def _check_reference(
    reference: Sequence[float] | None, n_objectives: int
) -> Float[np.ndarray, " objectives"] | None:
    if reference is None:
        return None
    point = np.array(reference, dtype=float)
    if point.shape != (n_objectives,) or not np.all(np.isfinite(point)):
        raise ValueError(
            f"reference_point must be {n_objectives} finite numbers, got {reference!r}"
        )
    return point


def _trial_to_json(trial: Trial) -> dict[str, Any]:
    objectives = None if trial.objectives is None else list(trial.objectives)
    return {"x": trial.x, "objectives": objectives, "constraints": list(trial.constraints)}
