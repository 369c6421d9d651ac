"""How many closed periods of a stream accept late events. Pure.

The charter's `late_window`, until an event for an older period comes: then `WIDEST` periods. The window fills with the
periods to come, so delays that lengthen by less than a period per period lose no more than their first late events, and
a stream whose events are on time does not pay for the memory. After `KEPT_WIDE` periods without such an event the
window is narrow again. An indicator with `late_window: 0` accepts no late events.
"""

from __future__ import annotations

from typing import TypeGuard

from detectors.base import Count, Detector, Revisable
from monitor.compile.plan import CompiledIndicator, Plan
from monitor.compile.state_size import wide_window
from monitor.state.pilot import Stream

KEPT_WIDE = 128  # periods without a late event after which a window is narrow again


def widen(plan: Plan, indicator: CompiledIndicator, stream: Stream, index: int) -> None:
    """An event came for closed period `index`: widen the window if the charter's does not reach back to it."""
    if indicator.observes is not Count or index >= stream.next - indicator.spec.late_window:
        return
    if wide_window(plan, indicator) > indicator.spec.late_window:
        stream.wide = stream.next + KEPT_WIDE


def window_of(plan: Plan, indicator: CompiledIndicator, stream: Stream) -> int:
    """How many closed periods accept late events, with the one that closes now; the detectors follow."""
    window = indicator.spec.late_window
    if not stream.wide:
        return window
    if stream.next <= stream.wide:
        window = wide_window(plan, indicator)
    else:
        stream.wide = 0
    for detector in stream.detectors:
        if may_be_raised(detector) and detector.late_window != window:
            detector.remember(window)
    return window


def may_be_raised(detector: Detector) -> TypeGuard[Revisable]:
    """Whether late events can raise the evidence of this detector."""
    return hasattr(detector, "raise_late")
