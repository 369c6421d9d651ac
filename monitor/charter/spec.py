"""The sandbox plan as code: what a charter says, as frozen values, and its canonical hash.

`monitor/compile/load.py` reads the YAML and reports mistakes with their place; this file defines the values. Spans are
written `1h`, `1d`, `1mo` and parsed once by `span()`/`period()`.
"""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeAlias, get_args

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from monitor.charter.chain import Chain
from monitor.charter.clauses import CharterBasis, Clauses
from monitor.model.canonical import canonical as canonical_json
from monitor.model.events import Harm, Id, Severity
from monitor.model.periods import Period, Span, parse_span
from monitor.model.records import Level

SpanText: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9]+(mo|ms|s|m|h|d|w)$")]
Positive: TypeAlias = Annotated[float, Meta(gt=0, le=1e15)]
UnitInterval: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
LevelName: TypeAlias = Literal["watch", "escalate", "halt"]
Day: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
PLANNED = 32  # items that a plan of changes may have
TRENDS = 8  # trend reports that a charter may declare
ROLLOUT_STEPS = 16
DAYS: tuple[str, ...] = get_args(Day)
TimeOfDay: TypeAlias = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]
Tier: TypeAlias = Literal["minimal", "limited", "high", "critical"]
Contacts: TypeAlias = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...], Meta(max_length=8)]


class Participant(Struct, frozen=True, forbid_unknown_fields=True):
    """The firm. `id` is what telemetry topics and the ledger call it. `keys` are public keys (`ed25519:<base64>`) of
    its services: where there is one, every record of telemetry must be signed with one of them, and so must the firm's
    own acts. `contacts`: where the firm is reached about what it owes."""

    id: Id
    name: str = ""
    keys: tuple[str, ...] = ()
    # Left out of the encoded form where it is not given, so that older charters keep their bytes.
    contacts: Contacts | UnsetType = UNSET


class Reporter(Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody other than the firm who may report incidents and complaints about the pilot, such as a hospital or a
    regulator. `keys` are public keys (`ed25519:<base64>`); each record must be signed with one of them. Only needed
    where the participant has keys: without these everybody's telemetry is accepted."""

    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    keys: Annotated[tuple[str, ...], Meta(min_length=1, max_length=4)]
    name: Annotated[str, Meta(max_length=200)] = ""


class Model(Struct, frozen=True, forbid_unknown_fields=True):
    """A registered model version; `digest` is what telemetry carries in `data.model`."""

    digest: Id
    version: str = ""


class Authority(Struct, frozen=True, forbid_unknown_fields=True):
    """A competent authority and who of it may do what, as names that `control` records may carry: `approvers` approve
    the release of a halt; `officers` (and approvers) override, shelve, drill and release. `keys` maps names to public
    keys (`ed25519:<base64>`): acts of such a name must be signed with it, and once any name has a key, an author
    without one is refused. `contacts`: where it is reached about what it owes."""

    id: Id
    name: str = ""
    approvers: tuple[str, ...] = ()
    officers: tuple[str, ...] = ()
    keys: dict[str, str] = {}
    contacts: Contacts | UnsetType = UNSET  # left out of the encoded form where it is not given


class Users(Struct, frozen=True, forbid_unknown_fields=True):
    """Who may meet the system, and how many of them."""

    cap: Annotated[int, Meta(ge=1)] | None = None
    groups: tuple[str, ...] = ()


class UsersChannel(Struct, frozen=True, forbid_unknown_fields=True):
    """What is promised to users who complain outside the firm: an answer `answer_within` and a decision about redress
    `redress_within` of their report. At most `counted_per_day` complaints of one sender of the channel count in
    indicators on one day (UTC); those beyond are on record."""

    answer_within: SpanText | None = None
    redress_within: SpanText | None = None
    counted_per_day: Annotated[int, Meta(ge=1, le=100_000)] = 100


class Cycle(Struct, frozen=True, forbid_unknown_fields=True):
    """When the pilot may operate, as dates (`YYYY-MM-DD`, UTC)."""

    start: Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    end: Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]


class ExposureSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """`unit` selects which exposure tallies count. `cap` (units per period) is the most that a period may hold: what an
    open or incomplete period is assumed to have; without it there is no provisional evidence. `uncertainty` 0.2 = the
    reported exposure may be 20 % too small, and the limit is raised by as much. `complete`: when the exposure of a
    period is known in full: `by_source` once every source of exposure was heard at its end, `on_close` when the period
    closes. The second is for services in which every call is a new source; exposure that was not tallied by the close
    is then taken to be 0, so a lost tally makes the rate appear higher than it is."""

    unit: Id
    cap: Positive | None = None
    uncertainty: Annotated[float, Meta(ge=0, le=10)] = 0.0
    complete: Literal["by_source", "on_close"] = "by_source"


class BaselineSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A limit of `times` an earlier rate: `events` were counted over `exposure` units. The less was counted, the
    larger the rate that it does not rule out; `doubt` of the indicator's alpha pays for that
    (`detectors/baseline_limit.py`)."""

    events: Annotated[float, Meta(ge=0, le=1e15)]
    exposure: Positive
    times: Annotated[float, Meta(ge=0.001, le=1000)]
    doubt: Annotated[float, Meta(ge=0.001, le=0.999)] = 0.8


class PowerSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """What an excess of an indicator's limit has to be found with: a rate of `ratio` times the limit (direction
    `below`: the limit divided by it) within `within` of the start of the cycle (all of it without `within`), with
    `probability`. `exposure` is what a period is planned to hold, in units of exposure (trials of a share), over all
    segments; without it the caps are taken, which is the best case (`monitor/compile/power.py`)."""

    exposure: Positive | None = None
    ratio: Annotated[float, Meta(ge=1.01, le=100)] = 2.0
    within: SpanText | None = None
    probability: Annotated[float, Meta(ge=0.01, le=0.999)] = 0.8


class DetectorSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """One detector on one indicator: `name` is a key of `detectors.DETECTORS`, `level` the most it may cause, `params`
    go to its constructor. `fall_level` is the most that a fall may cause, where the detector tells falls from rises;
    `level` without it. A return to the level before a change never causes more than a watch."""

    name: str
    level: LevelName
    params: dict[str, Any] = {}
    # Left out of the encoded form where it is not given, so that older charters keep their bytes.
    fall_level: Literal["watch", "escalate"] | UnsetType = UNSET


class IndicatorSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """One indicator: `kind` is a key of `monitor.indicators.INDICATORS`.

    `limit` is per `per` units of exposure (counts), a share (proportions) or a value (gauges); counts may state a
    `baseline` in its place. `reporting_delay` is how long after its end a period stays open. `late_window` is how many
    closed periods late events may still raise. `variance_mean` is the overdispersion that the charter assumes. `weight`
    is this indicator's share of alpha. `power` states what an excess has to be found with; no detector reads it.
    `clauses` are the legal basis of what it may cause (`monitor/basis`).
    """

    name: Id
    kind: str
    period: SpanText = "1h"
    reporting_delay: SpanText = "0s"
    limit: Positive | None = None
    baseline: BaselineSpec | None = None
    per: Positive = 1.0
    direction: Literal["above", "below"] = "above"
    segments: tuple[str, ...] = ()
    exposure: ExposureSpec | None = None
    variance_mean: Annotated[float, Meta(ge=1, le=1000)] = 1.0
    weight: UnitInterval = 0.0
    minimum_events: Annotated[int, Meta(ge=1)] = 1
    late_window: Annotated[int, Meta(ge=0, le=64)] = 4
    detectors: tuple[DetectorSpec, ...] = ()
    params: dict[str, Any] = {}
    # Left out of the encoded form where they are not given, so that older charters keep their bytes.
    power: PowerSpec | UnsetType = UNSET
    clauses: Clauses | UnsetType = UNSET

    def nominal(self) -> float | None:
        """The limit as people state it: with a baseline, a multiple of its rate, without the margin for its
        uncertainty."""
        if self.baseline is None:
            return self.limit
        return self.baseline.times * self.baseline.events / self.baseline.exposure * self.per

    def grid(self) -> Period:
        """The periods of this indicator."""
        return Period(parse_span(self.period))

    def delay(self) -> Span:
        """How long after its end a period closes."""
        return parse_span(self.reporting_delay)


class HardRule(Struct, frozen=True, forbid_unknown_fields=True):
    """A single event that moves the level at once. All given conditions must hold; an empty one always does. With
    `boundary` it is on breaches of the data boundary, and on nothing else. `clauses` are its legal basis."""

    name: Id
    level: LevelName
    severity: tuple[Severity, ...] = ()
    harm: tuple[Harm, ...] = ()
    unregistered_model: bool = False
    # Left out of the encoded form where it is not given, so that older charters keep their bytes.
    boundary: bool | UnsetType = UNSET
    clauses: Clauses | UnsetType = UNSET


class Responses(Struct, frozen=True, forbid_unknown_fields=True):
    """What follows from levels. `*_clears_after` counts quiet, known periods; a halt never clears by itself.

    `acknowledge_within` is how long a service may take to acknowledge a halt, and then to show that it stopped.
    `tolerate_first` (tiers minimal and limited only) lets the first crossing of a limit escalate, to be rectified,
    where the next one halts, and so does one that is not rectified within `rectify_within`. `shelve_at_most` is how
    long a finding may be set aside.
    """

    watch_clears_after: Annotated[int, Meta(ge=1)] = 3
    escalate_clears_after: Annotated[int, Meta(ge=1)] = 12
    half_way: Literal["watch", "escalate"] = "escalate"
    unknown_escalates_after: SpanText = "24h"
    sequence_gap: Literal["watch", "escalate"] = "watch"
    acknowledge_within: SpanText = "60s"
    lease: SpanText = "60s"
    tolerate_first: bool = False
    shelve_at_most: SpanText = "8h"
    rectify_within: SpanText = "30d"


class Window(Struct, frozen=True, forbid_unknown_fields=True):
    """A stretch of each of the `days`, from `start` to before `end` (UTC, or the zone that is named next to the
    windows)."""

    days: Annotated[tuple[Day, ...], Meta(min_length=1)]
    start: TimeOfDay
    end: TimeOfDay


class Drills(Struct, frozen=True, forbid_unknown_fields=True):
    """How halts are tested: a dry run `every` so often (only by an act without it), a full stop only inside
    `full_stops`, which are in the time of `zone` (an IANA name such as Europe/Berlin; UTC without it)."""

    every: SpanText | None = None
    full_stops: tuple[Window, ...] = ()
    zone: str = ""


class Bound(Struct, frozen=True, forbid_unknown_fields=True):
    """From `least` to `most`, both included; one of them may be left out."""

    least: float | None = None
    most: float | None = None


class Trial(Struct, frozen=True, forbid_unknown_fields=True):
    """A scenario on which a halted system is evaluated again, and the bounds that its results must keep, by measure."""

    name: Id
    bounds: dict[Id, Bound]


class ChangeKind(StrEnum):
    """What a change of the system under test is about."""

    MODEL_VERSION = "model_version"
    DATA_TYPE = "data_type"
    SENSITIVE_SECTOR = "sensitive_sector"
    USER_GROUP = "user_group"
    SAFEGUARDS = "safeguards"
    MAJOR_INCIDENT = "major_incident"


class PlannedChange(Struct, frozen=True, forbid_unknown_fields=True):
    """A change that both sides agreed on beforehand (the shape of a predetermined change control plan, FDA 2024):
    `modification` says what changes, `protocol` on which scenarios it is tried and which bounds the results must keep,
    `impact` what it may do and how that is contained. `models` (for model versions) and `subjects` (for all other
    kinds) are what it may bring into use; without `models` any model that keeps the protocol. It may be used at
    most `most` times."""

    name: Id
    kind: ChangeKind
    modification: Annotated[str, Meta(min_length=1, max_length=2000)]
    impact: Annotated[str, Meta(min_length=1, max_length=2000)]
    protocol: Annotated[tuple[Trial, ...], Meta(max_length=16)] = ()
    models: Annotated[tuple[Id, ...], Meta(max_length=64)] = ()
    subjects: Annotated[tuple[Id, ...], Meta(max_length=64)] = ()
    most: Annotated[int, Meta(ge=1, le=1000)] = 1


Measure: TypeAlias = Literal[
    "quiet_days", "active_findings", "open_rectifications", "missed_clocks", "halts", "late_events",
    "complete_periods", "partial_share", "events", "exposure", "rate", "power",
]  # fmt: skip


class ExitCheck(Struct, frozen=True, forbid_unknown_fields=True):
    """A condition that the monitor checks: the `measure` is from `least` to `most` (one may be left out). A measure of
    streams is that of each stream of `indicator`, or of all indicators (`monitor/assess/conditions.py`)."""

    measure: Measure
    least: float | None = None
    most: float | None = None
    indicator: Annotated[str, Meta(max_length=256)] = ""


class TrendSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A trend report (MDR Art. 88): a significant rise of non-serious incidents. `indicator` counts them; each `window`
    is compared once, when it is over, with a baseline of `events` over `exposure` (in units of exposure, not per
    `per`). `method` is the test, `significance` the share of windows that it may report by chance while the rate does
    not rise. The indicator's `variance_mean` is assumed."""

    indicator: Id
    window: SpanText
    events: Annotated[float, Meta(ge=0, le=1e15)]
    exposure: Positive
    significance: Annotated[float, Meta(ge=0.0001, le=0.2)] = 0.01
    method: Literal["conditional_binomial"] = "conditional_binomial"


class Exit(Struct, frozen=True, forbid_unknown_fields=True):
    """When a pilot may leave with the outcome `scale`: `conditions` in words, which a person answers with the act, and
    the `checks` that the monitor makes; the time needed without a finding at level escalate. A pilot that graduates
    stays under routine supervision for `tracked_for`."""

    conditions: tuple[str, ...] = ()
    quiet_for: SpanText = "90d"
    # Left out of the encoded form where they are not given, so that older charters keep their bytes.
    checks: Annotated[tuple[ExitCheck, ...], Meta(max_length=32)] | UnsetType = UNSET
    tracked_for: SpanText | UnsetType = UNSET


class RolloutStep(Struct, frozen=True, forbid_unknown_fields=True):
    """A step of a rollout: at most `cap` users, for `at_least` so long before it can be passed."""

    cap: Annotated[int, Meta(ge=1, le=1 << 53)]
    at_least: SpanText = "0d"


class Provenance(Struct, frozen=True, forbid_unknown_fields=True):
    """Which finished pilot a charter replicates: the `template` that an officer made of it, and the SHA-256 (hex) of
    that template (`monitor/charter/template.py`)."""

    pilot: Id
    template: Id
    digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class AssessmentSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """An assessment is due `every` so often, counted from the start of the pilot or the last one, and is overdue
    `within` after that."""

    every: SpanText
    within: SpanText = "30d"


class ToolkitRef(Struct, frozen=True, forbid_unknown_fields=True):
    """One published version of a toolkit: `digest` is that of its folder (`monitor/toolkits/load.py`, 64 hex digits).
    In a charter, the toolkit from which it was written."""

    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    version: Annotated[int, Meta(ge=1, le=1_000_000)]
    digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Charter(Struct, frozen=True, forbid_unknown_fields=True):
    """The plan under which one pilot runs. `confidential` names the fields that the public does not see
    (`public_part`)."""

    schema: Literal["sandbox-charter/1"]
    pilot: Id
    participant: Participant
    scenario: str
    tier: Tier
    cycle: Cycle
    models: tuple[Model, ...]
    authorities: Annotated[tuple[Authority, ...], Meta(min_length=1)]
    indicators: tuple[IndicatorSpec, ...]
    alpha: Annotated[float, Meta(gt=0, lt=1)] = 0.01
    version: Annotated[int, Meta(ge=1)] = 1
    sector: str = ""
    region: str = ""
    vendor: str = ""
    data_source: str = ""
    objects: tuple[str, ...] = ()
    users: Users = Users()
    data_boundary: tuple[str, ...] = ()
    hard_rules: tuple[HardRule, ...] = ()
    responses: Responses = Responses()
    drills: Drills = Drills()
    exit: Exit = Exit()
    evaluation: tuple[Trial, ...] = ()
    # Left out of the encoded form where it is not given, so that older charters keep their bytes.
    reporters: Annotated[tuple[Reporter, ...], Meta(max_length=16)] | UnsetType = UNSET
    identifiers: Literal["pseudonyms"] | UnsetType = UNSET
    confidential: Annotated[tuple[str, ...], Meta(max_length=16)] | UnsetType = UNSET
    changes: Annotated[tuple[PlannedChange, ...], Meta(max_length=PLANNED)] | UnsetType = UNSET
    trends: Annotated[tuple[TrendSpec, ...], Meta(max_length=TRENDS)] | UnsetType = UNSET
    assessment: AssessmentSpec | UnsetType = UNSET
    # SHA-256 (hex) of the policy file: who cosigns the published log of this pilot.
    ledger_policy: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | UnsetType = UNSET
    toolkit: ToolkitRef | UnsetType = UNSET
    users_channel: UsersChannel | UnsetType = UNSET
    basis: CharterBasis | UnsetType = UNSET  # the legal basis of acts and of the monitor's own rules
    # Steps by which the number of users rises to `users.cap`, each gated by evidence (`monitor/assess/rollout.py`).
    rollout: Annotated[tuple[RolloutStep, ...], Meta(max_length=ROLLOUT_STEPS)] | UnsetType = UNSET
    replicates: Provenance | UnsetType = UNSET
    chain: Chain | UnsetType = UNSET  # who made the base model, who built the system, who runs it
    # Of how many different authorities approvers must approve a release, an exit with the outcome `scale`, and a lower
    # tier; the standard of the tier may ask for more.
    approving_authorities: Literal[1, 2] | UnsetType = UNSET

    def indicator(self, name: str) -> IndicatorSpec:
        """The indicator of that name. Raises KeyError."""
        for spec in self.indicators:
            if spec.name == name:
                return spec
        raise KeyError(name)


LEVEL_OF_NAME: dict[str, Level] = {"watch": Level.WATCH, "escalate": Level.ESCALATE, "halt": Level.HALT}


_LATER: dict[str, Any] = {
    "drills": msgspec.to_builtins(Drills()),
    "tolerate_first": Responses().tolerate_first,
    "shelve_at_most": Responses().shelve_at_most,
    "rectify_within": Responses().rectify_within,
    "officers": (),
    "keys": {},
    "evaluation": (),
}


def canonical_charter(charter: Charter) -> bytes:
    """The one byte form of a charter: RFC 8785 JSON with every field written out; one that the schema gained later only
    where it says something, so that a charter keeps the hash under which it was admitted."""
    whole = msgspec.to_builtins(charter, str_keys=True)
    later = ("tolerate_first", "shelve_at_most", "rectify_within")
    for part, *names in ((whole, "drills", "evaluation"), (whole["responses"], *later)):
        for name in names:
            if part[name] == _LATER[name]:
                del part[name]
    if "drills" in whole and not whole["drills"]["zone"]:
        del whole["drills"]["zone"]
    for spec in whole["indicators"]:
        if spec["baseline"] is None:
            del spec["baseline"]
        if spec["exposure"] is not None and spec["exposure"]["complete"] == "by_source":
            del spec["exposure"]["complete"]
    for name in ("reporters", "changes", "trends", "rollout"):
        if not whole.get(name):
            whole.pop(name, None)
    if not whole["participant"]["keys"]:
        del whole["participant"]["keys"]
    for authority in whole["authorities"]:
        for name in ("officers", "keys"):
            if authority[name] == _LATER[name]:
                del authority[name]
    return canonical_json(whole)


PUBLIC = frozenset({
    "schema", "pilot", "version", "participant", "tier", "authorities", "cycle", "alpha", "indicators", "hard_rules",
    "responses", "exit", "confidential", "ledger_policy", "toolkit", "basis",
    "approving_authorities", "rollout", "users_channel",
})  # fmt: skip
"""Fields of a charter that are never confidential: who supervises whom, under which limits, with which responses, by
which steps the cap on users rises (decisions name them), and what users are promised (their form says it)."""


def public_part(charter: Charter) -> bytes:
    """The canonical JSON of a charter without its confidential fields. Its `confidential` names what is left out."""
    whole = json.loads(canonical_charter(charter))
    for name in charter.confidential or ():
        whole.pop(name, None)
    return canonical_json(whole)


def charter_hash(charter: Charter) -> str:
    """SHA-256 of the canonical form, 64 hex digits: what both sides sign at admission."""
    return hashlib.sha256(canonical_charter(charter)).hexdigest()


def hash_of(charter: Charter) -> str | None:
    """`charter_hash`, or `None` for a charter that canonical JSON cannot hold: none that comes into force."""
    try:
        return charter_hash(charter)
    except (ValueError, OverflowError, RecursionError):
        return None


def alpha_share(charter: Charter, indicator: IndicatorSpec, restart: int = 1) -> float:
    """What one segment of one indicator may spend of alpha at restart j: alpha x weight / segments x 6 / (pi^2 j^2).

    The shares of all restarts sum to one, so the whole life of a pilot spends at most alpha.
    """
    if restart < 1:
        raise ValueError("restart counts from 1")
    basel = 6 / (3.141592653589793**2 * restart**2)
    return charter.alpha * indicator.weight / max(1, len(indicator.segments)) * basel
