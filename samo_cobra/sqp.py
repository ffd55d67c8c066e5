"""Sequential quadratic programming from many starts at once, under jit.

Minimises a(z) subject to c(z) <= 0 and a box. All starts advance together: models are evaluated
for the whole batch, the small quadratic programs are vmapped.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

_QP_STEPS = 12
# Interior-point: fraction of the way to the boundary, and how fast the barrier shrinks.
_TO_BOUNDARY = 0.99
_CENTRING = 0.1
# Trust region, in the units of the cube.
_FIRST_RADIUS = 0.3
_LAST_RADIUS = 1e-7
_SHRINK = 0.3
# Promised improvement, relative to the value, below which a start has converged.
_WORTH = 1e-5


class Evaluation(NamedTuple):
    """Values and first derivatives at a batch of points."""

    value: Float[Array, " starts"]
    gradient: Float[Array, "starts dims"]
    constraints: Float[Array, "starts constraints"]
    jacobian: Float[Array, "starts constraints dims"]


Problem: TypeAlias = Callable[[Array], Evaluation]


class State(NamedTuple):
    """Best iterate of every start, and the next point to try."""

    z: Float[Array, "starts dims"]
    at: Evaluation
    hessian: Float[Array, "starts dims dims"]
    radius: Float[Array, " starts"]
    weight: Float[Array, " starts"]
    trial: Float[Array, "starts dims"]
    multipliers: Float[Array, "starts constraints"]
    promised: Float[Array, " starts"]
    steps: Int[Array, ""]


def solve_qp(
    gradient: Float[Array, " dims"],
    hessian: Float[Array, "dims dims"],
    constraints: Float[Array, " constraints"],
    jacobian: Float[Array, "constraints dims"],
    low: Float[Array, " dims"],
    high: Float[Array, " dims"],
) -> tuple[Float[Array, " dims"], Float[Array, " constraints"]]:
    """Solves a box-constrained QP whose general constraints are elastic.

    min g.p + p'Bp/2 + W sum(t)  s.t.  Jp + c <= t, t >= 0, low < p < high, by a primal-dual
    interior-point method with a fixed number of steps (Nocedal and Wright, chapter 16.6). The
    elastic variables t make every problem feasible; W is large enough to drive them to zero
    whenever that is possible.

    Returns:
        The step p and the multipliers of the general constraints.
    """
    price = 1e3 * (1.0 + jnp.max(jnp.abs(gradient)))
    n_pairs = 2 * (len(gradient) + len(constraints))
    p = 0.5 * (low + high)
    slack = 1.0 + jnp.maximum(-(constraints + jacobian @ p), 0.0)
    t = 1.0 + jnp.maximum(constraints + jacobian @ p, 0.0)
    half = jnp.full_like(constraints, 0.5) * jnp.minimum(price, 1.0)
    scale = 1.0 + jnp.max(jnp.abs(gradient))
    walls = jnp.full_like(p, scale)
    start: tuple[Array, ...] = (p, slack, t, half, price - half, walls, walls)

    def step(state: tuple[Array, ...], _: None) -> tuple[tuple[Array, ...], None]:
        p, s, t, lam, nu, alpha, beta = state
        a, b = p - low, high - p
        gap = s @ lam + t @ nu + a @ alpha + b @ beta
        mu = _CENTRING * gap / n_pairs
        stationarity = hessian @ p + gradient + jacobian.T @ lam - alpha + beta
        r_t = price - lam - nu
        r_s = s - t + jacobian @ p + constraints
        ls, nt = lam / s, nu / t
        q = mu / s - lam + ls * r_s
        e = (q + mu / t - nu - r_t) / (ls + nt)
        stiffness = ls * nt / (ls + nt)
        matrix = hessian + jacobian.T @ (stiffness[:, None] * jacobian)
        matrix = matrix + jnp.diag(alpha / a + beta / b)
        right = -stationarity - jacobian.T @ (q - ls * e) + mu / a - alpha - mu / b + beta
        dp = jnp.linalg.solve(matrix, right)
        jdp = jacobian @ dp
        dt = e + ls / (ls + nt) * jdp
        dlam = q - ls * dt + ls * jdp
        directions = (
            dp,
            -r_s + dt - jdp,
            dt,
            dlam,
            r_t - dlam,
            mu / a - alpha - alpha / a * dp,
            mu / b - beta + beta / b * dp,
        )
        positive = jnp.concatenate([a, b, s, t, lam, nu, alpha, beta])
        change = jnp.concatenate([dp, -dp, *directions[1:]])
        ratio = jnp.min(jnp.where(change < 0, -positive / jnp.minimum(change, -1e-300), jnp.inf))
        length = jnp.minimum(1.0, _TO_BOUNDARY * ratio)
        # A singular system (all curvature lost to rounding) must not end the whole search.
        sound = jnp.all(jnp.isfinite(change))
        new = tuple(
            jnp.where(sound, x + length * d, x) for x, d in zip(state, directions, strict=True)
        )
        return new, None

    end, _ = jax.lax.scan(step, start, None, length=_QP_STEPS)
    return end[0], end[3]


def _merit(at: Evaluation, weight: Float[Array, " starts"]) -> Float[Array, " starts"]:
    return at.value + weight * jnp.sum(jnp.maximum(at.constraints, 0.0), axis=1)


def _bfgs(
    hessian: Float[Array, "dims dims"], step: Float[Array, " dims"], change: Float[Array, " dims"]
) -> Float[Array, "dims dims"]:
    """Damped BFGS update (Powell 1978), which stays positive definite."""
    push = hessian @ step
    curvature = step @ push
    inner = step @ change
    damping = jnp.where(
        inner >= 0.2 * curvature, 1.0, 0.8 * curvature / jnp.maximum(curvature - inner, 1e-300)
    )
    damped = damping * change + (1.0 - damping) * push
    inner = step @ damped
    updated = (
        hessian
        - jnp.outer(push, push) / jnp.maximum(curvature, 1e-300)
        + jnp.outer(damped, damped) / jnp.maximum(inner, 1e-300)
    )
    usable = (inner > 1e-20) & (curvature > 1e-20) & jnp.all(jnp.isfinite(updated))
    return jnp.where(usable, updated, hessian)


def _freeze(at: Evaluation, free: Bool[Array, "starts dims"]) -> Evaluation:
    """Removes the derivatives along axes that may not move."""
    return at._replace(
        gradient=jnp.where(free, at.gradient, 0.0),
        jacobian=jnp.where(free[:, None], at.jacobian, 0.0),
    )


def _accept(state: State, new: Evaluation) -> State:
    """Moves to the trial point where it is better; adapts trust region and curvature anyway."""
    achieved = _merit(state.at, state.weight) - _merit(new, state.weight)
    # The first evaluation of a start replaces an infinite value.
    better = (achieved > 0.0) & jnp.isfinite(new.value)
    quality = achieved / jnp.maximum(state.promised, 1e-300)
    step = state.trial - state.z
    length = jnp.max(jnp.abs(step), axis=1)
    smaller = _SHRINK * jnp.minimum(state.radius, length + _LAST_RADIUS)
    larger = jnp.maximum(state.radius, 2.0 * length)
    radius = jnp.where(quality < 0.25, smaller, jnp.where(quality > 0.75, larger, state.radius))
    lagrangian = (new.gradient - state.at.gradient) + jnp.einsum(
        "sc,scd->sd", state.multipliers, new.jacobian - state.at.jacobian
    )

    def pick(after: Array, before: Array) -> Array:
        return jnp.where(better.reshape((-1,) + (1,) * (after.ndim - 1)), after, before)

    z, at = jax.tree.map(pick, (state.trial, new), (state.z, state.at))
    return state._replace(
        z=z,
        at=at,
        hessian=jax.vmap(_bfgs)(state.hessian, step, lagrangian),
        radius=jnp.clip(radius, _LAST_RADIUS, 1.0),
    )


def _propose(state: State, free: Bool[Array, "starts dims"]) -> State:
    """Solves the quadratic programs for the next trial points."""
    z, at = state.z, state.at
    # The interior-point method needs an interior, also for a point on a face of the cube.
    low = jnp.maximum(-1.0 - z, -state.radius[:, None]) - 1e-12
    high = jnp.minimum(1.0 - z, state.radius[:, None]) + 1e-12
    step, multipliers = jax.vmap(solve_qp)(
        at.gradient, state.hessian, at.constraints, at.jacobian, low, high
    )
    trial = jnp.where(free, jnp.clip(z + step, -1.0, 1.0), z)
    step = trial - z
    weight = jnp.maximum(state.weight, 1.0 + 1.5 * jnp.max(multipliers, axis=1))
    linear = at.constraints + jnp.einsum("scd,sd->sc", at.jacobian, step)
    relief = jnp.sum(jnp.maximum(at.constraints, 0.0) - jnp.maximum(linear, 0.0), axis=1)
    descent = jnp.sum(at.gradient * step, axis=1)
    bend = 0.5 * jnp.einsum("sd,sde,se->s", step, state.hessian, step)
    return state._replace(
        weight=weight,
        trial=trial,
        multipliers=multipliers,
        promised=weight * relief - descent - bend,
        steps=state.steps + 1,
    )


def start(starts: Float[Array, "starts dims"], n_constraints: int) -> State:
    """The state in which nothing is known but where to begin."""
    n_starts, dims = starts.shape
    unknown = Evaluation(
        value=jnp.full(n_starts, jnp.inf),
        gradient=jnp.zeros((n_starts, dims)),
        constraints=jnp.zeros((n_starts, n_constraints)),
        jacobian=jnp.zeros((n_starts, n_constraints, dims)),
    )
    return State(
        z=starts,
        at=unknown,
        hessian=jnp.broadcast_to(jnp.eye(dims), (n_starts, dims, dims)),
        radius=jnp.full(n_starts, _FIRST_RADIUS),
        weight=jnp.ones(n_starts),
        trial=starts,
        multipliers=jnp.zeros((n_starts, n_constraints)),
        promised=jnp.full(n_starts, jnp.inf),
        steps=jnp.zeros((), int),
    )


def advance(state: State, new: Evaluation, free: Bool[Array, "starts dims"]) -> State:
    """One iteration: takes the evaluation at ``state.trial`` in, and proposes the next trial."""
    return _propose(_accept(state, _freeze(new, free)), free)


def working(state: State) -> Bool[Array, ""]:
    """Whether any start still promises an improvement worth an evaluation."""
    hopeful = state.promised > _WORTH * (1.0 + jnp.abs(state.at.value))
    return (state.steps == 0) | jnp.any(hopeful & (state.radius > _LAST_RADIUS))


def minimise(
    problem: Problem,
    starts: Float[Array, "starts dims"],
    free: Bool[Array, "starts dims"],
    n_constraints: int,
    n_steps: int | Int[Array, ""],
) -> State:
    """Improves every start on [-1, 1]^d with a trust-region SQP method.

    Args:
        problem: batched values and derivatives.
        starts: points inside the cube.
        free: axes that may move; the others keep the values of the starts.
        n_constraints: number of constraints of ``problem``, at least 1.
        n_steps: most evaluations per start; fewer when all starts have converged.

    Returns:
        The last state: ``z`` holds the accepted iterate of lowest merit of every start, ``at``
        the evaluation there, ``steps`` the number of evaluations.
    """

    def more(state: State) -> Bool[Array, ""]:
        return (state.steps < n_steps) & working(state)

    def step(state: State) -> State:
        return advance(state, problem(state.trial), free)

    return jax.lax.while_loop(more, step, start(starts, n_constraints))
