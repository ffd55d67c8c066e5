"""The infill criterion: where the surrogates promise the largest gain in hypervolume.

Minimised over the cube, with predicted objectives v(z) in scaled units,

    a(z) = -gain(v) / gain_unit                       where v would extend the front,
    a(z) = max_p prod_j (1 + v_j - p_j) - 1  + sum_j max(0, v_j - r_j)     elsewhere,

p the front points that weakly dominate v and r the reference point (penalty of SAMO-COBRA, in
scaled units so that no objective drowns another). Constraints are predicted g_i / range_i plus a
margin, and the distance to evaluated, pending and failed points.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from samo_cobra import sqp, surrogates

_SQP_STEPS = 20


class InfillProblem(NamedTuple):
    """Everything that one infill search needs, as padded arrays."""

    model: surrogates.Model
    centre: Float[Array, " objectives"]
    width: Float[Array, " objectives"]
    reference: Float[Array, " objectives"]
    front: Float[Array, "front objectives"]
    lower: Float[Array, "boxes objectives"]
    upper: Float[Array, "boxes objectives"]
    constraint_range: Float[Array, " constraints"]
    margin: Float[Array, " constraints"]
    taken: Float[Array, "points dims"]
    clearance: Float[Array, " points"]


class Score(NamedTuple):
    """Ratings of candidates.

    Attributes:
        gain: predicted gain in scaled hypervolume.
        penalty: distance from any gain; 0 where there is one.
        violation: sum of the predicted constraint violations, margins included.
        too_close: 0 outside the clearance of every taken point.
    """

    gain: Float[Array, " candidates"]
    penalty: Float[Array, " candidates"]
    violation: Float[Array, " candidates"]
    too_close: Float[Array, " candidates"]


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


def _evaluate(
    problem: InfillProblem, z: Float[Array, "candidates dims"], gain_unit: Float[Array, ""]
) -> sqp.Evaluation:
    """Criterion and constraints with derivatives."""
    n_objectives = len(problem.centre)
    mean, jacobian = surrogates.predict(problem.model, z)
    v = (mean[:, :n_objectives] - problem.centre[None]) / problem.width[None]
    v_slope = jacobian[:, :n_objectives] / problem.width[None, :, None]

    def criterion(v: Float[Array, " objectives"]) -> Float[Array, ""]:
        improvement = gain(v, problem.lower, problem.upper)
        return penalty(v, problem.front, problem.reference) - improvement / gain_unit

    value, slope = jax.vmap(jax.value_and_grad(criterion))(v)
    spacing, spacing_slope = _crowding(problem, z)
    g = mean[:, n_objectives:] / problem.constraint_range[None] + problem.margin[None]
    g_slope = jacobian[:, n_objectives:] / problem.constraint_range[None, :, None]
    return sqp.Evaluation(
        value=value,
        gradient=jnp.einsum("so,sod->sd", slope, v_slope),
        constraints=jnp.concatenate([g, spacing[:, None]], axis=1),
        jacobian=jnp.concatenate([g_slope, spacing_slope[:, None]], axis=1),
    )


def _score(at: sqp.Evaluation, gain_unit: Float[Array, ""]) -> Score:
    # A candidate that gains has no penalty, so the sign of the criterion tells which it is.
    return Score(
        gain=jnp.maximum(-at.value, 0.0) * gain_unit,
        penalty=jnp.maximum(at.value, 0.0),
        violation=jnp.sum(jnp.maximum(at.constraints[:, :-1], 0.0), axis=1),
        too_close=jnp.maximum(at.constraints[:, -1], 0.0),
    )


@jax.jit
def score(problem: InfillProblem, z: Float[Array, "candidates dims"]) -> Score:
    """Rates candidates."""
    one = jnp.ones(())
    return _score(_evaluate(problem, z, one), one)


@functools.partial(jax.jit, static_argnames="n_steps")
def refine(
    problem: InfillProblem,
    starts: Float[Array, "starts dims"],
    free: Bool[Array, " dims"],
    gain_unit: Float[Array, ""],
    *,
    n_steps: int = _SQP_STEPS,
) -> tuple[Float[Array, "starts dims"], Score]:
    """Improves all starts by constrained gradient search and rates the end points.

    Args:
        problem: the infill problem.
        starts: points on [-1, 1]^d.
        free: axes that may move.
        gain_unit: gain that counts as one in the criterion, so that it is of order one.
        n_steps: evaluations per start.

    Returns:
        End points and their ratings.
    """

    def posed(z: Array) -> sqp.Evaluation:
        return _evaluate(problem, z, gain_unit)

    n_constraints = len(problem.constraint_range) + 1
    ends, at = sqp.minimise(posed, starts, free, n_constraints, n_steps)
    return ends, _score(at, gain_unit)
