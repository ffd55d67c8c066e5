import subprocess
import sys

import samo_cobra


def test_import_pulls_in_nothing_heavy():
    code = (
        "import sys, samo_cobra;"
        "bad = {'jax', 'numpy', 'scipy', 'optuna', 'matplotlib', 'allegro_jax', 'flax',"
        " 'pennylane'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_optimiser_needs_neither_the_potentials_nor_their_libraries():
    code = (
        "import sys; from samo_cobra import Optimizer, hypervolume;"
        "bad = {'optuna', 'matplotlib', 'allegro_jax', 'flax', 'pennylane'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_public_name_resolves():
    for name in samo_cobra.__all__:
        assert getattr(samo_cobra, name).__doc__
    assert set(samo_cobra.__all__) <= set(dir(samo_cobra))
