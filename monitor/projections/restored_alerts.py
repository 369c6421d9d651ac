"""The alerts of a pilot from the state of the machine, for the metrics of a process that takes over a partition."""

from __future__ import annotations

from monitor.lifecycle.names import State
from monitor.model.clock_record import ClockState
from monitor.model.events import Harm
from monitor.model.records import Level, Reason, digest
from monitor.projections.alert_table import OF_USERS, alert_of
from monitor.projections.alerts import HOLD, Alert, GraveFinding, PilotAlerts
from monitor.projections.severity import GRAVE, WORST, severity
from monitor.state.pilot import PilotState

CLOCK = "clock/"


def restored_alerts(pilot: PilotState) -> PilotAlerts:
    """The alerts of a pilot. They have no summary; a hard rule's finding has the worst harm that the rule covers."""
    standing, worst = pilot.standing, {}
    for rule in pilot.charter.hard_rules:
        harms = rule.harm or tuple(WORST)  # without harms it covers all
        worst[f"rule/{rule.name}"] = next((harm for harm in harms if harm in WORST), Harm.NONE)
    held = {}
    for key, active in standing.active.items():
        if active.reason is Reason.CLOCK_MISSED or active.reason not in GRAVE:
            continue
        how = severity(active.reason, worst.get(key, Harm.NONE), active.level)
        alert = _restored(pilot.id, GRAVE[active.reason], how or "", key, active.level, active.reason, active.since)
        held[key] = GraveFinding(active.level, active.reason, {"": alert} if how else {})
    if pilot.life.hold is not State.NO_HOLD and not pilot.exited:
        alert = _restored(pilot.id, GRAVE[Reason.EVIDENCE_HELD], "warning", HOLD, standing.level, Reason.EVIDENCE_HELD)
        held[HOLD] = GraveFinding(standing.level, Reason.EVIDENCE_HELD, {"": alert})
    held |= _overdue(pilot)
    shelved = {key: one.level for key, one in standing.shelved.items()}
    return PilotAlerts(standing.counter, standing.level, None, held, shelved, pilot.responsible)


def _overdue(pilot: PilotState) -> dict[str, GraveFinding]:
    """What was missed of legal deadlines, and is still owed."""
    held: dict[str, GraveFinding] = {}
    for case in pilot.clocks.cases.values():
        for clock in case.clocks:
            key, name = f"{CLOCK}{clock.rule}", digest(case.starts.value, case.key)[:12]
            if clock.state is not ClockState.MISSED or clock.done is not None:
                continue
            active = pilot.standing.active.get(key)
            if (key in held and not held[key].owed) or (active is not None and active.reason is Reason.EVIDENCE_HOLD):
                continue
            level = Level.NORMAL if active is None else active.level
            how = severity(Reason.CLOCK_MISSED, Harm.NONE, level) or "warning"
            title = alert_of(Reason.CLOCK_MISSED, case.starts.value)
            alert = _restored(pilot.id, title, how, key, level, Reason.CLOCK_MISSED, clock.ended or 0)
            old = held.get(key, GraveFinding(level, Reason.CLOCK_MISSED))
            alerts = {**old.alerts, "" if case.starts in OF_USERS else name: alert}
            held[key] = GraveFinding(level, Reason.CLOCK_MISSED, alerts, None, (*old.owed, name))
    return held


def _restored(pilot: str, name: str, how: str, key: str, level: Level, reason: Reason, since: int = 0) -> Alert:
    return Alert(
        name=name,
        severity=how,
        pilot=pilot,
        participant="",
        level=level,
        reason=reason,
        finding=key,
        occurrence="",
        decision="",
        at=since,
        summary="",
    )
