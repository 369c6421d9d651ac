"""Break every write of the notary, and every bit on the disk: nothing acknowledged is lost, nothing damaged is believed."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from monitor.errors import LedgerBroken
from monitor.model import Finding
from monitor.notary.disk import RealDisk
from monitor.notary.notary import Notary
from monitor.notary.segment import Damage
from monitor.notary.store import file_name
from monitor.notary.verify import entries, ledgers, verify
from monitor.notary.words import WordsFile, beside
from monitor.testing.records import command, decision

FILE = file_name("p-1")


class BreakableDisk(RealDisk):
    """A real disk that counts its operations and breaks at one of them: before it, half-way, or after it was done."""

    def __init__(self, at: int = 0, how: str = "before") -> None:
        self.done: list[str] = []
        self._at, self._how = at, how

    def _do(self, name: str, whole: Callable[[], None], half: Callable[[], None]) -> None:
        self.done.append(name)
        if len(self.done) != self._at:
            whole()
            return
        if self._how == "half":
            half()
        elif self._how == "after":
            whole()
        raise OSError(5, f"broken at {name}")

    def append(self, path: Path, at: int, data: bytes) -> None:
        real = super().append
        self._do("append", lambda: real(path, at, data), lambda: real(path, at, data[: len(data) // 2]))

    def replace(self, path: Path, data: bytes) -> None:
        real, new = super().replace, path.with_name(path.name + ".new")
        self._do("replace", lambda: real(path, data), lambda: _write(new, data[: len(data) // 2]))

    def cut(self, path: Path, size: int) -> None:
        real = super().cut
        self._do("cut", lambda: real(path, size), lambda: None)

    def note(self, path: Path, at: int, data: bytes) -> None:
        real = super().note
        self._do("note", lambda: real(path, at, data), lambda: real(path, at, data[: len(data) // 2]))


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def ids(directory: Path) -> list[str]:
    return [entry.id for entry in entries(directory / FILE)]


BY_HAND = [
    decision(n, cause=f"control:{n}", author=f"regulator-{n}", finding=Finding(rule="override", detail="why"))
    for n in (5, 6)
]
STEPS = [
    ([decision(1)], []),
    ([decision(2), decision(3)], [command(3)]),
    ([decision(4)], []),
    ([BY_HAND[0]], []),
    ([BY_HAND[1]], []),
]
WHOLE = [decision(1).id, decision(2).id, decision(3).id, command(3).id, decision(4).id, *(d.id for d in BY_HAND)]


def run(directory: Path, disk: RealDisk) -> int:
    """Give all steps, going on from the notary's position as a reader of the logs does; returns steps acknowledged."""
    notary = Notary(directory, disk)
    try:
        start = acknowledged = notary.position.get("steps", 0)
        for number, (decisions, commands) in enumerate(STEPS[start:], start):
            notary.record(decisions, commands, position={"steps": number + 1})
            acknowledged = number + 1
        return acknowledged
    except LedgerBroken:
        return acknowledged
    finally:
        notary.close()


def operations(tmp_path: Path) -> int:
    disk = BreakableDisk()
    run(tmp_path / "count", disk)
    return len(disk.done)


@pytest.mark.parametrize("how", ["before", "half", "after"])
def test_every_write_broken_once(tmp_path: Path, how: str) -> None:
    """Whichever write fails, before, half-way or after it was done: acknowledged entries stay, the whole comes out in the end,
    and the files are sound after every step."""
    for at in range(1, operations(tmp_path) + 1):
        directory = tmp_path / f"{how}-{at}"
        acknowledged = run(directory, BreakableDisk(at, how))
        kept = [] if not (directory / FILE).exists() else ids(directory)
        promised = sum(len(d) + len(c) for d, c in STEPS[:acknowledged])
        assert kept[:promised] == WHOLE[:promised], (at, how)
        assert run(directory, RealDisk()) == len(STEPS), (at, how)
        assert ids(directory) == WHOLE, (at, how)
        words = WordsFile(beside(directory)).of(FILE.removesuffix(".ledger"))
        assert len(words) == 4, "an entry's words are kept before it is"
        assert verify(directory / FILE, disclosed=words.values()).torn == 0


@pytest.mark.parametrize("how", ["before", "half", "after"])
def test_a_second_failure_while_opening_again(tmp_path: Path, how: str) -> None:
    """Recovery itself may break at any of its writes, and is then simply done again."""
    for at in range(1, 6):
        for second in (1, 2):
            directory = tmp_path / f"{how}-{at}-{second}"
            run(directory, BreakableDisk(at, "half"))
            with contextlib.suppress(LedgerBroken):
                run(directory, BreakableDisk(second, how))
            assert run(directory, RealDisk()) == len(STEPS)
            assert ids(directory) == WHOLE


def test_a_last_entry_torn_at_any_byte_is_cut(tmp_path: Path) -> None:
    """An entry that was being written when the power went is cut at opening, at whichever byte it ends, and nothing else."""
    notary = Notary(tmp_path)
    notary.record([decision(1)])
    whole = (tmp_path / FILE).read_bytes()
    index = (tmp_path / FILE).with_suffix(".index").read_bytes()
    notary.record([decision(2)])
    notary.close()
    longer = (tmp_path / FILE).read_bytes()
    for size in range(len(whole), len(longer)):
        (tmp_path / FILE).write_bytes(longer[:size])
        (tmp_path / FILE).with_suffix(".index").write_bytes(index)
        assert verify(tmp_path / FILE).torn == size - len(whole)
        again = Notary(tmp_path)
        assert (tmp_path / FILE).read_bytes() == whole
        again.close()
    again = Notary(tmp_path)
    assert again.record([decision(1), decision(2)]) == 1
    assert (tmp_path / FILE).read_bytes() == longer


def test_an_acknowledged_entry_that_is_cut_is_missed(tmp_path: Path) -> None:
    """The index knows what was acknowledged: a ledger cut at any byte of it is broken, not torn."""
    notary = Notary(tmp_path)
    notary.record([decision(1), decision(2)])
    notary.close()
    whole = (tmp_path / FILE).read_bytes()
    for size in range(len(whole) - 1, 0, -7):
        (tmp_path / FILE).write_bytes(whole[:size])
        with pytest.raises(Damage):
            verify(tmp_path / FILE)
        with pytest.raises(LedgerBroken, match=FILE):
            Notary(tmp_path)


@pytest.mark.parametrize("with_index", [True, False], ids=["with index", "ledger alone"])
def test_a_flipped_bit_anywhere_is_found(tmp_path: Path, with_index: bool) -> None:
    """Each single bit of a ledger, flipped, is found by the verifier and by the notary, and never cut away as torn."""
    notary = Notary(tmp_path)
    notary.record([decision(1)], [command(1)])
    notary.close()
    path = tmp_path / FILE
    if not with_index:
        path.with_suffix(".index").unlink()
    whole = path.read_bytes()
    for bit in range(len(whole) * 8):
        if with_index and bit % 8 != bit // 8 % 8:
            continue  # every byte once; each bit of it in the other run
        raw = bytearray(whole)
        raw[bit // 8] ^= 1 << bit % 8
        path.write_bytes(raw)
        with pytest.raises(Damage) as caught:
            verify(path)
        assert caught.value.file == path
        if bit % 64 == 0:
            with pytest.raises(LedgerBroken):
                Notary(tmp_path)
            assert path.read_bytes() == raw


def test_a_flipped_bit_of_the_index_is_found(tmp_path: Path) -> None:
    """The index is checked too; an incomplete or zero-filled end of it is only what a power failure leaves, and is made again."""
    notary = Notary(tmp_path)
    notary.record([decision(1), decision(2)])
    notary.close()
    index = (tmp_path / FILE).with_suffix(".index")
    whole = index.read_bytes()
    for bit in range(len(whole) * 8):
        raw = bytearray(whole)
        raw[bit // 8] ^= 1 << bit % 8
        index.write_bytes(raw)
        with pytest.raises(Damage):
            verify(tmp_path / FILE)
    for left in (b"", whole[:50], whole[:44] + bytes(44), whole[:44] + bytes(20)):
        index.write_bytes(left)
        verify(tmp_path / FILE)
        Notary(tmp_path).close()
        assert index.read_bytes() == whole


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda frames: [frames[1], frames[0], frames[2]], "length|leaf"),
        (lambda frames: [frames[0], frames[2]], "length|leaf"),
        (lambda frames: [frames[0], frames[0], frames[1], frames[2]], "length|leaf"),
    ],
    ids=["swapped", "left out", "doubled"],
)
def test_whole_entries_moved_are_found(
    tmp_path: Path, damage: Callable[[list[bytes]], list[bytes]], problem: str
) -> None:
    """Entries swapped, left out or doubled are found even without the index."""
    notary = Notary(tmp_path)
    ends = [0]
    for number in (1, 2, 3):
        notary.record([decision(number)])
        ends.append((tmp_path / FILE).stat().st_size)
    notary.close()
    whole = (tmp_path / FILE).read_bytes()
    ends[0] = 8 + 2 + len("p-1") + 4
    frames = [whole[a:b] for a, b in itertools.pairwise(ends)]
    (tmp_path / FILE).with_suffix(".index").unlink()
    (tmp_path / FILE).write_bytes(whole[: ends[0]] + b"".join(damage(frames)))
    with pytest.raises(Damage, match=problem):
        verify(tmp_path / FILE)


def test_number_of_fsyncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One fsync per pilot and append, two for a pilot's first (its file appears whole), two more for a position, none for repeats;
    for what people wrote the same again, and three once for their directory and its key."""
    real, calls = os.fsync, Counter[str]()

    def counted(handle: int) -> None:
        calls["fsync"] += 1
        real(handle)

    monkeypatch.setattr(os, "fsync", counted)
    notary = Notary(tmp_path)

    def cost(*pilots: str, standing: int, position: int | None = None) -> int:
        before = calls["fsync"]
        where = None if position is None else {"decisions/0": position}
        notary.record([decision(standing, pilot) for pilot in pilots], position=where)
        return calls["fsync"] - before

    assert cost("a", standing=1) == 2
    assert cost("a", standing=2) == 1
    assert cost("a", "b", standing=3) == 3
    assert cost("a", "b", standing=4) == 2
    assert cost("a", "b", standing=4) == 0
    assert cost("a", standing=5, position=9) == 3
    assert cost("a", standing=5, position=9) == 0
    assert notary.record([decision(n, "a") for n in range(6, 60)]) == 54
    assert cost(standing=0) == 0
    by_hand = [msgspec.structs.replace(BY_HAND[0], id=f"h-{n}", pilot="a", standing=n) for n in (70, 71)]
    before = calls["fsync"]
    notary.record(by_hand[:1])
    assert calls["fsync"] - before == 1 + 2 + 3
    notary.record(by_hand[1:])
    assert calls["fsync"] - before == 6 + 1 + 1


def test_nothing_is_visible_before_it_is_durable(tmp_path: Path) -> None:
    """While an append has not returned, and after it failed, the tree head is the old one."""
    seen: list[object] = []

    class Watching(RealDisk):
        def append(self, path: Path, at: int, data: bytes) -> None:
            seen.append(notary.head("p-1"))
            raise OSError(28, "no space left")

    notary = Notary(tmp_path, Watching())
    notary.record([decision(1)])
    before = notary.head("p-1")
    with pytest.raises(LedgerBroken, match="no space left"):
        notary.record([decision(2)])
    assert seen == [before] == [notary.head("p-1")]
    with pytest.raises(LedgerBroken, match="earlier error"):
        notary.record([decision(2)])


CHILD = """
import resource, signal, sys
from pathlib import Path
from monitor.notary.notary import Notary
from monitor.testing.records import decision
from monitor.errors import LedgerBroken
limit = int(sys.argv[2])
if limit:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
notary = Notary(Path(sys.argv[1]))
start = (notary.head("p-1") or (0,))[0] + 1
try:
    for number in range(start, start + 100_000):
        notary.record([decision(number)], position={"decisions/0": number})
        print(number, flush=True)
except LedgerBroken as error:
    print(error, file=sys.stderr)
    sys.exit(9)
"""


def test_a_kill_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """A process killed while it appends, again and again, leaves every entry that it had acknowledged, sound."""
    last = 0
    for delay in (0.05, 0.11, 0.02):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path), "0"], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().split("\n")
        child.wait()
        child.stdout.close()
        last = max([last, *(int(line) for line in rest[:-1])])
        sound = verify(tmp_path / FILE)
        assert sound.entries >= last
    assert ids(tmp_path)[:last] == [decision(n).id for n in range(1, last + 1)]
    notary = Notary(tmp_path)
    assert notary.position["decisions/0"] <= verify(tmp_path / FILE).entries


def test_a_full_disk_stops_the_process_and_loses_nothing(tmp_path: Path) -> None:
    """When the system refuses further bytes, the notary stops, and goes on where it was once there is room."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path), "9000"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 9
    assert "cannot be written" in done.stderr
    acknowledged = len(done.stdout.split())
    assert verify(tmp_path / FILE).entries == acknowledged
    assert verify(tmp_path / FILE).torn > 0
    notary = Notary(tmp_path)
    assert notary.record([decision(n) for n in range(1, acknowledged + 3)]) == 2
    assert ids(tmp_path) == [decision(n).id for n in range(1, acknowledged + 3)]


def test_a_damaged_cursor_is_said(tmp_path: Path) -> None:
    """A cursor that cannot be read stops the notary with the way out; it is never taken for an empty one."""
    (tmp_path / "cursor.json").write_text('{"position": 3}')
    with pytest.raises(LedgerBroken, match="read again from the start"):
        Notary(tmp_path)
    assert not list(tmp_path.glob("*.ledger"))
    with pytest.raises(Damage):
        ledgers(tmp_path)
