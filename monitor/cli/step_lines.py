"""The numbers of an assessment, an exit or a step of a rollout: the interval and the limit of each condition."""

from __future__ import annotations

from msgspec import UnsetType

from monitor.model.assessment import Assessment, StreamNumbers
from monitor.model.records import Decision
from monitor.projections.formats import figure
from monitor.projections.wording import plain
from monitor.translation import tr


def step_lines(decision: Decision) -> list[str]:
    """A line for each condition of an assessment, and what is lacking; none for other decisions."""
    numbers, content = decision.finding.assessment, decision.finding.content
    if isinstance(numbers, UnsetType):
        return []
    lines = []
    if isinstance(content, dict) and "cap" in content:
        said = tr("step {step}: at most {cap} users from now on (before: {was})", step=content.get("step", ""),
                  cap=content["cap"], was=content.get("was", ""))  # fmt: skip
        lines.append(f"  {said}")
    return [*lines, *assessment_lines(numbers)]


def assessment_lines(numbers: Assessment) -> list[str]:
    """The interval of each stream with its limit, typed conditions, and what is lacking."""
    lines = [f"  {_stream(row)}" for row in numbers.streams]
    for one in numbers.conditions:
        state = tr("not answered") if one.met is None else tr("met") if one.met else tr("not met")
        lines.append(f"  {one.condition}: {state}")
    lacks = ", ".join(plain(lack) for lack in numbers.lacks)
    return [*lines, "  " + (tr("lacking: {lacks}", lacks=lacks) if lacks else tr("nothing is lacking"))]


def _stream(row: StreamNumbers) -> str:
    name = f"{plain(row.indicator)}, {row.segment}" if row.segment else plain(row.indicator)
    counted = tr("{events} in {exposure} {unit}", events=figure(row.counted), exposure=figure(row.exposure),
                 unit=row.unit or tr("cases"))  # fmt: skip
    low = "0" if row.low is None else figure(row.low)
    high = tr("no upper bound") if row.high is None else figure(row.high)
    if row.limit is None:
        return tr("{indicator}: {counted}, interval {low} to {high}; no limit", indicator=name, counted=counted,
                  low=low, high=high)  # fmt: skip
    kept = tr("not decided")
    if row.keeps is not None:
        kept = tr("kept") if row.keeps else tr("not shown to be kept")
    return tr("{indicator}: {counted}, interval {low} to {high}, limit {limit}: {kept}", indicator=name,
              counted=counted, low=low, high=high, limit=figure(row.limit), kept=kept)  # fmt: skip
