"""A summary of a shadow charter in words, for command line and board. Pure."""

from __future__ import annotations

from monitor.model.records import Level, Reason
from monitor.model.shadow_records import ShadowDifference, ShadowFinding, ShadowSummary
from monitor.projections.clock_board import time_left
from monitor.projections.formats import figure, span, stamp
from monitor.projections.wording import REASONS

ENDED = {
    "": "runs",
    "time": "ended: its time was over",
    "stopped": "stopped by an officer",
    "amended": "ended: another charter came into force",
    "exited": "ended: the pilot left the sandbox",
    "set_aside": "ended: the state of the pilot could not be read",
    "failed": "failed",
    "end": "compared to the end of the history",
}
SIDES = {
    "only_live": "only the charter in force",
    "only_shadow": "only the shadow charter",
    "earlier": "shadow charter earlier by {by}",
    "later": "shadow charter later by {by}",
}


def state_words(s: ShadowSummary) -> str:
    """Whether the run goes on, or why it ended."""
    detail = f" ({s.detail})" if s.detail else ""
    return ENDED.get(s.ended, s.ended) + detail


def facts(s: ShadowSummary) -> list[tuple[str, str]]:
    """The summary as (name, text), without its list of differences."""
    found = [
        ("shadow", f"version {s.version}, {s.candidate}; {state_words(s)}"),
        ("in force", s.live),
        ("compared", f"{span(s.start, s.through)} UTC; pairs at most {_length(s.tolerance)} apart"),
        ("periods", f"{s.periods_live} in force, {s.periods_shadow} shadow"),
        ("same", str(s.same)),
        ("earlier", str(s.earlier)),
        ("later", str(s.later)),
        ("only live", str(s.only_live)),
        ("only shadow", str(s.only_shadow)),
        ("alpha", f"at most {s.alpha_live:.3g} spent in force, {s.alpha_shadow:.3g} by the shadow"),
    ]
    if s.hypothetical:
        found.append(("hypothetical", f"{s.hypothetical} of these differences"))
    if s.not_comparable or s.halted:
        words = f"{s.not_comparable} decisions while the pilot was halted ({_length(s.halted)}): no telemetry came"
        found.append(("not comparable", words))
    if s.pending:
        found.append(("pending", f"{s.pending} decisions that may still find a partner"))
    if s.dropped:
        found.append(("not compared", f"{s.dropped} decisions: too many waited for a partner"))
    if s.restarted:
        found.append(("began again", f"{s.restarted} times, from the pilot as it was released"))
    if s.not_applied:
        found.append(("acts", f"{s.not_applied} acts on the pilot did not apply to the shadow"))
    if s.first_halt is not None:
        found.append(("would have halted", finding_words(s.first_halt)))
        found.append(("caveat", s.caveat))
    return found


def difference_words(one: ShadowDifference) -> str:
    """One difference as a line."""
    side = SIDES[one.side].format(by=_length(one.by))
    return f"{side}: {finding_words(one.finding)}{' (hypothetical)' if one.hypothetical else ''}"


def finding_words(one: ShadowFinding) -> str:
    """What one side decided, when, and on which numbers."""
    what = "/".join(part for part in (one.indicator, one.segment, one.rule) if part)
    level = f", {Level(one.was).word} to {Level(one.level).word}" if one.level != one.was else ""
    reason = REASONS[Reason(one.reason)] if one.reason in set(Reason) else one.reason
    return f"{stamp(one.at)} {reason}{f' ({what})' if what else ''}{level}{_numbers(one)}"


def _length(ms: int) -> str:
    return f"{ms / 1000:g} s" if ms < 60_000 else time_left(ms)


def _numbers(one: ShadowFinding) -> str:
    found = []
    if one.events is not None and one.exposure is not None:
        found.append(f"{figure(one.events)} of {figure(one.exposure)} {one.unit or 'trials'}")
    elif one.observed is not None:
        expected = "" if one.expected is None else f", expected at most {figure(one.expected)}"
        found.append(f"observed {figure(one.observed)}{expected}")
    if one.statistic is not None and one.threshold is not None:
        found.append(f"statistic {figure(one.statistic)}, threshold {figure(one.threshold)}")
    return f": {'; '.join(found)}" if found else ""
