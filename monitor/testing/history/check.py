"""The judge of a history: what stands in the logs, position by position, against an offline step of the same logs.

Pure. `Stood` is what one partition holds when a history is over, read back from whatever store; `check` steps its
telemetry, control and journal through one machine that never died and compares every output, their order per pilot, and
the state.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from monitor.engine.log import Journalled
from monitor.engine.machine import Machine
from monitor.kafka.dump import PartitionDump, replay_dump
from monitor.kafka.output_consumer import Output, identity
from monitor.model.records import Claim, Closed, Command, Outputs, Permit, Position

Promise: TypeAlias = Literal["lost", "doubled", "order", "content", "state", "journal", "stuck"]
KINDS = ("rejected", "decisions", "commands", "permits", "evidence")


class Written(Struct, frozen=True):
    """One committed output record as it stands: its offset, the epoch of its writer, what it says."""

    offset: int
    epoch: int
    value: Output


class Acked(Struct, frozen=True):
    """A record that the log acknowledged to its sender; what has a lower `burst` was acknowledged before it was
    sent."""

    topic: str
    offset: int
    value: bytes | None
    burst: int = 0


class Stood(Struct, frozen=True, kw_only=True):
    """What one partition holds at the end. `outputs`: kind -> every committed record in order, void and repeated ones
    too. `states`: pilot -> bytes at `watermark`. `forgot` says that the state was taken from the owner on purpose, so
    that outputs may stand twice, with the same id and the same words."""

    dump: PartitionDump
    outputs: dict[str, list[Written]]
    states: dict[str, bytes]
    watermark: Position
    acked: list[Acked] = []
    forgot: bool = False


class Difference(Struct, frozen=True):
    """One broken promise: which, where, what stands and what should."""

    promise: Promise
    where: str
    stands: str
    should: str

    def __str__(self) -> str:
        return f"{self.promise} at {self.where}: stands {self.stands}; should be {self.should}"


def check(stood: Stood, machine: Callable[[int], Machine]) -> list[Difference]:
    """Every difference, the earliest of each kind first. `machine` makes the machine of a partition as the owner's
    was."""
    again = machine(stood.dump.partition)
    again.fast_path = False  # the offline step takes the slow path, so that the fast path is checked too
    should = replay_dump(stood.dump, again)
    found = list(_acknowledged(stood))
    found += _journal(stood.dump)
    found += _after_telemetry(stood)
    for kind in KINDS:
        found += _outputs(kind, stood, should)
    found += _state(stood, again, machine(stood.dump.partition))
    return found


# ---- what went in


def _acknowledged(stood: Stood) -> Iterator[Difference]:
    """What a sender was told is kept is kept, and has been stepped: the last `time` stands behind it."""
    dump = stood.dump
    kept = {topic: {r.offset: r.value for r in rows} for topic, rows in dump.telemetry.items()}
    control = {r.offset: r.value for r in dump.control}
    for sent in stood.acked:
        rows = kept.get(sent.topic, control)
        if sent.offset not in rows or rows[sent.offset] != sent.value:
            where = f"{sent.topic}/{dump.partition}/{sent.offset}"
            yield Difference("lost", where, _short(rows.get(sent.offset)), _short(sent.value))
    reached = _reached(dump.journal)
    ends = {topic: rows[-1].offset + 1 for topic, rows in dump.telemetry.items() if rows}
    for topic, end in ends.items():
        if reached.telemetry.get(topic, 0) < end:
            at = reached.telemetry.get(topic, 0)
            yield Difference("stuck", f"{topic}/{dump.partition}", f"stepped to {at}", f"stepped to {end}")
    if dump.control and reached.control <= dump.control[-1].offset:
        where = f"control/{dump.partition}"
        yield Difference("stuck", where, f"stepped to {reached.control}", f"stepped to {dump.control[-1].offset + 1}")


def _reached(journal: Sequence[Journalled]) -> Position:
    for row in reversed(journal):
        if not isinstance(row.entry, Claim):
            return Position(row.entry.telemetry_next, row.entry.control_next, row.offset + 1)
    return Position()


def _journal(dump: PartitionDump) -> Iterator[Difference]:
    """Epochs only rise with claims, no two claims share one, and what is read never goes back."""
    epoch, control = 0, 0
    telemetry: dict[str, int] = {}
    for row in dump.journal:
        where, entry = f"journal/{dump.partition}/{row.offset}", row.entry
        if isinstance(entry, Claim):
            if entry.epoch <= epoch:
                yield Difference("journal", where, f"a claim of epoch {entry.epoch}", f"one above {epoch}")
            epoch = max(epoch, entry.epoch)
            continue
        if entry.epoch < epoch:
            continue  # void
        if entry.epoch > epoch:
            yield Difference("journal", where, f"epoch {entry.epoch} without a claim", f"epoch {epoch}")
        back = {t: at for t, at in telemetry.items() if entry.telemetry_next.get(t, 0) < at}
        if back or entry.control_next < control:
            was = f"{entry.telemetry_next} {entry.control_next}"
            yield Difference("journal", where, was, f"not before {telemetry} {control}")
        telemetry, control = dict(entry.telemetry_next), entry.control_next


def _after_telemetry(stood: Stood) -> Iterator[Difference]:
    """An act is stepped after all telemetry that was acknowledged before it was sent: it cannot run ahead of a
    backlog."""
    telemetry = stood.dump.telemetry
    acts = sorted((a for a in stood.acked if a.topic not in telemetry), key=lambda a: a.offset)
    sent = sorted((a for a in stood.acked if a.topic in telemetry), key=lambda a: a.burst)
    entries = [row for row in stood.dump.journal if not isinstance(row.entry, Claim)]
    for act in acts:
        entry = next((row for row in entries if row.entry.control_next > act.offset), None)  # type: ignore[union-attr]
        if entry is None:
            continue  # that it was never stepped is told elsewhere
        before: dict[str, int] = {}
        for record in sent:
            if record.burst >= act.burst:
                break
            before[record.topic] = max(before.get(record.topic, -1), record.offset)
        at = entry.entry.telemetry_next  # type: ignore[union-attr]
        ahead = {topic: offset for topic, offset in before.items() if at.get(topic, 0) <= offset}
        if ahead:
            where = f"control/{stood.dump.partition}/{act.offset}"
            yield Difference("order", where, f"stepped when telemetry stood at {at}", f"after {ahead}")
            return


# ---- what came out


def _outputs(kind: str, stood: Stood, should: Outputs) -> Iterator[Difference]:
    where = f"{kind}/{stood.dump.partition}"
    valid, epoch = [], 0
    for row in stood.outputs.get(kind, []):
        if row.epoch >= epoch:
            valid.append(row)
        epoch = max(epoch, row.epoch)
    once: list[Written] = []
    first: dict[str, Written] = {}
    for row in valid:
        before = first.setdefault(_name(row.value), row)
        if before is row or (kind == "commands" and not stood.forgot):  # a command is resent until it is acknowledged
            once.append(row)
        elif not stood.forgot:
            yield Difference("doubled", f"{where}/{row.offset}", _short(row.value), f"once, at {before.offset}")
        elif _plain(before.value) != _plain(row.value):
            yield Difference("content", f"{where}/{row.offset}", _short(row.value), _short(before.value))
    if kind == "permits":
        yield from _permits(where, once, should.permits, stood.forgot)
        return
    want: list[Any] = getattr(should, kind)
    if stood.forgot:
        told: dict[str, Any] = {}
        for value in want:
            told.setdefault(_name(value), value)
        want = list(told.values())
    groups: defaultdict[str, list[Written]] = defaultdict(list)
    wanted: defaultdict[str, list[Any]] = defaultdict(list)
    for row in once:
        groups[_group(row.value)].append(row)
    for value in want:
        wanted[_group(value)].append(value)
    for group in sorted(groups.keys() | wanted.keys()):
        yield from _compare(f"{where} of {group}", groups[group], wanted[group])


def _name(value: Output) -> str:
    """The id, and for a command that is resent its attempt."""
    return f"{identity(value)}/{value.again}" if isinstance(value, Command) else identity(value)


def _compare(where: str, stands: Sequence[Written], should: Sequence[Any]) -> Iterator[Difference]:
    """The first position that differs, and what kind of break it is."""
    have, need = [_plain(row.value) for row in stands], [_plain(value) for value in should]
    if have == need:
        return
    at = next((i for i, (a, b) in enumerate(zip(have, need, strict=False)) if a != b), min(len(have), len(need)))
    missing, more = Counter(need) - Counter(have), Counter(have) - Counter(need)
    names, words = {identity(value) for value in should}, set(need)
    promise: Promise = "order"
    if any(identity(row.value) in names and _plain(row.value) not in words for row in stands):
        promise = "content"
    elif missing:
        promise = "lost"
    elif more:
        promise = "doubled"
    place = f"{where}, number {at}" + (f" (offset {stands[at].offset})" if at < len(stands) else "")
    yield Difference(
        promise,
        place,
        _short(have[at] if at < len(have) else None),
        _short(need[at] if at < len(need) else None)
        + f" [{len(have)} stand, {len(need)} should; {sum(missing.values())} missing, {sum(more.values())} too many]",
    )


def _permits(where: str, stands: Sequence[Written], should: Sequence[Permit], forgot: bool) -> Iterator[Difference]:
    """Of permits that fall into one write only the last of each source is emitted: what stands is a part of what
    should, in order, and ends with the same one. Who steps again in other batches may emit one that was left out
    before."""
    have: defaultdict[str, list[bytes]] = defaultdict(list)
    need: defaultdict[str, list[bytes]] = defaultdict(list)
    for row in stands:
        have[_source(row.value)].append(_plain(row.value))
    for value in should:
        need[_source(value)].append(_plain(value))
    for source in sorted(have.keys() | need.keys()):
        if forgot:
            places = {permit: place for place, permit in enumerate(need[source])}
            have[source].sort(key=lambda permit: places.get(permit, -1))
        rest = iter(need[source])
        for number, permit in enumerate(have[source]):
            if permit not in rest:
                yield Difference("order", f"{where} of {source}, number {number}", _short(permit), "in order")
                break
        else:
            if need[source] and have[source][-1:] != need[source][-1:]:
                last = have[source][-1] if have[source] else None
                yield Difference("lost", f"{where} of {source}, the last", _short(last), _short(need[source][-1]))


def _source(value: Any) -> str:
    return f"{value.pilot} {value.source}"


def _group(value: Any) -> str:
    """Order is promised per pilot; of rejections per topic; marks of a partition are a separate line."""
    if isinstance(value, Closed):
        return "the partition"
    return str(getattr(value, "topic", "") or value.pilot)


# ---- the state


def _state(stood: Stood, again: Machine, mine: Machine) -> Iterator[Difference]:
    """The stored state, stepped from its watermark to the end, is the state of the machine that never died."""
    where = f"state/{stood.dump.partition}"
    mine.restore(stood.states)
    at, dump = stood.watermark, stood.dump
    rest = PartitionDump(
        dump.partition,
        {t: [r for r in rows if r.offset >= at.telemetry.get(t, 0)] for t, rows in dump.telemetry.items()},
        [r for r in dump.control if r.offset >= at.control],
        [row for row in dump.journal if row.offset >= at.journal],
    )
    replay_dump(rest, mine)
    _nameless(mine)
    _nameless(again)
    have, need = mine.snapshots(mine.pilots), again.snapshots(again.pilots)
    for pilot in sorted(have.keys() | need.keys()):
        if have.get(pilot) != need.get(pilot):
            name = f"{where} of {pilot or 'the partition'}"
            yield Difference("state", name, *_unlike(have.get(pilot), need.get(pilot)))


def _nameless(machine: Machine) -> None:
    """Clear the epoch of commands that may be resent: the state keeps who wrote a command first, which is not its
    content."""
    for pilot in [machine.pilots[name] for name in machine.pilots]:
        resent = pilot.standing.retransmission
        if resent is not None:
            resent = replace(resent, command=replace(resent.command, epoch=0))
            pilot.standing = replace(pilot.standing, retransmission=resent)


def _unlike(have: bytes | None, need: bytes | None) -> tuple[str, str]:
    """The first parts of two states that differ."""
    if have is None or need is None:
        return _short(have), _short(need)
    left, right = msgspec.msgpack.decode(have), msgspec.msgpack.decode(need)
    for i, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return f"part {i}: {_short(a)}", f"part {i}: {_short(b)}"
    return "the same values in other bytes", "the same bytes"


# ---- small things


def _plain(value: Any) -> bytes:
    """What a record says, without the epoch, which says who wrote it."""
    if isinstance(value, bytes):
        return value
    if hasattr(value, "epoch"):
        value = replace(value, epoch=0)
    return msgspec.json.encode(value)


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = _plain(value).decode(errors="replace") if isinstance(value, (bytes, msgspec.Struct)) else repr(value)
    return text if len(text) <= 300 else text[:300] + "..."
