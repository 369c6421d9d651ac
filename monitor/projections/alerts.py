"""The firing alerts of a pilot, computed from its decisions in order. Pure.

A pilot has one alert for its level (halt or escalate), and one for each *grave* finding (`GRAVE`), also where the level
does not change. An alert ends when its cause ends: the finding is cleared, released, overridden down or shelved. The
alerts of a pilot end with `exited`, which is recorded only when no halt stands or its stop is verified
(`monitor/decide/leave.py`).

A pilot has at most `MOST` alerts of findings; further ones are one alert, `BEYOND`, until their finding ends. Each
incident under a hard rule has a separate alert; a repeated report of an incident is the same alert.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET, Struct, structs

from monitor.charter.spec import Charter
from monitor.model.events import Harm
from monitor.model.records import Decision, Level, Reason, digest
from monitor.network.addressees import ids_of
from monitor.projections.message import notification_line
from monitor.projections.open_commands import LEFT
from monitor.projections.severity import ESCALATED, GRAVE, HALTED, WORST, harm_of, incident_of, severity
from monitor.state.pilot import PilotState
from monitor.state.standing import Active

MOST = 32  # alerts of findings that one pilot may have
BEYOND = "SandboxFindingsBeyond"
LEVEL = "level"  # key of the alert of a pilot's level


class Facts(Struct, frozen=True):
    """The labels that a charter adds to an alert; empty where the charter is not known. `authority` has the ids of the
    authorities that must learn of it, separated by commas; empty where the sandbox computes none."""

    tier: str = ""
    sector: str = ""
    region: str = ""
    authority: str = ""


def facts_of(charter: Charter) -> Facts:
    """The labels of a charter; free text is cut to 100 characters."""
    return Facts(charter.tier, charter.sector[:100], charter.region[:100])


class Alert(Struct, frozen=True, kw_only=True):
    """One firing alert. `occurrence` is equal for all alerts of one cause; `at` is the start (ms)."""

    name: str
    severity: str
    pilot: str
    participant: str
    level: Level
    reason: Reason
    finding: str  # key of the finding, or "level"
    occurrence: str
    decision: str
    at: int
    summary: str
    facts: Facts = Facts()

    @property
    def identity(self) -> str:
        """Equal for two records of the same alert: everything that becomes a label."""
        words = (self.pilot, self.participant, self.name, self.severity, self.level.word, self.reason.value)
        *charter, authority = structs.astuple(self.facts)
        return "\n".join((*words, self.finding, self.occurrence, *charter, *((authority,) if authority else ())))


class GraveFinding(Struct, frozen=True):
    """An active grave finding: the level it requires, its alerts by incident ("" without one), and the alert for those
    above the limit."""

    level: Level
    reason: Reason
    alerts: dict[str, Alert] = {}
    beyond: Alert | None = None


class PilotAlerts(Struct, frozen=True):
    """The alerts of one pilot after decision number `counter`. `shelved` maps keys to the level up to which a finding
    is shelved. When other authorities become responsible, the alerts carry them from then on."""

    counter: int = 0
    level: Level = Level.NORMAL
    of_level: Alert | None = None
    held: dict[str, GraveFinding] = {}
    shelved: dict[str, Level] = {}
    responsible: tuple[str, ...] = ()  # the authorities of the pilot

    def alerts(self) -> Iterator[Alert]:
        """The firing alerts, the one of the level first; of those above `MOST` only the oldest."""
        if self.of_level is not None:
            yield self.of_level
        beyond = []
        for key, held in self.held.items():
            if key not in self.shelved:
                yield from held.alerts.values()
                if held.beyond is not None:
                    beyond.append(held.beyond)
        if beyond:
            yield min(beyond, key=lambda alert: (alert.at, alert.occurrence))


def after_decision(s: PilotAlerts, d: Decision, facts: Facts = Facts()) -> PilotAlerts:  # noqa: B008 (a frozen value)
    """The alerts after one more decision of the pilot. A decision that is not newer than `counter` changes nothing."""
    if d.standing <= s.counter:
        return s
    if d.reason in LEFT:
        return PilotAlerts(d.standing, d.level, responsible=s.responsible)
    if d.responsible is not UNSET and d.responsible != s.responsible:
        s = _handed_over(s, d.responsible)
    return structs.replace(_of_level(_of_finding(s, d, facts), d, facts), counter=d.standing, level=d.level)


def difference(before: PilotAlerts, now: PilotAlerts) -> tuple[list[Alert], list[Alert]]:
    """The alerts that start and those that end between two states of a pilot."""
    old = {alert.identity: alert for alert in before.alerts()}
    new = {alert.identity: alert for alert in now.alerts()}
    return [a for name, a in new.items() if name not in old], [a for name, a in old.items() if name not in new]


def restored_alerts(pilot: PilotState) -> PilotAlerts:
    """The alerts of a pilot from the state of the machine, for the metrics of a process that takes over a partition.
    They have no summary, and a hard rule's finding has the worst harm that the rule covers."""
    standing, worst = pilot.standing, {}
    for rule in pilot.charter.hard_rules:
        harms = rule.harm or tuple(WORST)  # without harms it covers all
        worst[f"rule/{rule.name}"] = next((harm for harm in harms if harm in WORST), Harm.NONE)
    held = {}
    for key, active in standing.active.items():
        if active.reason in GRAVE:
            how = severity(active.reason, worst.get(key, Harm.NONE), active.level)
            alert = _restored(pilot.id, GRAVE[active.reason], how or "", key, active)
            held[key] = GraveFinding(active.level, active.reason, {"": alert} if how else {})
    shelved = {key: one.level for key, one in standing.shelved.items()}
    return PilotAlerts(standing.counter, standing.level, None, held, shelved, pilot.responsible)


def _handed_over(s: PilotAlerts, responsible: tuple[str, ...]) -> PilotAlerts:
    """The alerts with these authorities in place of those that were responsible; the level above stays in them."""

    def moved(alert: Alert) -> Alert:
        old = alert.facts.authority.split(",") if alert.facts.authority else []
        above = [name for name in old if name not in s.responsible and name not in responsible]
        return structs.replace(alert, facts=structs.replace(alert.facts, authority=",".join((*responsible, *above))))

    held = {
        key: structs.replace(
            one,
            alerts={incident: moved(alert) for incident, alert in one.alerts.items()},
            beyond=None if one.beyond is None else moved(one.beyond),
        )
        for key, one in s.held.items()
    }
    of_level = None if s.of_level is None else moved(s.of_level)
    return structs.replace(s, of_level=of_level, held=held, responsible=responsible)


def _restored(pilot: str, name: str, how: str, key: str, active: Active) -> Alert:
    return Alert(
        name=name,
        severity=how,
        pilot=pilot,
        participant="",
        level=active.level,
        reason=active.reason,
        finding=key,
        occurrence="",
        decision="",
        at=active.since,
        summary="",
    )


# ---- the level


def _of_level(s: PilotAlerts, d: Decision, facts: Facts) -> PilotAlerts:
    """The alert of the level starts with the decision that brought the pilot to it."""
    names = {Level.HALT: HALTED, Level.ESCALATE: ESCALATED}
    if d.level not in names:
        return structs.replace(s, of_level=None)
    if s.of_level is not None and s.level is d.level:
        return s
    how = severity(d.reason, harm_of(d), d.level) or "warning"
    return structs.replace(s, of_level=_alert(d, names[d.level], how, LEVEL, facts))


# ---- findings


def _of_finding(s: PilotAlerts, d: Decision, facts: Facts) -> PilotAlerts:
    match d.reason:
        case Reason.RELEASED:
            return structs.replace(s, held={}, shelved={})
        case Reason.OVERRIDDEN:
            return structs.replace(s, held={key: h for key, h in s.held.items() if h.level <= d.level})
        case Reason.CLEARED:
            return _without(s, d.finding_key or _cleared(s, d))
        case Reason.SHELVED:
            key = d.finding_key or d.finding.rule
            level = s.held[key].level if key in s.held else Level.ESCALATE
            return structs.replace(s, shelved={**s.shelved, key: level})
        case Reason.UNSHELVED:
            return _unshelved(s, d.finding_key or d.finding.rule)
    if d.reason is Reason.CLOCK_MISSED and d.finding_level is None:
        return s  # the table says that the miss is recorded, no more
    if d.reason in GRAVE:
        return _found(s, d, d.finding_key or _key(d), facts)
    return _without(s, d.finding_key) if d.finding_level is not None else s  # the finding now has another reason


def _found(s: PilotAlerts, d: Decision, key: str, facts: Facts) -> PilotAlerts:
    level = (
        d.finding_level if d.finding_level is not None else d.level
    )  # a record without it: at most the pilot's level
    old = s.held.get(key)
    alerts = dict(old.alerts) if old is not None and old.reason is d.reason else {}
    beyond = old.beyond if old is not None else None
    how, incident = severity(d.reason, harm_of(d), level), incident_of(d)
    known = alerts.get(incident)
    if how is not None and (known is None or _graver(how, known.severity)):
        if known is None and sum(len(held.alerts) for held in s.held.values()) >= MOST:
            beyond = beyond or _alert(d, BEYOND, "critical", key, facts)
        else:
            alerts[incident] = _alert(d, GRAVE[d.reason], how, key, facts)
    highest = max(level, old.level) if old is not None else level
    held = {**s.held, key: GraveFinding(highest, d.reason, alerts, beyond)}
    if key in s.shelved and level > s.shelved[key]:
        s = _unshelved(s, key)
    return structs.replace(s, held=held)


def _graver(how: str, than: str) -> bool:
    return how == "critical" and than != "critical"


def _without(s: PilotAlerts, key: str) -> PilotAlerts:
    return structs.replace(s, held={k: h for k, h in s.held.items() if k != key}) if key in s.held else s


def _unshelved(s: PilotAlerts, key: str) -> PilotAlerts:
    return structs.replace(s, shelved={k: level for k, level in s.shelved.items() if k != key})


def occurrence(d: Decision) -> str:
    """Equal for all alerts of one cause, so that two rules broken by one incident come in one message."""
    return digest(d.pilot, d.cause)[:12]


def _alert(d: Decision, name: str, how: str, key: str, facts: Facts) -> Alert:
    return Alert(
        name=name,
        severity=how,
        pilot=d.pilot,
        participant=d.participant,
        level=d.level,
        reason=d.reason,
        finding=key,
        occurrence=occurrence(d),
        decision=d.id,
        at=d.at,
        summary=notification_line(d),
        facts=structs.replace(facts, authority=",".join(ids_of("authority", d.addressed or ()))),
    )


# ---- records of versions whose decisions did not carry the key of their finding


def _key(d: Decision) -> str:
    """The key of a grave finding, from its rule and indicator."""
    finding = d.finding
    match d.reason:
        case Reason.HARD_RULE:
            return f"rule/{finding.rule}"
        case Reason.HALT_OVERDUE:
            return "halt/overdue"
        case Reason.HALT_CONTRADICTED:
            return "halt/contradicted"
        case Reason.DRILL_OVERDUE:
            return "drill"
    key = f"{finding.indicator}/{finding.segment}/{finding.rule}"
    return f"{key}/tolerated" if d.reason is Reason.LIMIT_TOLERATED else key


def _cleared(s: PilotAlerts, d: Decision) -> str:
    """The key of the finding that ended. Of the findings of a command it is the one that is active, overdue first."""
    finding = d.finding
    if finding.indicator:
        return f"{finding.indicator}/{finding.segment}/{finding.rule}"
    halts = ("halt/overdue", "halt/contradicted", "drill")
    return next((key for key in halts if key in s.held), finding.rule)
