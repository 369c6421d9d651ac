"""The detect stage: detectors score closed periods, open periods, late events and silences; scores become findings.
Pure."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, TypeGuard

from msgspec import UNSET, structs

from detectors import NEEDS_COMPLETE, SPENDS_ALPHA
from detectors.base import Compared, Count, Detector, Gauge, Observation, Proportion, Provisional, Score, events_of
from detectors.disparity import Disparity
from detectors.mixture import summed
from monitor.charter.spec import LEVEL_OF_NAME, DetectorSpec
from monitor.compile.plan import CompiledIndicator, level_of, stream_key
from monitor.decide.context import DecisionContext
from monitor.decide.granted_dispersion import capped, check_dispersion
from monitor.decide.pauses import forget_pauses
from monitor.decide.tolerate import restart_limit, tolerate, with_due_date
from monitor.detect.late_window import window_of
from monitor.detect.learnt_baseline import report_baselines
from monitor.detect.trends import add_to_trend, trend_of
from monitor.indicators.base import OpenPeriod
from monitor.model.events import instant
from monitor.model.records import Evidence, Finding, Level, Reason
from monitor.state.exposure import exposure_unknown
from monitor.state.late import LATE_KEY
from monitor.state.pilot import HeldLate, PilotState, Stream, shared_tuple
from monitor.state.sequences import conflicted_since, forget_gaps, gap_noticed_after, gaps_by_source, gaps_since
from monitor.state.tally import Tally
from monitor.state.timers import GAP_WAIT_MS
from monitor.state.uncounted import UNCOUNTED_KEY

Kind: TypeAlias = Literal["count", "proportion", "gauge"]

HOUR_MS = 3_600_000
TELEMETRY_LOST_KEY = "telemetry_lost"  # key of the finding that the log deleted unread telemetry
SOURCES_SHOWN, SHOWN = 3, 80  # sources that a finding names, and how many characters of each


def close(context: DecisionContext, indicator: CompiledIndicator) -> None:
    """The next period of an indicator is over, in all its segments."""
    pilot = context.pilot
    gaps: dict[int, bool] = {}  # by start of a period: it takes a look at every source, and segments share it
    others = compare(pilot, indicator) if indicator.compares else {}
    trend = trend_of(context.plan, indicator)
    found: list[tuple[Observation, bool]] = []
    for segment in indicator.segments:
        stream = pilot.streams[stream_key(indicator, segment)]
        index = stream.next
        start, end = indicator.grid.start(index), indicator.grid.start(index + 1)
        opened = stream.open.pop(index, None) or OpenPeriod()
        if pilot.running.pauses and pilot.running.pause_around(start, end):
            stream.next = index + 1
            stream.stock += opened.stock
            continue
        if (gap := gaps.get(start)) is None:
            gap = gaps[start] = in_doubt(pilot, indicator, start, end)
        idle = owes_no_data(pilot, indicator, opened)
        observation, partial = (None, False) if idle else observation_of(indicator, stream, opened, start, end, gap)
        stream.next = index + 1
        stream.stock += opened.stock
        if pilot.late_held:
            emit_held(context, indicator, segment)
        if indicator.cap is not None and opened.m <= indicator.cap:
            within = Finding(indicator=indicator.name, segment=segment, rule="exposure_cap")
            context.mark_quiet(f"{indicator.name}/{segment}/exposure_cap", within)
        flag = f"{indicator.name}/{segment}/partial"
        if partial:
            context.flag(flag, Reason.PARTIAL_DATA)
        elif idle or observation is not None:
            context.unflag(flag)
        if observation is None:
            continue
        window = window_of(context.plan, indicator, stream)
        stream.seen = shared_tuple((*stream.seen, index)[-window:]) if window else ()
        given = [_given(d, observation, others.get(segment), partial) for d in stream.detectors]
        scores = [
            (w, None if o is None else d.update(o))
            for w, d, o in zip(indicator.spec.detectors, stream.detectors, given, strict=True)
        ]
        whole = Count(opened.k, observation.m) if isinstance(observation, Count) and opened.used else observation
        if stream.tally is None:
            stream.tally = Tally(index)
        stream.tally.add(index, whole, partial)
        if trend is not None:
            found.append((whole, partial))
        emit_evidence(context, indicator, segment, whole, start, end, scores, partial=partial)
        if not partial:
            check_dispersion(context, indicator, segment, stream, observation)
        for (detector_spec, score), seen in zip(scores, given, strict=True):
            judge(context, indicator, segment, detector_spec, score, start, end, seen, counts_as_quiet=not partial)
        report_baselines(context, indicator, segment, stream)
        restart_limit(context, indicator, stream, start)
    if trend is not None:
        add_to_trend(context, trend, indicator, found, index)
    if pilot.running.pauses and pilot.running.pause_around(start, end):
        _gaps(context, indicator, paused=True)
        _forget_paused(pilot)
        return
    _gaps(context, indicator)
    if indicator is context.plan.slowest and (pilot.uncounted.last is None or pilot.uncounted.last < start):
        context.mark_quiet(UNCOUNTED_KEY, Finding(rule=UNCOUNTED_KEY, detail="telemetry that counts nowhere"))
    if indicator is context.plan.slowest and (pilot.late_dropped is None or pilot.late_dropped < start):
        context.mark_quiet(LATE_KEY, Finding(rule=LATE_KEY, detail="telemetry that is too late to count"))
    _forget_paused(pilot)


def _forget_paused(pilot: PilotState) -> None:
    """Drop the gaps and the pauses that lie before the first open period."""
    forget_closed_gaps(pilot)
    forget_pauses(pilot)


def in_doubt(pilot: PilotState, indicator: CompiledIndicator, start: int, end: int) -> bool:
    """Whether telemetry of the period from `start` to `end` (ms) may be missing. A period that a pause cuts off ends
    with its beginning."""
    end = pilot.running.runs_until(start, end) if pilot.running.pauses else end
    return (
        gaps_since(pilot, start) > 0
        or conflicted_since(pilot, start)
        or (indicator.by_source and exposure_unknown(pilot, start, end))
    )


def compare(pilot: PilotState, indicator: CompiledIndicator) -> dict[str, Compared]:
    """Each segment of the next period next to all others. Empty where any of them is partial: with an exposure
    that was replaced by its upper bound, the others would have too low a rate."""
    found: dict[str, tuple[float, float]] = {}
    for segment in indicator.segments:
        stream = pilot.streams[stream_key(indicator, segment)]
        start, end = indicator.grid.start(stream.next), indicator.grid.start(stream.next + 1)
        opened = stream.open.get(stream.next) or OpenPeriod()
        gap = in_doubt(pilot, indicator, start, end)
        observation, partial = observation_of(indicator, stream, opened, start, end, gap)
        if partial:
            return {}
        if observation is not None:
            found[segment] = events_of(observation)
    k, x = summed([k for k, _ in found.values()]), summed([x for _, x in found.values()])
    shares = indicator.observes is Proportion
    return {s: Compared(mine[0], mine[1], k - mine[0], x - mine[1], shares) for s, mine in found.items()}


def _given(
    detector: Detector, observation: Observation, compared: Compared | None, partial: bool
) -> Observation | None:
    """What a detector is given of a closed period; `None` for nothing."""
    if type(detector) is Disparity:
        return compared
    return None if partial and isinstance(detector, NEEDS_COMPLETE) else observation


def forget_closed_gaps(pilot: PilotState) -> None:
    """Drop the gaps that were noticed before the first open period."""
    if pilot.lost or any(source.missing.ranges for source in pilot.sources.values()):
        firsts = zip(pilot.plan.closes, pilot.plan.firsts, strict=True)
        forget_gaps(pilot, min(indicator.grid.start(pilot.streams[name].next) for indicator, name in firsts))


def owes_no_data(pilot: PilotState, indicator: CompiledIndicator, opened: OpenPeriod) -> bool:
    """Whether a period is without data because the pilot is halted: a halted service reports no exposure. What is open
    (complaints) stays open, so it goes on being counted."""
    return pilot.standing.halted and not (indicator.stocks or opened.tallies or opened.k or opened.m)


def observation_of(
    indicator: CompiledIndicator, stream: Stream, opened: OpenPeriod, start: int, end: int, gap: bool
) -> tuple[Observation | None, bool]:
    """The observation of a closed period (`None` = no observation), and whether it is partial.

    An exposure that is not known in full is taken to be the charter's cap, never 0; without a cap there is no
    observation.
    """
    if indicator.observes is Proportion:
        n = max(opened.m, 0.0)
        return (Proportion(min(max(opened.k, 0.0), n), n, stream.next) if n else None), gap
    if indicator.observes is Gauge:
        if not opened.m:
            return None, gap
        return Gauge(opened.k if indicator.implementation.aggregate == "sum" else opened.k / opened.m, stream.next), gap
    k = max(opened.k - opened.used, 0.0)
    if indicator.stocks:
        m = max(opened.m + (opened.held + stream.stock * (end - start)) / HOUR_MS, 0.0)
        return (Count(k, m, stream.next) if m or k else None), gap
    if opened.tallies and not gap and (opened.m > 0 or not k):  # events without exposure: some exposure is unknown
        return (Count(k, opened.m, stream.next) if opened.m or k else None), False
    return (None if indicator.cap is None else Count(k, max(opened.m, indicator.cap), stream.next)), True


def peek(context: DecisionContext, indicator: CompiledIndicator, segment: str, stream: Stream) -> None:
    """Provisional evidence of open periods: the charter's exposure cap replaces the exposure that is not yet known."""
    cap = indicator.cap
    assert cap is not None
    last = max(stream.open)
    none, paused = OpenPeriod(), context.pilot.running
    opened = [
        stream.open.get(index, none)
        for index in range(stream.next, last + 1)
        if not (paused.pauses and paused.pause_around(indicator.grid.start(index), indicator.grid.start(index + 1)))
    ]
    run = tuple(Count(max(o.k - o.used, 0.0), max(cap, o.m)) for o in opened)
    start, end = indicator.grid.start(stream.next), indicator.grid.start(last + 1)
    for detector_spec, detector in zip(indicator.spec.detectors, stream.detectors, strict=True):
        if _may_peek(detector):
            judge(context, indicator, segment, detector_spec, detector.peek(run), start, end, provisional=True)


def peek_stays_quiet(stream: Stream, index: int, more: int, indicator: CompiledIndicator) -> bool:
    """Whether `peek` would raise no finding with `more` events in open period `index`, and so with fewer either.

    Evidence rises in k and falls in m (`detectors.base.Provisional`), so one evaluation at the maximum covers all
    smaller counts; a small margin is kept, as both are rounded.
    """
    assert indicator.cap is not None
    none, run = OpenPeriod(), []
    for at in range(stream.next, max((index, *stream.open)) + 1):
        opened = stream.open.get(at, none)
        run.append(Count(max(opened.k - opened.used, 0.0) + (more if at == index else 0), max(indicator.cap, opened.m)))
    for detector in stream.detectors:
        score = detector.peek(tuple(run)) if _may_peek(detector) else None
        if score is not None and score.statistic >= min(score.threshold, score.threshold / 2) - 1e-6:
            return False
    return True


def raise_silence(context: DecisionContext, indicator: CompiledIndicator) -> None:
    """No event came for as long as the indicator waits: flag the pilot as unknown, and score how unlikely the gap
    is."""
    assert indicator.silence is not None
    context.flag(f"{indicator.name}/", Reason.SILENCE)
    gap = indicator.silence.gap(context.pilot.heard[indicator.name], context.at)
    stream = context.pilot.streams[stream_key(indicator, indicator.segments[0])]
    for detector_spec, detector in zip(indicator.spec.detectors, stream.detectors, strict=True):
        score = detector.update(gap)
        if score is not None and score.statistic >= score.threshold * (
            1 - 1e-6
        ):  # the timer is rounded to a millisecond
            ground = functools.partial(context.finding, indicator, "", detector_spec, score, gap)
            context.raise_finding(
                f"{indicator.name}//{detector_spec.name}", level_of(detector_spec), Reason.SILENCE, ground
            )


def end_silence(context: DecisionContext, indicator: CompiledIndicator) -> None:
    """An event ended a silence: clear its flag and its findings."""
    context.unflag(f"{indicator.name}/")
    for detector_spec in indicator.spec.detectors:
        context.clear(f"{indicator.name}//{detector_spec.name}", context.finding(indicator, "", detector_spec))


def _may_peek(detector: Detector) -> TypeGuard[Provisional]:
    return hasattr(detector, "peek")  # per event; isinstance of a protocol costs twenty times as much


def judge(
    context: DecisionContext,
    indicator: CompiledIndicator,
    segment: str,
    detector_spec: DetectorSpec,
    score: Score | None,
    start: int,
    end: int,
    observation: Observation | None = None,
    *,
    counts_as_quiet: bool = False,
    provisional: bool = False,
) -> None:
    """Raise the finding of a score at its threshold, at the level of the charter; of an e-process half-way to it (in
    log), an earlier one. Count quiet periods of findings that are active."""
    if score is None:
        return
    name = f"{indicator.name}/{segment}/{detector_spec.name}"
    half, fall = f"{name}/half", f"{name}/fall"
    half_way = detector_spec.name in SPENDS_ALPHA and score.threshold / 2 <= score.statistic < score.threshold
    active = context.pilot.standing.active
    if not (score.alarm or half_way or name in active or half in active or fall in active):
        return
    finding = functools.partial(
        context.finding,
        indicator,
        segment,
        detector_spec,
        score,
        observation,
        start=start,
        end=end,
        provisional=provisional,
    )
    lesser = _lesser(detector_spec, score) if score.alarm else None
    if lesser is not None:
        raised = functools.partial(_returned, finding) if score.change == "return" else finding
        context.raise_finding(fall, lesser, indicator.reason(detector_spec), raised)
    elif score.alarm and capped(context.pilot.standing, name):
        level = min(level_of(detector_spec), Level.ESCALATE)
        context.raise_finding(name, level, indicator.reason(detector_spec), functools.partial(_capped, finding))
    elif score.alarm and tolerate(context, detector_spec, name, start, end):
        window = context.pilot.window
        context.raise_finding(
            f"{name}/tolerated",
            Level.ESCALATE,
            Reason.LIMIT_TOLERATED,
            lambda: with_due_date(window, finding()),
            "until_lowered",
        )
    elif score.alarm:
        context.raise_finding(name, level_of(detector_spec), indicator.reason(detector_spec), finding)
    elif counts_as_quiet:
        context.mark_quiet(name, finding)
    if half_way:
        level = Level[context.plan.charter.responses.half_way.upper()]
        context.raise_finding(half, min(level, level_of(detector_spec)), Reason.LIMIT_HALF_WAY, finding)
    elif counts_as_quiet and not score.alarm:
        context.mark_quiet(half, finding)
    if counts_as_quiet and lesser is None:
        context.mark_quiet(fall, finding)


def _lesser(detector_spec: DetectorSpec, score: Score) -> Level | None:
    """The level of an alarm that is not at its detector's level: a watch for a return to the level before a change, the
    charter's `fall_level` for a fall. `None` for any other alarm."""
    if score.change == "return":
        return Level.WATCH
    if score.change == "fall" and detector_spec.fall_level is not UNSET:
        return LEVEL_OF_NAME[detector_spec.fall_level]
    return None


def _capped(finding: Callable[[], Finding]) -> Finding:
    detail = "escalates at most: the counts vary more than the charter grants, and a person has not decided yet"
    return structs.replace(finding(), detail=detail)


def _returned(finding: Callable[[], Finding]) -> Finding:
    return structs.replace(finding(), detail="return towards the level before the last change")


def _gaps(context: DecisionContext, indicator: CompiledIndicator, *, paused: bool = False) -> None:
    """Missing sequence numbers that were noticed in the period just closed are a finding about their sources. It clears
    after as many quiet periods as the charter asks for, of the indicator with the longest periods; a period of a pause
    is not one of them."""
    start = indicator.grid.start(context.pilot.streams[stream_key(indicator, indicator.segments[0])].next - 1)
    if gaps_since(context.pilot, start):
        level = Level[context.plan.charter.responses.sequence_gap.upper()]
        context.raise_finding("sequence", level, Reason.SEQUENCE_GAP, functools.partial(_gap, context, start))
    elif indicator is context.plan.slowest and not paused:
        context.mark_quiet("sequence", Finding(rule="sequence", observed=0.0, expected=0.0, detail="missing events"))
    if paused:
        return
    if indicator is context.plan.slowest:
        context.mark_quiet(TELEMETRY_LOST_KEY, Finding(rule="telemetry", detail="nothing more was lost"))
    if indicator is context.plan.slowest and not conflicted_since(context.pilot, start):
        context.mark_quiet("source_conflict", Finding(rule="sequence", detail="no conflict"))


def report_gap(context: DecisionContext) -> None:
    """A gap was noticed a while ago: what is still missing of it is a finding now, not only when a period closes. Then
    wait for the next gap."""
    pilot, since = context.pilot, context.pilot.gap
    assert since is not None
    through = context.at - GAP_WAIT_MS  # later ones may still be filled
    if gap_noticed_after(pilot, since - 1) in range(since, through + 1):
        level = Level[context.plan.charter.responses.sequence_gap.upper()]
        context.raise_finding("sequence", level, Reason.SEQUENCE_GAP, functools.partial(_gap, context, since))
    pilot.gap = gap_noticed_after(pilot, through)


def _gap(context: DecisionContext, start: int) -> Finding:
    """The finding of missing numbers: how many, of which sources, since when."""
    found = gaps_by_source(context.pilot, start)
    sources = [f"{count} of {name[:SHOWN]}" for count, name, _ in found[:SOURCES_SHOWN]]
    more = [f"{len(found) - SOURCES_SHOWN} more sources"] if len(found) > SOURCES_SHOWN else []
    since = min((at for _, _, at in found), default=start)
    return Finding(
        rule="sequence",
        observed=float(gaps_since(context.pilot, start)),
        expected=0.0,
        period_start=since,
        detail=f"{', '.join([*sources, *more])}; noticed since {instant(since).isoformat(timespec='seconds')}",
    )


def emit_dropped(context: DecisionContext, indicator: CompiledIndicator, segment: str, lost: HeldLate) -> None:
    """Put on record what counts nowhere because it is late."""
    about = _about(context, indicator, segment, lost.start, lost.end)
    kind: Kind = "count" if indicator.observes is Count else "gauge" if indicator.observes is Gauge else "proportion"
    so_far = context.pilot.late_events
    context.out.evidence.append(Evidence(**about, kind=kind, k=lost.k, m=lost.m, late=True, dropped=so_far))


def emit_held(context: DecisionContext, indicator: CompiledIndicator, segment: str) -> None:
    """Put on record what of a stream came too late to count since its last period closed, and was not yet."""
    held = context.pilot.late_held.pop(stream_key(indicator, segment), None)
    if held is not None and held.count:
        emit_dropped(context, indicator, segment, held)


def emit_all_held(context: DecisionContext) -> None:
    """The same of all streams: no period of the pilot closes any more."""
    for indicator in context.plan.indicators:
        for segment in indicator.segments:
            emit_held(context, indicator, segment)


def emit_evidence(
    context: DecisionContext,
    indicator: CompiledIndicator,
    segment: str,
    observation: Observation,
    start: int,
    end: int,
    scores: list[tuple[DetectorSpec, Score | None]],
    *,
    partial: bool = False,
    late: bool = False,
) -> None:
    """Put the observation of a closed period on record, or with `late` the events that were added to it."""
    kind: Kind
    if isinstance(observation, Count):
        kind, k, m = "count", observation.k, observation.m
    elif isinstance(observation, Proportion):
        kind, k, m = "proportion", observation.k, observation.n
    else:
        assert isinstance(observation, Gauge)
        kind, k, m = "gauge", observation.value, 1.0
    limit, allowed = indicator.implementation.limit, None
    if kind == "count" and limit is not None and indicator.implementation.direction == "above":
        allowed = limit * (1 + (indicator.spec.exposure.uncertainty if indicator.spec.exposure else 0.0)) * m
    context.out.evidence.append(
        Evidence(
            **_about(context, indicator, segment, start, end),
            kind=kind,
            k=k,
            m=m,
            unknown=Reason.PARTIAL_DATA.value if partial else "",
            late=late,
            allowed=allowed,
            scores={w.name: (s.statistic, s.threshold) for w, s in scores if s is not None},
        )
    )


def _about(
    context: DecisionContext, indicator: CompiledIndicator, segment: str, start: int, end: int
) -> dict[str, Any]:
    """Of which pilot, stream and period a piece of evidence is."""
    charter = context.plan.charter
    return {
        "pilot": context.pilot.id,
        "participant": charter.participant.id,
        "vendor": charter.vendor,
        "data_source": charter.data_source,
        "model": context.pilot.model,
        "indicator": indicator.name,
        "segment": segment,
        "start": start,
        "end": end,
    }
