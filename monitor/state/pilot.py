"""What the machine remembers of one pilot: numbers and the charter in force. `monitor/state/snapshots.py` has its
bytes. Pure."""

from __future__ import annotations

import functools
import zlib
from array import array
from collections.abc import Collection, Sequence

import msgspec
from msgspec import Struct

from detectors.base import Detector
from monitor.charter.spec import Charter
from monitor.compile.plan import Plan
from monitor.deadlines.engine import Clocks
from monitor.errors import LogBroken
from monitor.indicators.base import OpenPeriod
from monitor.lifecycle.life import ADMITTED_BEFORE, Lifecycle
from monitor.model.notice import Rejections
from monitor.model.rectification_window import RectificationWindow
from monitor.state.acts_once import ActMemory
from monitor.state.incidents import Incidents
from monitor.state.missing import LostCount, Missing
from monitor.state.review import NO_STAY, NOT_REVIEWED, Review, Stay
from monitor.state.rollout import FIRST_STEP, Rollout
from monitor.state.running import NOTHING_RUNS, Running
from monitor.state.seen import SequenceDigests
from monitor.state.shadow import ShadowTerm
from monitor.state.standing import Standing
from monitor.state.tally import Tally
from monitor.state.uncounted import ReportedLabels
from monitor.state.users import NO_USERS, UsersState


class ExposureStatements:
    """What heartbeats stated of exposure, oldest first: when (ms), and the counter. An array takes 8 bytes a number."""

    __slots__ = ("at", "stated")

    def __init__(self, pairs: Collection[tuple[int, float]] = ()) -> None:
        self.at = array("q", [at for at, _ in pairs])
        self.stated = array("d", [stated for _, stated in pairs])

    def pairs(self) -> list[tuple[int, float]]:
        """As (when, counter)."""
        return list(zip(self.at, self.stated, strict=True))

    def thin(self, most: int) -> None:
        """Keep at most `most`: drops every second one, the oldest first, until no more are left."""
        while len(self.at) > most:
            del self.at[::2], self.stated[::2]


class Source(Struct, array_like=True, gc=False):
    """One emitter incarnation: its highest sequence number, the missing ones below it, when it was last `heard` (ms);
    the exposure that it `tallied` since it is known, what its counter stated before that (`offset`; `None` = not known
    yet), its last `statements`, the `latest` time (ms) for which it reported exposure or liveness, whether it `ended`
    (serves no more); digests of the events `seen` under its last numbers, the `newest` time (ms) of an event; the `key`
    that signs it (`monitor.decide.senders.Sender`; 0 = none had to), and the `earlier` ones, oldest first."""

    high: int
    missing: Missing = msgspec.field(default_factory=Missing)
    heard: int = 0
    tallied: float = 0.0
    offset: float | None = 0.0
    statements: ExposureStatements = msgspec.field(default_factory=ExposureStatements)
    latest: int = 0
    ended: bool = False
    seen: SequenceDigests = msgspec.field(default_factory=SequenceDigests)
    newest: int = 0
    key: int = 0
    earlier: tuple[int, ...] = ()


class PackedDetectors(Struct, gc=False):
    """All detectors of a pilot as bytes, one blob for each stream; decompressed when the first of them is read."""

    packed: bytes
    blobs: list[bytes] | None = None

    def blob(self, place: int) -> bytes:
        """The detectors of one stream. Raises LogBroken when the bytes are not packed detectors."""
        return self.all()[place]

    def all(self) -> list[bytes]:
        """The detectors of all streams. Raises LogBroken when the bytes are not packed detectors."""
        if self.blobs is None:
            try:
                self.blobs = [bytes(raw) for raw in _raws.decode(zlib.decompress(self.packed))]
            except (msgspec.MsgspecError, zlib.error) as error:
                raise LogBroken(f"the detectors of a state snapshot cannot be read: {error}") from error
        return self.blobs


class Stream(Struct, gc=False):
    """One indicator in one segment: the `next` period to close, `open` periods by index, how much is open in `stock`,
    the closed periods that detectors have `seen` (newest last), and the detectors in the charter's order: `held` as
    objects, or packed at that `place`; `tally`: totals since its statistics began (`None` = no period closed since)."""

    next: int
    open: dict[int, OpenPeriod] = {}
    stock: float = 0.0
    seen: tuple[int, ...] = ()
    held: list[Detector] | PackedDetectors = []
    place: int = 0
    kinds: tuple[type[Detector], ...] = ()  # classes of the detectors; one tuple for all pilots of a plan
    wide: int = 0  # the period up to which the late window stays wide (`monitor/detect/late_window.py`); 0 = narrow
    tally: Tally | None = None

    @property
    def detectors(self) -> list[Detector]:
        """The detectors as objects; unpacks them first if needed. Raises LogBroken when they cannot be read."""
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


class HeldLate(Struct, array_like=True, gc=False):
    """What of one stream came too late to count since its last period closed, without the first of it: how many times
    (`count`), events and exposure, and from when to when (ms) it happened. With `count` 0 there was only the first."""

    count: int = 0
    start: int = 0
    end: int = 0
    k: float = 0.0
    m: float = 0.0


class PilotState(Struct, gc=False):
    """Everything about one pilot. Times are in ms; `None` = never.

    `plan` is its compiled charter, `hash` the charter's hash; `received` the clipped time of its newest record; `heard`
    when each silence indicator last heard it; `due` when its next timer fires (may be early, never late); `drilled`
    when the charter last asked for a drill; `tolerated` when a crossing of a limit was tolerated, `window` the
    rectification that is owed for it; `outage` from when to when the monitor was last down; `incidents` the incident
    ids that were reported; `leaving` whether its exit is on record and waits for a verified stop; `acts` what is
    remembered of acts; `lost` how many numbers are missing of sources and gaps that are no longer tracked;
    `conflicted` when a source last sent two events under one number; `rejections` what of its telemetry was rejected;
    `uncounted` which labels that count nowhere were reported; `gap` when the first missing number was noticed that may
    still arrive out of order, where events are signed; `late_dropped` when an event last counted nowhere because it was
    late, and `late_events` how many did; `life` its state in the sandbox; `clocks` its legal deadlines, `clocks_wait`
    until when none of them is found to be missed, as what was sent during an outage of the monitor may still be unread;
    `held_model` the model that served when an evidence hold began ("" = none is in force); `running` what else is known
    of a pilot that runs (`monitor/state/running.py`); `review` and `stay` what its assessments and exit need;
    `late_held` what of the late events is not on record yet, by stream; `responsible` the ids of the authorities that
    are responsible, `()` where the sandbox does not compute them or there is none; `users` what the users' channel
    reported; `shadow` its shadow charter; `rollout` its step of a rollout."""

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
    tolerated: int | None = None
    outage: tuple[int, int] | None = None
    incidents: Incidents = msgspec.field(default_factory=Incidents)
    leaving: bool = False
    acts: ActMemory = msgspec.field(default_factory=ActMemory)
    lost: list[LostCount] = []
    conflicted: int | None = None
    window: RectificationWindow = RectificationWindow()
    rejections: Rejections = Rejections()
    uncounted: ReportedLabels = msgspec.field(default_factory=ReportedLabels)
    gap: int | None = None
    late_dropped: int | None = None
    late_events: int = 0
    life: Lifecycle = ADMITTED_BEFORE
    clocks: Clocks = Clocks()
    clocks_wait: int | None = None
    held_model: str = ""
    running: Running = NOTHING_RUNS
    review: Review = NOT_REVIEWED
    late_held: dict[str, HeldLate] = {}
    stay: Stay = NO_STAY
    responsible: tuple[str, ...] = ()
    users: UsersState = NO_USERS
    shadow: ShadowTerm | None = None
    rollout: Rollout = FIRST_STEP

    @property
    def cycle(self) -> tuple[int, int]:
        """From when to before when (ms) the system may be used: the cycle of the charter, or one that was granted."""
        return self.running.cycle or self.plan.cycle

    @property
    def began(self) -> int:
        """When the pilot began (ms): at its admission, or at the start of its cycle if it was admitted after that."""
        return min(self.admitted, self.plan.cycle[0])

    @property
    def loud_at(self) -> int:
        """When it was last at level escalate or above (ms), or when it began."""
        return self.began if self.review.loud is None else self.review.loud

    def quiet_for(self, at: int) -> int:
        """How long (ms) it has run below level escalate at `at` (ms). Pauses do not count: nothing was used in them."""
        since = self.running.paused_since
        open_pause = 0 if since is None else max(at - max(since, self.loud_at), 0)
        return max(at - self.loud_at - self.stay.paused - open_pause, 0)

    def packed(self) -> bytes:
        """The detectors of all streams, in the charter's order, as compressed bytes."""
        streams = [self.streams[name] for name, _ in self.plan.streams]
        held = streams[0].held if streams else []
        if isinstance(held, PackedDetectors) and all(s.held is held and s.place == i for i, s in enumerate(streams)):
            return held.packed
        return pack([stream.blob() for stream in streams])

    def detectors_whole(self) -> bool:
        """Whether packed detectors can be unpacked. Raises LogBroken when they cannot."""
        packed = [stream.held for stream in self.streams.values() if isinstance(stream.held, PackedDetectors)]
        count = len(PackedDetectors(packed[0].packed).all()) if packed else 0
        return count == len(packed)

    def pack_detectors(self) -> None:
        """Hold all detectors as bytes until the next use: a twentieth of the memory."""
        packed = PackedDetectors(self.packed())
        for place, (name, _) in enumerate(self.plan.streams):
            stream = self.streams[name]
            stream.held, stream.place = packed, place


@functools.lru_cache(maxsize=1024)
def shared_tuple(indexes: tuple[int, ...]) -> tuple[int, ...]:
    """One tuple for all streams that have seen the same periods."""
    return indexes


def pack(blobs: Sequence[bytes]) -> bytes:
    """The detectors of all streams, each encoded, as compressed bytes."""
    return zlib.compress(msgspec.msgpack.encode([msgspec.Raw(blob) for blob in blobs]), 1)


_raws = msgspec.msgpack.Decoder(list[msgspec.Raw])


@functools.cache
def _detectors(kinds: tuple[type[Detector], ...]) -> msgspec.msgpack.Decoder[tuple[Detector, ...]]:
    return msgspec.msgpack.Decoder(tuple[kinds])  # type: ignore[valid-type]
