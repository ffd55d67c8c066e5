"""Where a training run is, for those who watch it."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Progress:
    """What a run tells after every call of its compiled program, about once a second.

    Attributes:
        epoch: The epoch in work, from 1.
        max_epochs: Most epochs.
        step: Optimiser steps of this epoch that are done.
        steps_per_epoch: Optimiser steps of a whole epoch.
        loss: Mean loss of the steps of this call.
        learning_rate: Of the last step.
        structures_per_s: Structures trained on per second of this call.
        elapsed_s: Seconds of training, without compilations, over all interruptions.
        remaining_s: Seconds to the last step or to the time limit, whichever comes first; NaN
            before the time of a step is known.
    """

    epoch: int
    max_epochs: int
    step: int
    steps_per_epoch: int
    loss: float
    learning_rate: float
    structures_per_s: float
    elapsed_s: float
    remaining_s: float
