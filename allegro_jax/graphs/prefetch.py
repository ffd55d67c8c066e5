"""The next batches are made while the device works on the present one."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def prefetched(items: Iterable[T], depth: int = 2) -> Iterator[T]:
    """Yields the items in order, made by one thread that runs up to `depth` items ahead.

    What making an item raises is raised where the item would have come. Closing the generator ends
    the thread.

    Example:
        >>> from allegro_jax.graphs.prefetch import prefetched
        >>> list(prefetched(range(4)))
        [0, 1, 2, 3]
    """
    source, end = iter(items), object()
    with ThreadPoolExecutor(1, thread_name_prefix="prefetch") as pool:
        ahead: deque[Any] = deque(pool.submit(next, source, end) for _ in range(depth))
        try:
            while (item := ahead.popleft().result()) is not end:
                ahead.append(pool.submit(next, source, end))
                yield item
        finally:
            for future in ahead:
                future.cancel()
