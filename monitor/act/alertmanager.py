"""Pushes halts and escalations to Alertmanager, past Prometheus: no scrape stands between a halt and a person.

Alertmanager keeps alerts in memory and ends them at `endsAt`, so what stands is sent again every minute, each time with an
end four minutes ahead: shorter than its `resolve_timeout` (5 min), longer than three lost sendings. If this process dies the
alert ends by itself; Prometheus's own rules and the Watchdog say then that the monitor is gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from monitor.act.http import post
from monitor.act.words import sentence
from monitor.model import Decision, Level, Reason

_ALERTS = {Level.HALT: ("SandboxPilotHalted", "critical"), Level.ESCALATE: ("SandboxPilotEscalated", "warning")}


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _rfc3339(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


class Alertmanager:
    """`address` is the base URL of an Alertmanager (API v2), `clock` gives wall time in ms."""

    resend_ms = 60_000

    def __init__(self, address: str, clock: Callable[[], int] = _wall_ms) -> None:
        self._url = address.rstrip("/") + "/api/v2/alerts"
        self._clock = clock
        self._open: dict[str, Decision] = {}  # what this Alertmanager was last told of each pilot

    def act(self, decision: Decision) -> None:
        """A move up opens the pilot's alert and ends its former one; a move down, a release or an exit ends it."""
        left = decision.reason is Reason.EXITED
        if decision.level is decision.was and not left:
            return
        now, former = self._clock(), self._open.get(decision.pilot)
        alerts = []
        if former is not None and former.id != decision.id:
            alerts.append(self._alert(former, now, ends=now))
        if decision.level in _ALERTS and not left:
            alerts.append(self._alert(decision, now, ends=now + 4 * self.resend_ms))
        if alerts:
            post(self._url, msgspec.json.encode(alerts))
        if decision.level in _ALERTS and not left:
            self._open[decision.pilot] = decision
        else:
            self._open.pop(decision.pilot, None)

    def _alert(self, decision: Decision, now: int, ends: int) -> dict[str, object]:
        name, severity = _ALERTS[decision.level]
        labels = {"alertname": name, "severity": severity, "via": "push", "level": decision.level.word}
        labels |= {"pilot": decision.pilot, "participant": decision.participant, "reason": decision.reason.value}
        notes = {"summary": sentence(decision), "runbook_url": f"runbook.md#{name.lower()}", "decision": decision.id}
        return {
            "labels": labels,
            "annotations": notes,
            "startsAt": _rfc3339(min(decision.at, now)),  # one in the future (a fast clock elsewhere) would not fire
            "endsAt": _rfc3339(ends),
        }
