"""Pushes firing alerts to Alertmanager directly, without waiting for a scrape of Prometheus.

Alertmanager keeps alerts in memory, so firing alerts are resent every 20 s. A firing alert has no end (`endsAt`): it
must not end because this process died or because its clock is behind. Alertmanager then keeps it for its
`resolve_timeout`, which must be long: 168 h in `deploy/alertmanager`; less than a day is logged. An alert that ended is
sent once with its end, in the time of Alertmanager: the `Date` header of its responses gives the clock skew.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec
from msgspec import Struct

from monitor.access.address import http_address
from monitor.act.base import HttpUrl
from monitor.act.http import get, post
from monitor.clock import wall_ms
from monitor.errors import Refused
from monitor.logs import EventLogger
from monitor.model.records import Level, Reason
from monitor.projections.alerts import Alert, Facts
from monitor.projections.links import PILOT_DASHBOARD, Links

log = EventLogger(__name__)

EXACT_MS = 2_000  # `Date` has whole seconds: a smaller difference counts as zero
SKEW_MS = 30_000  # a larger one is logged
SHORTEST_TIMEOUT_S = 86_400
ALERTS = 1 << 26  # bytes of an answer that lists alerts
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}


def _ignore(seconds: float) -> None:
    """The default for `skewed`."""


class _Held(Struct):
    labels: dict[str, str]
    annotations: dict[str, str]
    startsAt: datetime  # noqa: N815 (Alertmanager's name)


class Alertmanager:
    """Push halts, escalations and grave findings, while they last, to the Alertmanager at this URL (API v2).

    `clock` returns wall time in ms. `skewed` is called after each response with the seconds by which Alertmanager's
    clock is ahead of ours. Raises Refused for a malformed `address`.
    """

    resend_ms = 20_000  # an Alertmanager that restarted without its data has them again after that

    def __init__(
        self,
        address: HttpUrl,
        clock: Callable[[], int] = wall_ms,
        links: Links = Links(),  # noqa: B008 (a frozen value)
        skewed: Callable[[float], None] = _ignore,
    ) -> None:
        http_address(address)
        self._base = address.rstrip("/") + "/api/v2"
        self._clock = clock
        self._links = links
        self._skewed = skewed
        self._skew: int | None = None  # ms that Alertmanager's clock is ahead; None before its first answer
        self._reported = False

    def notify(self, standing: Sequence[Alert], ended: Sequence[Alert]) -> None:
        """Post both in one request; post again in corrected time if the response shows a new clock skew."""
        if self._skew is None:
            self._look()
        for _ in range(2):
            skew = self._skew or 0
            now = self._clock() + skew
            body = [self._alert(alert, now, True) for alert in ended] + [self._alert(a, now, False) for a in standing]
            self._measure(post(f"{self._base}/alerts", msgspec.json.encode(body)))
            if abs((self._skew or 0) - skew) <= EXACT_MS:
                return

    def open(self) -> Sequence[Alert]:
        """The pushed alerts that Alertmanager holds, from any sender."""
        query = "?filter=via%3D%22push%22&silenced=true&inhibited=true&active=true"
        _, body = get(f"{self._base}/alerts", query, ALERTS)
        try:
            return [alert for held in msgspec.json.decode(body, type=list[_Held]) if (alert := _read(held)) is not None]
        except msgspec.MsgspecError as error:
            raise Refused(f"{self._base}/alerts is not what Alertmanager answers: {error}") from error

    def _alert(self, alert: Alert, now: int, ended: bool) -> dict[str, object]:
        labels = {
            "alertname": alert.name,
            "severity": alert.severity,
            "via": "push",
            "level": alert.level.word,
            "pilot": alert.pilot,
            "participant": alert.participant,
            "reason": alert.reason.value,
            "finding": alert.finding,
            "occurrence": alert.occurrence,
        }
        labels |= {name: value for name, value in msgspec.structs.asdict(alert.facts).items() if value}
        if alert.burst:
            labels["burst"] = alert.burst
        notes = {
            "summary": alert.summary,
            "runbook_url": self._links.heading(alert.name),
            "decision": alert.decision,
        }
        starts = min(alert.at, now)  # one in Alertmanager's future would not fire
        body: dict[str, object] = {"labels": labels, "annotations": notes, "startsAt": _rfc3339(starts)}
        if dashboard := self._links.dashboard(PILOT_DASHBOARD, pilot=alert.pilot):
            notes["dashboard_url"] = dashboard
        if page := self._links.page(alert.pilot):
            notes["board_url"] = page
            body["generatorURL"] = page
        if alert.first_cause:
            notes["first_cause"] = alert.first_cause
        if ended:
            body["endsAt"] = _rfc3339(max(starts, now))
        elif alert.until is not None:
            body["endsAt"] = _rfc3339(max(alert.until, now))
        return body

    def _look(self) -> None:
        """Before the first alert: measure the clock skew, and check how long Alertmanager keeps an alert without an
        end."""
        try:
            date, body = get(f"{self._base}/status")
        except Refused as error:  # an old version, or a proxy that lets alerts through only
            log.warning("alertmanager.status_unreadable", stage="act", error=error)
            self._skew = 0
            return
        self._measure(date)
        timeout = resolve_timeout(body)
        if timeout < SHORTEST_TIMEOUT_S:
            log.warning(
                "alertmanager.resolve_timeout_short",
                stage="act",
                seconds=round(timeout),
                detail="alerts end when this process stops for longer; set global.resolve_timeout to 168h",
            )

    def _measure(self, date: str | None) -> None:
        skew = 0
        if date is not None:
            try:
                skew = round(parsedate_to_datetime(date).timestamp() * 1000) - self._clock()
            except ValueError:
                log.debug("alertmanager.date_unreadable", stage="act", header=date)
        self._skew = skew if abs(skew) > EXACT_MS else 0
        self._skewed(self._skew / 1000)
        if (abs(self._skew) > SKEW_MS) is not self._reported:
            self._reported = not self._reported
            log.warning("alertmanager.clock_skew", stage="act", ahead_seconds=round(self._skew / 1000))


def resolve_timeout(status: bytes) -> float:
    """Seconds for which an Alertmanager keeps an alert without an end, from its answer to `/api/v2/status`; its default
    (300) where the configuration says nothing.

    >>> resolve_timeout(b'{"config": {"original": "global:\\\\n  resolve_timeout: 1h30m\\\\n"}}')
    5400.0
    """
    text = status.decode(errors="replace")
    found = re.search(r"resolve_timeout: ((?:\d+(?:ms|[smhdwy]))+)", text)
    if found is None:
        return 300.0
    return float(sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)(ms|[smhdwy])", found[1])))


def _read(held: _Held) -> Alert | None:
    """An alert from its labels; None for one that another program, or an older version, pushed."""
    labels = held.labels
    try:
        return Alert(
            name=labels["alertname"],
            severity=labels["severity"],
            pilot=labels["pilot"],
            participant=labels["participant"],
            level=Level[labels["level"].upper()],
            reason=Reason(labels["reason"]),
            finding=labels["finding"],
            occurrence=labels["occurrence"],
            decision=held.annotations.get("decision", ""),
            at=round(held.startsAt.timestamp() * 1000),
            summary=held.annotations.get("summary", ""),
            facts=Facts(*(labels.get(name, "") for name in Facts.__struct_fields__)),
            burst=labels.get("burst", ""),
            first_cause=held.annotations.get("first_cause", ""),
        )
    except (KeyError, ValueError):
        return None


def _rfc3339(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()
