"""Errors and speed of a potential on a data set, as one JSON line.

python -m experiments.evaluate --potential=DIR/potential --dataset=rmd17-aspirin --split=test
"""

from __future__ import annotations

import json
import sys

from absl import app, flags

from experiments import runtime

_POTENTIAL = flags.DEFINE_string("potential", None, "Folder of a saved potential or committee.")
_DATASET = flags.DEFINE_string("dataset", None, "Registered name, or a file that ASE reads.")
_PATH = flags.DEFINE_string("path", "", "Folder of full data files.")
_SPLIT = flags.DEFINE_string("split", "", "Official split, such as test; all structures if empty.")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 20, "Structures per call.", lower_bound=1)
_PASSES = flags.DEFINE_integer("passes", 5, "Timed passes.", lower_bound=1)
flags.mark_flags_as_required(["potential", "dataset"])


def evaluate_potential(
    folder: str, dataset: str, path: str, split: str, batch_size: int, passes: int
) -> dict[str, object]:
    """Returns errors (eV, Å), latency, cost and compilation of a saved potential on a data set.

    Raises:
        ValueError: If the potential, the data or the split cannot be used.
    """
    from allegro_jax.committee import load_potential  # `--help` answers at once
    from allegro_jax.datasets import load
    from allegro_jax.programs import CompilationCount
    from allegro_jax.timing import InferencePass, measure
    from allegro_jax.training.evaluation import evaluate

    compilation = CompilationCount()
    potential = load_potential(folder)
    structures = load(dataset, path=path or None)
    if split:
        if split not in structures.splits:
            known = sorted(structures.splits)
            raise ValueError(f"{dataset} has no split {split!r}; it has {known}")
        structures = structures.select(structures.splits[split])
    inference = InferencePass(potential, structures, batch_size)
    return {
        "errors": evaluate(potential, structures, batch_size),
        "latency": measure([inference], passes)[0]._asdict(),
        "cost": inference.cost._asdict(),
        "compilation": {"seconds": compilation.seconds, "programs": compilation.programs},
    }


def main(_: list[str]) -> None:
    """Evaluates what the flags name."""
    runtime.set_up()
    arguments = (_POTENTIAL.value, _DATASET.value, _PATH.value, _SPLIT.value)
    try:
        print(json.dumps(evaluate_potential(*arguments, _BATCH_SIZE.value, _PASSES.value)))
    except (ValueError, OSError, ModuleNotFoundError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    app.run(main)
