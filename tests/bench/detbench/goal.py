"""A goal of the bench: a figure, its bound, and the standard error of the simulation."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One line of a goal's table: what was measured, in which setting, with one standard error."""

    what: str
    setting: str
    figure: float
    error: float = 0.0
    reference: float | None = None  # a figure to compare with, if there is one
    seconds: float = 0.0


class Goal(NamedTuple):
    """`figure` measured against `bound` as printed (`<= 0.11`); `error` is one standard error in the figure's units.

    `ok` is the plain comparison of figure and bound: the error is printed, never used to forgive. `rows` are the
    table and the picture behind the figure.
    """

    name: str
    figure: float
    bound: str
    ok: bool
    error: float
    note: str
    rows: tuple[Row, ...] = ()

    def line(self) -> str:
        """The last line printed for this goal: `GOAL G1 figure bound ok|short`."""
        return f"GOAL {self.name} {self.figure:.4g} {self.bound.replace(' ', '')} {'ok' if self.ok else 'short'}"


def held(figure: float, bound: str) -> bool:
    """Whether a figure keeps a bound written as `<= x` or `>= x`; raises ValueError on any other bound.

    >>> held(0.1, "<= 0.11"), held(0.1, ">= 0.4")
    (True, False)
    """
    sign, _, value = bound.partition(" ")
    if sign == "<=":
        return figure <= float(value)
    if sign == ">=":
        return figure >= float(value)
    raise ValueError(f"bound: {bound!r} is neither '<= x' nor '>= x'")
