"""The firing alerts of a pilot, computed from its decisions in order. Pure.

A pilot has one alert for its level (halt or escalate), and one for each *grave* finding (`GRAVE`), also where the level
does not change. An alert ends when its cause ends: the finding is cleared, released, overridden down or shelved. The
alerts of a pilot end with `exited`, which is recorded only when no halt stands or its stop is verified
(`monitor/decide/leave.py`).

A pilot has at most `MOST` alerts of findings; further ones are one alert, `BEYOND`, until their finding ends. Each
incident under a hard rule has a separate alert; a repeated report of an incident is the same alert.

What was missed of a legal deadline is followed by the records of the clock, not by the finding: its alert stands until
nothing is owed any more, also after a lowered level, a release and the exit. `monitor/projections/alert_table.py` lists
what starts and what ends each alert.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET, Struct, structs

from monitor.charter.spec import Charter
from monitor.model.clock_record import ClockRecord, ClockState
from monitor.model.records import Decision, Level, Reason, digest
from monitor.network.addressees import ids_of
from monitor.projections.alert_table import BEYOND, ESCALATED, HALTED, OF_USERS, alert_of
from monitor.projections.clock_board import asks
from monitor.projections.message import notification_line
from monitor.projections.open_commands import LEFT
from monitor.projections.severity import GRAVE, harm_of, incident_of, severity

MOST = 32  # alerts of findings that one pilot may have
COMMON_CAUSE_MS = 7 * 86_400_000  # for which a finding across pilots stands: no act and no quiet period ends it
CASES = 256  # occurrences of one legal deadline that are followed
HOLD = "hold"  # key of the alert that the system is held as evidence
DUTIES = ("responsibility",)  # keys of findings that outlast the exit
LEVEL = "level"  # key of the alert of a pilot's level


class Facts(Struct, frozen=True):
    """The labels that a charter adds to an alert; empty where the charter is not known. `authority` has the ids of the
    authorities that must learn of it and `role` the roles that owe what comes next, separated by commas; empty where
    the sandbox computes none."""

    tier: str = ""
    sector: str = ""
    region: str = ""
    authority: str = ""
    role: str = ""


def facts_of(charter: Charter) -> Facts:
    """The labels of a charter; free text is cut to 100 characters."""
    return Facts(charter.tier, charter.sector[:100], charter.region[:100])


class Alert(Struct, frozen=True, kw_only=True):
    """One firing alert. `occurrence` is equal for all alerts of one cause; `at` is the start (ms), `until` (ms) the end
    of one that nothing else ends. `burst` is the group in which it is notified when there are too many to notify each
    by itself, and `first_cause` the summary of the first of them (`monitor/act/bursts.py`)."""

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
    until: int | None = None
    burst: str = ""
    first_cause: str = ""

    @property
    def identity(self) -> str:
        """Equal for two records of the same alert: everything that becomes a label, but for `burst`."""
        words = (self.pilot, self.participant, self.name, self.severity, self.level.word, self.reason.value)
        *charter, authority, role = structs.astuple(self.facts)
        named = (*((authority,) if authority else ()), *((f"role {role}",) if role else ()))
        return "\n".join((*words, self.finding, self.occurrence, *charter, *named))


class GraveFinding(Struct, frozen=True):
    """An active grave finding: the level it requires, its alerts by incident ("" without one), and the alert for those
    above the limit. `owed` are the occurrences of a missed legal deadline of which something is still owed."""

    level: Level
    reason: Reason
    alerts: dict[str, Alert] = {}
    beyond: Alert | None = None
    owed: tuple[str, ...] = ()


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
        duties = {key: held for key, held in s.held.items() if held.owed or key in DUTIES}
        return PilotAlerts(d.standing, d.level, held=duties, responsible=s.responsible)
    if d.responsible is not UNSET and d.responsible != s.responsible:
        s = _handed_over(s, d.responsible)
    return structs.replace(_of_level(_of_finding(s, d, facts), d, facts), counter=d.standing, level=d.level)


def difference(before: PilotAlerts, now: PilotAlerts) -> tuple[list[Alert], list[Alert]]:
    """The alerts that start and those that end between two states of a pilot."""
    old = {alert.identity: alert for alert in before.alerts()}
    new = {alert.identity: alert for alert in now.alerts()}
    return [a for name, a in new.items() if name not in old], [a for name, a in old.items() if name not in new]


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
        case Reason.ADMITTED:  # also after its state was lost
            return structs.replace(s, held={}, shelved={})
        case Reason.RELEASED:
            kept = {key: h for key, h in s.held.items() if h.owed or key == HOLD}
            return structs.replace(s, held=kept, shelved={})
        case Reason.OVERRIDDEN:
            return structs.replace(s, held={key: h for key, h in s.held.items() if h.level <= d.level or h.owed})
        case Reason.HOLD_LIFTED:
            return _without(s, HOLD)
        case Reason.CLEARED:
            return _cleared_finding(s, d.finding_key or _cleared(s, d))
        case Reason.SHELVED:
            key = d.finding_key or d.finding.rule
            level = s.held[key].level if key in s.held else Level.ESCALATE
            return structs.replace(s, shelved={**s.shelved, key: level})
        case Reason.UNSHELVED:
            return _unshelved(s, d.finding_key or d.finding.rule)
    clock = d.finding.clock
    if clock is not UNSET and clock.state is not None and not _broken(clock):
        return _of_clock(s, d, clock, facts)
    if d.reason in GRAVE:
        return _found(s, d, d.finding_key or _key(d), facts)
    return (
        _cleared_finding(s, d.finding_key) if d.finding_level is not None else s
    )  # the finding now has another reason


def _found(s: PilotAlerts, d: Decision, key: str, facts: Facts) -> PilotAlerts:
    level = (
        d.finding_level if d.finding_level is not None else d.level
    )  # a record without it: at most the pilot's level
    old = s.held.get(key)
    held = _with_alert(s, GraveFinding(level, d.reason) if old is None else old, d, key, facts)
    if key in s.shelved and level > s.shelved[key]:
        s = _unshelved(s, key)
    return structs.replace(s, held={**s.held, key: structs.replace(held, level=max(held.level, level))})


def _with_alert(s: PilotAlerts, old: GraveFinding, d: Decision, key: str, facts: Facts, case: str = "") -> GraveFinding:
    """The finding with the alert of this decision, unless its incident (or `case`) has one that is as severe."""
    level = d.finding_level if d.finding_level is not None else d.level
    alerts, beyond = dict(old.alerts) if old.reason is d.reason else {}, old.beyond
    how, incident = severity(d.reason, harm_of(d), level), case or incident_of(d)
    known = alerts.get(incident)
    if known is not None and known.until is not None:
        if d.at < known.until:  # found again
            alerts[incident] = structs.replace(known, until=_until(d))
        else:
            known = None
    if how is not None and (known is None or _graver(how, known.severity)):
        if known is None and sum(len(held.alerts) for held in s.held.values()) >= MOST:
            beyond = beyond or _alert(d, BEYOND, "critical", key, facts)
        else:
            clock = d.finding.clock
            name = alert_of(d.reason, "" if clock is UNSET else clock.starts)
            alerts[incident] = _alert(d, name, how, key, facts)
    return structs.replace(old, reason=d.reason, alerts=alerts, beyond=beyond)


# ---- legal deadlines


def _broken(clock: ClockRecord) -> bool:
    """Whether a duty to leave something as it is was broken before its due instant: nothing that is done later settles
    it, so its alert is that of a finding."""
    return clock.state is ClockState.MISSED and (clock.due is None or clock.at < clock.due)


def _of_clock(s: PilotAlerts, d: Decision, clock: ClockRecord, facts: Facts) -> PilotAlerts:
    """An alert for each occurrence that was missed and is still owed; one for all answers to users under one rule."""
    key, occurrence_of = f"clock/{clock.rule}", digest(clock.starts, clock.key)[:12]
    case = "" if clock.starts in OF_USERS else occurrence_of
    old = s.held.get(key)
    if asks(clock) and clock.state is ClockState.MISSED:
        if old is None:
            old = GraveFinding(Level.NORMAL, Reason.CLOCK_MISSED)
        if len(old.owed) < CASES:
            old = structs.replace(old, owed=(*(one for one in old.owed if one != occurrence_of), occurrence_of))
        new = _with_alert(s, old, d, key, facts, case)
        level = d.finding_level if d.finding_level is not None else Level.NORMAL
        if key in s.shelved and level > s.shelved[key]:
            s = _unshelved(s, key)
        return structs.replace(s, held={**s.held, key: structs.replace(new, level=max(old.level, level))})
    if old is None or occurrence_of not in old.owed:
        return s
    left = tuple(one for one in old.owed if one != occurrence_of)
    if not left:
        return _without(s, key)
    alerts = {name: alert for name, alert in old.alerts.items() if not name or name != case}
    return structs.replace(s, held={**s.held, key: structs.replace(old, owed=left, alerts=alerts)})


def _graver(how: str, than: str) -> bool:
    return how == "critical" and than != "critical"


def _cleared_finding(s: PilotAlerts, key: str) -> PilotAlerts:
    """Without a finding that ended; of a legal deadline only when nothing is owed any more."""
    return s if key in s.held and s.held[key].owed else _without(s, key)


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
        facts=structs.replace(
            facts,
            authority=",".join(ids_of("authority", d.addressed or ())),
            role=",".join(ids_of("role", d.addressed or ())),
        ),
        until=_until(d),
    )


def _until(d: Decision) -> int | None:
    return d.at + COMMON_CAUSE_MS if d.reason is Reason.COMMON_CAUSE else None


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
        case Reason.EVIDENCE_HELD:
            return HOLD
        case Reason.CLOCK_MISSED | Reason.EVIDENCE_HOLD if d.finding.clock is not UNSET:
            return f"clock/{d.finding.rule}"
    key = f"{finding.indicator}/{finding.segment}/{finding.rule}"
    return f"{key}/tolerated" if d.reason is Reason.LIMIT_TOLERATED else key


def _cleared(s: PilotAlerts, d: Decision) -> str:
    """The key of the finding that ended. Of the findings of a command it is the one that is active, overdue first."""
    finding = d.finding
    if finding.indicator:
        return f"{finding.indicator}/{finding.segment}/{finding.rule}"
    halts = ("halt/overdue", "halt/contradicted", "drill")
    return next((key for key in halts if key in s.held), finding.rule)
