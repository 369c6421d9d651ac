"""Words and record of legal deadlines ("clocks"), as decisions carry them. `monitor/deadlines` computes them. Pure.

The values stand in logs, snapshots and ledgers: none is renamed or dropped.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class IncidentClass(StrEnum):
    """Classes of serious incidents that Art. 3(49) and Art. 73 of the EU AI Act tell apart."""

    DEATH = "death"  # Art. 3(49)(a), Art. 73(4)
    SERIOUS_INJURY = "serious_injury"  # Art. 3(49)(a)
    CRITICAL_INFRASTRUCTURE = "critical_infrastructure"  # Art. 3(49)(b), Art. 73(3)
    FUNDAMENTAL_RIGHTS = "fundamental_rights"  # Art. 3(49)(c)
    PROPERTY_OR_ENVIRONMENT = "property_or_environment"  # Art. 3(49)(d)
    WIDESPREAD_INFRINGEMENT = "widespread_infringement"  # Art. 3(61), Art. 73(3)
    OTHER = "other"  # reported as serious, without a harm of Art. 3(49)


class Owes(StrEnum):
    """Who owes what a clock asks for."""

    FIRM = "firm"
    AUTHORITY = "authority"
    SUPPLIER = "supplier"


class OnMiss(StrEnum):
    """What a miss does, besides being recorded and addressed to the one who owes."""

    RECORD = "record"
    WATCH = "watch"
    ESCALATE = "escalate"
    HALT = "halt"


class ClockState(StrEnum):
    """The state of a clock. `stopped`: without effect, as the duty ended or never was."""

    RUNNING = "running"
    MET = "met"
    MISSED = "missed"
    STOPPED = "stopped"


class Change(StrEnum):
    """What happened to a clock. `done_late`: the duty of a missed clock was done. `refused`: no space for the case."""

    STARTED = "started"
    MOVED = "moved"
    MET = "met"
    MISSED = "missed"
    STOPPED = "stopped"
    RESTARTED = "restarted"
    DONE_LATE = "done_late"
    REFUSED = "refused"


class ClockRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change of one clock, addressed to `owed_by`.

    `rule` and `title` name the duty, `starts` the kind of fact that started it, `key` the occurrence that it is about.
    `at` (ms) is when the change took effect, `due` (ms) the first instant that is too late, after it, and `was_due`
    before it; `last_day` the last local day (in `zone`) that is in time. `state` is that after the change (`None` for
    one that was refused), `done` (ms) when the duty was done. `on_miss` says what a miss does, `forbids` what would be
    one. `late`: met, but after what is now the due instant. `provisional`: the calendar does not cover the whole
    period, so the true due instant may be later.
    """

    change: Change
    at: int
    rule: str
    title: str
    starts: str
    key: str
    owed_by: Owes
    basis: str
    on_miss: OnMiss
    state: ClockState | None = None
    due: int | None = None
    was_due: int | None = None
    done: int | None = None
    last_day: str = ""
    zone: str = ""
    forbids: tuple[str, ...] = ()
    late: bool = False
    provisional: bool = False
