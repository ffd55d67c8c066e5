"""How the optimiser works: the choices that the papers leave open, with the ones we recommend."""

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True)
class Settings:
    """Choices of method.

    Attributes:
        infill: ``"phv"``, the predicted gain in hypervolume, or ``"sms"``, which lowers the
            predictions by their variance first and so explores more.
        model_choice: ``"prediction"``, by the errors that each model made before it knew a trial,
            or ``"leave-one-out"``, by what each makes of a trial without it, in closed form, on
            the trials that extended the front and the latest ones.
        batch: ``"sequential"`` adds points one by one and refits the models as if each had come
            out as predicted; ``"joint"`` goes on to move every point of the batch in turn until
            the predicted gain of the whole batch stops growing.
        noise: outputs differ when repeated: models smooth, with a nugget chosen by leave-one-out
            errors, and gains are measured from their means.
        latest: trials that did not extend the front whose errors count in the choice of models,
            the last ones, besides those of the last ten that did; at least as many as are
            evaluated at the same time.
        preset: ``"published"`` for the algorithm as its authors published it; see
            :meth:`published`, which makes these settings.

    Raises:
        ValueError: if a value is unknown.
    """

    infill: Literal["phv", "sms"] = "phv"
    model_choice: Literal["prediction", "leave-one-out"] = "prediction"
    batch: Literal["sequential", "joint"] = "sequential"
    noise: bool = False
    latest: int = 3
    preset: Literal["recommended", "published"] = "recommended"

    @classmethod
    def published(cls, infill: Literal["phv", "sms"] = "phv") -> "Settings":
        """SAMO-COBRA exactly as published (EMO 2021), for comparison; it proposes worse points.

        See :mod:`samo_cobra.published` for what it can do and where SciPy's present COBYLA makes
        a difference.

        Example:
            >>> Settings.published("sms").infill
            'sms'
        """
        return cls(infill=infill, latest=4, preset="published")

    def __post_init__(self) -> None:
        for name, known in (
            ("infill", ("phv", "sms")),
            ("model_choice", ("prediction", "leave-one-out")),
            ("batch", ("sequential", "joint")),
            ("preset", ("recommended", "published")),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {known}, got {getattr(self, name)!r}")
        if self.noise and self.infill == "sms":
            raise ValueError("infill='sms' has no meaning with noise=True; use 'phv'")
        if self.latest < 1:
            raise ValueError(f"latest must be at least 1, got {self.latest}")

    @property
    def needs_inverse(self) -> bool:
        """Whether the fits have to keep inverse matrices."""
        return self.infill == "sms" or self.model_choice == "leave-one-out"
