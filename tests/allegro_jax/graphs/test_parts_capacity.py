"""Capacities of parts: they hold what they are for, waste little and are used again."""

from allegro_jax.graphs import parts_capacity, reused_capacity


def test_many_parts_waste_little():
    for edges in range(300, 1500, 7):
        capacity = parts_capacity(1000, 20, 100, (edges, edges), fine=True)
        assert capacity.evaluated.fits(100, edges, 1)
        assert capacity.evaluated.edges <= 1.07 * edges


def test_the_number_of_parts_is_not_in_the_capacity():
    few, many = (parts_capacity(1000, chunks, 100, (400, 400), fine=True) for chunks in (33, 64))
    assert few == many


def test_joined_capacities_hold_both():
    first = parts_capacity(100, 5, 100, (500, 400), fine=True)
    second = parts_capacity(1000, 3, 80, (600, 300), fine=True)
    joined = first.joined(second)
    assert joined.holds(first)
    assert joined.holds(second)
    assert not first.holds(second)
    assert not second.holds(first)


def test_a_capacity_that_overflowed_grows_in_evaluated_edges_alone():
    capacity = parts_capacity(100, 1, 100, (500, 400), fine=False)
    grown = capacity.with_edges(capacity.evaluated.edges + 1, fine=False)
    assert grown.evaluated.edges > capacity.evaluated.edges
    assert grown.listed == capacity.listed
    assert grown.holds(capacity)


def test_a_known_capacity_is_taken_unless_it_wastes_much():
    known = parts_capacity(200, 8, 100, (500, 450), fine=True)
    little_less = parts_capacity(120, 4, 99, (480, 430), fine=True)
    much_less = parts_capacity(120, 4, 99, (480, 300), fine=True)
    assert reused_capacity([known], little_less) == known
    assert reused_capacity([known], much_less) == much_less
    assert reused_capacity([], known) == known
