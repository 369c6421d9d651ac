"""The words of the monitor as frozen values: levels, reasons, records in, records out.

Times are integer milliseconds since 1970-01-01T00:00Z. Ids are hexadecimal digests that name no topic, partition or
offset, so the embedded runtime, Kafka, a re-partitioned cluster and a firm's own replay agree on them.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum, StrEnum
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Struct, UnsetType

from monitor.halt_ground import GROUND_CHARACTERS, Ground
from monitor.model.assessment import Assessment
from monitor.model.clock_record import ClockRecord
from monitor.model.notice import Notice
from monitor.model.shadow_records import ShadowDecision, ShadowSummary


class Level(IntEnum):
    """The ladder. A halt latches; the other levels fall again by hysteresis or by a regulator's act."""

    NORMAL = 0
    WATCH = 1
    ESCALATE = 2
    HALT = 3

    @property
    def word(self) -> str:
        """Lower-case name, as used in records, labels and pages."""
        return self.name.lower()


class Reason(StrEnum):
    """Why a decision was taken: a closed list that logs, metrics, tests and people share."""

    ADMITTED = "admitted"
    AMENDED = "amended"
    EXITED = "exited"
    EXIT_PENDING = "exit_pending"  # the exit of a halted pilot is recorded; it takes effect once the stop is verified
    LIMIT_EXCEEDED = "limit_exceeded"  # an e-process against a charter limit reached its threshold
    LIMIT_HALF_WAY = "limit_half_way"  # the same, half-way to its threshold (in log)
    HARD_RULE = "hard_rule"  # a single event that the charter lists
    CHANGE_DETECTED = "change_detected"  # an e-detector reached its threshold
    DRIFT_SUSPECTED = "drift_suspected"  # a quick detector, watch only
    GAUGE_OUT_OF_RANGE = "gauge_out_of_range"  # a cost or gain outside the range of the charter
    UNKNOWN_TOO_LONG = "unknown_too_long"  # the unknown flag stood for too long
    SEQUENCE_GAP = "sequence_gap"  # events of a source are missing
    LATE_SHARE = "late_share"  # too much telemetry arrives after its period closed
    EXPOSURE_CAP = "exposure_cap"  # more exposure than the charter allows
    OUTSIDE_CYCLE = "outside_cycle"  # the system was used before or after its cycle
    UNREGISTERED_MODEL = "unregistered_model"  # a model that the charter does not list serves
    CORRECTED = "corrected"  # a firm took back what it had tallied too much
    COUNTED_NOWHERE = "counted_nowhere"  # a segment, unit, measure, kind or currency that the charter does not know
    LATE_DROPPED = "late_dropped"  # events came so long after their period had closed that they count nowhere
    MISSING_MODEL = "missing_model"  # an event without a model, where the charter lists models
    CLEARED = "cleared"  # quiet for as many periods as the charter requires
    OVERRIDDEN = "overridden"  # a regulator's own act
    RECTIFICATION_RECORDED = "rectification_recorded"
    EVALUATION_RECORDED = "evaluation_recorded"
    APPROVAL_RECORDED = "approval_recorded"
    RELEASED = "released"  # a halt was lifted
    COMMAND_ACKNOWLEDGED = "command_acknowledged"
    HALT_VERIFIED = "halt_verified"  # acknowledged, and confirmed by three clean heartbeats
    HALT_OVERDUE = "halt_overdue"  # not acknowledged in time, or silent afterwards: silence verifies nothing
    HALT_CONTRADICTED = "halt_contradicted"  # later traffic, or a complaint about the time after the stop
    LIMIT_TOLERATED = "limit_tolerated"  # the first crossing in a low tier: to be rectified; the next one halts
    RECTIFICATION_OVERDUE = "rectification_overdue"  # a tolerated crossing was not rectified in time
    SHELVED = "shelved"  # a regulator shelved a finding for a limited time
    UNSHELVED = "unshelved"  # that time has passed
    COMMON_CAUSE = "common_cause"  # pilots that share a vendor exceed together what their limits allow
    LEVEL_ACCEPTED = "level_accepted"  # a regulator accepted a new level of an indicator; its baseline is learnt again
    DRILL_BEGUN = "drill_begun"  # the path of a halt is tested
    DRILL_PASSED = "drill_passed"  # the service acknowledged in time
    DRILL_OVERDUE = "drill_overdue"  # it did not
    DRILL_ENDED = "drill_ended"  # a drill that stopped the service ended
    LAPSED = "lapsed"  # no more permits: the state has been unknown for too long; not a halt
    SILENCE = "silence"  # unknown: no event was received
    PARTIAL_DATA = "partial_data"  # unknown: a period closed with a gap or without its exposure
    MONITOR_GAP = "monitor_gap"  # unknown: the monitor was down
    HEARD_AGAIN = "heard_again"  # unknown ended
    STATE_LIMIT = "state_limit"  # the pilot's state reached its bound, and open periods were dropped
    STATE_LOST = "state_lost"  # its stored state could not be read; admitted again, halted until a release
    SOURCE_CONFLICT = "source_conflict"  # a source sent two events under one sequence number
    DISPERSION_EXCEEDED = "dispersion_exceeded"  # the counts under a limit vary more than the charter grants
    BASELINE_UNUSABLE = "baseline_unusable"  # the periods a baseline was learnt from vary more than granted
    TELEMETRY_LOST = "telemetry_lost"  # the log deleted telemetry before the monitor had read it
    # before the admission
    APPLICATION_SUBMITTED = "application_submitted"
    APPLICATION_SCREENED = "application_screened"
    APPLICATION_REFUSED = "application_refused"
    APPLICATION_WITHDRAWN = "application_withdrawn"
    CHARTER_SIGNED = "charter_signed"  # by one side
    CHARTER_AGREED = "charter_agreed"  # by both sides
    CYCLE_STARTED = "cycle_started"
    BOUNDARY_BREACHED = "boundary_breached"  # data crossed a boundary of the charter, and no hard rule is on it
    # about the sandbox, not a pilot
    FOUNDED = "sandbox_founded"
    CONFIGURATION_PROPOSED = "configuration_proposed"
    CONFIGURATION_CHANGED = "configuration_changed"  # an approver put a proposal in force
    PROPOSAL_WITHDRAWN = "proposal_withdrawn"
    # a pilot that runs
    CHANGE_REGISTERED = "change_registered"  # a change inside the charter's plan of changes
    CHANGE_PROPOSED = "change_proposed"  # a change outside of it: to be amended or refused
    CHANGE_REFUSED = "change_refused"
    CHANGE_NOT_REGISTERED = "change_not_registered"  # a planned model is in use, and no change was registered
    PAUSE_REQUESTED = "pause_requested"
    PAUSE_GRANTED = "pause_granted"
    RESUMED = "resumed"
    CYCLE_REQUESTED = "cycle_requested"
    CYCLE_GRANTED = "cycle_granted"
    REQUEST_DECLINED = "request_declined"
    USED_IN_PAUSE = "used_in_pause"  # the service was used while the pilot was paused
    EXTENDED = "extended"  # the cycle ends later
    GUIDANCE_ASKED = "guidance_asked"
    GUIDANCE_GIVEN = "guidance_given"
    GUIDANCE_FOLLOWED = "guidance_followed"  # as the firm states
    INSPECTED = "inspected"
    INSPECTION_FINDING = "inspection_finding"  # an inspection found something that must be rectified
    FINDING_OVERDUE = "finding_overdue"  # a finding of an inspection was not rectified in time
    SUSPENDED = "suspended"  # an authority suspended the pilot: a halt by a legal act
    TREND_RISING = "trend_rising"  # non-serious incidents rose significantly in a window of the charter's trend report
    TREND_STEADY = "trend_steady"  # they did not
    EVIDENCE_HELD = "evidence_held"  # the system is evidence and must not change
    HOLD_LIFTED = "hold_lifted"
    CLOCK_STARTED = "clock_started"  # a legal deadline runs, or runs again
    CLOCK_MOVED = "clock_moved"  # its due instant was moved
    CLOCK_MET = "clock_met"  # what it asks for was done; also after a miss
    CLOCK_MISSED = "clock_missed"  # it was not done in time
    CLOCK_STOPPED = "clock_stopped"  # the duty ended, or never was
    CLOCK_REFUSED = "clock_refused"  # no space for a further deadline
    RESPONSIBILITY_CHANGED = "responsibility_changed"  # other authorities are responsible for the pilot
    NO_AUTHORITY = "no_authority"  # no authority of the sandbox is
    ASSESSED = "assessed"  # an officer assessed the pilot; the numbers are computed
    ASSESSMENT_DUE = "assessment_due"  # the charter asks for an assessment
    ASSESSMENT_MISSED = "assessment_missed"  # it was not done in time
    TIER_APPROVED = "tier_approved"  # one approver agrees to a lower tier
    EXIT_APPROVED = "exit_approved"  # one approver agrees to the outcome `scale`
    REPORT_ISSUED = "report_issued"  # written proof and exit report
    PUBLISHED = "published"  # the firm agrees that the exit report is published
    WITHHELD = "withheld"  # the exit report is not published
    GRADUATED = "graduated"  # routine supervision begins
    RECALLED = "recalled"  # recalled from routine supervision: a halt
    CLOSED = "closed"  # routine supervision ended
    EVIDENCE_HOLD = "evidence_hold"  # the model was changed before the authority was told of a serious incident
    INCIDENT_REPORT_RECEIVED = "incident_report_received"  # the firm's report to the authority, initial or complete
    CHANGE_NOTIFIED = "change_notified"  # the authority was told of a change of the system
    SUSPENSION_NOTIFIED = "suspension_notified"  # the AI Office was told of a suspension
    INCIDENT_RECLASSIFIED = "incident_reclassified"  # an officer decided on the classes of an incident
    COMPLAINT_FILED = "complaint_filed"  # users complained outside the firm
    COMPLAINT_WITHDRAWN = "complaint_withdrawn"
    COMPLAINT_ANSWERED = "complaint_answered"
    REDRESS_RECORDED = "redress_recorded"  # asked for, given or refused
    USER_LEFT = "user_left"  # users withdrew from the pilot
    SHADOW_STARTED = "shadow_started"  # a shadow charter runs next to the one in force, and never acts
    SHADOW_STOPPED = "shadow_stopped"
    SHADOW_ENDED = "shadow_ended"  # by itself: its time was over, an amendment came into force, or the pilot left
    STEP_PASSED = "step_passed"  # of a rollout: the cap on users rises
    STEP_FAILED = "step_failed"  # it falls by one step
    STEP_INCONCLUSIVE = "step_inconclusive"  # it stays
    TEMPLATE_MADE = "template_made"  # other pilots may replicate the charter
    # about a model, not a pilot
    MODEL_ENTRY_ADDED = "model_entry_added"  # to the file of a model
    MODEL_ENTRY_WITHDRAWN = "model_entry_withdrawn"
    # about a firm, not a pilot
    FIRM_CLASSIFIED = "firm_classified"  # a class was set, with the record that it follows from
    DECISION_ANNULLED = "decision_annulled"  # a decision counts no longer against the firm


RecordKind: TypeAlias = Literal["level", "finding", "flag", "act"]


class Position(Struct, frozen=True):
    """A position in the logs: the next offset of each telemetry topic, of control and of the journal. `begun`: of the
    next record of these topics, so many outputs are written already."""

    telemetry: dict[str, int] = {}
    control: int = 0
    journal: int = 0
    begun: dict[str, int] | UnsetType = UNSET


class Record(Struct, frozen=True, gc=False):
    """One record as read from a log; `received` is its log-append time (ms)."""

    offset: int
    received: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def next(self) -> int:
        """The offset after it."""
        return self.offset + 1


class UnreadableRecords(Record, frozen=True, gc=False, kw_only=True):
    """The records from `offset` to `last` of one batch, which cannot be read: `reason` is `too_large` (the batch
    unpacks to more than is read) or `unreadable_batch`. It has neither key nor value."""

    last: int
    reason: str

    @property
    def next(self) -> int:
        """The offset after the last of them."""
        return self.last + 1


class AttestedRecord(Record, frozen=True, gc=False, kw_only=True):
    """A record of a history from which events of other pilots were left out. Its signature was checked when they were:
    `signed` is the id of the key."""

    signed: str


RULES = 2  # the rules of this code; see `Claim`


class OwnerStart(Struct, frozen=True):
    """Where an owner goes on (the next offset of each telemetry topic whose outputs are not written yet), and the start
    of its process. Nothing that is decided depends on them."""

    next: dict[str, int] = {}
    process: str = ""


class Claim(Struct, frozen=True, tag="claim"):
    """Journal: an owner claimed the partition. Later records of a lower epoch are void.

    `admitters` (public keys), `owners` (telemetry topic to participant) and `open_mode` (`None`: as the machine has it
    by default) are what its machine was configured with: a replay elsewhere needs them to judge signatures and
    ownership alike. `start` tells from outside whether owners end again and again, and where. Claims written before
    these fields existed have none of them.

    `signed_from` (topic to offset, of this partition) says from where on every record of the monitor is signed; a topic
    that is not named is signed from its beginning. Each later claim of a deployment with a key repeats it.
    `rules` is the version of the rules for telemetry of a pilot whose charter names keys of the firm. Under 2 every
    record must be signed; in older claims, which do not state it, only heartbeats and acknowledgements. A replay then
    decides as the owner did. `program` is the program of the owner (`monitor.files.program`): another one may decide
    otherwise.
    """

    epoch: int
    owner: str = ""
    admitters: tuple[str, ...] = ()
    owners: dict[str, str] = {}
    open_mode: bool | None = None
    signed_from: dict[str, int] | UnsetType = UNSET
    rules: int | UnsetType = UNSET  # left out of older claims
    start: OwnerStart | UnsetType = UNSET
    program: str | UnsetType = UNSET


class ControlRead(Struct, frozen=True, tag="control"):
    """Journal: control is to be stepped up to `control_next`, after telemetry up to `telemetry_next`."""

    epoch: int
    telemetry_next: dict[str, int]
    control_next: int


class TimeRead(Struct, frozen=True, tag="time"):
    """Journal: telemetry was read to `telemetry_next`, control to `control_next`; `now` is this entry's own
    timestamp."""

    epoch: int
    telemetry_next: dict[str, int]
    control_next: int


class Skipped(Struct, frozen=True, tag="skipped"):
    """Journal: the owner continues without something. `lost`: the log had deleted telemetry that was not read yet, and
    the owner was started with `--skip-lost`; for each topic the first offset lost and the first that is kept. `pilots`:
    the stored state of these cannot be read, so they are set aside until they are admitted again. Else as `TimeRead`,
    though no time passes.

    `keys` names the topics of `lost` of which nothing was deleted: an operator skipped one record that ended the worker
    each time it was stepped (`--skip`), the last one of the range. Its value is the key of that record, "" where it has
    none.
    """

    epoch: int
    telemetry_next: dict[str, int]
    control_next: int
    lost: dict[str, tuple[int, int]]
    pilots: tuple[str, ...] | UnsetType = UNSET  # left out of older entries
    keys: dict[str, str] | UnsetType = UNSET

    @property
    def aside(self) -> tuple[str, ...]:
        """The pilots that are set aside."""
        return () if isinstance(self.pilots, UnsetType) else self.pilots


JournalEntry: TypeAlias = Claim | ControlRead | TimeRead | Skipped


class Rejected(Struct, frozen=True, kw_only=True):
    """Input that was not accepted: its position, which field, why. `digest` is a keyed digest of the bytes.

    The events of one record that were rejected for one reason are one of these: `count` says how many, `places` where
    in the record the first of them stand (empty in records of older versions). One that sums up several reasons
    (`several_reasons`, `rate_limited`) counts them in `by_reason`; of `rate_limited`, `through` is the `id` of the last
    one that it stands for.
    """

    topic: str
    partition: int
    offset: int
    index: int = 0  # place in a packed record
    field: str
    reason: str
    detail: str = ""
    pilot: str = ""
    received: int = 0
    digest: str = ""
    count: int = 1
    places: tuple[int, ...] = ()
    through: str = ""
    by_reason: dict[str, int] = {}

    @property
    def reasons(self) -> dict[str, int]:
        """How many events were rejected, by reason."""
        return self.by_reason or {self.reason: self.count}

    @property
    def id(self) -> str:
        """An id made of the position, as the record itself could not be read."""
        return f"{self.topic}/{self.partition}/{self.offset}/{self.index}"


Content: TypeAlias = dict[str, str | float | tuple[str, ...]]  # typed fields of an act, never a person's words


class Finding(Struct, frozen=True, kw_only=True):
    """What a decision rests on, in numbers that a person can check. Empty strings and None do not apply."""

    indicator: str = ""
    segment: str = ""
    rule: str = ""  # detector name, or the hard rule's name
    statistic: float | None = None
    bar: float | None = None
    observed: float | None = None
    expected: float | None = None
    alpha: float | None = None  # what this threshold may spend
    # Of the pilot's alpha, what all thresholds up to now may spend; for what was used see
    # `monitor/projections/alpha_budget.py`.
    alpha_spent: float | None = None
    period_start: int | None = None
    period_end: int | None = None
    provisional: bool = False
    detail: str = ""
    ratio: float | None = None  # observed over expected in this period, and its 95 % interval
    ratio_low: float | None = None
    ratio_high: float | None = None
    explanation: str = ""  # the detector's sentence about its score
    events: float | None = None  # counted in this period, and the exposure or trials that they came from
    exposure: float | None = None
    unit: str = ""  # of the exposure; empty for trials
    clock: ClockRecord | UnsetType = UNSET  # the change of a legal deadline; else left out
    content: Content | UnsetType = UNSET  # of an act; left out where it has no typed fields that need it
    assessment: Assessment | UnsetType = UNSET  # the computed numbers of an assessment or an exit; else left out


class Decision(Struct, frozen=True, kw_only=True):
    """A change of level, a finding at an unchanged level, a flag or an act: the record that both sides rely on.

    `kind` is `level` when the level changed, `finding` when a further reason joined or left at an unchanged level,
    `flag` when the unknown flag changed, `act` for everything a person did. `standing` rises by one with every record
    of the pilot. `at` is when it could be taken (ms): the due time of a timer, else the `received` of its cause.
    """

    id: str
    pilot: str
    participant: str
    charter: str  # digest in force
    kind: RecordKind
    level: Level
    was: Level
    reason: Reason
    at: int
    standing: int
    epoch: int
    # "event:<source>#<sequence>", "control:<id>", "timer:<name>@<due>"; of a rejected event also "/<id>@<standing>",
    # and once a pilot has had 512 sources also "@<standing>", as a forgotten number may come again.
    cause: str
    finding: Finding = Finding()
    first_out: bool = False  # this finding brought the pilot to its level
    unknown: str = ""  # reason of the unknown flag, empty when known
    author: str = ""
    signed: str = ""  # id of the key that signed the author's act; empty when it was not signed
    restart: int = 1  # number of the share of alpha that the statistics use
    # For alerts; the ledger holds neither (`monitor/notary/entries.py`), and records of older versions lack both.
    finding_key: str = (
        ""  # key of the finding that joined, left, was shelved or counts again; empty for everything else
    )
    finding_level: Level | None = None  # the level that a finding which joined asks for
    # Left out where they say nothing, so that records of older versions keep their bytes.
    states: str | UnsetType = UNSET  # of the pilot after it (`monitor/lifecycle/life.py state_words`)
    document: dict[str, Any] | UnsetType = UNSET  # the public part of a charter that comes into force
    # Where the sandbox computes responsibility: the responsible authorities (ids), where they are computed anew, and
    # who must learn of it, as `authority:<id>`, `firm:<id>`, `supplier:<id>`, `role:<duty>` (`monitor/network`).
    responsible: tuple[str, ...] | UnsetType = UNSET
    addressed: tuple[str, ...] | UnsetType = UNSET
    clauses: tuple[str, ...] | UnsetType = UNSET  # the legal basis: what its rule, clock or act cites


def ground_of(finding: Finding) -> Ground:
    """The part of a finding that is sent with the command that it caused."""
    return Ground(
        indicator=finding.indicator[:GROUND_CHARACTERS],
        segment=finding.segment[:GROUND_CHARACTERS],
        rule=finding.rule[:GROUND_CHARACTERS],
        statistic=finding.statistic,
        threshold=finding.bar,
        observed=finding.observed,
        expected=finding.expected,
        ratio=finding.ratio,
        detail=finding.detail[:GROUND_CHARACTERS],
        explanation=finding.explanation[:GROUND_CHARACTERS],
        events=finding.events,
        exposure=finding.exposure,
        unit=finding.unit[:GROUND_CHARACTERS],
        ratio_low=finding.ratio_low,
        ratio_high=finding.ratio_high,
    )


class Command(Struct, frozen=True, kw_only=True):
    """A command that a service must obey. The log is compacted and keyed by pilot, so a service reads the newest one
    when it starts.

    A dry run (a drill) is acknowledged as a halt would be, and stops nothing. It is only emitted while no halt is in
    force, so a dry run of a higher standing ends an older halt as a release would. The signature is sent in a header:
    see `monitor/model/signing.py`.

    `lifted` is the decision of the pilot's newest release, this one included; empty when there was none, or when a
    monitor that did not know the field wrote the command. A service that reads only the newest command (HTTP, a
    compacted topic) must not work before the firm has resumed from that release. `ground` is what the decision rests
    on.
    """

    id: str
    pilot: str
    action: Literal["halt", "release"]
    standing: int
    epoch: int
    reason: Reason
    decision: str
    at: int
    dry_run: bool = False
    ledger: str = ""  # where the decision can be looked up: the name of its ledger
    again: int = 0  # number of earlier transmissions, which were not acknowledged
    lifted: str = ""
    ground: Ground | None = None

    @property
    def halts(self) -> bool:
        """Whether the service must stop, and stay stopped, from this command on."""
        return self.action == "halt" and not self.dry_run


def command_id(decision: str) -> str:
    """The id of the command that the decision with this id implies."""
    return digest("command", decision)


def command_of(decision: Decision, lifted: str = "") -> Command | None:
    """The command that a decision implies: a halt when the level becomes halt, a release when a halt is lifted, the
    like for a drill, else none. `lifted` is the decision of the pilot's newest release before it."""
    drill = decision.reason == Reason.DRILL_BEGUN
    halt = drill or (decision.level == Level.HALT and decision.was < Level.HALT)
    if not halt and decision.reason not in (Reason.RELEASED, Reason.DRILL_ENDED):
        return None
    return Command(
        id=command_id(decision.id),
        pilot=decision.pilot,
        action="halt" if halt else "release",
        standing=decision.standing,
        epoch=decision.epoch,
        reason=decision.reason,
        decision=decision.id,
        at=decision.at,
        dry_run=drill and decision.finding.rule == "dry_run",
        ledger=decision.pilot,
        lifted=lifted if halt else decision.id,
        ground=ground_of(decision.finding),
    )


class Permit(Struct, frozen=True, kw_only=True):
    """The short lease under which a service may run, for one heartbeat, whose `nonce` and `source` it repeats.

    The lease of `lease_ms` runs from the moment that heartbeat was sent. `standing` is that of the last command of the
    pilot, 0 when there was none: a permit of a lower standing than the highest command read is void. `stop` says what
    the
    end of the lease means for this pilot's tier: stop, or continue with a warning. `notice`: what the firm should
    know of its telemetry, None when there is nothing.
    """

    pilot: str
    nonce: str
    standing: int
    epoch: int
    lease_ms: int
    source: str = ""
    stop: bool = True
    notice: Notice | None = None


class Evidence(Struct, frozen=True, kw_only=True):
    """One closed period of one indicator and segment, with the score of each detector."""

    pilot: str
    participant: str
    vendor: str
    data_source: str
    model: str
    indicator: str
    segment: str
    kind: Literal["count", "proportion", "gauge"]
    start: int
    end: int
    k: float  # events, or the gauge's value
    m: float  # exposure or trials; 1 for a gauge
    unknown: str = ""
    scores: dict[str, tuple[float, float]] = {}  # detector -> (statistic, threshold)
    late: bool = False  # a revision of an already closed period
    allowed: float | None = (
        None  # events that the charter's limit allows in this exposure; only for counts with an upper limit
    )
    # Of what is too late to count, which no detector saw: how many events of the pilot were so far. Else left out.
    dropped: int | UnsetType = UNSET


class Closed(Struct, frozen=True, kw_only=True):
    """Every period of this partition up to `through` (ms) is closed."""

    partition: int
    through: int


UNCOUNTED = (
    "segment", "unit", "currency", "incident_repeat", "incident_forgotten", "correction", "late",
    "complaint_without_clock", "measure", "kind",
)  # fmt: skip


class Outputs(Struct):
    """What one or more steps emitted, in order; the runner writes it in one transaction. `uncounted` is for metrics
    alone: events that were accepted and count nowhere, incident ids that were dropped from memory, and complaints whose
    deadline is not followed, by kind (one of
    `UNCOUNTED`). `participants` (pilot to participant) says whom `commands` and `permits` are for. `shadows` is what
    shadow charters would have decided: no reader of the other lists sees it."""

    rejected: list[Rejected] = msgspec.field(default_factory=list)
    decisions: list[Decision] = msgspec.field(default_factory=list)
    commands: list[Command] = msgspec.field(default_factory=list)
    permits: list[Permit] = msgspec.field(default_factory=list)
    evidence: list[Evidence | Closed] = msgspec.field(default_factory=list)
    shadows: list[ShadowDecision | ShadowSummary] = msgspec.field(default_factory=list)
    uncounted: dict[str, int] = {}
    participants: dict[str, str] = {}

    def extend(self, more: Outputs) -> None:
        """Append the outputs of a later step."""
        self.rejected.extend(more.rejected)
        self.decisions.extend(more.decisions)
        self.commands.extend(more.commands)
        self.permits.extend(more.permits)
        self.evidence.extend(more.evidence)
        self.shadows.extend(more.shadows)
        self.participants.update(more.participants)
        for kind, events in more.uncounted.items():
            self.uncount(kind, events)

    def uncount(self, kind: str, events: int = 1) -> None:
        """Count events that no indicator counts."""
        self.uncounted[kind] = self.uncounted.get(kind, 0) + events

    def newest_permits(self) -> None:
        """Keep only the last permit of each source, in order: an older one grants no more."""
        newest = {(p.pilot, p.source): p for p in self.permits}
        self.permits = [newest[name] for name in sorted(newest)]

    def in_parts(self, most: int, done: int = 0) -> list[Outputs]:
        """The outputs after the first `done`, in the order in which they are written, in parts of at most `most`; at
        least one part. `uncounted` is in the last one."""
        if done == 0 and len(self) <= most:
            return [self]
        fields = ("rejected", "decisions", "commands", "permits", "evidence", "shadows")
        rows = [(field, value) for field in fields for value in getattr(self, field)][done:]
        parts = [Outputs(participants=self.participants) for _ in range(0, max(1, len(rows)), most)]
        for number, (field, value) in enumerate(rows):
            getattr(parts[number // most], field).append(value)
        parts[-1].uncounted = self.uncounted
        return parts

    def __len__(self) -> int:
        """How many records they are."""
        records = len(self.rejected) + len(self.decisions) + len(self.commands) + len(self.permits)
        return records + len(self.evidence) + len(self.shadows)


def digest(*parts: Any) -> str:
    """A 128-bit id (32 hex digits) of length-prefixed parts: equal parts, equal id, on every machine.

    >>> digest("a", "bc") == digest("ab", "c")
    False
    """
    h = hashlib.sha256()
    for part in parts:
        raw = part if isinstance(part, bytes) else str(part).encode()
        h.update(len(raw).to_bytes(8, "big") + raw)
    return h.hexdigest()[:32]
