"""The report as text for people: each log, each check, the verdict, what was not given, what is not established."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from monitor.verifier.checks import BY_ID, Outcome
from monitor.verifier.entry_lines import entry_lines
from monitor.verifier.report import Report, Result, Verdict

WIDTH = 110
_NAMES = max(map(len, BY_ID))
_SAYS = {
    Verdict.VERIFIED: "VERIFIED: every check that could run passed; read below what they do not show",
    Verdict.FAILED: "FAILED: what was given is not what the monitor recorded, or not complete",
    Verdict.NO_VERDICT: "NO VERDICT: something could not be read, so nothing is said about it",
}


def printable(text: str) -> str:
    """The text without control characters: names in a ledger come from others.

    >>> printable("a\\x1b[2J")
    'a\\\\x1b[2J'
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def lines(report: Report) -> Iterator[str]:
    """The lines of the report, printable."""
    for one in report.subjects:
        yield printable(f"{one.where} entries={one.entries} root={one.root} pilot={one.name}")
    if report.subjects:
        yield ""
    skipped: dict[str, list[str]] = {}
    for check, outcome, results in report.by_check():
        if outcome is Outcome.NOT_RUN:
            for reason in sorted({result.message for result in results}):
                skipped.setdefault(reason, []).append(check)
            continue
        yield from _row(check, outcome, results)
    for reason, checks in skipped.items():
        yield from _wrapped(f"{'not run':<8} {', '.join(checks)}", reason)
    yield from _closing(report)


def entries(report: Report) -> Iterator[str]:
    """What each entry says, printable; of a verification that failed only that they are not shown."""
    if report.verdict is not Verdict.VERIFIED:
        yield f"Entries are not shown: {report.verdict.value}."
        return
    where = None
    for shown in report.entries:
        if shown.subject != where:
            where = shown.subject
            yield ""
            yield printable(f"Entries of {where}, times in UTC:")
        yield from map(printable, entry_lines(shown))


def details(report: Report) -> Iterator[str]:
    """Failures, warnings, roots that were found and what could not be read, one line each."""
    for result in (*report.failures, *report.warnings):
        yield printable(result.line)
    for one in report.subjects:
        for root, size in one.found.items():
            text = f"had the root {root[:16]}... at {size} entries; {one.entries - size} since, all before unchanged"
            yield printable(f"{one.where}: {text}")
    for reason in report.unreadable:
        yield printable(reason)


def _row(check: str, outcome: Outcome, results: list[Result]) -> Iterator[str]:
    ran = [result for result in results if result.outcome is not Outcome.NOT_RUN]
    right = sum(result.outcome is Outcome.PASS for result in ran)
    word = outcome.value.upper() if outcome is Outcome.FAIL else outcome.value
    count = f" ({right} of {len(ran)})" if len(ran) > 1 else ""
    yield f"{word:<8} {check:<{_NAMES}}  {BY_ID[check].shows}{count}"
    for result in ran:
        if result.outcome is not Outcome.PASS:
            yield from textwrap.wrap(
                printable(result.line), WIDTH, initial_indent=" " * 9, subsequent_indent=" " * 11,
                break_long_words=False, break_on_hyphens=False,
            )  # fmt: skip


def _closing(report: Report) -> Iterator[str]:
    yield ""
    yield _SAYS[report.verdict]
    for title, sentences in (
        ("Could not be read:", report.unreadable),
        ("Not given, so not checked:", report.missing_anchors),
        ("Not established by this verification, whatever its verdict:", report.not_established),
    ):
        if sentences:
            yield ""
            yield title
            for sentence in sentences:
                yield from _wrapped("-", sentence)


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(
        printable(f"{head} {text}" if head == "-" else f"{head}: {text}"), WIDTH, initial_indent="",
        subsequent_indent="  " if head == "-" else " " * 9, break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
