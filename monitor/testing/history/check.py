"""Compares the logs that a history leaves with an offline step of the same inputs, position by position.

Pure. `PartitionContents` is what one partition holds when a history is over, read back from any store. `check` steps
its telemetry, control and journal through one machine that never stopped, and compares every output, the order per
pilot, and the state.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from monitor.engine.log import Journalled
from monitor.engine.machine import Machine
from monitor.kafka.dump import PartitionDump, replay_dump
from monitor.kafka.output_consumer import identity
from monitor.lifecycle.sandbox import SUBJECT
from monitor.model.output_records import Output
from monitor.model.records import Claim, Closed, Command, Decision, Outputs, Permit, Position

Guarantee: TypeAlias = Literal["lost", "doubled", "order", "content", "state", "journal", "stuck"]
KINDS = ("rejected", "decisions", "commands", "permits", "evidence")


class Written(Struct, frozen=True):
    """One committed output record: its offset, the epoch of its writer, its value, its topic."""

    offset: int
    epoch: int
    value: Output
    topic: str = ""


class Acked(Struct, frozen=True):
    """A record that the log acknowledged to its sender. Records of a lower `burst` were acknowledged before it was
    sent."""

    topic: str
    offset: int
    value: bytes | None
    burst: int = 0


class PartitionContents(Struct, frozen=True, kw_only=True):
    """What one partition holds at the end. `outputs`: kind -> every committed record in order, void and duplicate ones
    included. `states`: pilot -> bytes at `watermark`. `forgot`: the state was deleted on purpose, so outputs may occur
    twice with the same id and content."""

    dump: PartitionDump
    outputs: dict[str, list[Written]]
    states: dict[str, bytes]
    watermark: Position
    acked: list[Acked] = []
    forgot: bool = False


class Difference(Struct, frozen=True):
    """One violated guarantee: which, where, the actual and the expected value."""

    guarantee: Guarantee
    where: str
    actual: str
    expected: str

    def __str__(self) -> str:
        return f"{self.guarantee} at {self.where}: actual {self.actual}; expected {self.expected}"


def check(contents: PartitionContents, machine: Callable[[int], Machine]) -> list[Difference]:
    """Compare with an offline step. Returns every difference, the earliest of each kind first. `machine` makes the
    machine of a partition, configured like the owner's."""
    reference = machine(contents.dump.partition)
    reference.fast_path = False  # the offline step takes the slow path, so that the fast path is checked too
    expected = replay_dump(contents.dump, reference)
    found = list(_acknowledged(contents))
    found += _journal(contents.dump)
    found += _after_telemetry(contents)
    for kind in KINDS:
        found += _outputs(kind, contents, expected)
    found += _state(contents, reference, machine(contents.dump.partition))
    return found


# ---- inputs


def _acknowledged(contents: PartitionContents) -> Iterator[Difference]:
    """Every acknowledged record is in the log and has been stepped: the last `time` entry is after it."""
    dump = contents.dump
    kept = {topic: {r.offset: r.value for r in rows} for topic, rows in dump.telemetry.items()}
    control = {r.offset: r.value for r in dump.control}
    for sent in contents.acked:
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
    """Epochs rise with claims only, no two claims share one, and read positions never go back."""
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


def _after_telemetry(contents: PartitionContents) -> Iterator[Difference]:
    """An act is stepped after all telemetry that was acknowledged before it was sent: it cannot overtake a backlog."""
    telemetry = contents.dump.telemetry
    acts = sorted((a for a in contents.acked if a.topic not in telemetry), key=lambda a: a.offset)
    sent = sorted((a for a in contents.acked if a.topic in telemetry), key=lambda a: a.burst)
    entries = [row for row in contents.dump.journal if not isinstance(row.entry, Claim)]
    for act in acts:
        entry = next((row for row in entries if row.entry.control_next > act.offset), None)  # type: ignore[union-attr]
        if entry is None:
            continue  # `_acknowledged` reports an act that was never stepped
        before: dict[str, int] = {}
        for record in sent:
            if record.burst >= act.burst:
                break
            before[record.topic] = max(before.get(record.topic, -1), record.offset)
        at = entry.entry.telemetry_next  # type: ignore[union-attr]
        ahead = {topic: offset for topic, offset in before.items() if at.get(topic, 0) <= offset}
        if ahead:
            where = f"control/{contents.dump.partition}/{act.offset}"
            yield Difference("order", where, f"stepped when telemetry was at {at}", f"after {ahead}")
            return


# ---- outputs


def _outputs(kind: str, contents: PartitionContents, expected: Outputs) -> Iterator[Difference]:
    where = f"{kind}/{contents.dump.partition}"
    valid: list[Written] = []
    epochs: dict[str, int] = {}  # by topic
    for row in contents.outputs.get(kind, []):
        epoch = epochs.get(row.topic, 0)
        if row.epoch >= epoch:
            valid.append(row)
        epochs[row.topic] = max(epoch, row.epoch)
    once: list[Written] = []
    first: dict[str, Written] = {}
    for row in valid:
        before = first.setdefault(_name(row.value), row)
        if before is row or (
            kind == "commands" and not contents.forgot
        ):  # a command is resent until it is acknowledged
            once.append(row)
        elif not contents.forgot:
            yield Difference("doubled", f"{where}/{row.offset}", _short(row.value), f"once, at {before.offset}")
        elif _content(before.value) != _content(row.value):
            yield Difference("content", f"{where}/{row.offset}", _short(row.value), _short(before.value))
    if kind == "permits":
        yield from _permits(where, once, expected.permits, contents.forgot)
        return
    want: list[Any] = getattr(expected, kind)
    if contents.forgot:
        first_of: dict[str, Any] = {}
        for value in want:
            first_of.setdefault(_name(value), value)
        want = list(first_of.values())
    groups: defaultdict[str, list[Written]] = defaultdict(list)
    wanted: defaultdict[str, list[Any]] = defaultdict(list)
    for row in once:
        groups[_group(row.value)].append(row)
    for value in want:
        wanted[_group(value)].append(value)
    for group in sorted(groups.keys() | wanted.keys()):
        yield from _compare(f"{where} of {group}", groups[group], wanted[group])
        if kind == "decisions":
            yield from _numbered(f"{where} of {group}", wanted[group])


def _numbered(where: str, decisions: Sequence[Decision]) -> Iterator[Difference]:
    """The decisions of a pilot are numbered without a gap or a repeat: else no ledger can hold them."""
    for before, after in pairwise(decisions):
        if after.standing != before.standing + 1:
            yield Difference("order", where, _short(after), f"standing {before.standing + 1}")
            return


def _name(value: Output) -> str:
    """The id; for a resent command, id and attempt."""
    return f"{identity(value)}/{value.again}" if isinstance(value, Command) else identity(value)


def _compare(where: str, actual: Sequence[Written], expected: Sequence[Any]) -> Iterator[Difference]:
    """The first position that differs, and which guarantee it violates."""
    have, need = [_content(row.value) for row in actual], [_content(value) for value in expected]
    if have == need:
        return
    at = next((i for i, (a, b) in enumerate(zip(have, need, strict=False)) if a != b), min(len(have), len(need)))
    missing, more = Counter(need) - Counter(have), Counter(have) - Counter(need)
    names, words = {identity(value) for value in expected}, set(need)
    guarantee: Guarantee = "order"
    if any(identity(row.value) in names and _content(row.value) not in words for row in actual):
        guarantee = "content"
    elif missing:
        guarantee = "lost"
    elif more:
        guarantee = "doubled"
    place = f"{where}, number {at}" + (f" (offset {actual[at].offset})" if at < len(actual) else "")
    yield Difference(
        guarantee,
        place,
        _short(have[at] if at < len(have) else None),
        _short(need[at] if at < len(need) else None)
        + f" [{len(have)} of {len(need)} records; {sum(missing.values())} missing, {sum(more.values())} too many]",
    )


def _permits(where: str, actual: Sequence[Written], expected: Sequence[Permit], forgot: bool) -> Iterator[Difference]:
    """Of the permits in one write only the last of each source is emitted: the actual ones are a subsequence of the
    expected ones and end with the same permit. An owner that steps again in other batches may emit one that was omitted
    before."""
    have: defaultdict[str, list[bytes]] = defaultdict(list)
    need: defaultdict[str, list[bytes]] = defaultdict(list)
    for row in actual:
        have[_source(row.value)].append(_content(row.value))
    for value in expected:
        need[_source(value)].append(_content(value))
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
    """Order is guaranteed per pilot, for rejections per topic, and for the end marks of a partition separately."""
    if isinstance(value, Closed):
        return "the partition"
    return str(getattr(value, "topic", "") or value.pilot)


# ---- the state


def _state(contents: PartitionContents, reference: Machine, restored: Machine) -> Iterator[Difference]:
    """The stored state, stepped from its watermark to the end, equals the state of a machine that never stopped."""
    where = f"state/{contents.dump.partition}"
    restored.restore(contents.states)
    at, dump = contents.watermark, contents.dump
    rest = PartitionDump(
        dump.partition,
        {t: [r for r in rows if r.offset >= at.telemetry.get(t, 0)] for t, rows in dump.telemetry.items()},
        [r for r in dump.control if r.offset >= at.control],
        [row for row in dump.journal if row.offset >= at.journal],
    )
    replay_dump(rest, restored)
    _clear_epochs(restored)
    _clear_epochs(reference)
    have, need = (one.snapshots([*one.pilots, *one.applicants, *one.models, SUBJECT]) for one in (restored, reference))
    for pilot in sorted(have.keys() | need.keys()):
        if have.get(pilot) != need.get(pilot):
            name = f"{where} of {pilot or 'the partition'}"
            yield Difference("state", name, *_first_difference(have.get(pilot), need.get(pilot)))


def _clear_epochs(machine: Machine) -> None:
    """Clear the epoch of commands that may be resent: it says which owner wrote the command first, not what it
    contains."""
    for pilot in [machine.pilots[name] for name in machine.pilots]:
        resent = pilot.standing.retransmission
        if resent is not None:
            resent = replace(resent, command=replace(resent.command, epoch=0))
            pilot.standing = replace(pilot.standing, retransmission=resent)


def _first_difference(have: bytes | None, need: bytes | None) -> tuple[str, str]:
    """The first parts of two states that differ."""
    if have is None or need is None:
        return _short(have), _short(need)
    left, right = msgspec.msgpack.decode(have), msgspec.msgpack.decode(need)
    for i, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return f"part {i}: {_short(a)}", f"part {i}: {_short(b)}"
    return "the same values in other bytes", "the same bytes"


# ---- helpers


def _content(value: Any) -> bytes:
    """The encoded content of a record without the epoch of its writer."""
    if isinstance(value, bytes):
        return value
    if hasattr(value, "epoch"):
        value = replace(value, epoch=0)
    return msgspec.json.encode(value)


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = _content(value).decode(errors="replace") if isinstance(value, (bytes, msgspec.Struct)) else repr(value)
    return text if len(text) <= 300 else text[:300] + "..."
