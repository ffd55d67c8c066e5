"""Which long trainings a study makes, in the order of their weight."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.reproduction import published
from experiments.reproduction.fronts import Found, Trial
from experiments.reproduction.scales import ACCURATE, Scale
from experiments.spaces import EXTRA, SHARED

PROMOTION, CONTROL, LITERATURE = "promotion", "control", "literature"
TRANSFER, RECIPE = "transfer", "recipe"

QDI = "allegro-qdi"
RECIPE_SOURCE = "culi"
"""The paper searched QDI on Cu-Li alone, and took its circuit from there to the other sets."""


@dataclasses.dataclass(frozen=True)
class Job:
    """One long training.

    Attributes:
        kind: "promotion" of a trial; "control" with the hyperparameters of the best QDI;
            "literature", Allegro with the hyperparameters of 2023; "transfer" of the most accurate
            trial of another data set; "recipe", QDI as the paper made it: the circuit of Cu-Li, all
            else from the best Allegro.
        dataset: What it is trained on.
        variant: What is trained.
        params: Hyperparameters.
        seed: Seed.
        source: Data set that the hyperparameters, or the circuit, come from; "" for literature.
        trial: Number of the trial they come from.
        pick: Which trial of its front that is.
        origins: Records of the trials they come from.
    """

    kind: str
    dataset: str
    variant: str
    params: Mapping[str, Any]
    seed: int
    source: str = ""
    trial: int | None = None
    pick: str = ACCURATE
    origins: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What its folder is called; other hyperparameters have another name."""
        origin = f"{self.source}-{self.trial:04d}" if self.trial is not None else "2023"
        return f"{self.variant}_{self.pick}_{origin}_seed{self.seed}"

    def folder(self, workdir: Path) -> Path:
        """Returns the folder of the training."""
        return workdir / "trainings" / self.dataset / self.kind / self.name

    @property
    def title(self) -> str:
        """What is said of it while it runs."""
        origin = f", trial {self.trial} of {self.source}" if self.trial is not None else ""
        return f"{self.kind}: {self.variant} on {self.dataset}{origin}, seed {self.seed}"


def jobs(found: Mapping[str, Found], scale: Scale) -> list[Job]:
    """Returns all long trainings of a study, the most important ones first.

    First a seed of the most accurate trials and of the controls, then a second one, the transfers,
    further seeds, and at last the balanced trials.
    """
    made = [job for seed in range(scale.seeds) for job in _with_seed(found, scale, seed)]
    made += transfers(found, scale)
    return sorted(made, key=_weight)


def _with_seed(found: Mapping[str, Found], scale: Scale, seed: int) -> list[Job]:
    result = []
    for each in found.values():
        chosen = [(pick, each.picked(v, pick)) for v in each.trials for pick in scale.picks]
        result += [_of(PROMOTION, trial, seed, pick=pick) for pick, trial in chosen if trial]
        if (best := each.picked(QDI, ACCURATE)) is not None:
            result += [_of(CONTROL, best, seed, variant=name) for name in scale.controls]
        if (params := published.musaelian2023(each.dataset)) is not None:
            result.append(Job(LITERATURE, each.dataset, "allegro", params, seed))
    return result


def transfers(found: Mapping[str, Found], scale: Scale) -> list[Job]:
    """Returns the trainings with hyperparameters of another data set, and the paper's recipe."""
    result = []
    for variant in scale.transfers:
        for source in found.values():
            if (trial := source.picked(variant, ACCURATE)) is not None:
                others = [name for name in found if name != source.dataset]
                result += [_of(TRANSFER, trial, 0, dataset=name) for name in others]
    return result + _recipes(found)


def _recipes(found: Mapping[str, Found]) -> list[Job]:
    """The QDI of the paper: six hyperparameters of the set's best Allegro, three of Cu-Li's QDI."""
    circuit = found[RECIPE_SOURCE].picked(QDI, ACCURATE) if RECIPE_SOURCE in found else None
    result = []
    for name, each in found.items():
        body = each.picked("allegro", ACCURATE)
        if circuit is None or body is None or name == RECIPE_SOURCE:
            continue
        params = {key: body.params[key] for key in SHARED}
        params |= {key: circuit.params[key] for key in EXTRA[QDI]}
        job = _of(RECIPE, circuit, 0, dataset=name)
        origins = (body.record, circuit.record)
        pick = f"body-{body.number:04d}"
        result.append(dataclasses.replace(job, params=params, origins=origins, pick=pick))
    return result


def _of(
    kind: str,
    trial: Trial,
    seed: int,
    *,
    dataset: str | None = None,
    variant: str | None = None,
    pick: str = ACCURATE,
) -> Job:
    return Job(
        kind=kind,
        dataset=dataset or trial.dataset,
        variant=variant or trial.variant,
        params=dict(trial.params),
        seed=seed,
        source=trial.dataset,
        trial=trial.number,
        pick=pick,
        origins=(trial.record,),
    )


def _weight(job: Job) -> tuple[int, ...]:
    """Smaller comes first; equal ones stay in their order."""
    if job.kind in (PROMOTION, CONTROL) and job.pick == ACCURATE:
        return (0 if job.seed < 2 else 2, job.seed, job.kind == CONTROL)
    if job.kind == LITERATURE:
        return (1 if job.seed < 2 else 3, job.seed)
    return (1, 2) if job.kind in (TRANSFER, RECIPE) else (4, job.seed)


def count(scale: Scale, datasets: Sequence[str]) -> dict[str, int]:
    """Returns how many long trainings a study makes on each data set if all fronts allow."""
    totals = {}
    for dataset in datasets:
        with_seeds = len(published.VARIANTS) * len(scale.picks) + len(scale.controls)
        with_seeds += published.musaelian2023(dataset) is not None
        others = len(scale.transfers) * (len(datasets) - 1) + (dataset != RECIPE_SOURCE)
        totals[dataset] = scale.seeds * with_seeds + others
    return totals
