"""What the machine remembers of one pilot, and its bytes: numbers, the charter in force, nothing else.

A snapshot is msgpack with a version in front. It carries its charter in full, compressed, and the pilot's name beside it, so
that pilots under one charter carry the same bytes of it, which are read once. Detectors are stored as their own fields,
and read when a period ends or evidence is looked at.
"""

from __future__ import annotations

import functools
import zlib
from array import array
from collections.abc import Collection
from typing import Any

import msgspec
from msgspec import Struct, structs

from detectors.base import Detector
from monitor.charter.spec import Charter, charter_hash
from monitor.compile.plan import Plan, plan_of, unpacked
from monitor.errors import LogBroken
from monitor.indicators.base import OpenPeriod
from monitor.model.bounds import marks_kept, seen_kept, short
from monitor.model.notice import Rejections
from monitor.model.periods import parse_span
from monitor.model.rectification_window import RectificationWindow
from monitor.state.acts_once import ActMemory, memory_before_version_6
from monitor.state.halt_state import HaltState
from monitor.state.incidents import Incidents
from monitor.state.missing import RANGES, RANGES_OF_ALL, LostCount, Missing, add_lost
from monitor.state.seen import SequenceDigests, before_digests
from monitor.state.standing import Standing
from monitor.state.uncounted import ReportedLabels

VERSION = 6
READS = (2, 3, 4, 5, 6)
# What 3, 4 and 6 added stands at the end of each array, empty in an older snapshot; 5 packs the charter and the detectors; 6
# has ranges of missing numbers.


class ExposureStatements:
    """What heartbeats stated of exposure, oldest first: when (ms), and the counter. A number takes 8 bytes here."""

    __slots__ = ("at", "stated")

    def __init__(self, pairs: Collection[tuple[int, float]] = ()) -> None:
        self.at = array("q", [at for at, _ in pairs])
        self.stated = array("d", [stated for _, stated in pairs])

    def pairs(self) -> list[tuple[int, float]]:
        """As (when, counter)."""
        return list(zip(self.at, self.stated, strict=True))

    def thin(self, most: int) -> None:
        """Keep at most `most`: every second one is forgotten, the oldest first, until there are no more."""
        while len(self.at) > most:
            del self.at[::2], self.stated[::2]


class Source(Struct, array_like=True, gc=False):
    """One emitter incarnation: highest sequence, the missing ones below it, when last heard; exposure tallied since we
    know it, what its counter stated before that (-1 = not known yet), its last statements, the latest time (ms) it told
    of exposure or of itself, whether it serves no more; what was seen under its last numbers, the latest time (ms) of
    an event."""

    high: int
    missing: Missing = msgspec.field(default_factory=Missing)
    heard: int = 0
    tallied: float = 0.0
    offset: float = 0.0
    statements: ExposureStatements = msgspec.field(default_factory=ExposureStatements)
    latest: int = 0
    ended: bool = False
    seen: SequenceDigests = msgspec.field(default_factory=SequenceDigests)
    newest: int = 0


class PackedDetectors(Struct, gc=False):
    """All detectors of a pilot as bytes, one blob for each stream: compressed until one of them is asked for."""

    packed: bytes
    blobs: list[bytes] | None = None

    def blob(self, place: int) -> bytes:
        """The detectors of one stream. Raises LogBroken when the bytes are no such thing."""
        if self.blobs is None:
            try:
                self.blobs = [bytes(raw) for raw in _raws.decode(zlib.decompress(self.packed))]
            except (msgspec.MsgspecError, zlib.error) as error:
                raise LogBroken(f"the detectors of a state snapshot cannot be read: {error}") from error
        return self.blobs[place]


class Stream(Struct, gc=False):
    """One indicator in one segment: open periods, the next to close, what is open in stock, closed periods that detectors
    have seen (newest last), detectors in the charter's order: `held` as objects, or at rest in that `place`."""

    next: int
    open: dict[int, OpenPeriod] = {}
    stock: float = 0.0
    seen: tuple[int, ...] = ()
    held: list[Detector] | PackedDetectors = []
    place: int = 0
    kinds: tuple[type[Detector], ...] = ()  # of the detectors; shared

    @property
    def detectors(self) -> list[Detector]:
        """The detectors, ready to be asked. Raises LogBroken when they rest and cannot be read."""
        held = self.held
        if isinstance(held, PackedDetectors):
            try:
                held = self.held = list(_detectors(self.kinds).decode(held.blob(self.place)))
            except msgspec.MsgspecError as error:
                raise LogBroken(f"a detector of a state snapshot cannot be read: {error}") from error
        return held

    @detectors.setter
    def detectors(self, built: list[Detector]) -> None:
        self.held = built

    def blob(self) -> bytes:
        """The detectors as bytes."""
        held = self.held
        return held.blob(self.place) if isinstance(held, PackedDetectors) else msgspec.msgpack.encode(held)


class Pilot(Struct, gc=False):
    """Everything about one pilot. `plan` is its charter made ready, `received` is the clipped receive time (ms),
    `heard` when each silence watch last heard it, `due` the next timer (ms; may be early, never late), `drilled` when
    the charter last asked for a drill (ms), `tolerated` when a crossing of a limit was (ms; 0 = never), `away` from
    when to when (ms) the monitor was last away, `incidents` the incident ids that were reported, `leaving` whether its
    exit is on record and waits for a stop to be verified, `acts` what is remembered of acts, `lost` what is missing of
    sources and gaps that are not remembered, `conflicted` when a source last sent two events under one number (ms; 0 =
    never), `window` the rectification that is owed for a tolerated crossing, `rejections` what of its telemetry was
    rejected, `uncounted` what was said of labels that count nowhere."""

    id: str
    charter: Charter
    plan: Plan
    hash: str
    standing: Standing
    admitted: int
    received: int
    model: str = ""
    exited: bool = False
    sources: dict[str, Source] = {}
    streams: dict[str, Stream] = {}
    heard: dict[str, int] = {}
    due: int = 0
    drilled: int = 0
    tolerated: int = 0
    away: tuple[int, int] = (0, 0)
    incidents: Incidents = msgspec.field(default_factory=Incidents)
    leaving: bool = False
    acts: ActMemory = msgspec.field(default_factory=ActMemory)
    lost: list[LostCount] = []
    conflicted: int = 0
    window: RectificationWindow = RectificationWindow()
    rejections: Rejections = Rejections()
    uncounted: ReportedLabels = msgspec.field(default_factory=ReportedLabels)

    @property
    def began(self) -> int:
        """When the pilot began (ms): at its admission, or at the start of its cycle if it was admitted later than
        that."""
        return min(self.admitted, self.plan.cycle[0])

    def packed(self) -> bytes:
        """The detectors of all streams, in the charter's order, as compressed bytes."""
        streams = [self.streams[name] for name, _ in self.plan.streams]
        held = streams[0].held if streams else []
        if isinstance(held, PackedDetectors) and all(s.held is held and s.place == i for i, s in enumerate(streams)):
            return held.packed
        return _packed([stream.blob() for stream in streams])

    def pack_detectors(self) -> None:
        """Hold all detectors as bytes until they are asked for: a twentieth of the memory."""
        resting = PackedDetectors(self.packed())
        for place, (name, _) in enumerate(self.plan.streams):
            stream = self.streams[name]
            stream.held, stream.place = resting, place


class _Kept(Struct, array_like=True, gc=False):
    next: int
    open: dict[int, OpenPeriod]
    stock: float
    seen: tuple[int, ...]
    detectors: msgspec.Raw = msgspec.Raw()  # up to version 4


class _Snapshot(Struct, array_like=True):
    version: int
    id: str
    charter: Charter | bytes  # bytes: packed
    standing: Standing
    admitted: int
    received: int
    model: str
    exited: bool
    sources: dict[str, Source]
    streams: dict[str, _Kept]
    heard: dict[str, int]
    controls: list[str]  # up to version 5: ids of the last acts; now empty
    drilled: int = 0
    tolerated: int = 0
    judged: list[str] = []  # up to version 5: ids of all steps towards a release
    hash: str = ""
    detectors: bytes = b""  # packed
    away: tuple[int, int] = (0, 0)
    incidents: Incidents = msgspec.field(default_factory=Incidents)
    leaving: bool = False
    acts: ActMemory = msgspec.field(default_factory=ActMemory)
    lost: list[LostCount] = []
    conflicted: int = 0
    window: RectificationWindow = RectificationWindow()
    rejections: Rejections = Rejections()
    uncounted: ReportedLabels = msgspec.field(default_factory=ReportedLabels)


def _plain(value: ExposureStatements | Missing | SequenceDigests) -> Any:
    if isinstance(value, Missing):
        return value.ranges
    return value.raw() if isinstance(value, SequenceDigests) else value.pairs()


_encode = msgspec.msgpack.Encoder(enc_hook=_plain)
_decode = msgspec.msgpack.Decoder(_Snapshot, dec_hook=lambda kind, pairs: kind(pairs))


def snapshot(p: Pilot, charter: bytes | None = None) -> bytes:
    """The bytes of a pilot's state. `charter`: what to say in place of its charter, to whoever knows its plan."""
    found = ((name, p.streams[name]) for name, _ in p.plan.streams)
    streams: Any = {name: (s.next, _in_order(s.open), s.stock, s.seen) for name, s in found}
    return _encode.encode(
        _Snapshot(
            VERSION, p.id, p.plan.packed if charter is None else charter, p.standing, p.admitted, p.received,
            p.model, p.exited, p.sources, streams, p.heard, [], p.drilled, p.tolerated, [], p.hash,
            p.packed(), p.away, p.incidents, p.leaving, p.acts, p.lost,
            p.conflicted, p.window, p.rejections, p.uncounted,
        )
    )  # fmt: skip


def restore(raw: bytes, plan: Plan | None = None) -> tuple[Pilot, Plan]:
    """A pilot and its plan from bytes; `plan` for a snapshot without its charter. Raises LogBroken when the bytes are not a
    snapshot of a version this code reads."""
    try:
        s = _decode.decode(raw)
        if s.version not in READS:
            numbers = " and ".join(map(str, READS))
            raise LogBroken(f"a state snapshot has version {s.version}, this code reads {numbers}")
        if plan is None:
            plan = unpacked(s.charter) if isinstance(s.charter, bytes) else plan_of(s.charter)
    except (msgspec.MsgspecError, zlib.error) as error:
        raise LogBroken(f"a state snapshot cannot be read: {error}") from error
    if s.version == 2:
        s = _from_2(s, plan)
    if s.version < 6:
        s = _from_5(s)
    charter = structs.replace(plan.charter, pilot=s.id)  # equal, and all but the name is shared
    resting = PackedDetectors(s.detectors or _packed([bytes(s.streams[name].detectors) for name, _ in plan.streams]))
    streams = {}
    for place, (name, kinds) in enumerate(plan.streams):
        kept = s.streams[name]
        for opened in kept.open.values():
            opened.lighten()
        streams[name] = Stream(kept.next, kept.open, kept.stock, shared_tuple(kept.seen), resting, place, kinds)
    pilot = Pilot(
        s.id, charter, plan, s.hash or charter_hash(charter), s.standing, s.admitted, s.received, s.model, s.exited,
        s.sources, streams, s.heard, drilled=s.drilled, tolerated=s.tolerated, away=s.away, incidents=s.incidents,
        leaving=s.leaving, acts=s.acts if s.version >= 6 else memory_before_version_6(s.controls, s.judged), lost=s.lost,
        conflicted=s.conflicted, window=s.window, rejections=s.rejections,
        uncounted=s.uncounted,
    )  # fmt: skip
    return pilot, plan


@functools.lru_cache(maxsize=1024)
def shared_tuple(indexes: tuple[int, ...]) -> tuple[int, ...]:
    """One tuple for all streams that have seen the same periods."""
    return indexes


def _in_order(periods: dict[int, OpenPeriod]) -> dict[int, OpenPeriod]:
    """Periods by index: which was touched first depends on how events were batched, and is no part of the state."""
    return dict(sorted(periods.items())) if len(periods) > 1 else periods


def _packed(blobs: list[bytes]) -> bytes:
    return zlib.compress(msgspec.msgpack.encode([msgspec.Raw(blob) for blob in blobs]), 1)


_raws = msgspec.msgpack.Decoder(list[msgspec.Raw])


@functools.cache
def _detectors(kinds: tuple[type[Detector], ...]) -> msgspec.msgpack.Decoder[tuple[Detector, ...]]:
    return msgspec.msgpack.Decoder(tuple[kinds])  # type: ignore[valid-type]


def _from_2(s: _Snapshot, plan: Plan) -> _Snapshot:
    """Version 2 knew the id of the command in force, not its standing: the highest that it can have stands for it. A halt of
    that time is followed up from its beginning."""
    standing = s.standing
    if standing.command:
        standing = structs.replace(standing, ordered=standing.counter)
    if standing.halted:
        within = parse_span(plan.charter.responses.acknowledge_within).after(s.received)
        standing = structs.replace(standing, halt_state=HaltState("halt", standing.since, "commanded", within))
    return structs.replace(s, standing=standing, drilled=s.received)


def _from_5(s: _Snapshot) -> _Snapshot:
    """Version 5 bounded the numbers of a source and not its bytes: each missing number stood alone, under the source's
    full name. It knew which numbers it had seen, not what under them."""
    many, lost, ranges = len(s.sources), list[LostCount](), 0
    for source in s.sources.values():
        source.seen = before_digests(source.high, source.missing.ranges, seen_kept(many))
        source.statements.thin(marks_kept(many))
        missing = source.missing
        while missing.ranges and (len(missing.ranges) > RANGES or ranges + len(missing.ranges) > RANGES_OF_ALL):
            lost = add_lost(lost, missing.drop_first())
        ranges += len(missing.ranges)
    proofs = {short(name): proof for name, proof in s.standing.halt_state.evidence.items()}
    order = structs.replace(s.standing.halt_state, evidence=proofs)
    return structs.replace(
        s,
        sources={short(name): source for name, source in s.sources.items()},
        standing=structs.replace(s.standing, halt_state=order),
        lost=lost,
    )
