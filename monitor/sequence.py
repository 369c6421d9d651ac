"""Duplicates count once and gaps are a finding: the sequence numbers of each emitter incarnation."""

from __future__ import annotations

from monitor.state import SOURCES, WINDOW, Pilot, Source
from monitor.telemetry import Envelope


def fresh(pilot: Pilot, event: Envelope, received: int) -> bool | None:
    """Take note of an event's sequence number: True = new, False = a repeat, None = too far behind to tell.

    A source starts at 0 or 1; a first number above that is a gap. At most `SOURCES` incarnations are remembered (the one
    heard longest ago is forgotten first), and `WINDOW` numbers behind the highest of each.
    """
    number = int(event.sequence)
    source = pilot.sources.get(event.source)
    if source is None:
        if len(pilot.sources) >= SOURCES:
            del pilot.sources[min(pilot.sources, key=lambda name: (pilot.sources[name].heard, name))]
        source = pilot.sources[event.source] = Source(min(number - 1, 0), offset=0.0 if number <= 1 else -1.0)
    source.heard = received
    high = source.high
    if number == high + 1:
        source.high = number
        return True
    if number > high:
        for missing in range(max(high + 1, number - WINDOW), number):
            source.missing[missing] = received
        source.high = number
        for old in [m for m in source.missing if m <= number - WINDOW]:
            del source.missing[old]
        return True
    if number in source.missing:
        del source.missing[number]
        return True
    return None if number <= high - WINDOW else False


def gaps_since(pilot: Pilot, start: int) -> int:
    """How many numbers are missing that were noticed at or after `start` (ms)."""
    return sum(at >= start for source in pilot.sources.values() for at in source.missing.values())


def gaps_by_source(pilot: Pilot, start: int) -> list[tuple[int, str, int]]:
    """The sources of which numbers are missing that were noticed at or after `start` (ms): how many, the source, since when
    (ms). The most first."""
    noticed = {name: [at for at in source.missing.values() if at >= start] for name, source in pilot.sources.items()}
    return sorted(((len(at), name, min(at)) for name, at in noticed.items() if at), key=lambda gap: (-gap[0], gap[1]))
