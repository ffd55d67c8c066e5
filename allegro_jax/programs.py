"""Compilation as a resource: programs compiled ahead of time, counted and timed."""

import time
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import jax


class Program:
    """A pure function of padded graphs, compiled once for every array size it meets.

    Args:
        function: What is compiled.
        graph_argument: Position of the graphs (a pytree of arrays) among the arguments.
        donate: Positions of arguments whose memory the result may take.

    Attributes:
        compile_s: Seconds spent on compilation.
    """

    def __init__(
        self, function: Callable[..., Any], graph_argument: int, donate: Sequence[int] = ()
    ) -> None:
        self._jitted = jax.jit(function, donate_argnums=tuple(donate))
        self._graph_argument = graph_argument
        self._compiled: dict[Hashable, jax.stages.Compiled] = {}
        self.compile_s = 0.0

    def __call__(self, *arguments: Any) -> Any:
        """Calls the function, compiled for the sizes of the graphs."""
        return self.compiled(*arguments)(*arguments)

    def compiled(self, *arguments: Any) -> jax.stages.Compiled:
        """Returns the compiled function for these arguments, without calling it."""
        key = layout(arguments[self._graph_argument])
        if key not in self._compiled:
            begin = time.monotonic()
            self._compiled[key] = self._jitted.lower(*arguments).compile()
            self.compile_s += time.monotonic() - begin
        return self._compiled[key]

    @property
    def compilations(self) -> int:
        """Number of compiled versions."""
        return len(self._compiled)


class CompilationCount:
    """Counts what this process compiles from now on, by JAX's own events.

    Attributes:
        programs: Programs compiled, small ones included, or taken from the persistent cache.
        seconds: Seconds that took.
    """

    def __init__(self) -> None:
        self.programs, self.seconds = 0, 0.0
        jax.monitoring.register_event_duration_secs_listener(self._on_event)

    def _on_event(self, event: str, duration_secs: float, **_: Any) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            self.programs += 1
            self.seconds += duration_secs


def layout(graph: Any) -> Hashable:
    """Everything that makes one batch need another program than a second one."""
    leaves, structure = jax.tree.flatten(graph)
    return structure, tuple(leaf.shape for leaf in leaves)
