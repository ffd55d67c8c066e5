"""What is kept of one finished training: a JSON file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from allegro_jax.files import write_json


@dataclasses.dataclass(frozen=True)
class Result:
    """A finished row of the comparison.

    Attributes:
        name: Of the row.
        program: Whose code trained.
        settings: "preset" or "published".
        request: JSON values that say exactly what was trained, on what.
        parameters: Trainable numbers.
        curve: A row per validation: epoch, step, seconds, forces_mae (eV/Å), energy_mae (eV).
        compile_s: Seconds of tracing and compiling, outside of the training time.
        test: Test errors by `allegro_jax.evaluate`, eV and Å.
        own_test: Force and energy MAE as the program that trained measured them; None for ours.
        environment: Versions, platform, threads of torch.
    """

    name: str
    program: str
    settings: str
    request: dict[str, Any]
    parameters: int
    curve: list[dict[str, float]]
    compile_s: float
    test: dict[str, float]
    own_test: dict[str, float] | None
    environment: dict[str, str]

    @property
    def seconds(self) -> float:
        """Seconds of steps and validations."""
        return self.curve[-1]["seconds"]

    @property
    def epochs(self) -> float:
        """Passes over the training set, the last perhaps in part."""
        return self.structures / self.request["train"]["structures"]

    @property
    def structures(self) -> float:
        """Structures trained on, each as often as it was; a last, smaller batch counts as full."""
        return self.curve[-1]["step"] * self.request["training"]["batch_size"]

    @property
    def cores(self) -> int:
        """Cores that the training might use."""
        return self.request["cores"]

    @property
    def best(self) -> dict[str, float]:
        """The row of the kept parameters."""
        return min(self.curve, key=lambda row: row["forces_mae"])

    def save(self, path: Path) -> None:
        """Writes the result; a crash leaves the whole file or none."""
        write_json(path, dataclasses.asdict(self))

    @classmethod
    def load(cls, path: Path) -> Result | None:
        """Reads a result; None where there is none.

        Raises:
            ValueError: If the file is not a whole result.
        """
        try:
            return cls(**json.loads(path.read_text()))
        except FileNotFoundError:
            return None
        except (json.JSONDecodeError, TypeError) as error:
            raise ValueError(f"{path} is not the result of a training: {error}") from error
