import subprocess
import sys
import warnings

import jax
import jax.core
import jax.extend.core
import jax.numpy as jnp
import pytest

from allegro_jax.quantum import pennylane_compat
from allegro_jax.quantum.pennylane_compat import MOVED_NAMES, import_pennylane, pennylane_settings

JAX_VERSION = tuple(int(part) for part in jax.__version__.split(".")[:2])
moved = pytest.mark.skipif(JAX_VERSION < (0, 10), reason="this JAX has not moved the names yet")


def ask_whether_a_tracer_is_abstract(qml):
    jax.eval_shape(lambda x: x * qml.math.is_abstract(x), 1.0)


def convert_an_array_to_numpy(qml):
    qml.math.to_numpy(jnp.ones(2))


QUESTIONS = [ask_whether_a_tracer_is_abstract, convert_an_array_to_numpy]


@moved
@pytest.mark.parametrize("question", QUESTIONS)
def test_pennylane_still_asks_jax_core_for_names_that_have_moved(question, monkeypatch):
    """When this fails, PennyLane has adapted: reduce pennylane_compat.MOVED_NAMES, or drop it."""
    qml = import_pennylane()
    for name in MOVED_NAMES:
        monkeypatch.delitem(vars(jax.core), name, raising=False)

    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        with pytest.raises((AttributeError, ImportError, DeprecationWarning), match=r"jax\.core"):
            question(qml)


@pytest.mark.parametrize("question", QUESTIONS)
def test_pennylane_asks_without_warnings_once_the_names_are_restored(question):
    qml = import_pennylane()
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        question(qml)


@moved
def test_restored_names_answer_what_the_moved_ones_answered():
    import_pennylane()
    seen = []

    def look(x):
        seen.append(jax.core.is_concrete(x))
        return x**2

    jax.jit(look)(1.0)
    jax.grad(look)(1.0)
    assert seen == [False, True]
    assert jax.core.is_concrete(jnp.ones(2))
    assert jax.core.concrete_or_error is jax.extend.core.concrete_or_error


def test_names_that_jax_still_has_are_left_alone(monkeypatch):
    monkeypatch.setitem(vars(jax.core), "is_concrete", sentinel := object())
    pennylane_compat.restore_moved_names()
    assert jax.core.is_concrete is sentinel


def test_settings_end_with_the_block(x64):
    with pennylane_settings(jnp.float32):
        assert jnp.ones(()).dtype == jnp.float32
        assert jax.config.jax_numpy_rank_promotion == "allow"
    assert jnp.ones(()).dtype == jnp.float64
    assert jax.config.jax_numpy_rank_promotion == "raise"


def test_pennylane_that_is_not_installed_is_reported_with_a_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "pennylane", None)
    with pytest.raises(ImportError, match="pip install"):
        import_pennylane()


def test_importing_the_quantum_modules_does_not_import_pennylane():
    program = (
        "import sys, allegro_jax.quantum.circuits\n"
        "import allegro_jax.models.qdi, allegro_jax.models.readouts\n"
        "sys.exit('pennylane' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
