"""What the machine remembers of one pilot, and its bytes: numbers, the charter in force, nothing else.

A snapshot is msgpack with a version in front. Detectors are stored as their own fields under their registered name.
"""

from __future__ import annotations

import functools

import msgspec
from msgspec import Struct, structs

from detectors.base import Detector
from monitor.charter import Charter, charter_hash
from monitor.decide import Standing
from monitor.errors import LogBroken
from monitor.indicators.base import Open
from monitor.order import Order
from monitor.periods import parse_span
from monitor.plan import Plan, Watch, plan_of

VERSION = 4
READS = (2, 3, 4)  # what versions 3 and 4 added stands at the end of each array and is empty in an older snapshot
WINDOW = 1024  # how far behind its highest sequence a source may still deliver
SOURCES = 512  # emitter incarnations remembered per pilot


class Source(Struct, array_like=True):
    """One emitter incarnation: highest sequence, the missing ones below it (sequence -> when noticed), when last heard;
    exposure tallied since we know it, what its counter stated before that (-1 = not known yet), its last statements, the
    latest time (ms) it told of exposure or of itself, whether it serves no more."""

    high: int
    missing: dict[int, int] = {}
    heard: int = 0
    tallied: float = 0.0
    offset: float = 0.0
    marks: list[tuple[int, float]] = []
    latest: int = 0
    ended: bool = False


class Stream(Struct):
    """One indicator in one segment: open periods, the next to close, what is open in stock, closed periods that detectors
    have seen (newest last), detectors in the charter's order."""

    next: int
    open: dict[int, Open] = {}
    stock: float = 0.0
    seen: list[int] = []
    detectors: list[Detector] = []


class Pilot(Struct):
    """Everything about one pilot. `received` is the clipped receive time (ms), `heard` when each silence watch last heard it,
    `due` the next timer (ms; may be early, never late), `drilled` when the charter last asked for a drill (ms), `tolerated`
    when a crossing of a limit was (ms; 0 = never), `judged` the ids of all steps towards a release, taken or refused."""

    id: str
    charter: Charter
    hash: str
    standing: Standing
    admitted: int
    received: int
    model: str = ""
    exited: bool = False
    sources: dict[str, Source] = {}
    streams: dict[str, Stream] = {}
    heard: dict[str, int] = {}
    controls: list[str] = []
    due: int = 0
    drilled: int = 0
    tolerated: int = 0
    judged: list[str] = []


class _Snapshot(Struct, array_like=True):
    version: int
    id: str
    charter: Charter
    standing: Standing
    admitted: int
    received: int
    model: str
    exited: bool
    sources: dict[str, Source]
    streams: dict[str, tuple[int, dict[int, Open], float, list[int], list[msgspec.Raw]]]
    heard: dict[str, int]
    controls: list[str]
    drilled: int = 0
    tolerated: int = 0
    judged: list[str] = []
    hash: str = ""


_decode = msgspec.msgpack.Decoder(_Snapshot)


def key(watch: Watch, segment: str) -> str:
    """Name of a stream: indicator and segment; also the front of its findings' keys."""
    return f"{watch.name}/{segment}"


def snapshot(p: Pilot) -> bytes:
    """The bytes of a pilot's state."""
    streams = {
        name: (s.next, s.open, s.stock, s.seen, [msgspec.Raw(msgspec.msgpack.encode(d)) for d in s.detectors])
        for name, s in p.streams.items()
    }
    return msgspec.msgpack.encode(
        _Snapshot(
            VERSION, p.id, p.charter, p.standing, p.admitted, p.received, p.model, p.exited,
            p.sources, streams, p.heard, p.controls, p.drilled, p.tolerated, p.judged, p.hash,
        )
    )  # fmt: skip


def restore(raw: bytes) -> tuple[Pilot, Plan]:
    """A pilot and its plan from bytes. Raises LogBroken when the bytes are not a snapshot of a version this code reads."""
    try:
        s = _decode.decode(raw)
    except msgspec.MsgspecError as error:
        raise LogBroken(f"a state snapshot cannot be read: {error}") from error
    if s.version not in READS:
        raise LogBroken(f"a state snapshot has version {s.version}, this code reads {' and '.join(map(str, READS))}")
    if s.version == 2:
        s = _from_2(s)
    plan = plan_of(s.charter)
    charter = structs.replace(plan.charter, pilot=s.charter.pilot)  # equal, and all but the name is shared
    streams = {}
    for watch in plan.watches:
        for segment in watch.segments:
            name = key(watch, segment)
            nxt, opened, stock, seen, raws = s.streams[name]
            built = [_detector(c).decode(r) for r, c in zip(raws, plan.classes[watch.name], strict=True)]
            streams[name] = Stream(nxt, opened, stock, seen, built)
    pilot = Pilot(
        s.id, charter, s.hash or charter_hash(charter), s.standing, s.admitted, s.received, s.model, s.exited,
        s.sources, streams, s.heard, s.controls, drilled=s.drilled, tolerated=s.tolerated, judged=s.judged,
    )  # fmt: skip
    return pilot, plan


@functools.cache
def _detector(kind: type[Detector]) -> msgspec.msgpack.Decoder[Detector]:
    return msgspec.msgpack.Decoder(kind)


def _from_2(s: _Snapshot) -> _Snapshot:
    """Version 2 knew the id of the command in force, not its standing: the highest that it can have stands for it. A halt of
    that time is followed up from its beginning."""
    standing = s.standing
    if standing.command:
        standing = structs.replace(standing, ordered=standing.counter)
    if standing.halted:
        within = parse_span(s.charter.responses.acknowledge_within).after(s.received)
        standing = structs.replace(standing, order=Order("halt", standing.since, "commanded", within))
    return structs.replace(s, standing=standing, drilled=s.received)
