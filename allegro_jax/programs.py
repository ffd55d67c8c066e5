"""Compilation as a resource: programs compiled ahead of time, counted and timed."""

import time
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import jax
import jraph


class Program:
    """A pure function of a padded graph, compiled once for every capacity it meets.

    Args:
        function: What is compiled.
        graph_argument: Position of the graph among the arguments.
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
        """Calls the function, compiled for the capacity of the graph."""
        return self.compiled(*arguments)(*arguments)

    def compiled(self, *arguments: Any) -> jax.stages.Compiled:
        """Returns the compiled function for these arguments, without calling it."""
        key = _layout(arguments[self._graph_argument])
        if key not in self._compiled:
            begin = time.monotonic()
            self._compiled[key] = self._jitted.lower(*arguments).compile()
            self.compile_s += time.monotonic() - begin
        return self._compiled[key]

    @property
    def compilations(self) -> int:
        """Number of compiled versions."""
        return len(self._compiled)


def _layout(graph: jraph.GraphsTuple) -> Hashable:
    """Everything that makes one batch need another program than a second one."""
    leaves, structure = jax.tree.flatten(graph)
    return structure, tuple(leaf.shape for leaf in leaves)
