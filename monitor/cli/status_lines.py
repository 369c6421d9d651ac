"""The lines of `sandbox-monitor status`: level and why, what is open, who owes what by when, evidence, decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monitor.lifecycle.acts import Role
from monitor.lifecycle.names import INITIAL, Outcome, Region, State
from monitor.lifecycle.next_steps import command_for
from monitor.model.clock_record import ClockRecord, Owes
from monitor.model.notice import Notice
from monitor.model.records import Command, Reason
from monitor.model.telemetry_problems import TelemetryProblem, problems_of
from monitor.projections.clock_board import time_left
from monitor.projections.clock_words import OWED_BY
from monitor.projections.formats import stamp
from monitor.projections.life_words import OUTCOMES, ROLES, state_name
from monitor.projections.pilot_status import PilotStatus, StatusRecord
from monitor.projections.problem_fold import problem_lines
from monitor.projections.wording import LEVEL_WORDS, REASONS, plain
from monitor.sdk.command_state import ground_text
from monitor.translation import current, mark, tr, trn

SHOWN_PROBLEMS = 5
COMMANDS: dict[str, str] = {
    "commanded": mark("commanded"),
    "acknowledged": mark("acknowledged"),
    "contradicted": mark("contradicted"),
    "overdue": mark("overdue"),
}
"""The states of an open command."""
_REASONS, _ROLES = {one.value for one in Reason}, {one.value for one in ROLES}


def status_lines(
    found: PilotStatus, problems: Sequence[TelemetryProblem] | None, contacts: Mapping[str, str], now: int
) -> list[str]:
    """The status in lines with a label in front. `problems`: rejections of the pilot, None where they cannot be read;
    `contacts` by who owes; `now` in ms."""
    lines = [*_standing(found), *_open(found)]
    for step in found.steps:
        whom = (
            tr("{who} owes `{command}`: {what}", who=_role(step.who), command=command_for(step.act), what=tr(step.what))
            if step.who else tr("waits: {what}", what=tr(step.what))
        )  # fmt: skip
        lines.append(_line(tr("next"), whom + _contact(contacts, step.who)))
    lines += [_line(tr("deadline"), _clock(one, contacts, now)) for one in found.clocks]
    lines += _answers(found, contacts, now)
    lines += _rollout(found)
    lines += [_line(tr("evidence"), _evidence(one)) for one in found.evidence if one.numbers]
    lines += [_line(tr("decided"), _record(one)) for one in found.records]
    return [*lines, *_problems(found, problems)]


def own_lines(pilot: str, command: Command | None, notice: Notice | None, heard: int | None) -> list[str]:
    """What a firm's own topics say of its pilot: the command in force, and what the newest permit states."""
    if command is None:
        lines = [tr("{pilot}: no command yet; work may run", pilot=pilot)]
    else:
        state = tr("halted") if command.halts else tr("not halted; call resume() if the service has not resumed yet")
        lines = [f"{pilot}: {state}"]
        given = tr("{action} at {time}: {reason}; decision {number}", action=command.action, time=stamp(command.at),
                   reason=_reason(command.reason.value), number=command.standing)  # fmt: skip
        lines.append(_line(tr("command"), given))
        if command.halts and ground_text(command):
            lines.append(_line(tr("why"), ground_text(command)))
    if notice is None or heard is None:
        return [*lines, _line(tr("telemetry"), tr("no permit has answered a heartbeat of this pilot"))]
    lines.append(_line(tr("telemetry"), tr("as the monitor stated at {time}", time=stamp(heard))))
    lines += [_line(tr("open"), plain(key)) for key in notice.findings]
    if notice.rectify_by is not None:
        lines.append(_line(tr("deadline"), tr("rectify until {time}", time=stamp(notice.rectify_by))))
    return [*lines, *(_line(tr("no effect"), line) for line in problem_lines(problems_of(notice)))]


def _line(label: str, text: str) -> str:
    return f"{label:<10} {text}"


def _standing(found: PilotStatus) -> list[str]:
    others = [
        _state(name) for region, name in found.states.items()
        if region != Region.PILOT and State(name) is not INITIAL[Region(region)]
    ]  # fmt: skip
    state = ", ".join([_state(found.states[Region.PILOT]), *others])
    outcome = tr(" (outcome {outcome})", outcome=_outcome(found.outcome)) if found.outcome else ""
    unknown = tr(", unknown: {reason}", reason=_reason(found.unknown)) if found.unknown else ""
    head = tr("{pilot} of {firm}: {state}", pilot=found.pilot, firm=found.participant, state=state)
    at = tr("last decision {number}, {time}", number=found.standing, time=stamp(found.at))
    lines = [head + outcome, _line(tr("level"), f"{tr(LEVEL_WORDS[found.level])}{unknown}; {at}")]
    if found.why is not None:
        lines.append(_line(tr("why"), _record(found.why)))
    lines.append(_line(tr("charter"), found.charter))
    if found.authorities:
        lines.append(_line(tr("authority"), ", ".join(found.authorities)))
    if found.open_mode:
        lines.append(_line(tr("open mode"), tr("the last act was not signed: its author is not proved")))
    return lines


def _open(found: PilotStatus) -> list[str]:
    lines = [
        _line(tr("open"), tr("{key}: {reason} ({level}) since {time}", key=one.key, reason=_reason(one.reason),
                             level=tr(LEVEL_WORDS[one.level]), time=stamp(one.since)))
        for one in found.findings
    ]  # fmt: skip
    command = found.command
    if command is not None and command.open:
        given = tr("{action} of {time}: {state}, sent {n} times", action=command.action, time=stamp(command.at),
                   state=_command_state(command.state), n=command.attempts)  # fmt: skip
        lines.append(_line(tr("command"), given))
    return lines


def _contact(contacts: Mapping[str, str], who: str) -> str:
    return f" [{contacts[who]}]" if contacts.get(who) else ""


def _clock(one: ClockRecord, contacts: Mapping[str, str], now: int) -> str:
    about = f", {plain(one.starts)} {one.key}" if one.key else ""
    left = time_left(None if one.due is None else one.due - now)
    by = tr(", by {time}", time=stamp(one.due)) if one.due is not None else ""
    said = tr("{who} owes {title} ({basis}){about}: {left}{by}", who=_owner(one.owed_by), title=tr(one.title),
              basis=tr(one.basis), about=about, by=by, left=left)  # fmt: skip
    if one.forbids:
        said += tr("; forbids {acts}", acts=", ".join(map(plain, one.forbids)))
    return said + _contact(contacts, one.owed_by)


def _answers(found: PilotStatus, contacts: Mapping[str, str], now: int) -> list[str]:
    """Answers to complaints of users, with the deadline that the charter promises, before it is missed."""
    lines = []
    for one in found.complaints:
        what = trn("an answer to {n} complaint of a user", "an answer to {n} complaints of users", one.complaints)
        named = {"who": _owner(Owes.FIRM), "what": what, "number": one.standing}
        if one.due is None:
            received = stamp(one.filed)
            said = tr("{who} owes {what}, received {time}; decision {number}", time=received, **named)
        else:
            left, by = time_left(one.due - now), stamp(one.due)
            said = tr("{who} owes {what}: {left}, by {time}; decision {number}", left=left, time=by, **named)
        lines.append(_line(tr("deadline"), said + _contact(contacts, Owes.FIRM.value)))
    if found.complaints_more:
        more = trn(
            "{n} further complaint of a user waits", "{n} further complaints of users wait", found.complaints_more
        )
        lines.append(_line(tr("deadline"), more))
    return lines


def _rollout(found: PilotStatus) -> list[str]:
    lines = []
    if found.step is not None:
        cap = tr("at most {cap} users; ", cap=found.cap) if found.cap else ""
        lines.append(_line(tr("rollout"), cap + _record(found.step)))
    if found.shadow is not None:
        lines.append(_line(tr("shadow"), _record(found.shadow)))
    return lines


def _evidence(one: StatusRecord) -> str:
    name = f"{plain(one.indicator)}, {one.segment}" if one.segment else plain(one.indicator)
    return tr("{indicator}: {numbers}; decision {number}", indicator=name, numbers=one.numbers, number=one.standing)


def _record(one: StatusRecord) -> str:
    by = tr(" by {author}", author=one.author) if one.author else ""
    said, at = _sentence(one), stamp(one.at)
    return tr("{time}  decision {number}  {sentence}{by}", time=at, number=one.standing, sentence=said, by=by)


def _sentence(one: StatusRecord) -> str:
    """The sentence of a decision; in other languages than English its reason and its numbers."""
    if current() == "en":
        return one.sentence
    name = f"{plain(one.indicator)}, {one.segment}".removesuffix(", ")
    return ": ".join(part for part in (_reason(one.reason), name, one.numbers) if part)


# In English the words of the record, which acts, pages and `--json` also have; in other languages those of the board.


def _state(word: str) -> str:
    return plain(word) if current() == "en" else state_name(State(word))


def _outcome(word: str) -> str:
    return plain(word) if current() == "en" else tr(OUTCOMES[Outcome(word)])


def _reason(word: str) -> str:
    return plain(word) if current() == "en" or word not in _REASONS else tr(REASONS[Reason(word)])


def _command_state(word: str) -> str:
    return tr(COMMANDS[word]) if word in COMMANDS else plain(word)


def _role(word: str) -> str:
    return plain(word) if current() == "en" or word not in _ROLES else tr(ROLES[Role(word)])


def _owner(owner: Owes) -> str:
    return plain(owner.value) if current() == "en" else tr(OWED_BY[owner])


def _problems(found: PilotStatus, problems: Sequence[TelemetryProblem] | None) -> list[str]:
    """The newest telemetry without effect; the rest by its number."""
    known = {(one.reason, one.field): one for one in (*found.problems, *(problems or ()))}
    rows = sorted(known.values(), key=lambda one: -(one.at or 0))
    lines = [_line(tr("no effect"), line) for line in problem_lines(rows[:SHOWN_PROBLEMS])]
    if len(rows) > SHOWN_PROBLEMS:
        more = tr("{n} more kinds; see `sandbox-monitor rejections {pilot}`", n=len(rows) - SHOWN_PROBLEMS,
                  pilot=found.pilot)  # fmt: skip
        lines.append(_line(tr("no effect"), more))
    return lines
