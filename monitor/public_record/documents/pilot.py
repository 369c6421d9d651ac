"""The stay of a pilot so far, from its ledger: where it stands, charters, halts, limits, deadlines, history. Numbers
and codes only, each with its place in the ledger. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from msgspec import Struct

from monitor.public_record.documents.halt import (
    RESPONSE,
    ROUTINE,
    STEPS,
    Interval,
    Step,
    authorities_of,
    interval_of,
    step_of,
)
from monitor.public_record.documents.source import Place, Source
from monitor.public_record.figures import digits
from monitor.public_record.limits import Streams, share_of
from monitor.public_record.pilot import Halt, InForce, Json, stated

SCHEMA = "sandbox-pilot-report/1"


class CharterLine(Struct, frozen=True, kw_only=True):
    """A charter that came into force; `changed`: the fields that an amendment changed."""

    version: int | None
    digest: str
    at: int
    changed: tuple[str, ...]
    place: Place


class HaltLine(Struct, frozen=True, kw_only=True):
    """A halt in one line; seconds since the command."""

    pilot: str
    number: int
    at: int
    reason: str
    indicator: str
    by_person: bool
    acknowledged: float | None
    verified: float | None
    released: int | None
    annulled: bool
    places: tuple[Place, ...]


class LimitLine(Struct, frozen=True, kw_only=True):
    """What the evidence of the stay says about one limit. `share` of the limit that was used with its interval, which
    is valid at any time (95 %; of a gauge the largest value alone); `verdict`: `kept`, `exceeded` or `open`."""

    indicator: str
    segment: str
    kind: str
    complete: int
    mean: Interval | None
    share: float
    low: float | None
    high: float | None
    verdict: str
    places: tuple[Place, ...]


class DeadlineLine(Struct, frozen=True, kw_only=True):
    """The last change of a legal deadline."""

    rule: str
    title: str
    owed_by: str
    basis: str
    key: str
    due: int | None
    change: str
    at: int
    place: Place


class Counted(Struct, frozen=True, kw_only=True):
    """How often a reason is on record, with the first and the last entry."""

    reason: str
    count: int
    places: tuple[Place, ...]


class PilotReport(Struct, frozen=True, kw_only=True):
    """A pilot from its application to the last entry. `steps`: the last decisions that are not routine, `earlier` how
    many there were before them; `routine`: the others, counted."""

    schema: str
    version: str
    pilot: str
    participant: str
    authorities: tuple[tuple[str, str], ...]
    tier: str
    sector: str
    region: str
    state: str
    others: tuple[str, ...]
    level: int
    admitted: int | None
    until: int
    alpha: float | None
    last: Place
    checkpoint: tuple[str, int, str]
    charters: tuple[CharterLine, ...]
    halts: tuple[HaltLine, ...]
    limits: tuple[LimitLine, ...]
    deadlines: tuple[DeadlineLine, ...]
    steps: tuple[Step, ...]
    earlier: int
    routine: tuple[Counted, ...]
    withheld: tuple[str, ...]
    remarks: tuple[str, ...]


def pilot_report(source: Source) -> PilotReport:
    """The report of a pilot up to the last entry of its ledger."""
    pilot = source.pilot
    last, charter = pilot.records[-1], pilot.charter_at()
    state, others = pilot.states()
    admitted = pilot.of("admitted")
    told = [one for one in pilot.records if one["reason"] not in ROUTINE and one["reason"] not in RESPONSE]
    ledger = source.ledger
    return PilotReport(
        schema=SCHEMA,
        version="public" if source.texts is None else "parties",
        pilot=pilot.pilot,
        participant=pilot.firm,
        authorities=authorities_of(pilot.responsible(), charter),
        tier=stated(charter, "tier"),
        sector=stated(charter, "sector"),
        region=stated(charter, "region"),
        state=state,
        others=tuple(sorted(others)),
        level=int(last["level"]),
        admitted=int(admitted[0]["at"]) if admitted else None,
        until=int(last["at"]),
        alpha=None if charter is None else charter.document.get("alpha"),
        last=source.place(last),
        checkpoint=(ledger.file, ledger.entries, ledger.root),
        charters=tuple(_charter(source, one) for one in pilot.charters),
        halts=tuple(halt_lines(source)),
        limits=tuple(_limits(source)),
        deadlines=tuple(_deadlines(source)),
        steps=tuple(step_of(source, one) for one in told[-STEPS:]),
        earlier=max(len(told) - STEPS, 0),
        routine=tuple(_routine(source)),
        withheld=() if charter is None else tuple(sorted(charter.withheld)),
        remarks=tuple(f"{one.file}: {one.problem}" for one in source.remarks),
    )


def _charter(source: Source, found: InForce) -> CharterLine:
    return CharterLine(
        version=found.document.get("version"),
        digest=str(found.record["charter"]),
        at=int(found.record["at"]),
        changed=tuple(str(one["field"]) for one in found.difference),
        place=source.charter_place(found),
    )


def halt_lines(source: Source) -> Iterator[HaltLine]:
    """The halts of a pilot, oldest first."""
    for number, halt in enumerate(source.pilot.halts(), 1):
        begun, annulled = halt.begun, source.annulments.get(str(halt.begun["id"]))
        known = (begun, halt.acknowledged, halt.verified, halt.released, annulled)
        yield HaltLine(
            pilot=source.pilot.pilot,
            number=number,
            at=int(begun["at"]),
            reason=str(begun["reason"]),
            indicator=str(begun["finding"]["indicator"] or begun["finding"]["rule"]),
            by_person=halt.by_person,
            acknowledged=_seconds(halt, halt.acknowledged),
            verified=_seconds(halt, halt.verified),
            released=None if halt.released is None else int(halt.released["at"]),
            annulled=annulled is not None,
            places=tuple(source.place(one) for one in known if one is not None),
        )


def _seconds(halt: Halt, record: Json | None) -> float | None:
    """Seconds from the command to an answer, as it states them, else by the times of both."""
    if record is None:
        return None
    stated_s = record["finding"].get("observed")
    return (record["at"] - halt.begun["at"]) / 1000 if stated_s is None else float(stated_s)


def _limits(source: Source) -> Iterator[LimitLine]:
    streams = Streams(source.pilot, 0, 1 << 62).add(source.entries)
    for (indicator, segment), stream in sorted(streams.streams.items()):
        share = share_of(stream)
        if share is None:
            continue
        ends = sorted({one.end for one in source.evidence if (one.indicator, one.segment) == (indicator, segment)})
        known = [source.evidence_places[end] for end in dict.fromkeys((ends[0], ends[-1]))]
        gauge = stream.kind == "gauge"
        yield LimitLine(
            indicator=indicator,
            segment=segment,
            kind=stream.kind,
            complete=stream.complete,
            mean=interval_of(stream),
            share=digits(share[0]),
            low=None if gauge or share[1] is None else digits(share[1]),
            high=None if gauge or share[2] is None else digits(share[2]),
            verdict=_verdict(share, gauge),
            places=tuple(known),
        )


def _verdict(share: tuple[float, float | None, float | None], gauge: bool) -> str:
    value, low, high = share
    if gauge:
        return "kept" if value <= 1 else "exceeded"
    if low is not None and low > 1:
        return "exceeded"
    return "kept" if high is not None and high <= 1 else "open"


def _deadlines(source: Source) -> Iterator[DeadlineLine]:
    latest: dict[tuple[str, str], Json] = {}
    for one in source.pilot.records:
        clock = one["finding"].get("clock")
        if clock:
            latest[str(clock["rule"]), str(clock["key"])] = one
    for one in latest.values():
        clock = one["finding"]["clock"]
        yield DeadlineLine(
            rule=str(clock["rule"]),
            title=str(clock["title"]),
            owed_by=str(clock["owed_by"]),
            basis=str(clock["basis"]),
            key=str(clock["key"]),
            due=clock.get("due") or clock.get("was_due"),
            change=str(clock["change"]),
            at=int(one["at"]),
            place=source.place(one),
        )


def _routine(source: Source) -> Iterator[Counted]:
    found: dict[str, list[Json]] = {}
    for one in source.pilot.records:
        if one["reason"] in ROUTINE or one["reason"] in RESPONSE:
            found.setdefault(str(one["reason"]), []).append(one)
    order = Counter({reason: len(records) for reason, records in found.items()})
    for reason, count in sorted(order.items(), key=lambda item: (-item[1], item[0])):
        records = found[reason]
        ends = dict.fromkeys((records[0]["id"], records[-1]["id"]))
        yield Counted(reason=reason, count=count, places=tuple(source.places[one] for one in ends))
