"""Measures one compiled JAX function; for our runner and for the peers written in JAX."""

import jax
import stopwatch


def measure(function, arguments, seconds):
    """Compiles a pure function for its arguments and times calls of it.

    Args:
        function: What is compiled; arrays that change from call to call are arguments.
        arguments: Its arguments, already on the device.
        seconds: How long to repeat it.

    Returns:
        The fields of `stopwatch.measurement`, XLA's count of memory, and the compiled program.
    """
    programs = []

    def prepare():
        programs.append(jax.jit(function).lower(*arguments).compile())
        check_memory(programs[0])
        return lambda: jax.block_until_ready(programs[0](*arguments))

    result = stopwatch.measurement(prepare, seconds)
    return {**result, **memory(programs[0]), "device": device_name()}, programs[0]


def check_memory(program):
    """Stops before a program whose temporaries do not fit into the memory of the machine."""
    needed = memory(program)["xla_mb"]
    available = stopwatch.available_mb()
    if jax.default_backend() == "cpu" and needed > available:
        raise MemoryError(f"the program needs {needed:.0f} MB, and {available:.0f} MB are free")


def memory(program):
    """MB of arguments, results and temporaries, and the peak of the device where it counts."""
    analysis = program.memory_analysis()
    kinds = ("argument", "output", "temp")
    sizes = [getattr(analysis, f"{kind}_size_in_bytes", 0) for kind in kinds]
    statistics = jax.devices()[0].memory_stats() or {}
    peak = statistics.get("peak_bytes_in_use")
    return {"xla_mb": sum(sizes) / 2**20, "device_peak_mb": peak and peak / 2**20}


def device_name():
    """Kind of the first device, such as "cpu" or "NVIDIA H100"."""
    return jax.devices()[0].device_kind


def parameter_count(parameters):
    """Numbers in a tree of arrays."""
    return sum(leaf.size for leaf in jax.tree.leaves(parameters))


def training_step(optimizer, loss):
    """One optimiser step on a loss of (parameters, data), as a pure function."""
    import optax

    def step(parameters, state, data):
        value, gradient = jax.value_and_grad(loss)(parameters, data)
        updates, state = optimizer.update(gradient, state, parameters)
        return optax.apply_updates(parameters, updates), state, value

    return step
