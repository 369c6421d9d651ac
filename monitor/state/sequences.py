"""The sequence numbers of each emitter incarnation: repeats count once, gaps and conflicts are findings. Pure.

A number is a repeat only if the event is the same (`monitor/state/seen.py`). Another event under a used number is a
conflict: two emitters share a source, or one restarted its numbers at 1.

A source belongs to the key that signed its events. It may pass to another key of the firm, as keys are rotated, but
not back: an event that is signed with an earlier key again is no event of this source, unless it was under way when
the key changed and fills a gap.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from monitor.model.bounds import FEW_SOURCES, SOURCES, WINDOW, marks_kept, seen_kept, short
from monitor.model.events import Envelope, IncidentReported, IncidentUpdated, millis
from monitor.state.exposure import exposure_missing
from monitor.state.incidents import reported
from monitor.state.missing import RANGES, RANGES_OF_ALL, add_lost
from monitor.state.pilot import PilotState, Source
from monitor.state.seen import ANY_DIGEST, NO_DIGEST, digest_of

Arrival: TypeAlias = Literal["new", "repeat", "conflict", "too_old", "older_key"]
EARLIER_KEYS = 3  # remembered per source


def accept_sequence(pilot: PilotState, event: Envelope, received: int, key: int = 0) -> Arrival:
    """Classify an event by its sequence number, and remember the number. Only a "new" event is counted.

    `key` is that of the event's sender (`monitor.decide.senders.Sender`); all keys of one pilot's sources are in force.

    A source starts at 0 or 1; a first number above that is a gap. Missing numbers may come up to `WINDOW` numbers late.
    An event under a used number whose digest is not remembered is a conflict when its time is later than all before it,
    which no repeat can have; otherwise it is "too_old": repeat and conflict cannot be distinguished.
    """
    number, at = int(event.sequence), millis(event.time)
    name = short(event.source)
    source = pilot.sources.get(name)
    if source is None:
        source = _new_source(pilot, name, number)
        source.key = key
    elif source.key != key and not _passes(source, key) and not (number in source.missing and at <= source.newest):
        found = _seen(pilot, source, event, number, at) if number <= source.high else "conflict"
        return "older_key" if found == "conflict" else found
    source.heard = received
    high, keep = source.high, seen_kept(len(pilot.sources))
    if number > high:
        if number > high + 1:
            source.missing.add(high + 1, number - 1, received)
            if key and pilot.gap is None:
                pilot.gap = received
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
    return _seen(pilot, source, event, number, at)


def conflicted_since(pilot: PilotState, start: int) -> bool:
    """Whether a source sent two events under one number at or after `start` (ms)."""
    return pilot.conflicted is not None and pilot.conflicted >= start


def gaps_since(pilot: PilotState, start: int) -> int:
    """How many numbers are missing that were noticed at or after `start` (ms), including those of dropped sources."""
    found = sum([source.missing.since(start) for source in pilot.sources.values() if source.missing.ranges])
    return found + sum([count for at, count in pilot.lost if at >= start])


def gap_noticed_after(pilot: PilotState, at: int) -> int | None:
    """When the first gap after `at` (ms) was noticed of which numbers are still missing; `None` = there is none."""
    found = [since for source in pilot.sources.values() for _, _, since in source.missing.ranges if since > at]
    return min([*found, *(since for since, _ in pilot.lost if since > at)], default=None)


def gaps_by_source(pilot: PilotState, start: int) -> list[tuple[int, str, int]]:
    """The sources with missing numbers that were noticed at or after `start` (ms), the most first: how many, the
    source, since when (ms). Numbers of sources and gaps that are no longer tracked are counted under one name."""
    found = []
    for name, source in pilot.sources.items():
        noticed = [at for _, _, at in source.missing.ranges if at >= start]
        if noticed:
            found.append((source.missing.since(start), name, min(noticed)))
    lost = [(count, at) for at, count in pilot.lost if at >= start]
    if lost:
        found.append((sum([count for count, _ in lost]), "sources no longer followed", min(at for _, at in lost)))
    return sorted(found, key=lambda gap: (-gap[0], gap[1]))


def forget_gaps(pilot: PilotState, before: int) -> None:
    """Drop numbers that can no longer come and were noticed before `before` (ms), the start of the first open
    period."""
    for source in pilot.sources.values():
        if source.missing.ranges:
            source.missing.forget(source.high - WINDOW + 1, before)
    if pilot.lost:
        pilot.lost = [entry for entry in pilot.lost if entry[0] >= before]


def _seen(pilot: PilotState, source: Source, event: Envelope, number: int, at: int) -> Arrival:
    """What an event of `at` (ms) is whose number is not above the highest of its source.

    It is a repeat only if nothing speaks against it: it is not later than all events before it, its digest is equal if
    one is remembered, and it reports no incident that is not known.
    """
    known = source.seen.at(source.high - number)
    if 0 < source.newest < at:
        return "conflict"
    if known == NO_DIGEST:
        return "too_old"
    if _unreported(pilot, event, at):
        return "too_old" if known == ANY_DIGEST else "conflict"
    return "repeat" if known in (ANY_DIGEST, digest_of(event)) else "conflict"


def _passes(source: Source, key: int) -> bool:
    """Pass a source to another key, unless it had that key before. Returns whether it was passed.

    0 is no key: the charter named none when the source was heard, or names none now. Who holds a key takes the source;
    and once the charter names no keys, any record is accepted.
    """
    if key and key in source.earlier:
        return False
    if source.key:
        source.earlier = (*source.earlier, source.key)[-EARLIER_KEYS:] if key else ()
    source.key = key
    return True


def _unreported(pilot: PilotState, event: Envelope, at: int) -> bool:
    """Whether an event of `at` (ms) reports an incident that is not known. It is then no repeat, even if its digest
    equals that of another event (events with the same 16 bits are easily found)."""
    if not isinstance(event, IncidentReported | IncidentUpdated) or at < pilot.began:
        return False
    return not reported(pilot.incidents, event)


def _new_source(pilot: PilotState, name: str, number: int) -> Source:
    """Start to track a source. Of too many, the one heard longest ago is dropped; its missing numbers still count, and
    exposure that it stated and did not tally counts as one missing number."""
    sources = pilot.sources
    if len(sources) >= SOURCES:
        dropped = sources.pop(_least_recent(sources))
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


def _bound_ranges(pilot: PilotState, source: Source) -> None:
    """Keep the number of ranges bounded: dropped numbers count as lost and can no longer be received."""
    if len(source.missing.ranges) > RANGES:
        pilot.lost = add_lost(pilot.lost, source.missing.drop_first())
    if len(pilot.sources) * RANGES <= RANGES_OF_ALL:
        return
    if sum([len(each.missing.ranges) for each in pilot.sources.values()]) > RANGES_OF_ALL:
        found = {name: each for name, each in pilot.sources.items() if each.missing.ranges}
        pilot.lost = add_lost(pilot.lost, found[_least_recent(found)].missing.drop_first())


def _least_recent(sources: dict[str, Source]) -> str:
    """The source that was heard longest ago, the first by name of several. Two passes: a key for each takes thrice as
    long, and a flood of sources pays this per event."""
    heard = min([source.heard for source in sources.values()])
    return min([name for name, source in sources.items() if source.heard == heard])
