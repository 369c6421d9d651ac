"""What can be said of one halt from the ledger: what was measured, by which rule it was decided, who had to know, how
the service answered, what happened since. Numbers and codes only, each with its place in the ledger. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, convert

from detectors.rate_sequence import proportion_lower, proportion_upper, rate_lower, rate_upper
from monitor.charter.spec import IndicatorSpec
from monitor.errors import Refused
from monitor.public_record.documents.source import Place, Source
from monitor.public_record.figures import digits
from monitor.public_record.limits import ALPHA, Stream, Streams
from monitor.public_record.pilot import Halt, InForce, Json

SCHEMA = "sandbox-halt-report/1"
STEPS = 400  # decisions after the halt that a report lists; it counts the others
ROUTINE = frozenset({
    "cleared", "drift_suspected", "change_detected", "limit_half_way", "late_share", "sequence_gap", "partial_data",
    "silence", "heard_again", "monitor_gap", "unknown_too_long", "late_dropped", "counted_nowhere", "corrected",
    "gauge_out_of_range", "exposure_cap", "dispersion_exceeded", "baseline_unusable", "drill_begun", "drill_passed",
    "drill_ended", "missing_model",
})  # fmt: skip
"""Reasons of the monitor's own work on telemetry: they are counted, not listed, among what happened after a halt."""
RESPONSE = ("command_acknowledged", "halt_verified", "halt_overdue", "halt_contradicted")
"""How the service answered the command."""


class Interval(Struct, frozen=True, kw_only=True):
    """Events over exposure, with the rate and an interval of its mean that is valid at any time (95 %)."""

    events: float
    exposure: float
    rate: float
    low: float | None
    high: float | None


class Measured(Struct, frozen=True, kw_only=True):
    """The indicator that began the halt, in the period that did it and from the beginning up to the halt. `ratio` is
    the detector's estimate of observed over expected, with the ends of its interval."""

    indicator: str
    segment: str
    kind: str
    unit: str
    below: bool
    limit: float | None
    per: float
    period: str
    variance_mean: float
    minimum_events: float
    events: float | None
    exposure: float | None
    observed: float | None
    expected: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    period_start: int | None
    period_end: int | None
    provisional: bool
    until_halt: Interval | None = None
    evidence: tuple[Place, ...] = ()


class Rule(Struct, frozen=True, kw_only=True):
    """The rule that decided. `statistic` and `threshold` are natural logarithms for e-values (`e_value`)."""

    reason: str
    name: str
    statistical: bool
    e_value: bool = False
    statistic: float | None = None
    threshold: float | None = None
    alpha: float | None = None
    alpha_spent: float | None = None
    alpha_of_charter: float | None = None
    hard_rule: Json | None = None
    incident: str = ""
    clauses: tuple[str, ...] = ()
    text: str = ""
    charter: str = ""
    charter_version: int | None = None
    charter_place: Place | None = None


class Step(Struct, frozen=True, kw_only=True):
    """One thing that happened: its reason, and the numbers that go with it. `seconds` since the command; `passed` of
    an evaluation; `clock` of a legal deadline; `by_person` where an act caused it; `text`: what the person wrote, in
    the version of the parties, where it is stored next to the ledger."""

    at: int
    reason: str
    place: Place
    level: int
    was: int
    by_person: bool
    seconds: float | None = None
    passed: bool | None = None
    rule: str = ""
    clock: Json | None = None
    text: str = ""


class HaltReport(Struct, frozen=True, kw_only=True):
    """A halt. `number` counts the halts of the pilot from 1. `told`: to whom the decision was addressed, as
    `authority:<id>`, `firm:<id>`, `role:<duty>`. `commands`: of each command its action, whether it is a drill, how
    often it was resent, its place. `response` is how the service answered, `since` what else happened until the
    release, without `routine` decisions and those `left_out`."""

    schema: str
    version: str
    pilot: str
    participant: str
    authorities: tuple[tuple[str, str], ...]
    tier: str
    number: int
    halts: int
    at: int
    place: Place
    by_person: bool
    in_force: bool
    checkpoint: tuple[str, int, str]
    measured: Measured | None
    rule: Rule
    told: tuple[str, ...]
    commands: tuple[tuple[str, bool, int, Place], ...]
    acknowledged: Step | None
    verified: Step | None
    response: tuple[Step, ...]
    grounds: tuple[Step, ...]
    since: tuple[Step, ...]
    routine: int
    left_out: int
    released: Step | None
    annulled: Step | None
    withheld: tuple[str, ...]
    remarks: tuple[str, ...]


def halt_report(source: Source, chosen: int | None = None) -> HaltReport:
    """The report of the halt that the ledger entry `chosen` (from 0) began, by default the last one. Raises Refused
    when there is no such halt; the message names those that there are."""
    pilot, halts = source.pilot, source.pilot.halts()
    found = [(n, one) for n, one in enumerate(halts, 1) if chosen in (None, source.place(one.begun).entry)]
    if not found:
        known = ", ".join(str(source.place(one.begun).entry) for one in halts) or "none"
        raise Refused(f"--entry: {pilot.pilot} has no halt that began with entry {chosen}; entries that began "
                      f"one: {known}" if halts else f"{pilot.pilot} was never halted")  # fmt: skip
    number, halt = found[-1]
    begun = halt.begun
    charter = pilot.charter_at(begun["at"])
    later = [one for one in pilot.records if one["standing"] > begun["standing"]]
    until = halt.released["standing"] if halt.released is not None else None
    after = [one for one in later if until is None or one["standing"] <= until]
    answers = [one for one in after if one["reason"] in RESPONSE]
    others = [one for one in after if one["reason"] not in RESPONSE]
    listed = [one for one in others if one["reason"] not in ROUTINE]
    annulled = source.annulments.get(str(begun["id"]))
    ledger = source.ledger
    return HaltReport(
        schema=SCHEMA,
        version="public" if source.texts is None else "parties",
        pilot=pilot.pilot,
        participant=str(begun["participant"]),
        authorities=authorities_of(pilot.responsible(begun["at"] + 1), charter),
        tier="" if charter is None else str(charter.document.get("tier", "")),
        number=number,
        halts=len(halts),
        at=begun["at"],
        place=source.place(begun),
        by_person=halt.by_person,
        in_force=halt.released is None and pilot.inside(1 << 62),
        checkpoint=(ledger.file, ledger.entries, ledger.root),
        measured=_measured(source, begun, charter),
        rule=_rule(source, begun, charter),
        told=tuple(map(str, begun.get("addressed") or ())),
        commands=tuple(_commands(source, halt)),
        acknowledged=_step(source, halt.acknowledged),
        verified=_step(source, halt.verified),
        response=tuple(step_of(source, one) for one in answers[:STEPS]),
        grounds=tuple(step_of(source, one) for one in halt.grounds),
        since=tuple(step_of(source, one) for one in listed[:STEPS]),
        routine=len(others) - len(listed),
        left_out=max(len(listed) - STEPS, 0),
        released=_step(source, halt.released),
        annulled=_step(source, annulled),
        withheld=() if charter is None else tuple(sorted(charter.withheld)),
        remarks=tuple(f"{one.file}: {one.problem}" for one in source.remarks),
    )


def authorities_of(ids: tuple[str, ...], charter: InForce | None) -> tuple[tuple[str, str], ...]:
    """Id and name of each authority; the id as its name where the charter states none."""
    named = [] if charter is None else charter.document.get("authorities") or []
    names = {str(one["id"]): str(one.get("name") or one["id"]) for one in named}
    return tuple((one, names.get(one, one)) for one in ids)


def spec_of(charter: InForce | None, indicator: str) -> IndicatorSpec | None:
    """The indicator as the charter states it; `None` where it does not, or states it as a newer version would."""
    specs = [] if charter is None else charter.document.get("indicators") or []
    found = next((one for one in specs if one["name"] == indicator), None)
    try:
        return None if found is None else convert(found, IndicatorSpec)
    except ValueError:
        return None


def _measured(source: Source, begun: Json, charter: InForce | None) -> Measured | None:
    finding = begun["finding"]
    name, segment = str(finding["indicator"]), str(finding["segment"])
    if not name:
        return None
    spec = spec_of(charter, name)
    until_halt, kind, places = _until(source, name, segment, begun["at"])
    return Measured(
        indicator=name,
        segment=segment,
        kind=kind or ("" if spec is None else spec.kind),
        unit=str(finding.get("unit") or ("" if spec is None or spec.exposure is None else spec.exposure.unit)),
        below=spec is not None and spec.direction == "below",
        limit=None if spec is None else spec.nominal(),
        per=1.0 if spec is None else spec.per,
        period="" if spec is None else spec.period,
        variance_mean=1.0 if spec is None else spec.variance_mean,
        minimum_events=1 if spec is None else spec.minimum_events,
        until_halt=until_halt,
        evidence=places,
        **{field: finding.get(field) for field in _NUMBERS},
        provisional=bool(finding["provisional"]),
    )


_NUMBERS = (
    "events", "exposure", "observed", "expected", "ratio", "ratio_low", "ratio_high", "period_start", "period_end",
)  # fmt: skip


def _until(source: Source, name: str, segment: str, at: int) -> tuple[Interval | None, str, tuple[Place, ...]]:
    """The closed periods of the stream up to the halt: their sum, its kind, and the first and last entry."""
    streams = Streams(source.pilot, 0, at).add(source.entries)
    found = streams.streams.get((name, segment))
    ends = sorted({row.end for row in source.evidence if (row.indicator, row.segment) == (name, segment)
                   and row.end <= at and not row.dropped})  # fmt: skip
    places = tuple(source.evidence_places[end] for end in dict.fromkeys((ends[0], ends[-1]))) if ends else ()
    return (None if found is None else interval_of(found)), ("" if found is None else found.kind), places


def interval_of(stream: Stream) -> Interval | None:
    """The mean of a stream over all its closed periods; `None` for a gauge, and without exposure. Late and incomplete
    periods count with their events where the limit is a maximum."""
    if stream.kind == "gauge" or not stream.exposure:
        return None
    share = stream.kind == "proportion"
    events = stream.events if stream.below else stream.events + stream.extra
    exposure = stream.exposure + (events - stream.events if share else 0.0)
    lower, upper = (proportion_lower, proportion_upper) if share else (rate_lower, rate_upper)
    low, high = (side(events, exposure, ALPHA, stream.variance_mean) for side in (lower, upper))
    return Interval(
        events=events,
        exposure=exposure,
        rate=digits(events / exposure),
        low=None if low is None else digits(low),
        high=None if high is None else digits(high),
    )


def _rule(source: Source, begun: Json, charter: InForce | None) -> Rule:
    finding, reason = begun["finding"], str(begun["reason"])
    name = str(finding["rule"])
    statistical = reason == "limit_exceeded" and finding.get("statistic") is not None
    rules = [] if charter is None or reason != "hard_rule" else charter.document.get("hard_rules") or []
    clauses = tuple(map(str, begun.get("clauses") or ()))
    spec = spec_of(charter, str(finding["indicator"]))
    if not clauses and spec is not None and isinstance(spec.clauses, tuple):
        clauses = tuple(map(str, spec.clauses))
    detail = finding["detail"] if isinstance(finding["detail"], str) else ""
    parts = detail.split(", ", 2)
    return Rule(
        reason=reason,
        name=name,
        statistical=statistical,
        e_value=statistical and any(word in name for word in ("e_process", "e_detector", "e_value")),
        statistic=finding.get("statistic"),
        threshold=finding.get("bar"),
        alpha=finding.get("alpha"),
        alpha_spent=finding.get("alpha_spent"),
        alpha_of_charter=None if charter is None else charter.document.get("alpha"),
        hard_rule=next((dict(one) for one in rules if one["name"] == name), None),
        incident=parts[2] if reason == "hard_rule" and len(parts) == 3 else "",
        clauses=clauses,
        text=text_of(source, begun),
        charter=str(begun["charter"]),
        charter_version=None if charter is None else charter.document.get("version"),
        charter_place=None if charter is None else source.charter_place(charter),
    )


def _commands(source: Source, halt: Halt) -> Iterator[tuple[str, bool, int, Place]]:
    """The commands from the halt to its release: action, whether only tried, how often resent, and place."""
    ends = None if halt.released is None else halt.released["standing"]
    for one in source.pilot.commands:
        if one["standing"] >= halt.begun["standing"] and (ends is None or one["standing"] <= ends):
            yield str(one["action"]), bool(one.get("dry_run")), int(one.get("again") or 0), source.place(one)


def _step(source: Source, record: Json | None) -> Step | None:
    return None if record is None else step_of(source, record)


def text_of(source: Source, record: Json) -> str:
    """What a person wrote in an act; empty in the public version, and where it is not stored here."""
    return (source.texts or {}).get(str(record["id"]), {}).get("finding.detail", "")


TIMED = ("command_acknowledged", "halt_verified", "halt_overdue")


def step_of(source: Source, record: Json) -> Step:
    """One decision as a step: only what the public may see."""
    finding, reason = record["finding"], str(record["reason"])
    observed = finding.get("observed")
    clock = finding.get("clock")
    return Step(
        at=record["at"],
        reason=reason,
        place=source.place(record),
        level=int(record["level"]),
        was=int(record["was"]),
        by_person=str(record["cause"]).startswith("control:"),
        seconds=observed if reason in TIMED else None,
        passed=observed >= 1 if reason == "evaluation_recorded" and observed is not None else None,
        rule=str(finding["rule"]) if reason in ("halt_overdue", "halt_contradicted", "hard_rule") else "",
        text=text_of(source, record),
        clock=None if not clock else {name: clock.get(name) for name in _CLOCK},
    )


_CLOCK = ("change", "rule", "title", "owed_by", "due", "done", "basis", "on_miss")
