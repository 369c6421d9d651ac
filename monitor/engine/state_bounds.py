"""The bound in bytes of every part of a pilot's state, of a partition's state and of what is written about them.

One table for each struct that is stored or written: field -> the bytes that it may take in msgpack, or `BY_CHARTER`
where `monitor/compile/state_size.py` bounds it at admission. Each bound is enforced where the part grows, by what an
event or act does and never by the time of a snapshot, so that a replay drops the same. `tests/security` grows every
part on purpose; a field without a bound fails `tests/contract/test_state_bounds.py`. Pure.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from monitor.charter.application import APPLICATION_BYTES
from monitor.charter.spec import PLANNED, TRENDS
from monitor.deadlines.cases import Case, Clock
from monitor.deadlines.engine import CLOCKS_BYTES, Clocks
from monitor.deadlines.rules import KINDS_PER_START, MOST_RULES, RULES_PER_START
from monitor.decide.ladder import APPROVALS
from monitor.decide.stale_rules import STALE_RULES
from monitor.engine.partition import MOST_ASIDE, PartitionState
from monitor.engine.shadows import ShadowState
from monitor.lifecycle.life import Lifecycle
from monitor.lifecycle.sandbox_check import KEYS
from monitor.lifecycle.tenure import ENDED_KEPT
from monitor.model.bounds import CHARTER_BYTES, FEW_SOURCES, NAME, SOURCES, marks_kept, seen_kept
from monitor.model.clock_record import IncidentClass
from monitor.model.notice import CHARACTERS, NEWEST, NOT_REJECTED, Rejection, Rejections
from monitor.model.rectification_window import RectificationWindow
from monitor.model.shadow_records import LISTED, ShadowDifference, ShadowFinding
from monitor.model.shadow_records import TEXT as SHADOW_TEXT
from monitor.network.responsibility import MOST_RESPONSIBLE
from monitor.shadow.summary import HALTS as SHADOW_HALTS
from monitor.shadow.summary import WAITING, Comparison, Run
from monitor.state import applicant
from monitor.state.acts_once import DIGEST_CHARACTERS, KEPT_ACTS, RECENT_ACTS, ActMemory
from monitor.state.applicant import Applicant
from monitor.state.firm_file import ANNULMENTS, FirmFile
from monitor.state.halt_state import FOLLOWED_SOURCES, HaltState, Retransmission, StopEvidence
from monitor.state.incidents import INCIDENTS, Incidents
from monitor.state.missing import LOST_ENTRIES, RANGES, RANGES_OF_ALL
from monitor.state.model_file import ENTRIES_BYTES, ModelFile, StandingEntry
from monitor.state.pilot import HeldLate, PilotState, Source
from monitor.state.rejection_rate import BUCKET_BYTES, BUCKETS, Bucket, HeldRejections, RejectionRates
from monitor.state.review import MOST_APPROVALS, Approvals, Review, Stay
from monitor.state.rollout import Rollout
from monitor.state.running import (
    DUTIES,
    GUIDANCE,
    MODELS,
    PAUSES,
    QUESTIONS,
    Duty,
    OpenChange,
    Running,
    TrendWindow,
)
from monitor.state.sequences import EARLIER_KEYS
from monitor.state.shadow import ShadowTerm
from monitor.state.standing import Active, Lifting, Shelf, Standing
from monitor.state.tally import Tally
from monitor.state.uncounted import REPORTED_LABELS, ReportedLabels
from monitor.state.users import ID_BYTES, KNOWN, SENDERS, KnownIds, Spent, UsersState
from monitor.validate.rejections import RejectionReason

BY_CHARTER: Final = (
    0  # part of `CHARTER_BYTES`, which `charter check` and admission enforce for all such parts together
)

NUMBER = 9  # the longest number
ARRAY = 5  # the head of the longest array, map or text
TEXT = 4 * 200 + ARRAY  # a name of 200 characters
WORD = 40  # a word of a closed list
ID = 34  # a digest
GROUND = 7 * (4 * 300 + ARRAY) + 9 * NUMBER + ARRAY
COMMAND = 2 * TEXT + 4 * ID + GROUND + 12 * WORD
REASONS = ARRAY + (len(RejectionReason) + len(NOT_REJECTED)) * (WORD + NUMBER)
ACT = 2 * DIGEST_CHARACTERS + 2
# Keys of acts: those of the charter and of the admitters, of the people of the sandbox, and of those who were removed.
TRUSTED_KEYS = 128 + KEYS + ENDED_KEPT
LIFE = 7 * WORD + 2 * (2 * ID + ARRAY) + ARRAY
STALE_KEY = 7 + TEXT + 80  # a finding or shelf of a rule that is gone
SHORT = NAME + 2  # an id as `short` writes it
DUTY_KEY = 11 + SHORT + 1 + 32 + 80  # a finding, shelf or due date of an inspection
CLOCK_KEY = 8 + WORD + 80  # a finding or shelf of a legal deadline

RANGE = 3 * NUMBER + 1
STATEMENT = 2 * NUMBER + 1
_SOURCE = (8 + EARLIER_KEYS) * NUMBER + 16  # without ranges, statements and digests
_FEW = FEW_SOURCES * (NAME + _SOURCE + STATEMENT * marks_kept(1) + 2 * seen_kept(1))
_MANY = SOURCES * (NAME + _SOURCE + STATEMENT * marks_kept(SOURCES) + 2 * seen_kept(SOURCES))

CLOCK: dict[str, int] = {
    "rule": WORD,
    "state": WORD,
    **dict.fromkeys(("due", "changed", "ended", "done"), NUMBER),
    "provisional": 1,
}
CASE: dict[str, int] = {
    "starts": WORD,
    "key": NAME,
    "clocks": RULES_PER_START * (1 + sum(CLOCK.values())),
    **dict.fromkeys(("first", "stated", "given", "given_at", "ruled_at", "touched"), NUMBER),
    "classes": ARRAY + len(IncidentClass) * (WORD + 2 * NUMBER + 1),
    "ruled": ARRAY + len(IncidentClass) * WORD,
    "marks": ARRAY + KINDS_PER_START * (WORD + NUMBER),
}
STANDING: dict[str, int] = {
    "level": NUMBER,
    "since": NUMBER,
    "counter": NUMBER,
    "halted": 1,
    "active": STALE_RULES * STALE_KEY + (MOST_RULES + 1) * CLOCK_KEY + DUTIES * DUTY_KEY,  # all others by the charter
    "unknown": 4 * (WORD + NUMBER),  # all others by the charter
    "first_out": 3 * TEXT,
    "lifting": ARRAY + APPROVALS * TEXT + 4 * NUMBER,
    "restart": NUMBER,
    "command": ID,
    "ordered": NUMBER,
    "halt_state": FOLLOWED_SOURCES * (NAME + 6 * NUMBER + 2 * ARRAY) + 3 * WORD + 2 * NUMBER,
    "shelved": STALE_RULES * STALE_KEY + (MOST_RULES + 1) * CLOCK_KEY + DUTIES * DUTY_KEY,  # all others by the charter
    "retransmission": COMMAND + 2 * NUMBER + ARRAY,
    "lifted": ID,
}

TIMED_APPROVALS: dict[str, int] = {
    "people": ARRAY + MOST_APPROVALS * TEXT,
    "at": ARRAY + MOST_APPROVALS * NUMBER,
    "of": TEXT + TEXT,
}

REVIEW: dict[str, int] = {
    **dict.fromkeys(("loud", "assessed", "fell_due", "tracked_until", "halts"), NUMBER),
    "approvals": ARRAY + MOST_APPROVALS * TEXT,
    "approved": TEXT,
}

STAY: dict[str, int] = {
    "approved_at": ARRAY + MOST_APPROVALS * NUMBER,
    "tier": ARRAY + sum(TIMED_APPROVALS.values()),
    "paused": NUMBER,
    "outside": NUMBER,
}

KNOWN_IDS: dict[str, int] = {"ids": ARRAY + KNOWN * ID_BYTES, "states": ARRAY + KNOWN}
SPENT: dict[str, int] = {"day": NUMBER, "counts": ARRAY + (SENDERS + 1) * (TEXT + NUMBER)}
USERS: dict[str, int] = {
    **dict.fromkeys(("complaints", "left"), ARRAY + sum(KNOWN_IDS.values())),
    "spent": ARRAY + sum(SPENT.values()),
    **dict.fromkeys(("filed", "counted", "late", "over", "withdrawn", "answered", "asked", "given", "refused"), NUMBER),
    "departed": NUMBER,
    "inside": NUMBER,
}

ROLLOUT: dict[str, int] = {
    **dict.fromkeys(("cap", "since", "began", "restart", "halts"), NUMBER),
    "marks": BY_CHARTER,
}

RUNNING: dict[str, int] = {
    "models": ARRAY + MODELS * SHORT,
    "used": ARRAY + PLANNED * (SHORT + NUMBER),
    "change": SHORT + TEXT + WORD + ARRAY,
    "pauses": ARRAY + PAUSES * (2 * NUMBER + 1),
    "asked": 2 * NUMBER + 1,
    "cycle": 2 * NUMBER + 1,
    "questions": ARRAY + QUESTIONS * SHORT,
    "guidance": ARRAY + GUIDANCE * SHORT,
    "duties": ARRAY + DUTIES * DUTY_KEY,
    "trends": ARRAY + TRENDS * (SHORT + 4 * NUMBER + 1),
}

PILOT: dict[str, int] = {
    "id": TEXT,
    "charter": BY_CHARTER,
    "plan": 0,  # follows from the charter
    "hash": 2 * ID + ARRAY,
    "standing": ARRAY + sum(STANDING.values()),
    "admitted": NUMBER,
    "received": NUMBER,
    "model": TEXT,
    "exited": 1,
    "sources": ARRAY + max(_FEW, _MANY) + RANGES_OF_ALL * RANGE,
    "streams": BY_CHARTER,  # `detect/shed.py`: of charters from before there were bounds
    "heard": BY_CHARTER,
    "due": 0,  # follows from the rest
    "gap": NUMBER,
    "late_dropped": NUMBER,
    "late_events": NUMBER,
    "life": LIFE,
    "running": ARRAY + sum(RUNNING.values()),
    "review": ARRAY + sum(REVIEW.values()),
    "stay": ARRAY + sum(STAY.values()),
    "responsible": ARRAY + MOST_RESPONSIBLE * (64 + ARRAY),  # ids of `lifecycle/sandbox.py Name`
    "users": ARRAY + sum(USERS.values()),
    "rollout": ARRAY + sum(ROLLOUT.values()),
    "clocks": CLOCKS_BYTES,
    "clocks_wait": NUMBER,
    "held_model": TEXT,
    "late_held": BY_CHARTER,
    "shadow": SHORT + 4 * ID + NUMBER + 2 * ARRAY,
    "drilled": NUMBER,
    "tolerated": NUMBER,
    "outage": 2 * NUMBER + 1,
    "incidents": INCIDENTS * 2 * NUMBER + 2 * ARRAY,  # the names of indicators by the charter
    "leaving": 1,
    "acts": 2 * (RECENT_ACTS + KEPT_ACTS) * ACT + TRUSTED_KEYS * (ID + NUMBER) + 2 * TEXT + 6 * ARRAY,
    "lost": ARRAY + LOST_ENTRIES * (2 * NUMBER + 1),
    "conflicted": NUMBER,
    "window": 4 * NUMBER + ARRAY,  # the keys of streams by the charter
    "rejections": REASONS + NEWEST * (NUMBER + 3 * (4 * CHARACTERS + ARRAY)) + 2 * ARRAY,
    "uncounted": ARRAY + (REPORTED_LABELS + 1) * NUMBER,
}

KEYWORD = 16  # the name of a field in a map
SHADOW_FINDING: dict[str, int] = {
    **dict.fromkeys(("at", "level", "was", "asked", "period_start", "period_end"), NUMBER),
    **dict.fromkeys(("statistic", "threshold", "observed", "expected", "events", "exposure"), NUMBER),
    "reason": WORD,
    "key": 3 * TEXT,
    **dict.fromkeys(("indicator", "segment", "rule", "unit"), TEXT),
    "explanation": 4 * SHADOW_TEXT + ARRAY,
}
FOUND = sum(SHADOW_FINDING.values()) + KEYWORD * len(SHADOW_FINDING)
DIFFERENCE = WORD + FOUND + NUMBER + 1 + 4 * KEYWORD
SHADOW_SPANS = ARRAY + SHADOW_HALTS * (2 * NUMBER + 1)
SHADOW_COUNTS = (
    "tolerance", "start", "same", "earlier", "later", "only_live", "only_shadow", "hypothetical", "not_comparable",
    "dropped", "periods_live", "periods_shadow", "restarted", "not_applied", "halted",
)  # fmt: skip
COMPARISON: dict[str, int] = {
    **dict.fromkeys(SHADOW_COUNTS, NUMBER),
    "live": ARRAY + WAITING * FOUND,
    "shadow": ARRAY + WAITING * FOUND,
    "halts": SHADOW_SPANS,
    "alone": SHADOW_SPANS,
    "first_halt": FOUND,
    "differences": ARRAY + LISTED * DIFFERENCE,
}
SHADOW_RUN: dict[str, int] = {
    "id": ID,
    "pilot": TEXT,
    "participant": TEXT,
    "candidate": 2 * ID,
    "live": 2 * ID,
    **dict.fromkeys(("version", "until", "every"), NUMBER),
}
SHADOW: dict[str, int] = {
    "run": ARRAY + sum(SHADOW_RUN.values()),
    "comparison": ARRAY + sum(COMPARISON.values()),
    "due": NUMBER,
    "pilot": ARRAY + sum(PILOT.values()),  # a state like that of the pilot; the rest by the candidate
    "failed": TEXT,
}

PARTITION: dict[str, int] = {
    "last_time": NUMBER,
    "closed": NUMBER,
    "aside": ARRAY + MOST_ASIDE * TEXT,
    "rates": 2 * BUCKETS * BUCKET_BYTES,  # as many again may be new since the last `time`
}

BOUNDS: dict[type[Struct], dict[str, int]] = {
    PilotState: PILOT,
    PartitionState: PARTITION,
    Standing: STANDING,
    Lifecycle: {
        **dict.fromkeys(("pilot", "halt", "change", "request", "assessment", "hold", "outcome"), WORD),
        "signed_by_firm": 2 * ID + ARRAY,
        "signed_by_authority": 2 * ID + ARRAY,
    },
    Running: RUNNING,
    Review: REVIEW,
    Stay: STAY,
    UsersState: USERS,
    KnownIds: KNOWN_IDS,
    Spent: SPENT,
    Rollout: ROLLOUT,
    Tally: dict.fromkeys(("first", "complete", "partial", "k", "m", "extra"), NUMBER),
    Approvals: TIMED_APPROVALS,
    OpenChange: {"id": SHORT, "kind": WORD, "model": TEXT},
    TrendWindow: dict.fromkeys(("number", "k", "m", "partial"), NUMBER),
    Duty: {"due": NUMBER, "rectified": NUMBER, "missed": 1},
    Clocks: {"cases": CLOCKS_BYTES, "refused": NUMBER},
    Case: CASE,
    Clock: CLOCK,
    Applicant: {
        "firm": TEXT,
        "life": LIFE,
        "standing": NUMBER,
        "applied": NUMBER,
        "at": NUMBER,
        "hash": 2 * ID + ARRAY,
        "application": 2 * APPLICATION_BYTES + ARRAY,
        "charter": applicant.CHARTER_BYTES + ARRAY,
        "acts": 2 * (RECENT_ACTS + KEPT_ACTS) * ACT + TRUSTED_KEYS * (ID + NUMBER) + 2 * TEXT + 6 * ARRAY,
        "clocks": CLOCKS_BYTES,
        "wait": NUMBER,
    },
    ModelFile: {
        "standing": NUMBER,
        "at": NUMBER,
        "entries": ARRAY + ENTRIES_BYTES,
        "size": NUMBER,
        "acts": 2 * (RECENT_ACTS + KEPT_ACTS) * ACT + TRUSTED_KEYS * (ID + NUMBER) + 2 * TEXT + 6 * ARRAY,
    },
    FirmFile: {
        **dict.fromkeys(("standing", "at", "through", "open"), NUMBER),
        "firm_class": WORD,
        "annulled": ARRAY + ANNULMENTS * (32 + 2),
        "annulled_by": ARRAY + ANNULMENTS * TEXT,
        "acts": 2 * (RECENT_ACTS + KEPT_ACTS) * ACT + TRUSTED_KEYS * (ID + NUMBER) + 2 * TEXT + 6 * ARRAY,
    },
    StandingEntry: {"id": TEXT, "kind": WORD, "names": 2 * TEXT + 1, "author": TEXT, "standing": NUMBER},
    Active: {"level": 1, "reason": WORD, "since": NUMBER, "stays": WORD, "quiet": NUMBER},
    Shelf: {"until": NUMBER, "level": 1},
    Lifting: {
        "rectified": 1,
        "evaluated": 1,
        "approvals": ARRAY + APPROVALS * TEXT,
        "basis": NUMBER,
        "last": NUMBER,
    },
    HaltState: {
        "kind": WORD,
        "at": NUMBER,
        "state": WORD,
        "due": NUMBER,
        "evidence": FOLLOWED_SOURCES * (NAME + 6 * NUMBER + 2 * ARRAY),
    },
    StopEvidence: dict.fromkeys(("heard", "number", "stopped", "beats", "exposure", "last"), NUMBER),
    Retransmission: {"command": COMMAND, "due": NUMBER, "attempts": NUMBER},
    Source: {
        "high": NUMBER,
        "missing": ARRAY + RANGES * RANGE,
        "heard": NUMBER,
        "tallied": NUMBER,
        "offset": NUMBER,
        "statements": ARRAY + STATEMENT * marks_kept(1),
        "latest": NUMBER,
        "ended": 1,
        "seen": ARRAY + 2 * seen_kept(1),
        "newest": NUMBER,
        "key": NUMBER,
        "earlier": 1 + EARLIER_KEYS * NUMBER,
    },
    Incidents: {
        "names": BY_CHARTER,
        "known": ARRAY + INCIDENTS * 2 * NUMBER,
        "whole": 1,
        "slight": ARRAY + INCIDENTS * 2 * NUMBER,
    },
    ActMemory: {
        "recent": ARRAY + RECENT_ACTS * ACT,
        "kept": ARRAY + KEPT_ACTS * ACT,
        "firm_recent": ARRAY + RECENT_ACTS * ACT,
        "firm_kept": ARRAY + KEPT_ACTS * ACT,
        "keys": ARRAY + TRUSTED_KEYS * (ID + NUMBER),
        "by": TEXT + ID + ARRAY,
    },
    ShadowTerm: {"id": SHORT, "candidate": 2 * ID, "live": 2 * ID, "until": NUMBER},
    ShadowState: SHADOW,
    Run: SHADOW_RUN,
    Comparison: COMPARISON,
    ShadowFinding: SHADOW_FINDING,
    ShadowDifference: {"side": WORD, "finding": FOUND, "by": NUMBER, "hypothetical": 1},
    HeldLate: dict.fromkeys(("count", "start", "end", "k", "m"), NUMBER),
    ReportedLabels: {"values": ARRAY + REPORTED_LABELS * NUMBER, "last": NUMBER},
    RectificationWindow: {
        "opened": NUMBER,
        "through": NUMBER,
        "due": NUMBER,
        "rectified": NUMBER,
        "keys": BY_CHARTER,
    },
    Rejections: {"by_reason": REASONS, "newest": NEWEST * (NUMBER + 3 * (4 * CHARACTERS + ARRAY))},
    Rejection: {"received": NUMBER, **dict.fromkeys(("field", "reason", "detail"), 4 * CHARACTERS + ARRAY)},
    RejectionRates: {"buckets": 2 * BUCKETS * BUCKET_BYTES},
    Bucket: {"tokens": NUMBER, "at": NUMBER, "topic": 249 + ARRAY, "held": BUCKET_BYTES - 2 * TEXT},
    HeldRejections: {
        "partition": NUMBER,
        "offset": NUMBER,
        "index": NUMBER,
        "pilot": TEXT,
        "received": NUMBER,
        "since": NUMBER,
        "by_reason": REASONS,
        "through": 249 + 4 * NUMBER * 2,
    },
}

FIXED_BYTES = ARRAY + sum(PILOT.values())  # of a pilot's state, without what the charter bounds
LARGEST_STATE = FIXED_BYTES + CHARTER_BYTES
LARGEST_SHADOW = ARRAY + sum(SHADOW.values()) + CHARTER_BYTES
LARGEST_APPLICANT = ARRAY + sum(BOUNDS[Applicant].values())
LARGEST_MODEL = ARRAY + sum(BOUNDS[ModelFile].values())
LARGEST_FIRM = ARRAY + sum(BOUNDS[FirmFile].values())
LARGEST_PARTITION = ARRAY + sum(PARTITION.values())
