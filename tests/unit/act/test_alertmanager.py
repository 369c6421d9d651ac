"""What the Alertmanager actor posts: labels, links, and times in Alertmanager's own clock."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from monitor.act.alertmanager import Alertmanager, resolve_timeout
from monitor.errors import Refused
from monitor.model.records import Decision, Finding, Level, Reason
from monitor.projections.alerts import Alert, Facts, PilotAlerts, after_decision, occurrence
from monitor.projections.links import Links, checked
from monitor.testing.recorder import Recorded, Recorder
from monitor.testing.records import halted

LINKS = Links("https://wiki.test/runbook", "https://board.test/")


def alerts(*decisions: Decision, facts: Facts = Facts()) -> list[Alert]:  # noqa: B008 (a frozen value)
    standing = PilotAlerts()
    for decision in decisions:
        standing = after_decision(standing, decision, facts)
    return list(standing.alerts())


def wall() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


def post(standing: list[Alert], ended: list[Alert], behind: int = 0) -> list[list[dict[str, Any]]]:
    """The bodies posted by an actor whose clock is `behind` (ms) that of the receiver."""
    with Recorder() as recorder:
        Alertmanager(recorder.url, clock=lambda: wall() - behind, links=LINKS).notify(standing, ended)
        return [seen.body for seen in recorder.seen if seen.method == "POST"]


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def test_a_halt_is_a_critical_alert() -> None:
    """It carries who, what and why, where its runbook and its pilot's page are, and no end."""
    [[alert, _]] = post(alerts(halted(), facts=Facts("high", "driving", "north")), [])
    assert alert["labels"] == {
        "alertname": "SandboxPilotHalted",
        "severity": "critical",
        "via": "push",
        "level": "halt",
        "pilot": "p-1",
        "participant": "firm-1",
        "reason": "limit_exceeded",
        "finding": "level",
        "occurrence": occurrence(halted()),
        "tier": "high",
        "sector": "driving",
        "region": "north",
    }
    assert alert["annotations"] == {
        "summary": "Pilot p-1 of firm-1 was halted. Charter limit exceeded: incidents: 15 counted where at most "
        "6.2 were allowed; statistic 4.66, threshold 5.1.",
        "runbook_url": "https://wiki.test/runbook#sandboxpilothalted",
        "board_url": "https://board.test/pilot/p-1",
        "decision": halted().id,
    }
    assert alert["generatorURL"] == "https://board.test/pilot/p-1"
    assert ms(alert["startsAt"]) == 1_700_000_000_000
    assert "endsAt" not in alert


@pytest.mark.parametrize("behind", [0, 600_000, -600_000], ids=["right", "ten minutes behind", "ten minutes ahead"])
def test_times_are_those_of_alertmanagers_clock(behind: int) -> None:
    """Nothing that stands carries an end or begins in Alertmanager's future; what ended has ended there."""
    late = alerts(halted(at=wall() - behind))
    [[alert, _]] = post(late, [], behind)
    assert "endsAt" not in alert
    assert ms(alert["startsAt"]) <= wall() + 2_000
    [[ended, _]] = post([], late, behind)
    assert abs(ms(ended["endsAt"]) - wall()) <= 3_000
    assert ms(ended["startsAt"]) <= ms(ended["endsAt"])


def test_a_clock_that_moves_in_between_is_corrected_at_once() -> None:
    """An end sent with the wrong time is resent with the right one, as soon as the response shows the clock skew."""
    behind = 0
    with Recorder() as recorder:
        actor = Alertmanager(recorder.url, clock=lambda: wall() - behind)
        actor.notify(alerts(halted()), [])
        behind = -600_000
        actor.notify([], alerts(halted()))
        ends = [
            ms(seen.body[0]["endsAt"]) for seen in recorder.seen if seen.method == "POST" and "endsAt" in seen.body[0]
        ]
    assert len(ends) == 2
    assert abs(ends[1] - wall()) <= 3_000


def test_skew_is_measured_and_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    """Each answer gives seconds; beyond half a minute the log says so, once."""
    measured: list[float] = []
    with Recorder() as recorder, caplog.at_level(logging.WARNING):
        actor = Alertmanager(recorder.url, clock=lambda: wall() - 600_000, skewed=measured.append)
        actor.notify(alerts(halted()), [])
        actor.notify(alerts(halted()), [])
    assert len(measured) == 3
    assert all(598 <= seconds <= 602 for seconds in measured)
    assert sum("clock" in record.message for record in caplog.records) == 1


def test_a_short_resolve_timeout_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """An Alertmanager that ends alerts soon would report a standing halt as resolved when this process stops."""
    status = {"config": {"original": "global:\n  resolve_timeout: 5m\n"}}
    for original, warned in (("5m", True), ("168h", False)):
        caplog.clear()
        status = {"config": {"original": f"global:\n  resolve_timeout: {original}\n"}}

        def answer(seen: Recorded, said: dict[str, Any] = status) -> tuple[int, Any]:
            return 200, said if seen.path.endswith("/status") else {}

        with Recorder(answer) as recorder:
            Alertmanager(recorder.url).notify(alerts(halted()), [])
        assert any("resolve_timeout" in record.message for record in caplog.records) is warned
    assert resolve_timeout(b"{}") == 300


def test_what_alertmanager_holds_is_read_back() -> None:
    """Its own answer gives the same alerts again; those of others are left alone."""
    ours = alerts(halted(), facts=Facts("high"))
    [posted] = post(ours, [])
    held = [dict(body, endsAt="2030-01-01T00:00:00Z", fingerprint="x", status={}) for body in posted]
    held.append({"labels": {"alertname": "Other"}, "annotations": {}, "startsAt": "2030-01-01T00:00:00Z"})
    with Recorder(lambda seen: (200, held)) as recorder:
        found = Alertmanager(recorder.url).open()
        assert "via%3D%22push%22" in recorder.seen[0].path
    assert [alert.identity for alert in found] == [alert.identity for alert in ours]
    assert found == ours


def test_an_answer_that_is_no_list_of_alerts_is_refused() -> None:
    """A page of a proxy is not taken for `nothing is open`."""
    with Recorder(lambda seen: (200, {"login": "please"})) as recorder, pytest.raises(Refused):
        Alertmanager(recorder.url).open()


DEATH = Finding(rule="death", detail="serious_incident, death, i-1", observed=1.0, expected=0.0)
SCRATCH = Finding(rule="scratch", detail="incident, property, i-2", observed=1.0, expected=0.0)


@pytest.mark.parametrize(
    ("level", "reason", "finding", "asked", "expect"),
    [
        pytest.param(
            Level.ESCALATE,
            Reason.HARD_RULE,
            DEATH,
            Level.ESCALATE,
            {"SandboxHardRule": "critical"},
            id="a death on an escalated pilot pages, although the level does not change",
        ),
        pytest.param(
            Level.ESCALATE,
            Reason.HARD_RULE,
            SCRATCH,
            Level.ESCALATE,
            {"SandboxHardRule": "warning"},
            id="harm to property that escalates does not wake anybody",
        ),
        pytest.param(
            Level.ESCALATE, Reason.HARD_RULE, SCRATCH, Level.WATCH, {}, id="what the charter only watches is no alert"
        ),
        pytest.param(
            Level.ESCALATE,
            Reason.HARD_RULE,
            DEATH,
            Level.WATCH,
            {"SandboxHardRule": "critical"},
            id="a death pages at every level",
        ),
        pytest.param(
            Level.HALT,
            Reason.HALT_CONTRADICTED,
            Finding(rule="heartbeat"),
            Level.ESCALATE,
            {"SandboxHaltContradicted": "critical"},
            id="a contradicted halt pages",
        ),
        pytest.param(
            Level.HALT,
            Reason.HALT_OVERDUE,
            Finding(rule="dark"),
            Level.ESCALATE,
            {"SandboxHaltOverdue": "critical"},
            id="so does one that is overdue",
        ),
        pytest.param(
            Level.ESCALATE,
            Reason.CHANGE_DETECTED,
            Finding(indicator="x"),
            Level.ESCALATE,
            {},
            id="a finding that is not grave stays with the level",
        ),
    ],
)
def test_severity_follows_harm(
    level: Level, reason: Reason, finding: Finding, asked: Level, expect: dict[str, str]
) -> None:
    """A further finding of a pilot that is at its level already is a separate alert, as severe as its harm."""
    name = {Level.ESCALATE: "SandboxPilotEscalated", Level.HALT: "SandboxPilotHalted"}[level]
    first = halted(level=level, reason=Reason.LIMIT_HALF_WAY, finding=Finding())
    again = halted(2, kind="finding", level=level, was=level, reason=reason, finding=finding, finding_level=asked)
    found = {alert.name: alert.severity for alert in alerts(first, again) if alert.name != name}
    assert found == expect


def test_one_incident_is_one_alert_until_it_becomes_graver() -> None:
    """The same incident reported again is the same alert; one that turns out graver is a new one in its place."""

    def death(standing: int, harm: str) -> Decision:
        finding = Finding(rule="serious", detail=f"serious_incident, {harm}, i-1")
        return halted(
            standing,
            kind="finding",
            level=Level.ESCALATE,
            was=Level.ESCALATE,
            reason=Reason.HARD_RULE,
            finding=finding,
            finding_level=Level.ESCALATE,
        )

    def occurrences(*decisions: Decision) -> list[tuple[str, str]]:
        return [(a.severity, a.occurrence) for a in alerts(*decisions) if a.name == "SandboxHardRule"]

    minor, again, graver = death(1, "property"), death(2, "property"), death(3, "death")
    assert occurrences(minor, again) == [("warning", occurrence(minor))]
    assert occurrences(minor, again, graver) == [("critical", occurrence(graver))]


@pytest.mark.parametrize("level", [Level.NORMAL, Level.WATCH])
def test_low_levels_page_no_person(level: Level) -> None:
    """Watch is for dashboards."""
    assert alerts(halted(level=level, was=Level.ESCALATE, reason=Reason.CHANGE_DETECTED)) == []


def test_a_second_halt_is_another_occurrence() -> None:
    """After a release the same pilot's next halt has other labels, so that it is notified at once."""
    lifted = halted(2, level=Level.NORMAL, was=Level.HALT, reason=Reason.RELEASED)
    [first, _], [second, _] = alerts(halted()), alerts(halted(), lifted, halted(3))
    assert first.occurrence != second.occurrence
    assert msgspec.structs.replace(second, occurrence="", decision="", at=0) == msgspec.structs.replace(
        first, occurrence="", decision="", at=0
    )


@pytest.mark.parametrize("address", ["runbook.md", "//host/x", "ftp://host/x", "https:", ""])
def test_a_link_that_is_not_absolute_is_refused(address: str) -> None:
    """A phone cannot follow it."""
    with pytest.raises(Refused, match="--runbook-url"):
        checked(address, "--runbook-url")
