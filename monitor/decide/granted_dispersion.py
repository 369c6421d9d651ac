"""Findings where the counts under a limit vary more than the charter grants. Pure.

The statistics of a halt hold for the granted variance/mean. Once a check finds more (`detectors/dispersion_check.py`),
the limit is a watch (`dispersion_exceeded`) and escalates at most, until a person decides: an amendment with another
`variance_mean` restarts the evidence of the limit; an acceptance of the dispersion, or lowering the level below the
finding, lets the limit halt again and restarts the check. A halt that stands, hard rules and other limits are not
affected.
"""

from __future__ import annotations

from detectors.base import Detector, Observation
from detectors.checked_limit import CheckedLimitEProcess
from monitor.charter.spec import DetectorSpec
from monitor.compile.plan import CompiledIndicator, stream_key
from monitor.decide.context import DecisionContext
from monitor.model.records import Finding, Level, Reason
from monitor.state.pilot import Stream
from monitor.state.standing import Standing


def dispersion_key(limit: str) -> str:
    """The key of the finding about the limit of this key (`indicator/segment/detector`)."""
    return f"{limit}/dispersion"


def capped(standing: Standing, limit: str) -> bool:
    """Whether this limit escalates at most."""
    return dispersion_key(limit) in standing.active


def needs_report(detector: Detector) -> bool:
    """Whether a check has a result that only a closed period reports."""
    return isinstance(detector, CheckedLimitEProcess) and detector.check.exceeded


def check_dispersion(
    context: DecisionContext, indicator: CompiledIndicator, segment: str, stream: Stream, observation: Observation
) -> None:
    """Give a complete closed period to the checks of a stream, after its score and before its findings."""
    for spec, detector in zip(indicator.spec.detectors, stream.detectors, strict=True):
        if isinstance(detector, CheckedLimitEProcess):
            detector.check_dispersion(observation)
            if detector.check.exceeded:
                _report(context, indicator, segment, spec, detector)


def _report(
    context: DecisionContext,
    indicator: CompiledIndicator,
    segment: str,
    spec: DetectorSpec,
    detector: CheckedLimitEProcess,
) -> None:
    key = dispersion_key(f"{indicator.name}/{segment}/{spec.name}")
    if not detector.check.reported:
        detector.check.reported = True
        context.raise_finding(
            key, Level.WATCH, Reason.DISPERSION_EXCEEDED, _finding(indicator, segment), "until_lowered"
        )
    elif key not in context.pilot.standing.active:
        detector.restart_check()  # a person lowered the level


def accept_dispersion(context: DecisionContext, indicator: CompiledIndicator) -> bool:
    """Let the limits of an indicator halt again, and restart their checks. Returns whether there was a finding."""
    found = False
    for segment in indicator.segments:
        stream = context.pilot.streams[stream_key(indicator, segment)]
        for spec, detector in zip(indicator.spec.detectors, stream.detectors, strict=True):
            if needs_report(detector):
                assert isinstance(detector, CheckedLimitEProcess)
                detector.restart_check()
                context.clear(dispersion_key(f"{indicator.name}/{segment}/{spec.name}"), _finding(indicator, segment))
                found = True
    return found


def clear_amended(context: DecisionContext) -> None:
    """Clear the findings about limits whose granted variance/mean was amended: their checks have begun anew."""
    for indicator in context.plan.closes:
        for segment in indicator.segments:
            stream = context.pilot.streams[stream_key(indicator, segment)]
            for spec, detector in zip(indicator.spec.detectors, stream.detectors, strict=True):
                key = dispersion_key(f"{indicator.name}/{segment}/{spec.name}")
                if key in context.pilot.standing.active and not needs_report(detector):
                    context.clear(key, _finding(indicator, segment))


def _finding(indicator: CompiledIndicator, segment: str) -> Finding:
    granted = indicator.spec.variance_mean
    return Finding(
        indicator=indicator.name,
        segment=segment,
        rule="variance_mean",
        expected=granted,
        detail=f"variance/mean above {granted:g}: this limit escalates at most until a person decides",
    )
