"""Pictures of a search. Needs matplotlib, which is imported when the first one is drawn.

Every function draws on the axes it is given, or on those of a new figure, and returns them.
"""

from samo_cobra.plots.convergence import plot_convergence
from samo_cobra.plots.coordinates import plot_parallel_coordinates
from samo_cobra.plots.fronts import plot_front, plot_fronts
from samo_cobra.plots.quality import plot_model_quality
from samo_cobra.plots.style import COLOURS, MARKERS

__all__ = [
    "COLOURS",
    "MARKERS",
    "plot_convergence",
    "plot_front",
    "plot_fronts",
    "plot_model_quality",
    "plot_parallel_coordinates",
]
