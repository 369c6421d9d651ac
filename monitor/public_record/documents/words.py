"""Words that the documents share: reasons, levels, states, roles, legal deadlines, lengths of time. In the language
that is spoken."""

from __future__ import annotations

import htpy as h
from htpy import Node

from monitor.projections.formats import figure, stamp
from monitor.projections.wording import REASONS, plain
from monitor.public_record.documents.halt import Step
from monitor.public_record.pilot import ABSENT, WITHHELD, Json
from monitor.translation import mark, tr

REASON_WORDS: dict[str, str] = {reason.value: words for reason, words in REASONS.items()}
ENTRIES = {
    "command": mark("Command to the service"),
    "charter": mark("Charter"),
    "evidence": mark("Closed period of the evidence"),
    "shard": mark("Beginning of a shard"),
}
LEVELS = (mark("normal"), mark("watch"), mark("escalate"), mark("halt"))
STATES = {
    "draft": mark("draft"), "submitted": mark("application received"), "screened": mark("application screened"),
    "agreed": mark("charter agreed"), "refused": mark("refused"), "registered": mark("registered"),
    "application_withdrawn": mark("application withdrawn"),
    "running": mark("running"), "paused": mark("paused"), "exiting": mark("leaving"), "exited": mark("left"),
    "terminated": mark("terminated"), "withdrawn": mark("withdrawn"), "reported": mark("exit report issued"),
    "published": mark("exit report public"), "withheld": mark("exit report withheld"),
    "tracked": mark("under routine supervision"), "closed": mark("routine supervision ended"),
    "recalled": mark("recalled"), "halted": mark("halted"), "suspended": mark("suspended"),
    "change_proposed": mark("change proposed"), "pause_requested": mark("pause requested"),
    "cycle_requested": mark("another cycle requested"), "assessment_due": mark("assessment due"),
    "assessment_missed": mark("assessment overdue"), "evidence_held": mark("evidence held"),
    "incident_hold": mark("held because of an incident"),
}  # fmt: skip
OWED_BY = {"firm": mark("the firm"), "authority": mark("the authority"), "supplier": mark("the supplier")}
DUTIES = frozenset({
    mark("Report of a serious incident (an incomplete initial report suffices)"),
    mark("Complete report of a serious incident"),
    mark("No change of the model version before the authority was told"),
    mark("Decision on the application"),
    mark("Written proof and exit report"),
    mark("Tell the AI Office of the suspension"),
    mark("Assessment at the interval of the charter"),
    mark("Inspection"),
    mark("Drill of the halt"),
    mark("Rectify the finding"),
    mark("File the algorithm"),
    mark("File the change"),
    mark("File the ending of the service"),
    mark("Keep the logs for at least six months"),
    mark("Answer the complaint within the promise of the charter"),
    mark("Answer the complaint that a user made outside the firm"),
    mark("Decide about the redress that a user asked for"),
})  # fmt: skip
"""Titles of the duties in the table of deadlines that ships; those of other tables are shown as they are."""
CHANGES = {
    "started": mark("started"), "moved": mark("moved"), "met": mark("met"), "missed": mark("missed"),
    "stopped": mark("ended without effect"), "restarted": mark("started again"), "done_late": mark("done late"),
    "refused": mark("not tracked"),
}  # fmt: skip
ROLES = {
    "officer": mark("officers"), "approver": mark("approvers"), "evaluator": mark("evaluators"),
    "operator": mark("operators"), "publisher": mark("publishers"),
}  # fmt: skip
OVERDUE = {
    "not_acknowledged": mark("not acknowledged"),
    "dark": mark("acknowledged, but no heartbeats that show a stop"),
    "not_verified": mark("stop not verified"),
    "serving": mark("reported as stopped, but still active"),
    "heartbeat": mark("a heartbeat reported work"),
    "exposure": mark("use of the service was reported"),
    "outcomes": mark("outcomes of the service were reported"),
    "items": mark("items of the service were reported"),
    "complaint": mark("a complaint about the time after the stop was reported"),
}


def reason_words(reason: str) -> str:
    """The label of a reason or of a type of entry."""
    if reason in ENTRIES:
        return tr(ENTRIES[reason])
    return tr(REASON_WORDS[reason]) if reason in REASON_WORDS else plain(reason)


def level_words(level: int) -> str:
    """The name of a level."""
    return tr(LEVELS[level]) if 0 <= level < len(LEVELS) else str(level)


def state_words(state: str) -> str:
    """The name of a state of a pilot."""
    return tr(STATES[state]) if state in STATES else plain(state)


def seconds_words(seconds: float) -> str:
    """A length of time in the unit that people use.

    >>> seconds_words(12.5), seconds_words(603), seconds_words(50_000), seconds_words(400_000)
    ('12.5 s', '10.1 min', '13.9 h', '4.63 d')
    """
    for unit, length in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{figure(seconds / length)} {unit}"
    return f"{figure(seconds)} s"


def addressee(told: str, names: dict[str, str]) -> str:
    """Who is addressed, from `authority:<id>` and its like; `names` are those of the authorities."""
    kind, _, name = told.partition(":")
    if kind == "authority":
        return tr("authority {name}", name=names.get(name, name))
    if kind == "firm":
        return tr("firm {name}", name=name)
    if kind == "supplier":
        return tr("supplier {name}", name=name)
    return tr(ROLES[name]) if name in ROLES else tr("role {name}", name=plain(name))


def step_words(step: Step) -> str:
    """What happened in a step, with the numbers that go with it."""
    said = reason_words(step.reason)
    if step.passed is not None:
        return tr("{what}: passed", what=said) if step.passed else tr("{what}: not passed", what=said)
    if step.clock is not None:
        return tr("{what}: {duty}", what=said, duty=clock_words(step.clock))
    if step.rule and step.reason == "hard_rule":
        return tr("{what}: {rule}", what=said, rule=plain(step.rule))
    if step.seconds is not None:
        after = seconds_words(step.seconds)
        if step.rule in OVERDUE:
            return tr("{what}; {problem}, {time} after the command", what=said, problem=tr(OVERDUE[step.rule]),
                      time=after)  # fmt: skip
        return tr("{what}, {time} after the command", what=said, time=after)
    if step.rule in OVERDUE:
        return tr("{what}; {problem}", what=said, problem=tr(OVERDUE[step.rule]))
    return said


def duty_words(title: str) -> str:
    """The title of a duty; as it is recorded where the table of deadlines is not the one that ships."""
    return tr(title) if title in DUTIES else title


def clock_words(clock: Json) -> str:
    """A legal deadline: its title as recorded, who owes, the date."""
    who, due = OWED_BY.get(str(clock["owed_by"]), str(clock["owed_by"])), clock.get("due")
    if due is None:
        return tr("“{title}”, owed by {who}", title=duty_words(str(clock["title"])), who=tr(who))
    return tr(
        "“{title}”, owed by {who}, due before {due}", title=duty_words(str(clock["title"])), who=tr(who), due=stamp(due)
    )


def moved(step: Step) -> str:
    """The change of level of a step, "" where it made none."""
    if step.level == step.was:
        return ""
    return tr("{was} to {level}", was=level_words(step.was), level=level_words(step.level))


def clock_time(ms: int) -> Node:
    """A time (UTC) in a table, on one line."""
    return h.span(".t")[stamp(ms)[:19]]


def said_or(value: str) -> str:
    """A field of a charter, or in words why there is none (`stated`)."""
    known = {ABSENT: tr("not in the ledger"), WITHHELD: tr("withheld"), "none stated": tr("not stated")}
    return known.get(value, plain(value))
