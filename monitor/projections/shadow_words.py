"""A summary of a shadow charter in words, for command line and board. Pure."""

from __future__ import annotations

from monitor.model.records import Level, Reason
from monitor.model.shadow_records import ShadowDifference, ShadowFinding, ShadowSummary
from monitor.projections.clock_board import time_left
from monitor.projections.formats import figure, span, stamp
from monitor.projections.wording import REASONS, level_word
from monitor.translation import mark, tr

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
    detail = f" ({s.detail})" if s.detail else ""
    return tr(ENDED.get(s.ended, s.ended)) + detail


def facts(s: ShadowSummary) -> list[tuple[str, str]]:
    """The summary as (name, text), without its list of differences."""
    found = [
        (
            tr("shadow"),
            tr("version {version}, {hash}; {state}", version=s.version, hash=s.candidate, state=state_words(s)),
        ),
        (tr("in force"), s.live),
        (
            tr("compared"),
            tr("{span} UTC; pairs at most {time} apart", span=span(s.start, s.through), time=_length(s.tolerance)),
        ),
        (tr("periods"), tr("{live} in force, {shadow} shadow", live=s.periods_live, shadow=s.periods_shadow)),
        (tr("same"), str(s.same)),
        (tr("earlier"), str(s.earlier)),
        (tr("later"), str(s.later)),
        (tr("only live"), str(s.only_live)),
        (tr("only shadow"), str(s.only_shadow)),
        (
            tr("alpha"),
            tr(
                "at most {live} spent in force, {shadow} by the shadow",
                live=format(s.alpha_live, ".3g"),
                shadow=format(s.alpha_shadow, ".3g"),
            ),
        ),
    ]
    return [*found, *_remarks(s)]


def _remarks(s: ShadowSummary) -> list[tuple[str, str]]:
    """What a reader must know of the comparison."""
    found = []
    if s.hypothetical:
        found.append((tr("hypothetical"), tr("{n} of these differences", n=s.hypothetical)))
    if s.not_comparable or s.halted:
        words = tr(
            "{n} decisions while the pilot was halted ({time}): no telemetry came",
            n=s.not_comparable,
            time=_length(s.halted),
        )
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
        found.append((tr("caveat"), tr(s.caveat)))
    return found


def difference_words(one: ShadowDifference) -> str:
    """One difference as a line."""
    side, finding = tr(SIDES[one.side], by=_length(one.by)), finding_words(one.finding)
    if one.hypothetical:
        return tr("{side}: {finding} (hypothetical)", side=side, finding=finding)
    return tr("{side}: {finding}", side=side, finding=finding)


def finding_words(one: ShadowFinding) -> str:
    """What one side decided, when, and on which numbers."""
    what = "/".join(part for part in (one.indicator, one.segment, one.rule) if part)
    reason = tr(REASONS[Reason(one.reason)]) if one.reason in set(Reason) else one.reason
    reason = f"{reason} ({what})" if what else reason
    said = tr("{time} {reason}", time=stamp(one.at), reason=reason)
    if one.level != one.was:
        was, level = level_word(Level(one.was)), level_word(Level(one.level))
        said = tr("{finding}, {was} to {level}", finding=said, was=was, level=level)
    return f"{said}{_numbers(one)}"


def _length(ms: int) -> str:
    return f"{ms / 1000:g} s" if ms < 60_000 else time_left(ms)


def _numbers(one: ShadowFinding) -> str:
    found = []
    if one.events is not None and one.exposure is not None:
        unit = one.unit or tr("trials")
        found.append(tr("{k} of {m} {unit}", k=figure(one.events), m=figure(one.exposure), unit=unit))
    elif one.observed is not None:
        observed = tr("observed {value}", value=figure(one.observed))
        found.append(observed)
        if one.expected is not None:
            found[-1] = tr("{observed}, expected at most {value}", observed=observed, value=figure(one.expected))
    if one.statistic is not None and one.threshold is not None:
        statistic, threshold = figure(one.statistic), figure(one.threshold)
        found.append(tr("statistic {statistic}, threshold {threshold}", statistic=statistic, threshold=threshold))
    return f": {'; '.join(found)}" if found else ""
