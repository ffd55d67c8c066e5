"""What optuna-dashboard shows beside its own pictures: the hypervolume of every study.

It reads a study's storage; nothing here is needed for the static report.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping

import numpy as np
import optuna
from jaxtyping import Float

PICTURE = "hypervolume"
"""Identity of the picture in a study: a new one takes its place."""


def attach_hypervolumes(
    studies: Mapping[str, optuna.Study], curves: Mapping[str, Float[np.ndarray, " trials"]]
) -> None:
    """Attaches to every study the hypervolume after every trial, of all variants for comparison.

    Does nothing where optuna-dashboard or plotly is not installed.

    Args:
        studies: By variant.
        curves: Share of the reference box after every trial, by variant.
    """
    if any(importlib.util.find_spec(name) is None for name in ("optuna_dashboard", "plotly")):
        return
    import plotly.graph_objects as go
    from optuna_dashboard import save_plotly_graph_object

    # Lists: the dashboard's own plotly does not read arrays in binary.
    lines = {name: (list(range(1, len(y) + 1)), y.tolist()) for name, y in curves.items()}
    figure = go.Figure([go.Scatter(x=x, y=y, name=name) for name, (x, y) in lines.items()])
    figure.update_layout(
        title="Hypervolume, share of the box of all values",
        xaxis_title="finished trials",
        yaxis_title="hypervolume",
    )
    for study in studies.values():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            save_plotly_graph_object(study, figure, graph_object_id=PICTURE)
