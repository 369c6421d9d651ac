"""Telemetry without effect of many pilots, from rejections and decisions; see `monitor/model/telemetry_problems.py`.

Bound: a fold keeps `ROWS` kinds of problems for each of `PILOTS` pilots; what was seen longest ago is forgotten first.
Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec import structs

from monitor.model.records import Decision, Reason, Rejected
from monitor.model.telemetry_problems import TelemetryProblem, kind_of
from monitor.projections.detail_words import late_words
from monitor.projections.formats import stamp
from monitor.validate.rejections import SENTENCES

ROWS, PILOTS = 64, 10_000
_SENTENCES: dict[str, str] = {reason.value: words for reason, words in SENTENCES.items()}


class ProblemFold:
    """The problems of each pilot from rejections and decisions, in order; both in any interleaving."""

    def __init__(self) -> None:
        self._pilots: dict[str, dict[tuple[str, str], TelemetryProblem]] = {}

    def take(self, record: Rejected | Decision) -> None:
        """Add a rejection, or a decision about telemetry that has no effect; others change nothing."""
        for pilot, problem in _problems(record):
            rows = self._pilots.pop(pilot, {})
            before = rows.pop((problem.reason, problem.field), None)
            events = problem.events + (before.events if before is not None else 0)
            rows[problem.reason, problem.field] = structs.replace(problem, events=events)
            if len(rows) > ROWS:
                del rows[next(iter(rows))]
            self._pilots[pilot] = rows
            if len(self._pilots) > PILOTS:
                del self._pilots[next(iter(self._pilots))]

    def only(self, pilots: Collection[str]) -> ProblemFold:
        """The problems of these pilots alone."""
        made = ProblemFold()
        made._pilots = {pilot: rows for pilot, rows in self._pilots.items() if pilot in pilots}
        return made

    def rows(self, pilot: str) -> tuple[TelemetryProblem, ...]:
        """The problems of a pilot, the newest first."""
        return tuple(reversed(self._pilots.get(pilot, {}).values()))


def problems_in(pilot: str, records: Iterable[Rejected | Decision]) -> tuple[TelemetryProblem, ...]:
    """The problems of one pilot in rejections and decisions, oldest first; the newest comes first."""
    fold = ProblemFold()
    for record in records:
        fold.take(record)
    return fold.rows(pilot)


def problem_lines(problems: Iterable[TelemetryProblem]) -> list[str]:
    """A line for each, with its time."""
    shown = [structs.replace(one, detail=late_words(one.detail)) for one in problems]
    return [f"{stamp(one.at)}  {one}" if one.at is not None else str(one) for one in shown]


def _problems(record: Rejected | Decision) -> Iterable[tuple[str, TelemetryProblem]]:
    if isinstance(record, Rejected):
        for reason, count in record.reasons.items():
            same = reason == record.reason
            yield record.pilot, TelemetryProblem(
                kind="rejected", reason=reason, field=record.field if same else "", events=count, at=record.received,
                detail=record.detail if same else _SENTENCES.get(reason, ""), place=record.id,
            )  # fmt: skip
    elif record.reason in (Reason.COUNTED_NOWHERE, Reason.LATE_DROPPED):
        uncounted = record.reason is Reason.COUNTED_NOWHERE
        yield record.pilot, TelemetryProblem(
            kind=kind_of(record.reason.value), reason=record.reason.value, at=record.at, detail=record.finding.detail,
            field=record.finding.rule if uncounted else "time", place=f"decision {record.standing}",
        )  # fmt: skip
