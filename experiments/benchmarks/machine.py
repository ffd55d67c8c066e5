"""What the machine can do, measured in JAX: `python -m experiments.benchmarks.machine REQUEST`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

_MATMUL_SHAPES = ((1024, 1024, 1024), (4096, 256, 256), (16384, 128, 128))
_COPY_MB = (0.25, 1, 4, 16, 64, 128)  # working sets, from within a cache to beyond
_CACHED = 2**15  # numbers that stay in a cache
_CHAIN = 16  # multiply-adds on a number between reading and writing it


def rates(dtype: str, seconds: float) -> dict[str, Any]:
    """Measures rates of this process, each the best of repeated calls.

    Returns:
        `matmul_gflops` (best of three shapes); `copy_gbs`, bytes read plus written in passes over
        arrays of several sizes (MB, as text); `multiply_add_gbs`, the same for a b + c with all
        three as large as the largest; `multiply_add_gflops` of chains of them on numbers in a
        cache; `exp_gops` likewise (10⁹ exponentials/s); the type and the device.
    """
    from experiments.benchmarks.measuring import jax_program

    size = {"float32": 4, "float64": 8}[dtype]
    counts = {megabytes: int(megabytes * 2**20) // size for megabytes in _COPY_MB}
    largest = counts[_COPY_MB[-1]]
    return {
        "dtype": dtype,
        "device": jax_program.device_name(),
        "matmul_gflops": max(_matmul(shape, dtype, seconds) for shape in _MATMUL_SHAPES),
        "copy_gbs": {
            str(megabytes): 2 * size * _per_second("copy", count, dtype, seconds) / 1e9
            for megabytes, count in counts.items()
        },
        "multiply_add_gbs": 4 * size * _per_second("stream", largest, dtype, seconds) / 1e9,
        "multiply_add_gflops": 2 * _CHAIN * _per_second("chain", _CACHED, dtype, seconds) / 1e9,
        "exp_gops": _per_second("exp", _CACHED, dtype, seconds) / 1e9,
    }


def copy_rate(rates: dict[str, Any], megabytes: float) -> float:
    """Returns the copy rate (GB/s) of the measured working set nearest to this one."""
    nearest = min(rates["copy_gbs"], key=lambda size: abs(math.log(float(size) / megabytes)))
    return rates["copy_gbs"][nearest]


def _matmul(shape: tuple[int, int, int], dtype: str, seconds: float) -> float:
    m, k, n = shape
    return 2e-9 * m * k * n / _fastest(lambda a, b: a @ b, [(m, k), (k, n)], dtype, seconds)


def _per_second(kind: str, count: int, dtype: str, seconds: float) -> float:
    """Numbers that go through an operation in a second, in many passes over the same array.

    The passes are a loop inside of one program, which writes into the same memory again and again:
    fresh memory for every result would measure the operating system.
    """
    import jax
    import jax.numpy as jnp

    # All of them keep the numbers between 0 and 1 however often they go through.
    def chain(x: jax.Array, a: jax.Array, c: jax.Array) -> jax.Array:
        for _ in range(_CHAIN):
            x = x * a + c
        return x

    operation: Callable = {
        "copy": lambda x, a, c: x * a + c,
        "stream": lambda x, a, c: x * a + c,
        "chain": chain,
        "exp": lambda x, a, c: jnp.exp(a * c - x),
    }[kind]
    passes = max(10, 2**23 // count)

    def function(x: jax.Array, a: jax.Array, c: jax.Array) -> jax.Array:
        return jax.lax.fori_loop(0, passes, lambda _, y: operation(y, a, c), x)

    others = count if kind == "stream" else 1
    return passes * count / _fastest(function, [count, others, others], dtype, seconds)


def _fastest(function: Callable, shapes: list, dtype: str, seconds: float) -> float:
    """Shortest time of a call on random arrays, s."""
    import jax
    import numpy as np

    from experiments.benchmarks.measuring import stopwatch

    generator = np.random.default_rng(0)
    arrays = [jax.device_put(0.5 * generator.random(shape).astype(dtype)) for shape in shapes]
    compiled = jax.jit(function).lower(*arrays).compile()
    times = stopwatch.repeated(lambda: jax.block_until_ready(compiled(*arrays)), seconds)
    clock = "cpu_ms" if jax.default_backend() == "cpu" else "wall_ms"
    return times[clock]["min"] / 1e3


def main() -> None:
    """Answers the request file that the first argument names."""
    from allegro_jax.configs import Precision
    from allegro_jax.models.energy import precision_scope
    from experiments.benchmarks.measuring import stopwatch

    request = stopwatch.request()
    with precision_scope(Precision(*(request["dtype"],) * 3)):
        stopwatch.answer(**rates(request["dtype"], request["seconds"]))


if __name__ == "__main__":
    main()
