"""The annual report of a sandbox, from its ledgers alone, one pilot after the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from monitor.model.subjects import FIRM, SANDBOX
from monitor.notary.format import EVIDENCE
from monitor.public_record.figures import Annual, Collector, Figure
from monitor.public_record.ledgers import Ledgers
from monitor.public_record.limits import Streams, add_complaints, add_limits, add_no_data, share_of
from monitor.public_record.pilot import Halt, InForce, Json, PilotRecord, in_year
from monitor.public_record.year_of_pilot import LISTED_RULES, Year, add_pilot, pilot_in_year

SCHEMA = "sandbox-annual-report/1"


def annual_report(
    directories: Iterable[Path], year: int, progress: Callable[[int, int], object] = lambda done, of: None
) -> Annual:
    """The report of a year (UTC). `progress` is called with the subjects read and their number. Raises Damage when
    there is no ledger; of one that is damaged `remarks` says how far it was read."""
    span = year_of(year)
    ledgers, into = Ledgers(directories), Collector()
    subjects = ledgers.subjects
    name, alphas, firms = "", list[tuple[float, InForce]](), Firms()
    for done, subject in enumerate(subjects):
        progress(done, len(subjects))
        record = PilotRecord(subject, (entry for _, _, entry in ledgers.entries(subject)), span.until)
        if subject == SANDBOX:
            _add_sandbox(into, record, span)
        elif is_pilot(subject):
            add_pilot(into, record, span)
            firms.halts.update((halt.begun["id"], str(halt.begun["participant"])) for halt in record.halts())
            alphas += _add_evidence(into, ledgers, record, span)
        elif subject.startswith("firm:"):
            firms.add(into, record, span)
        name = name or (subject if subject == SANDBOX else "")
    firms.finish(into)
    _add_highest(into)
    _add_never_fired(into)
    _add_overridden(into)
    _add_wrongful(into, alphas)
    return Annual(
        schema=SCHEMA,
        sandbox=name,
        year=year,
        since=span.since,
        until=span.until,
        ledgers=ledgers.finish(),
        remarks=tuple(ledgers.remarks),
        sections=into.sections(),
    )


def is_pilot(subject: str) -> bool:
    """Whether a subject is a pilot; models, firms and vendors have a kind before their id.

    >>> [is_pilot(name) for name in ("pilot-1", "sandbox", "model:m-1", "firm:f-1")]
    [True, False, False, False]
    """
    return subject != SANDBOX and not subject.startswith(("model:", "firm:", "vendor:"))


def year_of(year: int) -> Year:
    """A calendar year in UTC."""
    since, until = (int(datetime(one, 1, 1, tzinfo=UTC).timestamp() * 1000) for one in (year, year + 1))
    return Year(since, until)


def as_json(made: Annual) -> str:
    """The report as text: sorted keys, two spaces, a line break at the end."""
    return json.dumps(msgspec.to_builtins(made), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _add_sandbox(into: Collector, record: PilotRecord, year: Year) -> None:
    for one in in_year(record.of("sandbox_founded", "configuration_changed"), year.since, year.until):
        into.count("sandbox.configurations", one, one["reason"])


def _add_evidence(into: Collector, ledgers: Ledgers, record: PilotRecord, year: Year) -> list[tuple[float, InForce]]:
    """Add what the evidence of a pilot says; returns alpha with the charter of a pilot of the year."""
    streams = Streams(record, year.since, year.until).add(ledgers.entries(record.pilot, EVIDENCE))
    charter = record.charter_at(year.until - 1)
    add_limits(into, record, streams)
    add_complaints(into, record, streams, charter)
    for halt in record.halts():
        if year.has(halt.begun) and _to_review(halt, streams):
            into.count("halts.to_review", halt.begun)
    if charter is None or pilot_in_year(record, year) is None:
        return []
    if ledgers.has_evidence(record.pilot):
        add_no_data(into, record, streams, charter)
    return [(float(charter.document.get("alpha") or 0.0), charter)]


def _to_review(halt: Halt, streams: Streams) -> bool:
    finding = halt.begun["finding"]
    stream = streams.streams.get((finding["indicator"], finding["segment"]))
    found = None if stream is None else share_of(stream)
    return halt.begun["reason"] == "limit_exceeded" and found is not None and found[2] is not None and found[2] < 1


class Firms:
    """The classes of firms, and the halts that were annulled in their files."""

    def __init__(self) -> None:
        self.halts: dict[str, str] = {}  # ids of the decisions that began a halt, with the firm
        self._annulled: list[Json] = []

    def add(self, into: Collector, record: PilotRecord, year: Year) -> None:
        """Take the file of a firm."""
        classes = record.of("firm_classified")
        if classes:
            into.count("firms.class", classes[-1], str(classes[-1]["finding"]["content"]["class"]))
        self._annulled += in_year(record.of("decision_annulled"), year.since, year.until)

    def finish(self, into: Collector) -> None:
        """Count the annulments once the halts of all pilots are known."""
        for one in self._annulled:
            firm = self.halts.get(one["finding"]["content"]["decision"])
            if firm is not None and one["pilot"] == FIRM + firm:  # in another file it annuls nothing
                into.count("halts.wrongful", one)


def _add_highest(into: Collector) -> None:
    best: dict[str, Figure] = {}
    for one in into.figures("limits.share"):
        old = best.get(one.of[1])
        if old is None or (one.value or 0.0) > (old.value or 0.0):
            best[one.of[1]] = one
    for name, one in sorted(best.items()):
        into.figure("limits.highest", msgspec.structs.replace(one, of=(name,)))


def _add_never_fired(into: Collector) -> None:
    fired = {one.of for one in into.counted("incidents.rules", by=1)}
    for one in into.counted(LISTED_RULES, by=1):
        if one.of not in fired:
            into.figure("rules.never_fired", one)


def _add_overridden(into: Collector) -> None:
    results: dict[tuple[str, ...], dict[str, Figure]] = {}
    for one in into.counted("detectors.alarms", by=3):
        results.setdefault(one.of[:2], {})[one.of[2]] = one
    for of, found in sorted(results.items()):
        if set(found) == {"overridden"}:
            into.figure("detectors.all_overridden", msgspec.structs.replace(found["overridden"], of=of))


def _add_wrongful(into: Collector, alphas: list[tuple[float, InForce]]) -> None:
    entries: dict[str, tuple[int, ...]] = {
        one.record["pilot"]: (one.record["standing"],) for _, one in sorted(alphas, key=lambda a: a[1].record["pilot"])
    }
    total = sum(alpha for alpha, _ in sorted(alphas, key=lambda one: one[1].record["pilot"]))
    into.figure("halts.wrongful_at_most", Figure(value=float(f"{total:.6g}"), entries=entries))
