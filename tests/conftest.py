"""Settings of every test: strict shapes, a compilation cache, versions in the header."""

from __future__ import annotations

import gc
import importlib.metadata
import os
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

# Programs here are small and run a few times: optimising them would take most of the tests' time.
# What users run is tested by `make test-slow`, which gives no such flags.
QUICK = ["--xla_backend_optimization_level=0", "--xla_llvm_disable_expensive_passes=true"]
if jax.__version_info__ < (0, 11):  # later ones end the process for a flag they do not know
    QUICK.append("--xla_cpu_use_fusion_emitters=false")
os.environ.setdefault("XLA_FLAGS", " ".join(QUICK))
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_compilation_cache_dir", str(Path(__file__).parent.parent / ".jax_cache"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


MAPPINGS = Path("/proc/self/maps")
MANY_MAPPINGS = 40_000
"""Linux allows a process 65,530; XLA crashes where the next program would pass that."""


def pytest_report_header() -> str:
    names = ["jax", "flax", "optax", "e3nn-jax", "pennylane", "optuna", "numpy", "scipy"]
    versions = [f"{name} {importlib.metadata.version(name)}" for name in names]
    return ", ".join(versions) + f", {jax.default_backend()}"


@pytest.fixture
def x64() -> Iterator[None]:
    """Runs the test with 64-bit types, and leaves the global switch as it was."""
    enabled = bool(jax.config.jax_enable_x64)
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", enabled)


@pytest.fixture(autouse=True, scope="module")
def forget_programs() -> Iterator[None]:
    """Drops the compiled programs of earlier modules before there are too many for one process."""
    yield
    if MAPPINGS.exists() and MAPPINGS.read_text().count("\n") > MANY_MAPPINGS:
        jax.clear_caches()
        gc.collect()
