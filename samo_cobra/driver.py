"""The whole loop in one call: suggest, evaluate (here or on an executor), record, save, stop."""

import concurrent.futures
import dataclasses
import math
import operator
import os
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from samo_cobra.optimizer import Optimizer
from samo_cobra.space import Space
from samo_cobra.trials import Front, Outputs, Suggestion, Trial

Evaluation: TypeAlias = Callable[[dict[str, Any]], Any]
"""Maps named values to objectives, or to a pair of objectives and constraints."""

_LEAST_GROWTH = 1e-4
_POLL_S = 0.2


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run came to.

    Attributes:
        front: feasible non-dominated trials.
        hypervolumes: hypervolume after every trial told in this call.
        errors: exceptions and time-outs, by trial id.
        message: why the run ended.
        optimizer: all trials, the models' records, and the way to go on.
    """

    front: Front
    hypervolumes: list[float]
    errors: dict[int, str]
    message: str
    optimizer: Optimizer


@dataclasses.dataclass(frozen=True)
class Stop:
    """When to end a run; whichever comes first.

    Attributes:
        trials: number of trials, those before this call included.
        seconds: wall time of this call; evaluations under way are waited for.
        stagnation: number of trials over which the hypervolume must grow by 0.01 %, once the
            initial design is done.

    Raises:
        ValueError: if a limit is not positive or none is given.
    """

    trials: int | None = None
    seconds: float | None = None
    stagnation: int | None = None

    def __post_init__(self) -> None:
        limits = dataclasses.astuple(self)
        if all(limit is None for limit in limits):
            raise ValueError("give at least one of trials, seconds and stagnation")
        if any(limit is not None and limit <= 0 for limit in limits):
            raise ValueError(f"limits must be positive, got {self}")

    def reason(self, optimizer: Optimizer, curve: list[float], elapsed_s: float) -> str | None:
        """Why to make no further suggestion, or None to go on."""
        begun = len(optimizer.trials) + len(optimizer.pending)
        if self.trials is not None and begun >= self.trials:
            return f"{self.trials} trials"
        if self.seconds is not None and elapsed_s >= self.seconds:
            return f"{self.seconds:g} s"
        if self.stagnation is None or len(curve) <= self.stagnation:
            return None
        if len(optimizer.trials) < optimizer.initial_points + self.stagnation:
            return None
        if curve[-1] > (1.0 + _LEAST_GROWTH) * curve[-1 - self.stagnation]:
            return None
        return f"the hypervolume grew by less than 0.01 % in {self.stagnation} trials"


def minimize(
    fun: Evaluation,
    space: Space,
    n_objectives: int,
    n_constraints: int = 0,
    *,
    stop: Stop | int,
    executor: concurrent.futures.Executor | None = None,
    parallel: int = 1,
    timeout_s: float | None = None,
    state: str | os.PathLike[str] | None = None,
    callback: Callable[[Optimizer, Trial], None] | None = None,
    progress: bool = False,
    **options: Any,
) -> Result:
    """Optimises a function, in this process or on any executor.

    With an executor, ``parallel`` evaluations are under way at any time: as soon as one ends, the
    next is suggested. An evaluation that raises, or takes longer than ``timeout_s``, becomes a
    failed trial; its message is in :attr:`Result.errors`.

    Args:
        fun: maps named values to objectives, or to (objectives, constraints); constraints are
            feasible where <= 0. NaN stands for a failure.
        space: what to search.
        n_objectives: number of objectives.
        n_constraints: number of constraints.
        stop: when to end; a number means so many trials.
        executor: anything with the interface of ``concurrent.futures``: threads, processes,
            Dask's ``client.get_executor()``; None evaluates here.
        parallel: evaluations under way at a time.
        timeout_s: wall time that one evaluation may take on the executor, without the wait for
            a worker. It is not killed, since executors cannot, and holds its worker until it
            ends; a run ends early once such evaluations hold all workers for that time.
        state: JSON file that is written after every trial. If it exists the run goes on from it,
            beginning with evaluations that had been under way.
        callback: called with the optimiser after every trial.
        progress: shows a progress bar (needs tqdm).
        **options: further arguments of :class:`Optimizer`, for instance ``directions``,
            ``reference_point``, ``known_constraints`` or ``seed``.

    Returns:
        The front and how it came about.

    Raises:
        ValueError: if arguments do not fit, or the state is of another problem.

    Example:
        >>> from samo_cobra import Real, Space, minimize
        >>> def fun(x):
        ...     return [x["x"] ** 2, (x["x"] - 2.0) ** 2]
        >>> result = minimize(fun, Space([Real("x", -5.0, 5.0)]), 2, stop=12)
        >>> len(result.front.points) > 6
        True
    """
    if parallel < 1:
        raise ValueError(f"parallel must be at least 1, got {parallel}")
    if executor is None and (parallel > 1 or timeout_s is not None):
        raise ValueError("parallel and timeout_s need an executor, for instance threads")
    if timeout_s is not None and timeout_s <= 0:
        raise ValueError(f"timeout_s must be positive, got {timeout_s}")
    stop = stop if isinstance(stop, Stop) else Stop(trials=operator.index(stop))
    optimizer = _start(space, n_objectives, n_constraints, state, options)
    run = _Run(fun, optimizer, stop, state, callback, _bar(stop, optimizer) if progress else None)
    try:
        if executor is None:
            run.here()
        else:
            run.on(executor, parallel, timeout_s)
    finally:
        run.save()
        if run.bar is not None:
            run.bar.close()
    return Result(optimizer.front(), run.curve, run.errors, run.message, optimizer)


class _Run:
    """One call of :func:`minimize`."""

    def __init__(
        self,
        fun: Evaluation,
        optimizer: Optimizer,
        stop: Stop,
        state: str | os.PathLike[str] | None,
        callback: Callable[[Optimizer, Trial], None] | None,
        bar: Any,
    ) -> None:
        self.fun, self.optimizer, self.stop, self.state = fun, optimizer, stop, state
        self.callback, self.bar = callback, bar
        self.curve: list[float] = []
        self.errors: dict[int, str] = {}
        self.message = ""
        self._started = time.monotonic()
        self._left = list(optimizer.pending)

    def save(self) -> None:
        if self.state is not None:
            self.optimizer.save(self.state)

    def _next(self) -> Suggestion | None:
        """What to evaluate next: first what an earlier run left unfinished."""
        if self._left:
            return self._left.pop(0)
        elapsed = time.monotonic() - self._started
        reason = self.stop.reason(self.optimizer, self.curve, elapsed)
        if reason is not None:
            self.message = f"stopped after {reason}"
            return None
        (suggestion,) = self.optimizer.ask()
        self.save()
        return suggestion

    def here(self) -> None:
        """Evaluates one point after the other in this process."""
        while (suggestion := self._next()) is not None:
            try:
                outcome = self.fun(dict(suggestion.x))
            except Exception as error:
                self._record(suggestion, None, _describe(error))
            else:
                self._record(suggestion, outcome)

    def on(
        self, executor: concurrent.futures.Executor, parallel: int, timeout_s: float | None
    ) -> None:
        """Keeps ``parallel`` evaluations under way."""
        running: dict[concurrent.futures.Future[Any], Suggestion] = {}
        watch = _Watch(math.inf if timeout_s is None else timeout_s)
        while True:
            while len(running) < parallel and (suggestion := self._next()) is not None:
                running[executor.submit(self.fun, dict(suggestion.x))] = suggestion
            if not running:
                return
            concurrent.futures.wait(
                running, timeout=_POLL_S, return_when=concurrent.futures.FIRST_COMPLETED
            )
            for future in [f for f in running if f.done()]:
                self._collect(running.pop(future), future)
            for future in watch.overdue(running):
                self._record(running.pop(future), None, f"took longer than {timeout_s:g} s")
            if watch.stuck(running):
                # What waits in vain was not evaluated: it stays pending.
                self.message = f"stopped: evaluations longer than {timeout_s:g} s hold all workers"
                return

    def _collect(self, suggestion: Suggestion, future: concurrent.futures.Future[Any]) -> None:
        try:
            error = future.exception()
        except concurrent.futures.CancelledError as cancelled:
            error = cancelled
        if error is None:
            self._record(suggestion, future.result())
        elif isinstance(error, Exception):
            self._record(suggestion, None, _describe(error))
        else:
            raise error

    def _record(self, suggestion: Suggestion, outcome: Any, error: str | None = None) -> None:
        if error is not None:
            self.errors[suggestion.id] = error
            trial = self.optimizer.tell(suggestion, failed=True)
        else:
            objectives, constraints = _split(outcome, self.optimizer)
            trial = self.optimizer.tell(suggestion, objectives, constraints)
        self.curve.append(self.optimizer.hypervolume())
        self.save()
        if self.bar is not None:
            self.bar.update()
            self.bar.set_postfix(hypervolume=f"{self.curve[-1]:.6g}", failed=len(self.errors))
        if self.callback is not None:
            self.callback(self.optimizer, trial)


def _start(
    space: Space,
    n_objectives: int,
    n_constraints: int,
    state: str | os.PathLike[str] | None,
    options: Mapping[str, Any],
) -> Optimizer:
    """A new optimiser, or the saved one if it is of the same problem."""
    fresh = Optimizer(space, n_objectives, n_constraints, **options)
    if state is None or not Path(state).exists():
        return fresh
    saved = Optimizer.load(
        state,
        known_constraints=fresh.statement.restrictions.functions,
        inexpensive_objectives=fresh.statement.inexpensive_objectives,
        inexpensive_constraints=fresh.statement.inexpensive_constraints,
    )
    progress = {"trials", "pending", "next_id", "records"}
    wanted = {k: v for k, v in fresh.to_json().items() if k not in progress}
    found = {k: v for k, v in saved.to_json().items() if k not in progress}
    different = [k for k in wanted if wanted[k] != found[k]]
    if different:
        raise ValueError(
            f"{state} belongs to another problem: {', '.join(different)} differ; give another "
            "file, or the arguments it was made with"
        )
    return saved


def _split(outcome: Any, optimizer: Optimizer) -> tuple[Outputs | None, Outputs | None]:
    """Objectives and constraints of what the function returned."""
    statement = optimizer.statement
    if outcome is None and not statement.exact.modelled:
        return None, None
    if outcome is None:
        raise ValueError(f"fun must return {statement.n_objectives} objectives, got None")
    if statement.n_constraints == 0:
        pair = isinstance(outcome, tuple) and len(outcome) == 2 and np.ndim(outcome[0]) == 1
        objectives, constraints = outcome if pair else (outcome, None)
    else:
        if not isinstance(outcome, tuple) or len(outcome) != 2:
            raise ValueError(
                f"fun must return (objectives, constraints) for a problem with "
                f"{statement.n_constraints} constraints, got {outcome!r}"
            )
        objectives, constraints = outcome
    if np.isscalar(objectives) or getattr(objectives, "ndim", None) == 0:
        objectives = [objectives]
    return objectives, constraints


class _Watch:
    """Finds evaluations that take too long.

    What waits in the queue of a pool has not begun. Where no evaluation is ever reported to be
    running, as by Dask, they are taken to begin at once.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._since: dict[concurrent.futures.Future[Any], float] = {}
        self._reports = False
        self._lively = time.monotonic()
        self._abandoned: list[concurrent.futures.Future[Any]] = []

    def overdue(
        self, running: Collection[concurrent.futures.Future[Any]]
    ) -> list[concurrent.futures.Future[Any]]:
        """Gives up those that began more than the limit ago, and returns them."""
        now = time.monotonic()
        self._reports = self._reports or any(f.running() for f in running)
        waiting = {f for f in running if self._reports and not f.running()}
        if len(waiting) < len(running):
            self._lively = now
        before = {f: now if f in waiting else self._since.get(f, now) for f in running}
        late = [f for f in running if now - before[f] > self._timeout_s and not f.done()]
        self._since = before
        self._abandoned += [f for f in late if not f.cancel()]
        return late

    def stuck(self, running: Collection[concurrent.futures.Future[Any]]) -> bool:
        """Whether nothing has begun for as long as one may take, and why is known."""
        held = any(not f.done() for f in self._abandoned)
        if not held or not running or time.monotonic() - self._lively <= self._timeout_s:
            return False
        return all(f.cancel() for f in running)


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _bar(stop: Stop, optimizer: Optimizer) -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ValueError(
            "progress=True needs tqdm: pip install tqdm, or the extra samo-cobra[progress]"
        ) from error
    return tqdm(total=stop.trials, initial=len(optimizer.trials), unit="trial")
