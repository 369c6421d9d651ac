"""What a test of the security suite promises: a measured figure and its bound."""

from __future__ import annotations

from typing import Protocol


def goal_line(name: str, figure: float, bound: float, *, least: bool = False, note: str = "") -> str:
    """The line of one goal: `figure` must be at most `bound`, or at least that with `least`.

    >>> goal_line("accepted", 1, 0), goal_line("found", 3, 2, least=True)
    ('GOAL accepted 1 0 short', 'GOAL found 3 2 ok')
    """
    held = figure >= bound if least else figure <= bound
    return f"GOAL {name} {figure:.4g} {bound:g} {'ok' if held else 'short'} {note}".rstrip()


class Goal(Protocol):
    """The fixture `goal`."""

    def __call__(self, name: str, figure: float, bound: float, *, least: bool = False, note: str = "") -> None:
        """Print the goal's line at the end of the run, and fail the test unless it is met. See `goal_line`."""
