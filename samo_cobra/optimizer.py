"""The optimiser: ask for points, tell what came out. The only stateful object of the package."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from samo_cobra import pareto, state
from samo_cobra.exact import Function
from samo_cobra.history import History
from samo_cobra.modelling import Modeller
from samo_cobra.proposals import Proposal, Proposer
from samo_cobra.published import PublishedProposer
from samo_cobra.records import Record
from samo_cobra.settings import Settings
from samo_cobra.space import Restriction, Space
from samo_cobra.statement import Direction, Statement
from samo_cobra.trials import Front, Outputs, Suggestion, Trial, read_outputs


class Optimizer:
    """Surrogate-assisted multi-objective constrained optimiser.

    A suggestion is a function of the seed, the trials in the order they were told, and the pending
    points: an optimiser rebuilt by the same calls, or loaded, suggests the same points.

    Args:
        space: what to search.
        n_objectives: number of objectives, at least 1.
        n_constraints: number of constraints, feasible where every one is <= 0.
        directions: ``"minimize"`` or ``"maximize"`` per objective; all are minimised by default.
        reference_point: worst corner of the hypervolume, in the signs of the objectives. By
            default the worst of each objective in the first ``initial_points`` complete trials
            plus 10 % of their spread, growing where the front reaches further.
        known_constraints: restrictions on the parameters that every suggestion keeps:
            :class:`~samo_cobra.Linear` or functions of the named values, feasible where <= 0 or
            True.
        inexpensive_objectives: objectives that are functions of the named values, by their place
            among the objectives; they are called in the search and never modelled.
        inexpensive_constraints: the same for constraints.
        seed: non-negative seed of the initial design and of the inner search.
        initial_points: size of the initial design; by default ``space.dims + 1``.
        settings: choices of method.

    Raises:
        ValueError: if a count, a direction or the reference point does not fit.

    Example:
        >>> from samo_cobra import Optimizer, Real, Space
        >>> optimizer = Optimizer(Space([Real("x", 0.0, 2.0)]), 2, reference_point=(4.0, 4.0))
        >>> for _ in range(4):
        ...     (point,) = optimizer.ask()
        ...     trial = optimizer.tell(point, [point.x["x"] ** 2, (point.x["x"] - 2.0) ** 2])
        >>> optimizer.hypervolume() > 8.0
        True
    """

    def __init__(
        self,
        space: Space,
        n_objectives: int,
        n_constraints: int = 0,
        *,
        directions: Sequence[Direction] | None = None,
        reference_point: Sequence[float] | None = None,
        known_constraints: Sequence[Restriction] = (),
        inexpensive_objectives: Mapping[int, Function] | None = None,
        inexpensive_constraints: Mapping[int, Function] | None = None,
        seed: int = 0,
        initial_points: int | None = None,
        settings: Settings | None = None,
    ) -> None:
        if seed < 0:
            raise ValueError(f"seed must not be negative, got {seed}")
        self.statement = Statement.of(
            space,
            n_objectives,
            n_constraints,
            directions,
            reference_point,
            known_constraints,
            inexpensive_objectives,
            inexpensive_constraints,
            initial_points,
        )
        self.seed = int(seed)
        self.settings = Settings() if settings is None else settings
        self._exact = self.statement.exact
        self._proposer = Proposer(self.statement, self.settings, seed)
        self._trials: list[Trial] = []
        self._units: list[Float[np.ndarray, " dims"]] = []
        self._pending: dict[int, dict[str, Any]] = {}
        self._records: dict[int, Record] = {}
        if self.settings.preset == "published":
            self._proposer = PublishedProposer(self.statement, self.settings, seed, self._records)
        self._next_id = 0

    @property
    def space(self) -> Space:
        """What is searched."""
        return self.statement.space

    @property
    def initial_points(self) -> int:
        """Size of the initial design."""
        return self.statement.initial_points

    # Trials

    def tell(
        self,
        point: Suggestion | int | Mapping[str, Any],
        objectives: Outputs | None = None,
        constraints: Outputs | None = None,
        *,
        failed: bool | None = None,
    ) -> Trial:
        """Records the outcome of one evaluation.

        Args:
            point: a suggestion or its id; or named values of any other point of the space, for
                instance of data that existed before.
            objectives: objective values; None for one that was not measured (the inexpensive
                ones may be left None), NaN or infinity for one that broke.
            constraints: constraint values, feasible where <= 0, with None and NaN alike.
            failed: whether the evaluation failed (crashed, timed out). A failure teaches where
                not to go; whatever it measured is used all the same. By default a trial failed
                if an output is NaN or infinite, or if nothing at all was measured.

        Returns:
            The trial as recorded.

        Raises:
            ValueError: if the id is unknown, or names, ranges or lengths do not fit.
        """
        number, x = self._resolve(point)
        unit = self.space.to_unit(x)
        if not failed:
            self._check_given(objectives, constraints)
        f, f_broken = read_outputs("objectives", objectives, self.statement.n_objectives)
        g, g_broken = read_outputs("constraints", constraints, self.statement.n_constraints)
        nothing = all(v is None for v in f + g) and len(self._exact.functions) < len(f + g)
        broke = f_broken or g_broken or nothing if failed is None else failed
        if not broke:
            completed = self._exact.complete(x, f + g)
            f, g = completed[: len(f)], completed[len(f) :]
        trial = Trial(number, x, f, g, broke)
        self._trials.append(trial)
        self._units.append(unit)
        self._pending.pop(number, None)
        self._next_id = max(self._next_id, number + 1)
        return trial

    def _check_given(self, objectives: Outputs | None, constraints: Outputs | None) -> None:
        """Outputs are left out all together or not at all: half of them is a slip."""
        if (objectives is None) == (constraints is None):
            return
        kind = "constraints" if constraints is None else "objectives"
        expected = getattr(self.statement, f"n_{kind}")
        if expected > len(getattr(self.statement, f"inexpensive_{kind}")):
            raise ValueError(
                f"expected {expected} {kind}, got none; give None in the place of each one that "
                "was not measured"
            )

    def _resolve(self, point: Suggestion | int | Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        if isinstance(point, Mapping):
            # Numbers out of arrays would not survive JSON.
            plain = {n: v.item() if isinstance(v, np.generic) else v for n, v in point.items()}
            return self._next_id, plain
        number = point.id if isinstance(point, Suggestion) else int(point)
        if number not in self._pending:
            raise ValueError(
                f"trial {number} is not pending; pending are {sorted(self._pending)}. Give the "
                "named values to record a point that was not suggested"
            )
        return number, self._pending[number]

    def forget(self, point: Suggestion | int) -> None:
        """Drops a pending suggestion that will never be told, as if it had not been made.

        Raises:
            ValueError: if it is not pending.
        """
        number, _ = self._resolve(point)
        del self._pending[number]

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All trials in the order they were told."""
        return tuple(self._trials)

    @property
    def pending(self) -> tuple[Suggestion, ...]:
        """Suggestions whose outcome has not been told."""
        return tuple(Suggestion(i, dict(x)) for i, x in self._pending.items())

    @property
    def records(self) -> tuple[Record, ...]:
        """What the models decided, one record per suggestion that came from them."""
        return tuple(self._records[i] for i in sorted(self._records))

    # Results

    @property
    def reference_point(self) -> Float[np.ndarray, " objectives"] | None:
        """Worst corner of the hypervolume; ``None`` until there is data for the automatic one."""
        reference = self.statement.reference(self._history())
        return None if reference is None else self.statement.signs * reference

    def front(self) -> Front:
        """Returns the feasible trials that no other feasible trial dominates, as measured."""
        return self._front_of(self._history())

    def smoothed_front(self) -> Front:
        """Returns the front of the models' means at the trials: for noisy outputs.

        Where noise flatters single measurements, :meth:`front` collects the lucky ones.

        Raises:
            ValueError: if there are fewer than two complete trials.
        """
        history = self._history()
        reference = self.statement.reference(history)
        if len(history) < 2 or reference is None:
            raise ValueError(f"a smoothed front needs two complete trials, got {len(history)}")
        history = history.bounded()
        settings = dataclasses.replace(self.settings, noise=True, infill="phv")
        statement = self.statement
        modeller = Modeller(self._exact, statement.n_objectives, statement.initial_points, settings)
        modelled = modeller(history, reference, np.zeros((0, self.space.dims)))
        return self._front_of(history.replaced(modelled.history.values[: len(history)]))

    def _front_of(self, history: History) -> Front:
        good = history.front()
        complete = [t for t in self._trials if t.complete]
        return Front(
            [complete[i].id for i in good],
            [dict(complete[i].x) for i in good],
            self.statement.signs * history.objectives[good],
            history.constraints[good],
        )

    def hypervolume(self) -> float:
        """Hypervolume of the front with respect to :attr:`reference_point`."""
        history = self._history()
        reference = self.statement.reference(history)
        if reference is None:
            return 0.0
        return pareto.hypervolume(history.objectives[history.feasible], reference)

    def _history(self) -> History:
        statement = self.statement
        return History.of(
            self._trials,
            self._units,
            self.space.dims,
            statement.signs,
            statement.n_constraints,
        )

    # Suggestions

    def ask(self, n: int = 1) -> list[Suggestion]:
        """Suggests the next points to evaluate, which are pending from then on.

        The first ``initial_points`` come from a scrambled Sobol sequence, the others from the
        surrogates, which believe their own predictions of the points under way. A point of a
        discrete space is suggested again only when no other is left.

        Args:
            n: number of points.

        Returns:
            ``n`` suggestions, most promising first.

        Raises:
            ValueError: if ``n`` is below 1, or the known constraints leave nothing.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        history = self._history().bounded()
        before = [self._place(x) for x in self._pending.values()]
        batch: dict[int, Proposal] = {}
        for number in range(self._next_id, self._next_id + n):
            # As told back they may differ in the last digit.
            chosen = [self._place(self._values(p)) for p in batch.values()]
            under_way = self._places([*before, *chosen])
            batch[number] = self._proposer.propose(
                history, len(self._trials), number, under_way, len(before) + n
            )
        modelled = {i: p for i, p in batch.items() if p.found is not None}
        if self.settings.batch == "joint" and len(modelled) > 1:
            others = self._places([*before, *(p.z for i, p in batch.items() if i not in modelled)])
            batch |= self._proposer.improve(modelled, history, len(self._trials), others)
        return [self._suggestion(number, proposal) for number, proposal in batch.items()]

    def _suggestion(self, number: int, proposal: Proposal) -> Suggestion:
        """Takes a proposal into the pending points."""
        x = self._values(proposal)
        self._pending[number] = x
        if proposal.record is not None:
            self._records[number] = proposal.record
        self._next_id = number + 1
        return Suggestion(number, dict(x))

    def _values(self, proposal: Proposal) -> dict[str, Any]:
        return self.space.from_unit(0.5 * (proposal.z + 1.0))

    def _place(self, x: Mapping[str, Any]) -> Float[np.ndarray, " dims"]:
        return 2.0 * self.space.to_unit(x) - 1.0

    def _places(self, rows: Sequence[np.ndarray]) -> Float[np.ndarray, "rows dims"]:
        return np.array(rows).reshape(-1, self.space.dims)

    def suggest(self, number: int, pending: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
        """Suggests the point of trial ``number``, for workers that share one numbered history.

        Nothing is remembered. Workers that pass their trial numbers take different points of one
        initial design without talking to each other, and different random numbers for the inner
        search.

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
        under_way = self._places([self._place(x) for x in pending])
        history = self._history().bounded()
        proposal = self._proposer.propose(
            history, len(self._trials), number, under_way, len(under_way) + 1
        )
        return self._values(proposal)

    # State

    def to_json(self) -> dict[str, Any]:
        """Plain data from which :meth:`from_json` rebuilds the optimiser."""
        return state.to_json(self)

    @classmethod
    def from_json(
        cls,
        data: Mapping[str, Any],
        *,
        known_constraints: Sequence[Callable[[dict[str, Any]], float | bool]] = (),
        inexpensive_objectives: Mapping[int, Function] | None = None,
        inexpensive_constraints: Mapping[int, Function] | None = None,
    ) -> "Optimizer":
        """Rebuilds an optimiser; its next suggestion is the one the original would make.

        Functions cannot be saved: those that the optimiser was made with must be given again
        (:class:`~samo_cobra.Linear` constraints need not).

        Raises:
            ValueError: if the data were written by another format version, or functions are
                missing.
        """
        return state.from_json(
            cls, data, known_constraints, inexpensive_objectives, inexpensive_constraints
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the optimiser as JSON; a reader never sees half a file."""
        state.save(self.to_json(), Path(path))

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        known_constraints: Sequence[Callable[[dict[str, Any]], float | bool]] = (),
        inexpensive_objectives: Mapping[int, Function] | None = None,
        inexpensive_constraints: Mapping[int, Function] | None = None,
    ) -> "Optimizer":
        """Reads what :meth:`save` wrote; arguments as in :meth:`from_json`.

        Raises:
            ValueError: if the file is not a saved optimiser, or functions are missing.
        """
        return state.from_json(
            cls,
            state.load(Path(path)),
            known_constraints,
            inexpensive_objectives,
            inexpensive_constraints,
        )
