"""Lints the conditions of a charter for an exit with the outcome `scale`. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.charter.spec import Charter, ExitCheck
from monitor.charter.values import Flaw
from monitor.model.periods import parse_span

OF_STREAMS = ("complete_periods", "partial_share", "events", "exposure", "rate", "power")  # each needs no indicator


def exit_flaws(charter: Charter) -> Iterator[Flaw]:
    """Every mistake of `exit` and `assessment`, in their order."""
    for index, check in enumerate(charter.exit.checks or ()):
        yield from _check(check, f"exit.checks[{index}]", {spec.name for spec in charter.indicators})
    if charter.assessment and _is_zero(charter.assessment.every):
        yield Flaw("assessment.every", "an assessment would be due all the time", "write a span such as 90d")


def _check(check: ExitCheck, at: str, names: set[str]) -> Iterator[Flaw]:
    if check.least is None and check.most is None:
        yield Flaw(at, f"{check.measure} has no bound", "add `least` or `most`")
    elif check.least is not None and check.most is not None and check.least > check.most:
        yield Flaw(at, f"nothing is at least {check.least:g} and at most {check.most:g}", "exchange the bounds")
    if check.indicator and check.measure not in OF_STREAMS:
        yield Flaw(f"{at}.indicator", f"{check.measure} is a measure of the pilot", "remove the indicator")
    elif check.indicator and check.indicator not in names:
        known = ", ".join(sorted(names)[:16])
        yield Flaw(f"{at}.indicator", f"the charter has no indicator {check.indicator}", f"write one of {known}")


def _is_zero(text: str) -> bool:
    try:
        return parse_span(text).after(0) == 0
    except ValueError:
        return False  # another rule says so
