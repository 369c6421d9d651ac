"""When other authorities become responsible for a pilot, its firing alerts carry them from then on."""

from __future__ import annotations

from monitor.model.records import Decision, Level, Reason
from monitor.projections.alerts import Alert, PilotAlerts, after_decision, difference
from monitor.testing.records import decision

NORTH, SOUTH = ("authority:north", "firm:firm"), ("authority:south", "firm:firm")


def after(*decisions: Decision) -> PilotAlerts:
    state = PilotAlerts()
    for one in decisions:
        state = after_decision(state, one)
    return state


def admitted(standing: int = 1) -> Decision:
    return decision(standing, reason=Reason.ADMITTED, kind="act", responsible=("north",), addressed=NORTH)


def halted(standing: int = 2, addressed: tuple[str, ...] = NORTH) -> Decision:
    return decision(
        standing, reason=Reason.HARD_RULE, level=Level.HALT, finding_key="rule/x", finding_level=Level.HALT,
        addressed=addressed,
    )  # fmt: skip


def moved(standing: int = 3, level: Level = Level.HALT) -> Decision:
    return decision(
        standing, reason=Reason.RESPONSIBILITY_CHANGED, level=level, was=level, responsible=("south", "west"),
        addressed=SOUTH,
    )  # fmt: skip


def authorities(alerts: list[Alert]) -> set[str]:
    return {alert.facts.authority for alert in alerts}


def test_the_new_authorities_are_alerted_and_the_old_ones_told_that_it_ended() -> None:
    before, now = after(admitted(), halted()), after(admitted(), halted(), moved())
    started, ended = difference(before, now)
    assert (authorities(started), authorities(ended)) == ({"south,west"}, {"north"})
    assert {alert.name for alert in started} == {alert.name for alert in ended}
    assert {alert.at for alert in started} == {alert.at for alert in ended}, "an alert keeps its start"


def test_the_level_above_stays_addressed() -> None:
    with_above = (*NORTH, "authority:capital")
    now = after(admitted(), halted(addressed=with_above), moved())
    assert authorities(list(now.alerts())) == {"south,west,capital"}


def test_a_later_alert_has_the_new_ones_alone() -> None:
    now = after(admitted(), moved(2, Level.NORMAL), halted(3, addressed=SOUTH))
    assert authorities(list(now.alerts())) == {"south"}


def test_where_no_authority_is_computed_the_label_is_empty() -> None:
    now = after(decision(1, reason=Reason.HARD_RULE, level=Level.HALT, finding_key="rule/x"))
    assert authorities(list(now.alerts())) == {""}
