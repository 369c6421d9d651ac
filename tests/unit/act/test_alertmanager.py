"""What the Alertmanager actor posts for each move on the ladder."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from monitor.act.alertmanager import Alertmanager
from monitor.model import Decision, Level, Reason
from monitor.testing.recorder import Recorder
from monitor.testing.records import halted

NOW = 1_700_000_100_000


def post(*decisions: Decision) -> list[list[dict[str, Any]]]:
    with Recorder() as recorder:
        actor = Alertmanager(recorder.url, clock=lambda: NOW)
        for item in decisions:
            actor.act(item)
        assert all(seen.path == "/api/v2/alerts" and seen.method == "POST" for seen in recorder.seen)
        return [seen.body for seen in recorder.seen]


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def test_a_halt_is_a_critical_alert() -> None:
    """It carries pilot, participant, level, reason, a sentence, its runbook heading and an end in the future."""
    [[alert]] = post(halted())
    assert alert["labels"] == {
        "alertname": "SandboxPilotHalted",
        "severity": "critical",
        "via": "push",
        "level": "halt",
        "pilot": "p-1",
        "participant": "firm-1",
        "reason": "limit_exceeded",
    }
    assert alert["annotations"]["summary"] == (
        "Pilot p-1 of firm-1 was halted. A limit of the charter is broken: incidents: 15 counted where at most 6.2 were allowed; "
        "statistic 4.66 against a threshold of 5.1."
    )
    assert alert["annotations"]["runbook_url"] == "runbook.md#sandboxpilothalted"
    assert ms(alert["startsAt"]) == 1_700_000_000_000
    assert ms(alert["endsAt"]) == NOW + 240_000


def test_the_end_outlives_several_lost_sendings() -> None:
    """Re-sending comes more often than the alert ends and than Alertmanager's resolve_timeout of five minutes."""
    assert Alertmanager.resend_ms * 3 < 240_000 < 300_000


@pytest.mark.parametrize(
    ("then", "ended", "opened"),
    [
        pytest.param(
            halted(standing=2, level=Level.NORMAL, was=Level.HALT, reason=Reason.RELEASED), True, False, id="released"
        ),
        pytest.param(
            halted(standing=2, level=Level.HALT, was=Level.HALT, reason=Reason.EXITED), True, False, id="exited"
        ),
        pytest.param(
            halted(standing=2, level=Level.ESCALATE, was=Level.HALT, reason=Reason.RELEASED), True, True, id="lower"
        ),
    ],
)
def test_a_move_away_ends_the_alert(then: Decision, ended: bool, opened: bool) -> None:
    """Release, exit and a lower level end the halt's alert at once, by its own labels."""
    [_, alerts] = post(halted(), then)
    ends = [alert for alert in alerts if ms(alert["endsAt"]) == NOW]
    assert [alert["labels"]["alertname"] for alert in ends] == ["SandboxPilotHalted"] * ended
    assert ends[0]["labels"]["reason"] == "limit_exceeded"
    assert len(alerts) - len(ends) == opened


def test_a_finding_or_an_act_at_the_same_level_posts_nothing() -> None:
    """A further reason at an unchanged level is not a second alert."""
    same = halted(standing=2, was=Level.HALT, kind="finding", reason=Reason.HARD_RULE)
    assert len(post(halted(), same)) == 1


@pytest.mark.parametrize("level", [Level.NORMAL, Level.WATCH])
def test_low_levels_wake_nobody(level: Level) -> None:
    """Watch is for dashboards."""
    assert post(halted(level=level, was=Level.ESCALATE)) == []


def test_a_start_in_the_future_is_clipped() -> None:
    """A decision dated after this machine's clock fires now, not later."""
    [[alert]] = post(halted(at=NOW + 60_000))
    assert ms(alert["startsAt"]) == NOW
