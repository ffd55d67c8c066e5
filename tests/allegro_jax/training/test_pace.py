"""Calls last about a second, and the clock stands still during compilation."""

import pytest

from allegro_jax.training import pace as pace_module
from allegro_jax.training.pace import Pace


class Machine:
    """A clock that tests move, and seconds of compilation."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.compiled = 100.0, 0.0
        monkeypatch.setattr(pace_module.time, "monotonic", lambda: self.now)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def test_the_first_call_makes_one_step_and_later_ones_a_second(machine: Machine) -> None:
    pace = Pace(None, lambda: machine.compiled)
    assert pace.steps(1000) == 1
    machine.now += 0.02
    pace.read(1)
    assert pace.steps(1000) == 50
    assert pace.steps(30) == 30
    machine.now += 10.0
    pace.read(50)
    assert pace.steps(1000) == 5


def test_calls_are_short_beside_the_time_limit_and_end_with_it(machine: Machine) -> None:
    pace = Pace(10.0, lambda: machine.compiled)
    machine.now += 0.01
    pace.read(1)
    assert pace.steps(1000) == 50  # 5 % of the limit
    machine.now += 9.79
    pace.read(979)
    assert pace.steps(1000) == 20
    machine.now += 0.2
    pace.read(20)
    assert pace.over
    assert pace.steps(1000) == 1


def test_compilation_and_pauses_do_not_count(machine: Machine) -> None:
    pace = Pace(10.0, lambda: machine.compiled, elapsed_s=2.0)
    machine.now, machine.compiled = machine.now + 31.0, machine.compiled + 30.0
    pace.read(1)
    assert pace.elapsed_s == pytest.approx(3.0)
    assert pace.step_s == pytest.approx(1.0)
    machine.now += 50.0
    pace.start()
    machine.now += 1.0
    pace.read()
    assert pace.elapsed_s == pytest.approx(4.0)
