"""The report of one verification: results per check and subject, the verdict, what is not established."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from monitor.verifier.checks import BY_ID, CHECKS, Outcome
from monitor.verifier.entry_lines import Shown

SCHEMA = "sandbox-monitor/verification/1"


class Verdict(StrEnum):
    """The outcome of a verification; each has its exit code."""

    VERIFIED = "verified"
    FAILED = "failed"
    NO_VERDICT = "no verdict"

    @property
    def exit_code(self) -> int:
        """0 verified, 1 failed, 2 no verdict."""
        return list(Verdict).index(self)


class Result(NamedTuple):
    """One check on one subject (a file, log or bundle); `entry` counts from 0, `offset` is in bytes from the start."""

    check: str
    outcome: Outcome
    subject: str
    message: str = ""
    entry: int | None = None
    offset: int | None = None

    @property
    def line(self) -> str:
        """`SUBJECT:ENTRY:OFFSET: message`, without the numbers where there are none."""
        place = "".join(f":{number}" for number in (self.entry, self.offset) if number is not None)
        return f"{self.subject}{place}: {self.message}" if self.message else f"{self.subject}{place}"


@dataclass(frozen=True)
class Subject:
    """A log that was read to its end: `kind` is `ledger`, `published log` or `bundle`; `name` its pilot or origin.

    `found` maps each root that was asked for to the size at which the log had it."""

    kind: str
    where: str
    name: str
    entries: int
    root: str
    found: dict[str, int] = field(default_factory=dict)
    first: int | None = None
    last: int | None = None


class Report:
    """Collects results. The verdict is `failed` where any check failed, else `no verdict` where an input could not be
    read or nothing was checked, else `verified`."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.subjects: list[Subject] = []
        self.missing_anchors: list[str] = []
        self.not_established: list[str] = []
        self.unreadable: list[str] = []
        self.proved_times: list[str] = []
        self.unkeyed: list[str] = []  # origins of logs for which no key was given, where keys of others were
        self.nothing_signed = False  # anchors for signatures were given, and no input holds a checkpoint
        self.entries: list[Shown] = []  # where they were asked for
        self.own_policies: list[str] = []  # of bundles, used for want of one from outside

    def passed(self, check: str, subject: str) -> None:
        """Record a pass."""
        self._add(Result(check, Outcome.PASS, subject))

    def failed(
        self, check: str, subject: str, message: str, entry: int | None = None, offset: int | None = None
    ) -> None:
        """Record a failure, with file, entry and offset where they are known."""
        self._add(Result(check, Outcome.FAIL, subject, message, entry, offset))

    def warned(self, check: str, subject: str, message: str) -> None:
        """Record something that a reader must know and that is no failure."""
        self._add(Result(check, Outcome.WARN, subject, message))

    def not_run(self, check: str, subject: str, reason: str) -> None:
        """Record that a check could not run on this subject."""
        self._add(Result(check, Outcome.NOT_RUN, subject, reason))

    def no_verdict(self, reason: str) -> None:
        """Record an input that could not be read: there is no verdict on it."""
        self.unreadable.append(reason)

    def _add(self, result: Result) -> None:
        if result.check not in BY_ID:
            raise KeyError(f"{result.check} is not a registered check")
        self.results.append(result)

    @property
    def failures(self) -> list[Result]:
        """The failed checks, in the order in which they were found."""
        return [result for result in self.results if result.outcome is Outcome.FAIL]

    @property
    def warnings(self) -> list[Result]:
        """What a reader must know although nothing failed."""
        return [result for result in self.results if result.outcome is Outcome.WARN]

    @property
    def verdict(self) -> Verdict:
        """See the class."""
        if self.failures:
            return Verdict.FAILED
        ran = any(result.outcome is not Outcome.NOT_RUN for result in self.results)
        return Verdict.NO_VERDICT if self.unreadable or not ran else Verdict.VERIFIED

    def by_check(self) -> list[tuple[str, Outcome, list[Result]]]:
        """One row per registered check: its outcome over all subjects (the worst counts) and the results behind it."""
        rows: list[tuple[str, Outcome, list[Result]]] = []
        for check in CHECKS:
            results = [result for result in self.results if result.check == check.id]
            outcomes = {result.outcome for result in results}
            for outcome in (Outcome.FAIL, Outcome.WARN, Outcome.PASS, Outcome.NOT_RUN):
                if outcome in outcomes:
                    rows.append((check.id, outcome, results))
                    break
            else:
                reason = check.needs or "what it reads could not be read"
                rows.append((check.id, Outcome.NOT_RUN, [Result(check.id, Outcome.NOT_RUN, "", reason)]))
        return rows

    def as_json(self) -> dict[str, Any]:
        """The report as in `report.schema.json`."""
        shown = [one.as_json() for one in self.entries] if self.verdict is Verdict.VERIFIED else []
        report: dict[str, Any] = {
            "schema": SCHEMA,
            "verdict": self.verdict.value,
            "exit_code": self.verdict.exit_code,
            "ledgers": [
                {
                    "kind": one.kind, "file": one.where, "pilot": one.name, "entries": one.entries, "root": one.root,
                    "found": one.found, "first": one.first, "last": one.last,
                }
                for one in self.subjects
            ],
            "checks": [
                {"id": check, "outcome": outcome.value, "shows": BY_ID[check].shows, "results": _rows(results)}
                for check, outcome, results in self.by_check()
            ],
            "no_verdict": self.unreadable,
            "missing_anchors": self.missing_anchors,
            "not_established": self.not_established,
        }  # fmt: skip
        return report | ({"entries": shown} if shown else {})


def _rows(results: list[Result]) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in result._asdict().items() if key != "check" and value not in (None, "")}
        for result in results
    ]
