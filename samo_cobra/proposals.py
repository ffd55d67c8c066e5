"""From what is known to the next point: the design first, then the models."""

import dataclasses
import functools
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from samo_cobra import batches, candidates, design, infill, posing, surrogates, transforms
from samo_cobra.history import History
from samo_cobra.modelling import Modelled, Modeller
from samo_cobra.records import Record
from samo_cobra.settings import Settings
from samo_cobra.space.sampling import sample_allowed
from samo_cobra.statement import Statement

# Points of the sequence looked at for one that is not taken.
_LOOK_AHEAD = 64
# Allowed points that every search starts from in a space with restrictions.
_N_ALLOWED = 64


@dataclasses.dataclass(frozen=True)
class Proposal:
    """A point of [-1, 1]^d; with its record and predictions if it came from the models."""

    z: Float[np.ndarray, " dims"]
    found: infill.Found | None = None
    record: Record | None = None


class Proposer:
    """Proposes points; what it keeps could be computed again.

    Args:
        statement: the problem.
        settings: choices of method.
        seed: seed of the design and of the inner search.
    """

    def __init__(self, statement: Statement, settings: Settings, seed: int) -> None:
        self._statement = statement
        self._settings = settings
        self._seed = seed
        self._exact = statement.exact
        self._modeller = Modeller(
            self._exact, statement.n_objectives, statement.initial_points, settings
        )
        self._sobol: Float[np.ndarray, "candidates dims"] | None = None
        self._allowed: Float[np.ndarray, "allowed dims"] | None = None

    def propose(
        self,
        history: History,
        n_trials: int,
        number: int,
        pending: Float[np.ndarray, "pending dims"],
        at_once: int,
    ) -> Proposal:
        """The point of trial ``number``.

        Args:
            history: what has been told.
            n_trials: number of trials told, failed ones included.
            number: number of the trial.
            pending: places of the points under way, on [-1, 1]^d.
            at_once: number of points under way with this one and the rest of its batch.
        """
        started = time.process_time()
        if self._needs_design(history, number, len(pending)):
            return Proposal(self._design_point(number, np.concatenate([history.taken, pending])))
        rng = np.random.default_rng([self._seed, number, n_trials])
        reference = self._statement.reference(history)
        assert reference is not None  # two complete trials are enough for one
        modelled = self._modeller(history, reference, pending, at_once)
        found = self._search(modelled, reference, rng)
        record = Record(
            id=number,
            predicted=self.in_own_signs(found.outputs),
            gain=found.gain,
            chance=found.chance,
            margins=_floats(_margins_at(modelled, found.z)),
            reference_point=_floats(self._statement.signs * reference),
            n_trials=n_trials,
            n_pending=len(pending),
            steps=found.steps,
            cpu_s=time.process_time() - started,
            **self._choices(modelled),
        )
        return Proposal(found.z, found, record)

    def improve(
        self,
        batch: Mapping[int, Proposal],
        history: History,
        n_trials: int,
        pending: Float[np.ndarray, "pending dims"],
    ) -> dict[int, Proposal]:
        """Moves the points of a batch until their common gain stops growing.

        Args:
            batch: proposals of the models by trial number, at least one.
            history: what has been told.
            n_trials: number of trials told, failed ones included.
            pending: places of the other points under way.
        """
        reference = self._statement.reference(history)
        assert reference is not None
        modelled = self._modeller(history, reference, pending, len(batch) + len(pending))
        rng = np.random.default_rng([self._seed, min(batch), n_trials, len(batch)])

        def search(seen: History, first: Float[np.ndarray, "rows dims"]) -> infill.Found:
            extended = dataclasses.replace(modelled, history=seen)
            return self._search(extended, reference, rng, first)

        points = [p.found for p in batch.values() if p.found is not None]
        improved = batches.improve(points, modelled.history, reference, search)
        return {
            number: self._moved(proposal, found)
            for (number, proposal), found in zip(batch.items(), improved, strict=True)
        }

    def _moved(self, proposal: Proposal, found: infill.Found) -> Proposal:
        assert proposal.record is not None
        predicted = self.in_own_signs(found.outputs)
        record = dataclasses.replace(
            proposal.record, predicted=predicted, gain=found.gain, chance=found.chance
        )
        return Proposal(found.z, found, record)

    def in_own_signs(self, outputs: Float[np.ndarray, " outputs"]) -> tuple[float, ...]:
        """Minimised outputs in the signs of the user."""
        return _floats(self._statement.output_signs * outputs)

    @functools.cached_property
    def _design_seed(self) -> int:
        statement = self._statement
        return design.spread_out_seed(statement.initial_points, statement.space.dims, self._seed)

    def _needs_design(self, history: History, number: int, n_pending: int) -> bool:
        """Whether there are too few outcomes for models; failures prolong the design."""
        size, complete = self._statement.initial_points, len(history)
        if number < size or complete < min(2, size):
            return True
        return complete + n_pending < size and number < 2 * size

    def _design_point(
        self, index: int, taken: Float[np.ndarray, "points dims"]
    ) -> Float[np.ndarray, " dims"]:
        """Point ``index`` of the sequence, or the next one that is not a repetition."""
        space, restrictions = self._statement.space, self._statement.restrictions
        seed = self._design_seed
        if len(restrictions):
            sequence = sample_allowed(restrictions, index + _LOOK_AHEAD, seed)
        else:
            sequence = design.low_discrepancy(index + _LOOK_AHEAD, space.dims, seed)
        rows = 2.0 * space.snap(sequence[index:]) - 1.0
        fresh = rows[candidates.fresh(rows, taken)]
        if len(fresh) == 0 and space.size <= candidates.LARGEST_GRID:
            # Of a nearly exhausted space the sequence may miss the last points.
            grid = candidates.unevaluated(space, taken, np.random.default_rng([self._seed, index]))
            fresh = grid[restrictions.allowed(0.5 * (grid + 1.0))]
        return fresh[0] if len(fresh) else rows[0]

    def _search(
        self,
        modelled: Modelled,
        reference: Float[np.ndarray, " objectives"],
        rng: np.random.Generator,
        first: Float[np.ndarray, "rows dims"] | None = None,
    ) -> infill.Found:
        history, space = modelled.history, self._statement.space
        if self._sobol is None:
            self._sobol = design.low_discrepancy(candidates.N_CANDIDATES, space.dims, self._seed)
        sobol = self._sobol
        starts = self._allowed_starts(history.taken, rng)
        starts = starts if first is None else np.concatenate([first, starts])

        def best(corner: Float[np.ndarray, " objectives"]) -> infill.Found:
            posed = posing.problem(modelled, self._exact, corner)
            elite, taken = history.elite(), history.taken
            search = infill.Search(posed, modelled, self._exact, space, elite, taken, sobol)
            return search.best(rng, starts)

        found = best(reference)
        inside = history.feasible & np.all(history.objectives < reference, axis=1)
        if found.gain <= 0.0 and not inside.any():
            # The reference point looks out of reach: work on the best front there is.
            found = best(posing.reachable_reference(history, reference))
        return found

    def _allowed_starts(
        self, taken: Float[np.ndarray, "points dims"], rng: np.random.Generator
    ) -> Float[np.ndarray, "rows dims"]:
        """Points that keep the restrictions, free ones if any is left: candidates may miss them."""
        space, restrictions = self._statement.space, self._statement.restrictions
        if len(restrictions) == 0:
            return np.zeros((0, space.dims))
        if self._allowed is None:
            small = space.size <= candidates.LARGEST_GRID
            allowed = space.grid() if small else np.zeros((0, space.dims))
            allowed = allowed[restrictions.allowed(allowed)]
            if len(allowed) == 0:
                allowed = sample_allowed(restrictions, _N_ALLOWED, self._seed)
            self._allowed = 2.0 * allowed - 1.0
        free = candidates.fresh(self._allowed, taken)
        left = self._allowed[free] if free.any() else self._allowed
        return left[rng.permutation(len(left))[:_N_ALLOWED]]

    def _choices(self, modelled: Modelled) -> dict[str, Any]:
        """Kernel, version and error of every output, as the record lists them."""
        n = len(self._statement.output_signs)
        kernels, versions, errors = ["exact"] * n, ["plain"] * n, [0.0] * n
        places = self._exact.modelled
        for place, model, error in zip(places, modelled.chosen, modelled.errors, strict=True):
            kernel, version = divmod(int(model), surrogates.N_VERSIONS)
            kernels[place] = surrogates.KERNELS[kernel]
            versions[place] = transforms.VERSIONS[version]
            errors[place] = float(error)
        return {
            "kernels": tuple(kernels),
            "versions": tuple(versions),
            "errors": tuple(errors),
        }


def _margins_at(
    modelled: Modelled, z: Float[np.ndarray, " dims"]
) -> Float[np.ndarray, " constraints"]:
    """Margins of the constraints at a place, in their own units."""
    history = modelled.history
    return history.ranges() * modelled.margins.at(history.distance(z, modelled.n_measured))


def _floats(values: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
