"""The bytes of a pilot's state: snapshots of this version are written, those of older versions are read. Pure.

A snapshot is msgpack that starts with its version. It carries the charter in full, compressed, and the pilot's name in
a separate field, so that pilots under one charter carry the same bytes of it, which are read once. Detectors are stored
as their fields, and read when a period ends or provisional evidence is computed.

A time that never was is `None` in memory. Snapshots are older than that rule: they have 0 there, or -1 where 0 is an
ordinary value. `_numbers` and `_nones` translate.
"""

from __future__ import annotations

import zlib
from typing import Any

import msgspec
from msgspec import Struct, structs

from monitor.charter.spec import Charter, charter_hash
from monitor.compile.plan import Plan, plan_of, unpacked
from monitor.deadlines.engine import Clocks
from monitor.errors import LogBroken
from monitor.indicators.base import OpenPeriod
from monitor.lifecycle.life import Lifecycle, life_of
from monitor.model.bounds import marks_kept, seen_kept, short
from monitor.model.notice import Rejections
from monitor.model.periods import parse_span
from monitor.model.rectification_window import RectificationWindow
from monitor.state.acts_once import ActMemory, memory_before_version_6
from monitor.state.halt_state import HaltState
from monitor.state.incidents import Incidents
from monitor.state.missing import RANGES, RANGES_OF_ALL, LostCount, Missing, add_lost
from monitor.state.pilot import (
    ExposureStatements,
    HeldLate,
    PackedDetectors,
    PilotState,
    Source,
    Stream,
    pack,
    shared_tuple,
)
from monitor.state.review import NO_STAY, NOT_REVIEWED, Review, Stay
from monitor.state.rollout import FIRST_STEP, Rollout
from monitor.state.running import NOTHING_RUNS, Running
from monitor.state.seen import SequenceDigests, before_digests
from monitor.state.shadow import ShadowTerm
from monitor.state.standing import Standing
from monitor.state.tally import Tally
from monitor.state.uncounted import ReportedLabels
from monitor.state.users import NO_USERS, UsersState

VERSION = 7
READS = (2, 3, 4, 5, 6, 7)
# The fields that 3, 4, 6 and 7 added stand at the end of each array, so an older snapshot leaves them empty. 5
# compresses the charter and the detectors; 6 has ranges of missing numbers.


class _Kept(Struct, array_like=True, gc=False):
    next: int
    open: dict[int, OpenPeriod]
    stock: float
    seen: tuple[int, ...]
    detectors: msgspec.Raw = msgspec.Raw()  # up to version 4; later nil, where something follows
    wide: int = 0
    tally: Tally | None = None


class _UsualSnapshot(Struct, array_like=True):
    version: int
    id: str
    charter: Charter | bytes  # bytes: compressed
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
    detectors: bytes = b""  # compressed
    outage: tuple[int, int] = (0, 0)
    incidents: Incidents = msgspec.field(default_factory=Incidents)
    leaving: bool = False
    acts: ActMemory = msgspec.field(default_factory=ActMemory)
    lost: list[LostCount] = []
    conflicted: int = 0
    window: RectificationWindow = RectificationWindow()
    rejections: Rejections = Rejections()
    uncounted: ReportedLabels = msgspec.field(default_factory=ReportedLabels)
    gap: int = 0


class _Snapshot(_UsualSnapshot, array_like=True):
    """With what most pilots do not have: groups of fields that are written as far as the last one that says something
    (`_tail`)."""

    late_events: int = 0  # a group with `late_dropped`: some of its telemetry came too late to count
    late_dropped: int = 0
    life: Lifecycle | None = None  # left out where `life_of` says it
    clocks: Clocks | None = None  # a group with the next two: it has legal deadlines
    clocks_wait: int = 0
    held_model: str = ""
    running: Running | None = None
    review: Review | None = None
    late_held: dict[str, HeldLate] = {}  # some of it since the last period closed
    stay: Stay | None = None
    responsible: tuple[str, ...] = ()
    users: UsersState | None = None
    shadow: ShadowTerm | None = None
    rollout: Rollout | None = None


def _plain(value: ExposureStatements | Missing | SequenceDigests) -> Any:
    if isinstance(value, Missing):
        return value.ranges
    return value.raw() if isinstance(value, SequenceDigests) else value.pairs()


_encode = msgspec.msgpack.Encoder(enc_hook=_plain)
_decode = msgspec.msgpack.Decoder(_Snapshot, dec_hook=lambda kind, pairs: kind(pairs))


def snapshot(p: PilotState, charter: bytes | None = None) -> bytes:
    """The bytes of a pilot's state. `charter` stands in place of its charter, for a reader that has its plan."""
    found = ((name, p.streams[name]) for name, _ in p.plan.streams)
    streams: Any = {name: (s.next, _in_order(s.open), s.stock, s.seen, *_later(s)) for name, s in found}
    labels = p.uncounted if p.uncounted.last is not None else ReportedLabels(p.uncounted.values, -1)
    return _encode.encode(
        [
            VERSION, p.id, p.plan.packed if charter is None else charter, _numbers(p.standing), p.admitted, p.received,
            p.model, p.exited, _with_offsets(p.sources), streams, p.heard, [], p.drilled, p.tolerated or 0, [], p.hash,
            p.packed(), p.outage or (0, 0), p.incidents, p.leaving, p.acts, p.lost,
            p.conflicted or 0, _window_numbers(p.window), p.rejections, labels, p.gap or 0,
            *_tail(p),
        ]
    )  # fmt: skip


def restore(raw: bytes, plan: Plan | None = None) -> tuple[PilotState, Plan]:
    """A pilot and its plan from bytes; `plan` for a snapshot without its charter. Raises LogBroken when the bytes are
    not a snapshot of a version that this code reads."""
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
    _nones(s)
    charter = structs.replace(plan.charter, pilot=s.id)  # equal, and all but the name is shared
    packed = PackedDetectors(s.detectors or pack([bytes(s.streams[name].detectors) for name, _ in plan.streams]))
    streams = {}
    for place, (name, kinds) in enumerate(plan.streams):
        kept = s.streams[name]
        for opened in kept.open.values():
            opened.lighten()
        streams[name] = Stream(
            kept.next, kept.open, kept.stock, shared_tuple(kept.seen), packed, place, kinds, kept.wide, kept.tally
        )
    pilot = PilotState(
        s.id, charter, plan, s.hash or charter_hash(charter), s.standing, s.admitted, s.received, s.model, s.exited,
        s.sources, streams, s.heard, drilled=s.drilled, tolerated=s.tolerated or None,
        outage=None if s.outage == (0, 0) else s.outage, incidents=s.incidents, leaving=s.leaving,
        acts=s.acts if s.version >= 6 else memory_before_version_6(s.controls, s.judged), lost=s.lost,
        conflicted=s.conflicted or None, window=s.window, rejections=s.rejections, uncounted=s.uncounted,
        gap=s.gap or None, late_dropped=s.late_dropped or None,
        late_events=s.late_events, life=s.life or life_of(s.standing.halted, s.leaving, s.exited),
        clocks=s.clocks or Clocks(), clocks_wait=s.clocks_wait or None,
        held_model=s.held_model,
        running=s.running or NOTHING_RUNS,
        review=s.review or NOT_REVIEWED,
        late_held=s.late_held,
        stay=s.stay or NO_STAY,
        responsible=s.responsible,
        users=s.users or NO_USERS,
        shadow=s.shadow,
        rollout=s.rollout or FIRST_STEP,
    )  # fmt: skip
    return pilot, plan


def from_another_version(raw: bytes) -> bool:
    """Whether the bytes begin as a snapshot of a version that this code does not read: they are whole, for another
    version of it."""
    head = 3 if raw[:1] == b"\xdc" else 1  # of an array of 16 or more fields, or of fewer
    return len(raw) > head and raw[:1] >= b"\x90" and raw[head] < 0x80 and raw[head] not in READS


def restore_whole(name: str, raw: bytes) -> PilotState | None:
    """The pilot `name` from bytes that were stored; `None` when they are damaged, in any part. Raises LogBroken when
    another version of this code wrote them."""
    try:
        pilot, _ = restore(raw)
        whole = pilot.id == name and pilot.detectors_whole()
    except Exception:  # damaged bytes may pass each check of a type, and fail anywhere in what is built of them
        if from_another_version(raw):
            raise
        return None
    return pilot if whole else None


def _tail(p: PilotState) -> list[Any]:
    """The groups of fields after those that every snapshot has, up to the last one that says something."""
    usual = p.life == life_of(p.standing.halted, p.leaving, p.exited)
    groups: list[list[Any]] = [
        [p.late_events, p.late_dropped or 0],
        [None if usual else p.life],
        [p.clocks if p.clocks != Clocks() else None, p.clocks_wait or 0, p.held_model],
        [None if p.running == NOTHING_RUNS else p.running],
        [None if p.review == NOT_REVIEWED else p.review],
        [dict(sorted(p.late_held.items()))],
        [None if p.stay == NO_STAY else p.stay],
        [p.responsible],
        [None if p.users == NO_USERS else p.users],
        [p.shadow],
        [None if p.rollout == FIRST_STEP else p.rollout],
    ]
    while groups and not any(groups[-1]):
        groups.pop()
    return [field for group in groups for field in group]


def _later(stream: Stream) -> tuple[None, int, Tally] | tuple[None, int] | tuple[()]:
    """What follows in a stream that counted something, or whose late window is wide."""
    if stream.tally is not None:
        return None, stream.wide, stream.tally
    return (None, stream.wide) if stream.wide else ()


def _in_order(periods: dict[int, OpenPeriod]) -> dict[int, OpenPeriod]:
    """Periods by index: in which order they were opened depends on how events were batched, and is not part of the
    state."""
    return dict(sorted(periods.items())) if len(periods) > 1 else periods


_NO_HALT = HaltState(due=0)


def _numbers(standing: Standing) -> Standing:
    """A standing with the numbers that snapshots have in place of `None`."""
    state, resend = standing.halt_state, standing.retransmission
    if state == HaltState():
        state = _NO_HALT
    elif state.due is None or state.evidence:
        state = structs.replace(
            state,
            due=state.due or 0,
            evidence={
                source: structs.replace(
                    shown,
                    number=-1 if shown.number is None else shown.number,
                    last=-1 if shown.last is None else shown.last,
                )
                for source, shown in state.evidence.items()
            },
        )
    if resend is not None and resend.due is None:
        resend = structs.replace(resend, due=0)
    return structs.replace(standing, halt_state=state, retransmission=resend)


def _window_numbers(window: RectificationWindow) -> RectificationWindow:
    return structs.replace(
        window,
        opened=window.opened or 0,
        through=window.through or 0,
        due=window.due or 0,
        rectified=window.rectified or 0,
    )


def _with_offsets(sources: dict[str, Source]) -> dict[str, Source]:
    if all(source.offset is not None for source in sources.values()):
        return sources
    return {
        name: structs.replace(source, offset=-1.0) if source.offset is None else source
        for name, source in sources.items()
    }


def _nones(s: _UsualSnapshot) -> None:
    """Put `None` where a snapshot has a number for what never was."""
    standing, window = s.standing, s.window
    state, resend = standing.halt_state, standing.retransmission
    evidence = {
        source: structs.replace(
            shown, number=None if shown.number == -1 else shown.number, last=None if shown.last == -1 else shown.last
        )
        for source, shown in state.evidence.items()
    }
    s.standing = structs.replace(
        standing,
        halt_state=structs.replace(state, due=state.due or None, evidence=evidence),
        retransmission=resend and structs.replace(resend, due=resend.due or None),
    )
    s.window = structs.replace(
        window,
        opened=window.opened or None,
        through=window.through or None,
        due=window.due or None,
        rectified=window.rectified or None,
    )
    if s.uncounted.last == -1:
        s.uncounted.last = None
    for source in s.sources.values():
        if source.offset is not None and source.offset < 0:
            source.offset = None


def _from_2(s: _Snapshot, plan: Plan) -> _Snapshot:
    """Version 2 knew the id of the command in force, not its standing: the highest that it can have is taken. A halt of
    that time is tracked from its beginning."""
    standing = s.standing
    if standing.command:
        standing = structs.replace(standing, ordered=standing.counter)
    if standing.halted:
        within = parse_span(plan.charter.responses.acknowledge_within).after(s.received)
        standing = structs.replace(standing, halt_state=HaltState("halt", standing.since, "commanded", within))
    return structs.replace(s, standing=standing, drilled=s.received)


def _from_5(s: _Snapshot) -> _Snapshot:
    """Version 5 bounded the numbers of a source and not its bytes: each missing number was stored separately, under the
    source's full name. It knew which numbers it had seen, not the events under them."""
    many, lost, ranges = len(s.sources), list[LostCount](), 0
    for source in s.sources.values():
        source.seen = before_digests(source.high, source.missing.ranges, seen_kept(many))
        source.statements.thin(marks_kept(many))
        missing = source.missing
        while missing.ranges and (len(missing.ranges) > RANGES or ranges + len(missing.ranges) > RANGES_OF_ALL):
            lost = add_lost(lost, missing.drop_first())
        ranges += len(missing.ranges)
    evidence = {short(name): shown for name, shown in s.standing.halt_state.evidence.items()}
    state = structs.replace(s.standing.halt_state, evidence=evidence)
    return structs.replace(
        s,
        sources={short(name): source for name, source in s.sources.items()},
        standing=structs.replace(s.standing, halt_state=state),
        lost=lost,
    )
