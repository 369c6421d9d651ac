"""A summary of a shadow charter in words, for command line and board. Pure."""

from __future__ import annotations

from monitor.model.records import Level, Reason
from monitor.model.shadow_records import ShadowDifference, ShadowFinding, ShadowSummary
from monitor.projections.clock_board import time_left
from monitor.projections.formats import figure, span, stamp
from monitor.projections.wording import REASONS, level_word
from monitor.words import mark, tr

ENDED = {
    "": mark("runs"),
    "time": mark("ended: its time was over"),
    "stopped": mark("stopped by an officer"),
    "amended": mark("ended: another charter came into force"),
    "exited": mark("ended: the pilot left the sandbox"),
    "set_aside": mark("ended: the state of the pilot could not be read"),
    "failed": mark("failed"),
    "end": mark("compared to the end of the history"),
}
SIDES = {
    "only_live": mark("only the charter in force"),
    "only_shadow": mark("only the shadow charter"),
    "earlier": mark("shadow charter earlier by {by}"),
    "later": mark("shadow charter later by {by}"),
}


def state_words(s: ShadowSummary) -> str:
    """Whether the run goes on, or why it ended."""
    words = tr(ENDED[s.ended]) if s.ended in ENDED else s.ended
    return tr("{words} ({detail})", words=words, detail=s.detail) if s.detail else words


def facts(s: ShadowSummary) -> list[tuple[str, str]]:
    """The summary as (name, text), without its list of differences."""
    shadow = tr(
        "version {version}, {digest}; {state}", version=s.version, digest=s.candidate, state=state_words(s)
    )  # fmt: skip
    compared = tr(
        "{period} UTC; pairs at most {tolerance} apart", period=span(s.start, s.through), tolerance=_length(s.tolerance)
    )
    periods = tr("{live} in force, {shadow} shadow", live=s.periods_live, shadow=s.periods_shadow)
    spent = {"live": format(s.alpha_live, ".3g"), "shadow": format(s.alpha_shadow, ".3g")}
    alpha = tr("at most {live} spent in force, {shadow} by the shadow", **spent)
    found = [
        (tr("shadow"), shadow),
        (tr("in force"), s.live),
        (tr("compared"), compared),
        (tr("periods"), periods),
        (tr("same"), str(s.same)),
        (tr("earlier"), str(s.earlier)),
        (tr("later"), str(s.later)),
        (tr("only live"), str(s.only_live)),
        (tr("only shadow"), str(s.only_shadow)),
        (tr("alpha"), alpha),
    ]
    return found + _remarks(s)


def _remarks(s: ShadowSummary) -> list[tuple[str, str]]:
    found = []
    if s.hypothetical:
        found.append((tr("hypothetical"), tr("{n} of these differences", n=s.hypothetical)))
    if s.not_comparable or s.halted:
        words = tr(
            "{n} decisions while the pilot was halted ({time}): no telemetry came",
            n=s.not_comparable, time=_length(s.halted),
        )  # fmt: skip
        found.append((tr("not comparable"), words))
    if s.pending:
        found.append((tr("pending"), tr("{n} decisions that may still find a partner", n=s.pending)))
    if s.dropped:
        found.append((tr("not compared"), tr("{n} decisions: too many waited for a partner", n=s.dropped)))
    if s.restarted:
        found.append((tr("began again"), tr("{n} times, from the pilot as it was released", n=s.restarted)))
    if s.not_applied:
        found.append((tr("acts"), tr("{n} acts on the pilot did not apply to the shadow", n=s.not_applied)))
    if s.first_halt is not None:
        found.append((tr("would have halted"), finding_words(s.first_halt)))
        found.append((tr("caveat"), s.caveat))
    return found


def difference_words(one: ShadowDifference) -> str:
    """One difference as a line."""
    side = tr(SIDES[one.side], by=_length(one.by)) if "{by}" in SIDES[one.side] else tr(SIDES[one.side])
    words = tr("{side}: {finding}", side=side, finding=finding_words(one.finding))
    return tr("{words} (hypothetical)", words=words) if one.hypothetical else words


def finding_words(one: ShadowFinding) -> str:
    """What one side decided, when, and on which numbers."""
    what = "/".join(part for part in (one.indicator, one.segment, one.rule) if part)
    reason = tr(REASONS[Reason(one.reason)]) if one.reason in set(Reason) else one.reason
    words = f"{stamp(one.at)} {reason}"
    if what:
        words = tr("{words} ({detail})", words=words, detail=what)
    if one.level != one.was:
        words = tr(
            "{words}, {was} to {level}", words=words, was=level_word(Level(one.was)), level=level_word(Level(one.level))
        )
    numbers = _numbers(one)
    return tr("{words}: {numbers}", words=words, numbers=numbers) if numbers else words


def _length(ms: int) -> str:
    return f"{ms / 1000:g} s" if ms < 60_000 else time_left(ms)


def _numbers(one: ShadowFinding) -> str:
    found = []
    if one.events is not None and one.exposure is not None:
        names = {"events": figure(one.events), "exposure": figure(one.exposure)}
        if one.unit:
            found.append(tr("{events} of {exposure} {unit}", unit=one.unit, **names))
        else:
            found.append(tr("{events} of {exposure} trials", **names))
    elif one.observed is not None and one.expected is not None:
        names = {"observed": figure(one.observed), "expected": figure(one.expected)}
        found.append(tr("observed {observed}, expected at most {expected}", **names))
    elif one.observed is not None:
        found.append(tr("observed {observed}", observed=figure(one.observed)))
    if one.statistic is not None and one.threshold is not None:
        names = {"value": figure(one.statistic), "threshold": figure(one.threshold)}
        found.append(tr("statistic {value}, threshold {threshold}", **names))
    return "; ".join(found)
