"""Test problems: the published suite as coded by the authors of SAMO-COBRA, and standard ones.

>>> from samo_cobra import problems
>>> problem = problems.get("BNH")
>>> objectives, constraints = problem.evaluate({"x1": 1.0, "x2": 2.0})
"""

import functools

from samo_cobra.problems import published, standard
from samo_cobra.problems.problem import Problem
from samo_cobra.problems.results import Results

__all__ = ["Problem", "Results", "get", "names", "published_names", "standard_names"]


@functools.cache
def _published() -> dict[str, Problem]:
    return {p.name: p for p in published.problems()}


@functools.cache
def _standard() -> dict[str, Problem]:
    return {p.name: p for p in standard.problems()}


def published_names() -> list[str]:
    """The 18 problems of the papers, as coded by the authors."""
    return list(_published())


def standard_names() -> list[str]:
    """ZDT1 to 3, DTLZ2, C2DTLZ2, and ``<name>-standard`` where the authors' coding deviates."""
    return list(_standard())


def names() -> list[str]:
    """All names that :func:`get` knows."""
    return published_names() + standard_names()


def get(name: str) -> Problem:
    """Looks up a test problem.

    Raises:
        ValueError: if the name is unknown.
    """
    known = {**_published(), **_standard()}
    if name not in known:
        raise ValueError(f"unknown problem {name!r}; choose one of {names()}")
    return known[name]
