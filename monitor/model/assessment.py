"""The computed numbers of an assessment or an exit, as a decision carries them. Values only. Pure.

Numbers are rounded to six significant digits, so that every machine writes the same bytes. A field that has its default
is left out.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import UNSET, Struct, UnsetType

MOST_STREAMS = 64  # of an assessment; those that keep a pilot from `scale` come first
MOST_CONDITIONS = 32
CONDITION_CHARACTERS = 300
ASSESSMENT_BYTES = 44_000  # of canonical JSON, at most; an entry of the ledger has at most 65,535


class Lack(StrEnum):
    """What a pilot lacks for the outcome `scale`: the closed list, with the outcome that each speaks for."""

    HALTED = "halted"
    LIMIT_EXCEEDED = "limit_exceeded"  # the whole interval is on the wrong side of the limit
    FINDING_ACTIVE = "finding_active"  # at level escalate or above, or shelved
    RECTIFICATION_OPEN = "rectification_open"
    NO_LIMIT = "no_limit"  # no indicator has a limit that the statistics could show to be kept
    LIMIT_NOT_SHOWN = "limit_not_shown"  # the interval includes the limit
    POWER_NOT_REACHED = "power_not_reached"
    PERIODS_INCOMPLETE = "periods_incomplete"
    QUIET_TOO_SHORT = "quiet_too_short"
    CLOCK_MISSED = "clock_missed"
    CONDITION_UNMET = "condition_unmet"
    CONDITION_OPEN = "condition_open"
    STEP_TOO_SHORT = "step_too_short"  # of a step of a rollout


class StreamNumbers(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One indicator in one segment. Times in ms. `events` over `exposure` (trials, with `proportion`) were counted in
    `complete` periods from `since` to `through`; `extra` events are of `partial` periods or came late. `rate` has the
    confidence sequence from `low` to `high`: each side errs with a probability of at most `alpha`, at all times
    together. `below`: harm lies below the `limit`. `keeps`: whether the bound on the side of harm keeps the limit.

    Where the halting e-process is judged, for the weakest segment of each indicator: the `power` to find a rate `ratio`
    times the limit within `powered` complete periods, `asked` of it; the e-process itself by its share of alpha, its
    ratios, the limit with its margin, and its minimum number of events."""

    indicator: str
    segment: str = ""
    unit: str = ""
    proportion: bool = False
    below: bool = False
    limit: float | None = None
    since: int = 0
    through: int = 0
    complete: int = 0
    partial: int = 0
    events: float = 0.0
    exposure: float = 0.0
    extra: float = 0.0
    alpha: float = 0.0
    variance_mean: float = 1.0
    rate: float | None = None
    low: float | None = None
    high: float | None = None
    keeps: bool | None = None
    ratio: float | None = None
    asked: float | None = None
    power: float | None = None
    powered: int = 0
    share: float | None = None
    ratios: tuple[float, ...] = ()
    allowed: float | None = None
    minimum_events: int = 0

    @property
    def counted(self) -> float:
        """The events that the bounds rest on."""
        return self.events if self.below else self.events + self.extra


class ConditionResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A condition of the charter: its words or its typed check with the `value`; `met` `None`: a person has not
    answered it."""

    condition: str
    by: str = "person"
    value: float | None = None
    met: bool | None = None


class Assessment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The numbers at `at` (ms) of a pilot in the sandbox since `began`. Statistics are those of share `restart` of
    alpha. `entries`: number of the last entry before this one. `rectifications` are open, the first is due at
    `rectification_due`. `quiet` (ms) has passed without a finding at level escalate, `quiet_needed` is asked. Of its
    legal deadlines `clocks_*` are in that state. `complaints` were counted in closed periods (`None`: the charter has
    no indicator that counts them). `complaints_outside` came from the users' channel and from the reporters of the
    charter, `complaints_inside` from the firm (left out where the charter has no users' channel), in closed periods or
    not. `omitted` streams are not listed. `lacks`: what keeps it from `scale`; `advised`: the outcome that follows."""

    at: int
    began: int
    alpha: float
    restart: int = 1
    entries: int = 0
    halts: int = 0
    active: int = 0
    shelved: int = 0
    rectifications: int = 0
    rectification_due: int | None = None
    quiet: int = 0
    quiet_needed: int = 0
    clocks_running: int = 0
    clocks_met: int = 0
    clocks_missed: int = 0
    late_events: int = 0
    streams: tuple[StreamNumbers, ...] = ()
    omitted: int = 0
    conditions: tuple[ConditionResult, ...] = ()
    lacks: tuple[Lack, ...] = ()
    advised: str = ""
    complaints: float | None = None
    complaints_outside: int = 0
    complaints_inside: int | UnsetType = UNSET
