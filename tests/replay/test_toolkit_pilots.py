"""A simulated pilot of each toolkit: its typical fault is found by the indicator that should find it, in time; a calm
year disturbs people no more than the toolkit declares, and halts nothing."""

from __future__ import annotations

import functools

import pytest

from monitor.compile.plan import plan_of
from monitor.engine.replay import CharterReplay, timed_records
from monitor.model.records import Decision, Level
from monitor.simulation.toolkit_pilots import ONSET, START, STORIES, ToolkitPilot
from monitor.simulation.toolkit_streams import DAY_MS
from monitor.toolkits.load import SHIPPED, shipped

FAULTS = [(name, fault) for name, story in STORIES.items() for fault in story.faults]


@functools.cache
def decided(toolkit: str, fault: str = "") -> tuple[Decision, ...]:
    """The decisions of a year that raise a finding, by the machine as it runs."""
    pilot = ToolkitPilot(toolkit, fault)
    replay = CharterReplay([pilot.charter], admit=START, service=False, evidence=False)
    made = [one for out in replay.steps(timed_records(iter(pilot))) for one in out.decisions]
    return tuple(one for one in made if one.finding_key and one.finding_level is not None and one.at < pilot.end)


def test_every_shipped_toolkit_has_a_pilot_with_a_fault() -> None:
    """And no pilot is of a toolkit that is not shipped."""
    assert set(STORIES) == set(SHIPPED)
    assert all(story.faults for story in STORIES.values())


@pytest.mark.parametrize("toolkit", STORIES)
def test_a_calm_year_is_not_disturbed(toolkit: str) -> None:
    """No halt, and no more findings of each level than declared; all that the pilot reports counts somewhere."""
    found = decided(toolkit)
    levels = [one.finding_level for one in found]
    declared = shipped(toolkit).about.calm_year
    assert Level.HALT not in levels
    assert levels.count(Level.ESCALATE) <= declared.escalations
    assert levels.count(Level.WATCH) <= declared.watches
    assert not [one for one in found if one.finding_key == "counted_nowhere"]


@pytest.mark.parametrize(("toolkit", "fault"), FAULTS, ids=[f"{name}-{fault}" for name, fault in FAULTS])
def test_the_typical_fault_is_found_by_its_indicator_in_time(toolkit: str, fault: str) -> None:
    """After the onset and within the days that the story states; before the onset nothing of that level is found."""
    story = STORIES[toolkit].faults[fault]
    onset = START + ONSET * DAY_MS
    found = [one for one in decided(toolkit, fault) if one.finding_level is not None
             and one.finding_level >= story.level and one.finding.indicator in story.indicators]  # fmt: skip
    assert found, story.story
    assert onset < found[0].at <= onset + story.within * DAY_MS


@pytest.mark.parametrize("toolkit", STORIES)
def test_a_pilot_reports_what_its_charter_watches(toolkit: str) -> None:
    """Each indicator of the charter is fed in a year: a fault in it could be seen. The same seed gives the same
    events, another one others."""
    pilot = ToolkitPilot(toolkit, days=30)
    events = list(pilot)
    assert events == list(ToolkitPilot(toolkit, days=30))
    assert events != list(ToolkitPilot(toolkit, days=30, seed=2))
    assert [at for at, _ in events] == sorted(at for at, _ in events)
    kinds = {type(event) for _, event in events}
    indicators = plan_of(pilot.charter).indicators
    lacking = {one.name for one in indicators if not kinds.intersection(one.implementation.reads)}
    assert lacking <= {"compliance-cost", "efficiency-gain"}
