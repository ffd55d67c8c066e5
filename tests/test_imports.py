"""Importing costs nothing, and the rooms keep apart."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = {"jax", "flax", "optax", "orbax", "pennylane", "e3nn_jax", "optuna", "matplotlib", "ase"}


def modules_after(code: str) -> set[str]:
    program = f"{code}; import sys; print(' '.join({{m.split('.')[0] for m in sys.modules}}))"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_the_packages_import_nothing_heavy() -> None:
    assert not modules_after("import allegro_jax, samo_cobra") & HEAVY


def test_samo_cobra_works_without_atoms_and_quantum() -> None:
    loaded = modules_after("from samo_cobra import Optimizer")
    assert not loaded & {"allegro_jax", "flax", "pennylane", "experiments"}


PROGRAMS = [
    *("search", "train", "evaluate", "benchmark_optimisers"),
    *("compare_readouts", "compare_training", "compare_repulsion", "properties"),
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_is_printed_before_anything_heavy_is_imported(program: str) -> None:
    code = (
        "import sys, runpy; sys.argv = ['x', '--help']\n"
        f"try: runpy.run_module('experiments.{program}', run_name='__main__')\n"
        "except SystemExit: pass\n"
        f"assert not {HEAVY} & {{m.split('.')[0] for m in sys.modules}}"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "--workdir" in run.stdout or "--potential" in run.stdout


@pytest.mark.parametrize(
    ("package", "strangers"),
    [
        ("allegro_jax", {"samo_cobra", "experiments"}),
        ("samo_cobra", {"allegro_jax", "experiments", "flax", "pennylane"}),
    ],
)
def test_packages_import_only_what_they_may(package: str, strangers: set[str]) -> None:
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not {name.split(".")[0] for name in names} & strangers, path


def test_public_names_resolve() -> None:
    import allegro_jax
    import samo_cobra

    for package in (allegro_jax, samo_cobra):
        for name in package.__all__:
            assert getattr(package, name)
