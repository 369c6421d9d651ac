"""What the statistics assume is checked against the data: findings where a limit's granted dispersion is exceeded, and
where a baseline was learnt from periods that vary more than is granted. Pure.

A limit whose dispersion is exceeded escalates at most (`detectors/dispersion_check.py`), until a person decides: an
amendment with another `variance_mean`, or lowering the finding, starts the check anew.
"""

from __future__ import annotations

from detectors.base import Detector
from detectors.baseline import Baseline
from detectors.dispersion_check import DispersionCheck
from detectors.e_process import LimitEProcess
from monitor.charter.spec import DetectorSpec
from monitor.compile.plan import CompiledIndicator
from monitor.decide.context import DecisionContext
from monitor.model.records import Finding, Level, Reason
from monitor.state.pilot import Stream


def needs_report(detector: Detector) -> bool:
    """Whether a closed period changed what is to be reported about this detector's assumptions."""
    check: DispersionCheck | None = getattr(detector, "check", None)
    if check is not None and check.exceeded:
        return True
    baseline: Baseline | None = getattr(detector, "baseline", None)
    return baseline is not None and baseline.unusable is not baseline.reported


def report_assumptions(context: DecisionContext, indicator: CompiledIndicator, segment: str, stream: Stream) -> None:
    """Raise, clear or restart what the detectors of a stream report after a closed period."""
    for spec, detector in zip(indicator.spec.detectors, stream.detectors, strict=True):
        if needs_report(detector):
            _dispersion(context, indicator, segment, spec, detector)
            _baseline(context, indicator, segment, spec, detector)


def _dispersion(
    context: DecisionContext, indicator: CompiledIndicator, segment: str, spec: DetectorSpec, detector: Detector
) -> None:
    check: DispersionCheck | None = getattr(detector, "check", None)
    if check is None or not check.exceeded:
        return
    key = f"{indicator.name}/{segment}/{spec.name}/dispersion"
    if not check.reported:
        check.reported = True
        granted = indicator.spec.variance_mean
        finding = Finding(
            indicator=indicator.name,
            segment=segment,
            rule="variance_mean",
            expected=granted,
            detail=f"variance/mean above {granted:g}: this limit escalates at most until a person decides",
        )
        context.raise_finding(key, Level.WATCH, Reason.DISPERSION_EXCEEDED, finding, "until_lowered")
    elif key not in context.pilot.standing.active:
        assert isinstance(detector, LimitEProcess)
        detector.check = DispersionCheck()  # a person lowered the finding


def _baseline(
    context: DecisionContext, indicator: CompiledIndicator, segment: str, spec: DetectorSpec, detector: Detector
) -> None:
    baseline: Baseline | None = getattr(detector, "baseline", None)
    if baseline is None or baseline.unusable is baseline.reported:
        return
    baseline.reported = baseline.unusable
    key = f"{indicator.name}/{segment}/{spec.name}/baseline"
    granted = indicator.spec.variance_mean
    finding = Finding(
        indicator=indicator.name,
        segment=segment,
        rule="baseline",
        expected=granted,
        detail=f"{spec.name}: the periods learnt from vary more than variance/mean {granted:g}",
    )
    if baseline.unusable:
        context.raise_finding(key, Level.WATCH, Reason.BASELINE_UNUSABLE, finding)
    else:
        context.clear(key, finding)
