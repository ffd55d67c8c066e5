"""The command `allegro-jax`, also `python -m allegro_jax`: train, evaluate, report.

    allegro-jax fit my.extxyz --preset=small --workdir=DIR
    allegro-jax evaluate DIR/potential test.extxyz
    allegro-jax info

What needs the programs of a checkout (searches, comparisons, benchmarks) is in `experiments`.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections.abc import Sequence
from typing import Any


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command that the arguments (those of the process, if None) describe."""
    given = vars(_parser().parse_args(arguments))
    command = given.pop("command")
    try:
        command(**given)
    except (ValueError, OSError, FloatingPointError) as error:
        sys.exit(f"error: {error}")


def report() -> None:
    """Prints versions, devices and what is installed."""
    from allegro_jax.info import info  # quick `--help`, here and below

    _say(info())


def fit(dataset: str, settings: Sequence[str], **options: Any) -> None:
    """Trains a preset on a data set and prints what was reached; see `allegro_jax.fit`."""
    from allegro_jax.compilation_cache import keep_compilations
    from allegro_jax.fitting import fit
    from allegro_jax.interruption import Interruption
    from allegro_jax.training import TrainingStoppedError

    overrides = dict(map(setting, settings))
    for part in ("valid", "test"):
        options[part] = number_or_file(options[part])
    keep_compilations()
    with Interruption() as signals:
        options["should_stop"] = signals.requested
        try:
            result = fit(dataset, progress=True, **options, **overrides)
        except TrainingStoppedError as stopped:
            print(f"{stopped}; the same command continues", file=sys.stderr)  # noqa: T201
            sys.exit(signals.exit_status)
    _say(result.summary())


def evaluate(potential: str, dataset: str, split: str | None, batch_size: int) -> None:
    """Prints the errors of a potential on a data set as one JSON line (eV, Å)."""
    from allegro_jax.committee import load_potential
    from allegro_jax.compilation_cache import keep_compilations
    from allegro_jax.datasets import load
    from allegro_jax.training.evaluation import evaluate

    keep_compilations()
    structures = load(dataset)
    if split is not None:
        if split not in structures.splits:
            known = sorted(structures.splits) or "none"
            raise ValueError(f"{dataset} has no split {split!r}; it has {known}")
        structures = structures.select(structures.splits[split])
    _say(json.dumps(evaluate(load_potential(potential), structures, batch_size)))


def number_or_file(text: str | None) -> int | str | None:
    """Returns the number that a text says, or the text, which names a file."""
    return int(text) if text is not None and text.isdigit() else text


def setting(text: str) -> tuple[str, Any]:
    """Returns name and value of a setting such as "num_layers=3".

    Raises:
        ValueError: If the text has another form.
    """
    name, separator, value = text.partition("=")
    if not separator or not name.isidentifier():
        raise ValueError(f"a setting has the form name=value, such as num_layers=3; got {text!r}")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value  # a word


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("allegro-jax", description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(required=True, metavar="fit | evaluate | info")
    _add_fit(commands.add_parser("fit", help="train a potential on a data set"))
    _add_evaluate(commands.add_parser("evaluate", help="errors of a potential on a data set"))
    about = commands.add_parser("info", help="versions, devices, what is installed")
    about.set_defaults(command=report)
    return parser


def _add_fit(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=fit)
    parser.add_argument("dataset", help="registered name, or a file: extxyz, ... (eV, Å)")
    parser.add_argument("--workdir", required=True, help="folder of the run; made when missing")
    parser.add_argument("--preset", default="small", help="tiny, small, medium, large or paper")
    parser.add_argument("--minutes", type=float, help="of training, in place of the preset's")
    parser.add_argument("--train", type=int, help="number of training structures")
    parser.add_argument("--valid", help="validation structures: their number, or a file")
    parser.add_argument("--test", help="test structures: their number, or a file")
    parser.add_argument("--init", help="folder of a potential to tune further")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--energy_key", help="where the file has energies")
    parser.add_argument("--forces_key", help="where the file has forces")
    parser.add_argument(
        "--set", dest="settings", action="append", default=[], metavar="NAME=VALUE",
        help="another setting than the preset's; any number of them",
    )  # fmt: skip


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=evaluate)
    parser.add_argument("potential", help="folder of a saved potential or committee")
    parser.add_argument("dataset", help="registered name, or a file (eV, Å)")
    parser.add_argument("--split", help="official split, such as test; all structures otherwise")
    parser.add_argument("--batch_size", type=int, default=20, help="structures per call")


def _say(text: str) -> None:
    print(text)  # noqa: T201  # a program


if __name__ == "__main__":
    main()
