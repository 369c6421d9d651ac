"""Detectors that learn what is usual learn it again. Limits and e-processes against limits are not touched. Pure."""

from __future__ import annotations

from monitor.compile.plan import CompiledIndicator, build_detectors, stream_key
from monitor.decide.context import DecisionContext


def relearn(context: DecisionContext, indicator: CompiledIndicator) -> bool:
    """Reset the detectors of an indicator that learn a baseline, in all its segments, and clear their findings. Returns
    whether there were any."""
    pilot = context.pilot
    learnt = [place for place, spec in enumerate(indicator.spec.detectors) if indicator.learns(spec)]
    for segment in indicator.segments if learnt else ():
        stream = pilot.streams[stream_key(indicator, segment)]
        fresh = build_detectors(pilot.charter, indicator, pilot.standing.restart)
        for place in learnt:
            spec = indicator.spec.detectors[place]
            stream.detectors[place] = fresh[place]
            context.clear(f"{stream_key(indicator, segment)}/{spec.name}", context.finding(indicator, segment, spec))
    return bool(learnt)
