"""The sequence numbers of each emitter incarnation: repeats count once, gaps and conflicts are findings.

A number is a repeat only if the event is the same: see `monitor/state/seen.py`. Another event under a number that was used is a
conflict: two emitters share a source, or one began again at 1.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from monitor.model.bounds import FEW_SOURCES, SOURCES, WINDOW, marks_kept, seen_kept, short
from monitor.model.events import Envelope, IncidentReported, IncidentUpdated, millis
from monitor.state.exposure import exposure_missing
from monitor.state.incidents import reported
from monitor.state.missing import RANGES, RANGES_OF_ALL, add_lost
from monitor.state.pilot import Pilot, Source
from monitor.state.seen import ANY_DIGEST, NO_DIGEST, digest_of

Arrival: TypeAlias = Literal["new", "repeat", "conflict", "too_old"]


def arrived(pilot: Pilot, event: Envelope, received: int) -> Arrival:
    """Take note of an event's sequence number: what it is. Only a "new" event is to be counted.

    A source starts at 0 or 1; a first number above that is a gap. Missing numbers may come up to `WINDOW` numbers late. An
    event under a used number that is not remembered is a conflict when it tells of a later time than all before it, as no
    repeat can; else it is "too_old": nobody can tell.
    """
    number, at = int(event.sequence), millis(event.time)
    name = short(event.source)
    source = pilot.sources.get(name)
    if source is None:
        source = _new_source(pilot, name, number)
    source.heard = received
    high, keep = source.high, seen_kept(len(pilot.sources))
    if number > high:
        if number > high + 1:
            source.missing.add(high + 1, number - 1, received)
            source.seen.skip(number - high - 1, keep)
            _bound_ranges(pilot, source)
        source.seen.add((event,), keep)
        source.high = number
        source.newest = max(source.newest, at)
        return "new"
    back = high - number
    if number in source.missing:
        if back >= WINDOW:
            return "too_old"
        source.missing.take(number)
        source.seen.put(back, event)
        source.newest = max(source.newest, at)
        _bound_ranges(pilot, source)
        return "new"
    known = source.seen.at(back)
    if known not in (NO_DIGEST, ANY_DIGEST):
        return "repeat" if known == digest_of(event) and not _unreported(pilot, event, at) else "conflict"
    if 0 < source.newest < at:
        return "conflict"
    return "repeat" if known == ANY_DIGEST else "too_old"


def conflicted_since(pilot: Pilot, start: int) -> bool:
    """Whether a source sent two events under one number at or after `start` (ms)."""
    return pilot.conflicted is not None and pilot.conflicted >= start


def gaps_since(pilot: Pilot, start: int) -> int:
    """How many numbers are missing that were noticed at or after `start` (ms), those of forgotten sources included."""
    found = sum([source.missing.since(start) for source in pilot.sources.values() if source.missing.ranges])
    return found + sum([count for at, count in pilot.lost if at >= start])


def gaps_by_source(pilot: Pilot, start: int) -> list[tuple[int, str, int]]:
    """The sources of which numbers are missing that were noticed at or after `start` (ms): how many, the source, since when
    (ms); what is missing of sources and gaps that are not remembered comes under one name. The most first."""
    found = []
    for name, source in pilot.sources.items():
        noticed = [at for _, _, at in source.missing.ranges if at >= start]
        if noticed:
            found.append((source.missing.since(start), name, min(noticed)))
    lost = [(count, at) for at, count in pilot.lost if at >= start]
    if lost:
        found.append((sum([count for count, _ in lost]), "sources no longer followed", min(at for _, at in lost)))
    return sorted(found, key=lambda gap: (-gap[0], gap[1]))


def forget_gaps(pilot: Pilot, before: int) -> None:
    """Forget what can no longer come, and was noticed before `before` (ms): before all periods that are still open."""
    for source in pilot.sources.values():
        if source.missing.ranges:
            source.missing.forget(source.high - WINDOW + 1, before)
    if pilot.lost:
        pilot.lost = [entry for entry in pilot.lost if entry[0] >= before]


def _unreported(pilot: Pilot, event: Envelope, at: int) -> bool:
    """Whether an event of `at` (ms) tells of an incident that is not known: no repeat, though its digest is that of another event
    (events with the same 16 bits are easily found)."""
    if not isinstance(event, IncidentReported | IncidentUpdated) or at < pilot.admitted:
        return False
    return not reported(pilot.incidents, event)


def _new_source(pilot: Pilot, name: str, number: int) -> Source:
    """Begin to follow a source. Of too many, the one heard longest ago is forgotten; what is missing of it goes on to count,
    and exposure that it stated and never told counts as one missing number."""
    sources = pilot.sources
    if len(sources) >= SOURCES:
        dropped = sources.pop(min(sources, key=lambda name: (sources[name].heard, name)))
        while dropped.missing.ranges:
            pilot.lost = add_lost(pilot.lost, dropped.missing.drop_first())
        if exposure_missing(dropped):
            pilot.lost = add_lost(pilot.lost, (dropped.heard, 1))
    source = sources[name] = Source(min(number - 1, 0), offset=0.0 if number <= 1 else None)
    if len(sources) == FEW_SOURCES + 1:
        for each in sources.values():
            each.seen.keep(seen_kept(len(sources)))
            each.statements.thin(marks_kept(len(sources)))
    return source


def _bound_ranges(pilot: Pilot, source: Source) -> None:
    """Keep the number of ranges bounded: what is dropped counts as lost, and can no longer come."""
    if len(source.missing.ranges) > RANGES:
        pilot.lost = add_lost(pilot.lost, source.missing.drop_first())
    if len(pilot.sources) * RANGES <= RANGES_OF_ALL:
        return
    if sum([len(each.missing.ranges) for each in pilot.sources.values()]) > RANGES_OF_ALL:
        found = [(each.heard, name) for name, each in pilot.sources.items() if each.missing.ranges]
        pilot.lost = add_lost(pilot.lost, pilot.sources[min(found)[1]].missing.drop_first())
