"""Prefetching changes when items are made, and nothing else."""

import itertools
import threading

import pytest

from allegro_jax.graphs.prefetch import prefetched


def prefetch_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def test_all_items_come_in_order() -> None:
    assert list(prefetched(iter(range(10)))) == list(range(10))
    assert list(prefetched([])) == []
    assert not prefetch_threads()


def test_the_next_item_is_made_while_the_present_one_is_used() -> None:
    third_made = threading.Event()

    def items():
        yield from (1, 2)
        third_made.set()
        yield 3

    stream = prefetched(items())
    assert next(stream) == 1
    assert third_made.wait(10)
    assert list(stream) == [2, 3]


def test_what_a_maker_raises_is_raised_in_its_place() -> None:
    def items():
        yield 1
        raise ValueError("the second cannot be made")

    stream = prefetched(items())
    assert next(stream) == 1
    with pytest.raises(ValueError, match="the second"):
        next(stream)
    assert not prefetch_threads()


def test_stopping_early_leaves_no_thread() -> None:
    stream = prefetched(itertools.count())
    assert next(stream) == 0
    stream.close()
    assert not prefetch_threads()
