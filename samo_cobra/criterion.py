"""The infill criterion: where the surrogates promise the largest gain in hypervolume.

Minimised over the cube, with predicted objectives v(z) in scaled units,

    a(z) = -gain(v) / gain_unit                       where v would extend the front,
    a(z) = max_p prod_j (1 + v_j - p_j) - 1  + sum_j max(0, v_j - r_j)     elsewhere,

p the front points that weakly dominate v and r the reference point (penalty of SAMO-COBRA, in
scaled units so that no objective drowns another). Constraints are predicted g_i / range_i plus a
margin (:mod:`samo_cobra.margins`), known functions, the feasibility model, and the distance to
evaluated, pending and failed points.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from samo_cobra import feasibility, margins, sqp, surrogates

# Distance below which the margins do not shrink any further.
_SMOOTH = 1e-6


class InfillProblem(NamedTuple):
    """Everything that one infill search needs, as padded arrays.

    Attributes:
        model: surrogates of the modelled outputs, objectives first.
        order: place of every output among the modelled ones followed by the exact ones.
        centre, width: origin and unit of the scaled objectives.
        optimism: standard deviations by which variances lower the objectives (SMS); 0 for PHV.
        reference, front, lower, upper: reference point, front, and the boxes that tile what can
            still be gained, in scaled units.
        constraint_range, margin: unit of every constraint, and the part of its margin that is
            the same everywhere.
        margin_rate: growth of the margin with the distance to the nearest measured point.
        measured: which points of the model are trials, and not believed.
        taken, clearance: places to keep away from, and how far.
        failures: where evaluations fail; None while none has.
    """

    model: surrogates.Model
    order: Int[Array, " outputs"]
    centre: Float[Array, " objectives"]
    width: Float[Array, " objectives"]
    optimism: Float[Array, " objectives"]
    reference: Float[Array, " objectives"]
    front: Float[Array, "front objectives"]
    lower: Float[Array, "boxes objectives"]
    upper: Float[Array, "boxes objectives"]
    constraint_range: Float[Array, " constraints"]
    margin: Float[Array, " constraints"]
    margin_rate: Float[Array, " constraints"]
    measured: Bool[Array, " points"]
    taken: Float[Array, "places dims"]
    clearance: Float[Array, " places"]
    failures: feasibility.Model | None


class Exact(NamedTuple):
    """Outputs that need no model: inexpensive outputs, then restrictions on the parameters."""

    values: Float[Array, "candidates exact"]
    jacobian: Float[Array, "candidates exact dims"]


class Score(NamedTuple):
    """Ratings of candidates.

    Attributes:
        gain: predicted gain in scaled hypervolume.
        penalty: distance from any gain; 0 where there is one.
        violation: sum of the predicted constraint violations, margins by outcomes included.
        too_close: 0 outside the clearance of every taken point.
        outputs: predicted objectives and constraints in original units.
    """

    gain: Float[Array, " candidates"]
    penalty: Float[Array, " candidates"]
    violation: Float[Array, " candidates"]
    too_close: Float[Array, " candidates"]
    outputs: Float[Array, "candidates outputs"]


def gain(
    v: Float[Array, " objectives"],
    lower: Float[Array, "boxes objectives"],
    upper: Float[Array, "boxes objectives"],
) -> Float[Array, ""]:
    """Exact hypervolume that ``v`` adds, from boxes that tile the non-dominated region."""
    sides = jnp.maximum(upper - jnp.maximum(v[None], lower), 0.0)
    return jnp.sum(jnp.prod(sides, axis=1))


def penalty(
    v: Float[Array, " objectives"],
    front: Float[Array, "front objectives"],
    reference: Float[Array, " objectives"],
) -> Float[Array, ""]:
    """How far ``v`` is from adding anything: 0 where it adds, growing behind the front."""
    worse = v[None] - front
    dominated = jnp.all(worse >= 0.0, axis=1)
    # Capped, so that wild extrapolation cannot overflow the product.
    depth = jnp.prod(1.0 + jnp.clip(worse, 0.0, 1e3), axis=1) - 1.0
    behind = jnp.max(jnp.where(dominated, depth, 0.0))
    return behind + jnp.sum(jnp.maximum(v - reference, 0.0))


def _crowding(
    problem: InfillProblem, z: Float[Array, "candidates dims"]
) -> tuple[Float[Array, " candidates"], Float[Array, "candidates dims"]]:
    """Spacing as a constraint: positive inside the clearance of a taken point."""
    inverse = 1.0 / problem.clearance**2
    excess = 1.0 - surrogates.squared_distances(z, problem.taken) * inverse[None]
    nearest = jnp.argmax(excess, axis=1)
    away = z - problem.taken[nearest]
    # A candidate exactly on a taken point needs some direction to leave it.
    on_top = jnp.all(away == 0.0, axis=1, keepdims=True)
    away = jnp.where(on_top, -jnp.where(z > 0.0, 1e-6, -1e-6), away)
    worst = jnp.take_along_axis(excess, nearest[:, None], axis=1)[:, 0]
    # Far away the bound is idle; a unit slope there would only upset the scaling.
    active = worst > -3.0
    slope = jnp.where(active[:, None], -2.0 * away * inverse[nearest][:, None], 0.0)
    return jnp.maximum(worst, -3.0), slope


def _outputs(
    problem: InfillProblem, z: Float[Array, "candidates dims"], exact: Exact
) -> tuple[Float[Array, "candidates outputs"], Float[Array, "candidates outputs dims"]]:
    """All outputs and their Jacobians, objectives first, modelled or exact."""
    mean, jacobian = surrogates.predict(problem.model, z)
    values = jnp.concatenate([mean, exact.values], axis=1)[:, problem.order]
    return values, jnp.concatenate([jacobian, exact.jacobian], axis=1)[:, problem.order]


def _lowered(
    problem: InfillProblem,
    z: Float[Array, "candidates dims"],
    optimism: Float[Array, " objectives"],
) -> tuple[Float[Array, "candidates objectives"], Float[Array, "candidates objectives dims"]]:
    """What the SMS criterion subtracts from the objectives, and its Jacobian."""
    n_modelled = problem.model.weights.shape[1]

    def spread(z: Float[Array, " dims"]) -> Float[Array, " objectives"]:
        variance = surrogates.variance(problem.model, z)
        known = jnp.zeros(max(0, len(problem.order) - n_modelled))
        return jnp.concatenate([variance, known])[problem.order[: len(optimism)]] * optimism

    return jax.vmap(spread)(z), jax.vmap(jax.jacrev(spread))(z)


def margins_at(
    problem: InfillProblem, z: Float[Array, "candidates dims"], caution: Float[Array, " candidates"]
) -> tuple[Float[Array, "candidates constraints"], Float[Array, "candidates constraints dims"]]:
    """Margins of the constraints and their Jacobian; caution is the share of those by errors."""
    points = problem.model.points
    squares = surrogates.squared_distances(z, points)
    squares = jnp.where(problem.measured[None], squares, jnp.inf)
    nearest = jnp.argmin(squares, axis=1)
    # Smooth at the trial itself, on a scale below every spacing.
    least = jnp.take_along_axis(squares, nearest[:, None], axis=1)
    distance = jnp.sqrt(least + _SMOOTH**2)
    away = (z - points[nearest]) / distance
    grown = problem.margin_rate[None] * distance
    capped = grown >= margins.LARGEST_BY_ERRORS
    slope = caution[:, None] * jnp.where(capped, 0.0, problem.margin_rate[None])
    by_errors = caution[:, None] * jnp.minimum(grown, margins.LARGEST_BY_ERRORS)
    return problem.margin[None] + by_errors, slope[:, :, None] * away[:, None, :]


def _evaluate(
    problem: InfillProblem,
    z: Float[Array, "candidates dims"],
    exact: Exact,
    gain_unit: Float[Array, ""],
    caution: Float[Array, " candidates"],
) -> tuple[sqp.Evaluation, Float[Array, "candidates outputs"]]:
    """Criterion and constraints with derivatives; the last constraint is the spacing."""
    k = len(problem.centre)
    outputs, jacobian = _outputs(problem, z, exact)
    objectives, slopes = outputs[:, :k], jacobian[:, :k]
    if problem.model.inverse is not None:
        bonus, bonus_slope = _lowered(problem, z, problem.optimism)
        objectives, slopes = objectives - bonus, slopes - bonus_slope
    v = (objectives - problem.centre[None]) / problem.width[None]

    def criterion(v: Float[Array, " objectives"]) -> Float[Array, ""]:
        improvement = gain(v, problem.lower, problem.upper)
        return penalty(v, problem.front, problem.reference) - improvement / gain_unit

    value, slope = jax.vmap(jax.value_and_grad(criterion))(v)
    unit = problem.constraint_range
    margin, margin_slope = margins_at(problem, z, caution)
    constraints = [outputs[:, k:] / unit[None] + margin]
    jacobians = [jacobian[:, k:] / unit[None, :, None] + margin_slope]
    n_known = len(problem.order) - problem.model.weights.shape[1]
    constraints.append(exact.values[:, n_known:])
    jacobians.append(exact.jacobian[:, n_known:])
    if problem.failures is not None:
        risk, risk_slope = feasibility.excess_risk(problem.failures, z)
        constraints.append(risk[:, None])
        jacobians.append(risk_slope[:, None])
    spacing, spacing_slope = _crowding(problem, z)
    evaluation = sqp.Evaluation(
        value=value,
        gradient=jnp.einsum("so,sod->sd", slope / problem.width[None], slopes),
        constraints=jnp.concatenate([*constraints, spacing[:, None]], axis=1),
        jacobian=jnp.concatenate([*jacobians, spacing_slope[:, None]], axis=1),
    )
    return evaluation, outputs


def _scored(problem: InfillProblem, z: Float[Array, "candidates dims"], exact: Exact) -> Score:
    at, outputs = _evaluate(problem, z, exact, jnp.ones(()), jnp.zeros(len(z)))
    # A candidate that gains has no penalty, so the sign of the criterion tells which it is.
    return Score(
        gain=jnp.maximum(-at.value, 0.0),
        penalty=jnp.maximum(at.value, 0.0),
        violation=jnp.sum(jnp.maximum(at.constraints[:, :-1], 0.0), axis=1),
        too_close=jnp.maximum(at.constraints[:, -1], 0.0),
        outputs=outputs,
    )


@jax.jit
def score(problem: InfillProblem, z: Float[Array, "candidates dims"], exact: Exact) -> Score:
    """Rates candidates, without the margins by errors."""
    return _scored(problem, z, exact)


@jax.jit
def refine(
    problem: InfillProblem,
    starts: Float[Array, "starts dims"],
    free: Bool[Array, "starts dims"],
    gain_unit: Float[Array, ""],
    caution: Float[Array, " starts"],
    n_steps: Int[Array, ""],
) -> tuple[sqp.State, Score]:
    """Improves all starts by constrained gradient search and rates the end points.

    For problems whose outputs are all modelled; others go step by step with :func:`begin` and
    :func:`step`.

    Args:
        problem: the infill problem.
        starts: points on [-1, 1]^d.
        free: axes that may move.
        gain_unit: gain that counts as one in the criterion, so that it is of order one.
        caution: share of the margins by errors that each start keeps.
        n_steps: most evaluations per start.

    Returns:
        The last state of the search, with the end points, and their ratings.
    """
    nothing = no_exact(starts)

    def posed(z: Array) -> sqp.Evaluation:
        return _evaluate(problem, z, nothing, gain_unit, caution)[0]

    end = sqp.minimise(posed, starts, free, _n_constraints(problem, nothing), n_steps)
    return end, _scored(problem, end.z, nothing)


@functools.partial(jax.jit, static_argnames="n_exact")
def begin(
    problem: InfillProblem, starts: Float[Array, "starts dims"], *, n_exact: int
) -> sqp.State:
    """The first state of a search in which ``n_exact`` outputs come from outside."""
    dims = starts.shape[1]
    exact = Exact(jnp.zeros((len(starts), n_exact)), jnp.zeros((len(starts), n_exact, dims)))
    return sqp.start(starts, _n_constraints(problem, exact))


@jax.jit
def step(
    problem: InfillProblem,
    state: sqp.State,
    exact: Exact,
    free: Bool[Array, "starts dims"],
    gain_unit: Float[Array, ""],
    caution: Float[Array, " starts"],
) -> tuple[sqp.State, Bool[Array, ""]]:
    """One step of such a search, with the exact outputs at ``state.trial``."""
    evaluation, _ = _evaluate(problem, state.trial, exact, gain_unit, caution)
    state = sqp.advance(state, evaluation, free)
    return state, sqp.working(state)


def no_exact(z: Float[Array, "candidates dims"]) -> Exact:
    """The exact outputs where every output is modelled."""
    return Exact(jnp.zeros((len(z), 0)), jnp.zeros((len(z), 0, z.shape[1])))


def _n_constraints(problem: InfillProblem, exact: Exact) -> int:
    n_known = len(problem.order) - problem.model.weights.shape[1]
    restrictions = exact.values.shape[1] - n_known
    return len(problem.margin) + restrictions + (problem.failures is not None) + 1
