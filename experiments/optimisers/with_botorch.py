"""qLogNEHVI of BoTorch, as a plain script after BoTorch's tutorials.

One GP per output on inputs in [0, 1], categories one-hot, each fit started from the one before;
log noisy expected hypervolume improvement with the reference point of the problem, all
observations as baseline; on mixed spaces the alternating search. Against the tutorials there are
fewer Monte-Carlo samples, restarts, raw samples and iterations, so that a suggestion costs about a
CPU second; `QLogNEHVI.settings` says how many.

BoTorch builds a C++ kernel on first use. A build that is killed leaves a lock in the folder of
torch's extensions, on which later runs wait for ever: remove the folder then.
"""

from __future__ import annotations

import functools
import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.objective import IdentityMCMultiOutputObjective
from botorch.models import ModelListGP, SingleTaskGP
from botorch.models.transforms.input import InputTransform, NumericToCategoricalEncoding
from botorch.models.transforms.outcome import Standardize
from botorch.optim import optimize_acqf
from botorch.optim.fit import fit_gpytorch_mll_scipy
from botorch.optim.optimize_mixed import optimize_acqf_mixed_alternating
from botorch.sampling.normal import SobolQMCNormalSampler
from gpytorch.mlls import ExactMarginalLogLikelihood

from experiments.optimisers.method import Start, value_at
from experiments.optimisers.tasks import Outcome, Task
from samo_cobra import Categorical, Integer

Point = dict[str, Any]


class QLogNEHVI:
    """Suggestions by qLogNEHVI after the design."""

    def __init__(self, task: Task, start: Start) -> None:
        torch.set_num_threads(1)
        torch.set_default_dtype(torch.float64)
        torch.manual_seed(start.seed)
        self.settings: dict[str, Any] = {
            "reference_point": "given",
            "mc_samples": 32,
            "num_restarts": 2,
            "raw_samples": 64,
            "maxiter": 40,
            "fit_maxiter": 40,
            "constraints": "divided by their standard deviation",
        }
        self._task = task
        self._seed = start.seed
        self._design = list(start.design)
        self._inputs: list[list[float]] = []
        self._states: list[dict[str, torch.Tensor]] = []
        self._outcomes: list[Outcome] = []
        self._axes = [_axis(p) for p in task.space.parameters]

    def ask(self) -> Point:
        """Returns a point of the design, or the maximiser of the acquisition function."""
        if self._design:
            return self._design.pop(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            candidate = self._maximise(self._acquisition())
        pairs = zip(self._task.space.parameters, candidate.tolist(), strict=True)
        return {p.name: _value(p, u) for p, u in pairs}

    def tell(self, x: Point, outcome: Outcome) -> None:
        """Keeps the outcome."""
        parameters = self._task.space.parameters
        self._inputs.append([_position(p, x[p.name]) for p in parameters])
        self._outcomes.append(outcome)

    def _outputs(self) -> torch.Tensor:
        """Negated objectives, and constraints in units of their spread."""
        objectives = np.array([o.objectives for o in self._outcomes])
        constraints = np.array([o.constraints for o in self._outcomes])
        spread = constraints.std(axis=0)
        constraints = constraints / np.where(spread > 0, spread, 1.0)
        return torch.tensor(np.concatenate([-objectives, constraints], axis=1))

    def _encoding(self) -> InputTransform | None:
        """One-hot columns for categories, which are numbered in the inputs."""
        sizes = {i: len(v) for i, (kind, v) in enumerate(self._axes) if kind == "categorical"}
        if not sizes:
            return None
        encoders = {i: functools.partial(_one_hot, size=n) for i, n in sizes.items()}
        return NumericToCategoricalEncoding(len(self._axes), sizes, encoders)

    def _model(self, inputs: torch.Tensor, outputs: torch.Tensor) -> ModelListGP:
        models = [
            SingleTaskGP(
                inputs,
                column[:, None],
                outcome_transform=Standardize(m=1),
                input_transform=self._encoding(),
            )
            for column in outputs.T
        ]
        for model, state in itertools.zip_longest(models, self._states):
            if state is not None:
                model.load_state_dict(state, strict=False)
            likelihood = ExactMarginalLogLikelihood(model.likelihood, model).train()
            fit_gpytorch_mll_scipy(likelihood, options={"maxiter": self.settings["fit_maxiter"]})
            likelihood.eval()
        self._states = [_hyperparameters(m) for m in models]
        return ModelListGP(*models)

    def _acquisition(self) -> qLogNoisyExpectedHypervolumeImprovement:
        k, m = self._task.n_objectives, self._task.n_constraints
        inputs = torch.tensor(self._inputs)
        shape = torch.Size([self.settings["mc_samples"]])
        return qLogNoisyExpectedHypervolumeImprovement(
            model=self._model(inputs, self._outputs()),
            ref_point=[-r for r in self._task.reference_point],
            X_baseline=inputs,
            sampler=SobolQMCNormalSampler(shape, seed=self._seed + len(self._inputs)),
            objective=IdentityMCMultiOutputObjective(outcomes=list(range(k))),
            constraints=[_column(k + j) for j in range(m)] or None,
            prune_baseline=True,
        )

    def _maximise(self, acquisition: qLogNoisyExpectedHypervolumeImprovement) -> torch.Tensor:
        restarts, raw = self.settings["num_restarts"], self.settings["raw_samples"]
        ends = [(v[0], v[-1]) for _, v in self._axes]
        options: dict[str, Any] = {"num_restarts": restarts, "raw_samples": raw}
        if self._task.mixed:
            kinds = {"integer": {}, "categorical": {}, "real": {}}
            for i, (kind, positions) in enumerate(self._axes):
                kinds[kind][i] = positions
            candidates, _ = optimize_acqf_mixed_alternating(
                acquisition,
                torch.tensor(ends).T,
                discrete_dims=kinds["integer"],
                cat_dims=kinds["categorical"],
                options={"maxiter_alternating": self.settings["maxiter"] // 8},
                **options,
            )
        else:
            candidates, _ = optimize_acqf(
                acquisition,
                torch.tensor(ends).T,
                q=1,
                options={"batch_limit": restarts, "maxiter": self.settings["maxiter"]},
                **options,
            )
        return candidates[0].detach()


def _one_hot(numbers: torch.Tensor, size: int) -> torch.Tensor:
    return torch.nn.functional.one_hot(numbers.round().long(), size).to(numbers)


def _hyperparameters(model: SingleTaskGP) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def _column(index: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """Constraint of one output, feasible where <= 0."""
    return lambda outputs: outputs[..., index]


def _axis(parameter: Any) -> tuple[str, list[float]]:
    """Kind of a parameter, and its positions (of a real one: the ends)."""
    if isinstance(parameter, Categorical):
        return "categorical", [float(i) for i in range(len(parameter.choices))]
    if isinstance(parameter, Integer):
        values = range(parameter.low, parameter.high + 1)
        return "integer", [parameter.to_unit(v)[0] for v in values]
    return "real", [0.0, 1.0]


def _position(parameter: Any, value: Any) -> float:
    if isinstance(parameter, Categorical):
        return float(parameter.choices.index(value))
    return float(parameter.to_unit(value)[0])


def _value(parameter: Any, position: float) -> Any:
    if isinstance(parameter, Categorical):
        return parameter.choices[round(position)]
    return value_at(parameter, position)
