"""Lints the trend reports of a charter. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.charter.spec import Charter, IndicatorSpec
from monitor.charter.values import Flaw
from monitor.model.events import Severity
from monitor.model.periods import parse_span

DAY_MS = 86_400_000
LONGEST_MS = 366 * DAY_MS


def trend_flaws(charter: Charter) -> Iterator[Flaw]:
    """Every mistake of the trend reports: an indicator that is not one of non-serious incidents, or that has two; a
    window that does not hold whole periods."""
    specs = {spec.name: spec for spec in charter.indicators}
    seen: set[str] = set()
    for index, trend in enumerate(charter.trends or ()):
        at, spec = f"trends[{index}]", specs.get(trend.indicator)
        if trend.indicator in seen:
            yield Flaw(f"{at}.indicator", f"{trend.indicator!r} is listed twice", "write each once")
        seen.add(trend.indicator)
        if spec is None or spec.kind != "incident_rate":
            yield Flaw(f"{at}.indicator", f"{trend.indicator} is no indicator of kind incident_rate", "write its name")
            continue
        if spec.params.get("most", Severity.SERIOUS_INCIDENT) == Severity.SERIOUS_INCIDENT:
            fix = "write most: incident in its params"
            yield Flaw(f"{at}.indicator", f"{trend.indicator} also counts serious incidents", fix)
        yield from _window(trend.window, spec, at)


def _window(text: str, spec: IndicatorSpec, at: str) -> Iterator[Flaw]:
    window, period = parse_span(text), parse_span(spec.period)
    length = window.after(0)
    if not DAY_MS <= length <= LONGEST_MS:
        yield Flaw(f"{at}.window", f"{text} is not from a day to a year", "write a span such as 1mo or 13w")
    whole = bool(period.ms) and (window.ms % period.ms == 0 if window.ms else DAY_MS % period.ms == 0)
    if not whole and text != spec.period:
        yield Flaw(f"{at}.window", f"{text} does not hold whole periods of {spec.period}", "write a multiple of it")
