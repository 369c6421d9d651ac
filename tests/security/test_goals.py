"""The goal fixture itself."""

from __future__ import annotations

from tests.security.goals import Goal, goal_line


def test_a_goal_fails_on_the_wrong_side_of_its_bound(goal: Goal) -> None:
    """Both directions: at most, and at least."""
    goal("goal_fixture", 1, 1)
    goal("goal_fixture_least", 2, 1, least=True)
    assert goal_line("most", 2, 1) == "GOAL most 2 1 short"
    assert goal_line("least", 1, 2, least=True, note="of 3") == "GOAL least 1 2 short of 3"
