"""Every write of the notary fails, every bit on disk is flipped: no acknowledged entry is lost, no damage is
accepted."""

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
from click.testing import CliRunner

from monitor.cli.ledger import ledger
from monitor.errors import LedgerBroken
from monitor.files.durable import RealDisk
from monitor.model.records import Finding, Reason
from monitor.notary.encoding import encode
from monitor.notary.entries import entry_of
from monitor.notary.format import Damage, frame, header
from monitor.notary.notary import Notary
from monitor.notary.plaintexts import PlaintextStore, plaintext_dir
from monitor.notary.store import file_name
from monitor.notary.verify import entries, ledgers, verify
from monitor.testing.records import command, decision
from tests.processes import piped

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
def test_any_write_may_fail_once(tmp_path: Path, how: str) -> None:
    """Whichever write fails, before, during or after its effect: acknowledged entries stay, the final ledger is
    complete, and the files are valid after every step."""
    for at in range(1, operations(tmp_path) + 1):
        directory = tmp_path / f"{how}-{at}"
        acknowledged = run(directory, BreakableDisk(at, how))
        kept = [] if not (directory / FILE).exists() else ids(directory)
        promised = sum(len(d) + len(c) for d, c in STEPS[:acknowledged])
        assert kept[:promised] == WHOLE[:promised], (at, how)
        assert run(directory, RealDisk()) == len(STEPS), (at, how)
        assert ids(directory) == WHOLE, (at, how)
        words = PlaintextStore(plaintext_dir(directory)).of(FILE.removesuffix(".ledger"))
        assert len(words) == 4, "an entry's words are kept before it is"
        assert verify(directory / FILE, disclosed=words.values()).torn == 0


@pytest.mark.parametrize("how", ["before", "half", "after"])
def test_recovery_may_fail_and_be_repeated(tmp_path: Path, how: str) -> None:
    """Recovery may fail at any of its writes, and is then repeated."""
    for at in range(1, 6):
        for second in (1, 2):
            directory = tmp_path / f"{how}-{at}-{second}"
            run(directory, BreakableDisk(at, "half"))
            with contextlib.suppress(LedgerBroken):
                run(directory, BreakableDisk(second, how))
            assert run(directory, RealDisk()) == len(STEPS)
            assert ids(directory) == WHOLE


def test_a_last_entry_torn_at_any_byte_is_cut(tmp_path: Path) -> None:
    """An entry that was being written at a power failure is cut at opening, at whichever byte it ends, and nothing
    else."""
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


def test_a_truncated_acknowledged_entry_is_damage(tmp_path: Path) -> None:
    """A ledger truncated within an entry that the index lists as acknowledged is damaged, not torn."""
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
    """The index is checked too; an incomplete or zero-filled end of it is only what a power failure leaves, and is made
    again."""
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
    """One fsync per pilot and append, two for a pilot's first (its file appears whole), two more for a position, none
    for repeats; for what people wrote the same again, and three once for their directory and its key."""
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
    by_hand = [msgspec.structs.replace(BY_HAND[0], id=f"h-{n}", pilot="a", standing=n) for n in (60, 61)]
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
        child = piped([sys.executable, "-c", CHILD, str(tmp_path), "0"], stdout=subprocess.PIPE, text=True)
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


def test_a_damaged_cursor_is_reported(tmp_path: Path) -> None:
    """An unreadable cursor stops the notary with the fix; it is never taken for an empty one."""
    (tmp_path / "cursor.json").write_text('{"position": 3}')
    with pytest.raises(LedgerBroken, match="read again from their beginning"):
        Notary(tmp_path)
    assert not list(tmp_path.glob("*.ledger"))
    with pytest.raises(Damage):
        ledgers(tmp_path)


# ---- restored from a backup


def grown(directory: Path, upto: int, *pilots: str, disk: RealDisk | None = None) -> Notary:
    """A ledger of decisions 1 to `upto` of each pilot, closed, as a reader of one log leaves it."""
    notary = Notary(directory, disk)
    start = notary.position.get("seq", 0)
    for number in range(start + 1, upto + 1):
        notary.record([decision(number, pilot) for pilot in pilots or ("p-1",)], position={"seq": number})
    notary.close()
    return notary


def copied(directory: Path, names: str) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(directory.glob(names))}


def put_back(copy: dict[Path, bytes]) -> None:
    for path, raw in copy.items():
        path.write_bytes(raw)


def older_copy(directory: Path) -> None:
    """8 entries of p-1, then 14; the files of the ledger are those of before, the cursor is the newer one."""
    grown(directory, 8)
    copy = copied(directory, "*.ledger") | copied(directory, "*.index")
    grown(directory, 14)
    put_back(copy)


def ledger_gone(directory: Path) -> None:
    grown(directory, 14)
    (directory / FILE).unlink()


def both_gone(directory: Path) -> None:
    grown(directory, 14)
    (directory / FILE).unlink()
    (directory / FILE).with_suffix(".index").unlink()


def one_of_two_gone(directory: Path) -> None:
    grown(directory, 14, "p-1", "p-2")
    (directory / FILE).unlink()
    (directory / FILE).with_suffix(".index").unlink()


RESTORED = [older_copy, ledger_gone, both_gone, one_of_two_gone]


@pytest.mark.parametrize("restored", RESTORED, ids=lambda case: case.__name__)
def test_a_ledger_that_ends_before_its_cursor_is_refused(tmp_path: Path, restored: Callable[[Path], None]) -> None:
    """What lies between a ledger and its newer cursor would never be read again: nothing is appended, the fix is named,
    and verifying the directory fails too."""
    restored(tmp_path)
    before = copied(tmp_path, "*.ledger")
    with pytest.raises(LedgerBroken, match=r"(14|is missing).*fix: restore.*ledger rebuild"):
        Notary(tmp_path)
    assert copied(tmp_path, "*.ledger") == before
    checked = subprocess.run(
        [sys.executable, "-m", "monitor.notary.verify", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 1, checked.stderr
    assert CliRunner().invoke(ledger, ["verify", str(tmp_path)]).exit_code == 1


@pytest.mark.parametrize("restored", RESTORED, ids=lambda case: case.__name__)
def test_a_rebuilt_ledger_equals_the_lost_one(tmp_path: Path, restored: Callable[[Path], None]) -> None:
    """After `ledger rebuild` the log is read from its beginning: the same bytes and the same root as before the
    loss."""
    grown(tmp_path / "whole", 14, "p-1", "p-2")
    directory = tmp_path / "ledger"
    restored(directory)
    done = CliRunner().invoke(ledger, ["rebuild", str(directory)])
    assert done.exit_code == 0, done.output
    notary = grown(directory, 14, "p-1", "p-2")
    assert notary.heads["p-1"].size == 14
    assert (directory / FILE).read_bytes() == (tmp_path / "whole" / FILE).read_bytes()
    assert CliRunner().invoke(ledger, ["verify", str(directory)]).exit_code == 0


def test_missing_entries_that_retention_deleted_are_reported(tmp_path: Path) -> None:
    """Where retention deleted the records between ledger and log, nothing is appended after the gap: the notary stops
    and names what is missing."""
    older_copy(tmp_path)
    assert CliRunner().invoke(ledger, ["rebuild", str(tmp_path)]).exit_code == 0
    notary = Notary(tmp_path)
    with pytest.raises(LedgerBroken, match=r"standings 9 to 11 are missing.*standing 12.*restore"):
        notary.record([decision(12), decision(13)], position={"seq": 13})
    notary.close()
    assert len(ids(tmp_path)) == 8


def test_a_missing_cursor_only_causes_another_read(tmp_path: Path) -> None:
    """Without a cursor, or with one older than the ledger, the log is read again and duplicates are dropped."""
    grown(tmp_path, 8)
    old = copied(tmp_path, "cursor.json")
    grown(tmp_path, 14)
    whole = copied(tmp_path, "*.ledger")
    for change in (lambda: put_back(old), lambda: (tmp_path / "cursor.json").unlink()):
        change()
        assert grown(tmp_path, 14).repeated in (6, 14)
        assert copied(tmp_path, "*.ledger") == whole


def with_a_hole(directory: Path, *missing: int, reason: Reason = Reason.LIMIT_HALF_WAY, rule: str = "limit") -> Path:
    """A ledger of standings 1 to 20 without the `missing` ones, as an older version would have written it."""
    frames = [header("p-1")]
    kept = [n for n in range(1, 21) if n not in missing]
    for place, number in enumerate(kept):
        fields = {"reason": reason, "finding": Finding(rule=rule)} if number + 1 in missing else {}
        entry, _ = entry_of(decision(number, **fields), b"")
        frames.append(frame(place, encode(entry)))
    directory.mkdir(exist_ok=True)
    (directory / FILE).write_bytes(b"".join(frames))
    return directory / FILE


@pytest.mark.parametrize(("missing", "said"), [((9, 10, 11), "standings 9 to 11 are missing"), ((4,), "standing 4 is")])
def test_a_missing_standing_is_damage(tmp_path: Path, missing: tuple[int, ...], said: str) -> None:
    """Decisions of a pilot are numbered without gaps: both verifiers fail, naming file, entry and what is missing; the
    notary appends nothing after a gap and names the fix."""
    path = with_a_hole(tmp_path, *missing)
    with pytest.raises(Damage, match=said) as caught:
        verify(path)
    assert (caught.value.file, caught.value.entry) == (path, missing[0] - 1)
    alone = [sys.executable, "-m", "monitor.notary.verify", str(tmp_path)]
    for code, told in [
        (subprocess.run(alone, capture_output=True, text=True, check=False).returncode, said),
        (CliRunner().invoke(ledger, ["verify", str(tmp_path)]).exit_code, said),
    ]:
        assert (code, told) == (1, said)
    with pytest.raises(LedgerBroken, match=f"{said}.*another place"):
        Notary(tmp_path)
    assert CliRunner().invoke(ledger, ["rebuild", str(tmp_path)]).exit_code == 1


def test_a_ledger_that_begins_later_is_valid_with_a_status(tmp_path: Path) -> None:
    """A ledger begun when earlier decisions were no longer in the log is dense from its first entry on; that is a
    status, not damage."""
    path = with_a_hole(tmp_path, *range(1, 7))
    sound = verify(path)
    assert (sound.first, sound.last, sound.entries) == (7, 20, 14)
    told = CliRunner().invoke(ledger, ["verify", str(tmp_path)])
    assert told.exit_code == 0
    assert "begins at standing 7" in told.stderr
    notary = Notary(tmp_path)
    assert notary.record([decision(20), decision(21)]) == 1
    notary.close()


def test_a_decision_that_an_older_version_deduplicated_is_no_damage(tmp_path: Path) -> None:
    """Older versions gave two findings cleared by one event the same id and dropped the second: that is reported, not
    refused."""
    for missing, rule in (((9,), "heartbeats"), ((9, 10, 11), "exposure_cap")):
        path = with_a_hole(tmp_path / rule, *missing, reason=Reason.CLEARED, rule=rule)
        assert verify(path).doubtful == missing
        told = CliRunner().invoke(ledger, ["verify", str(path)])
        assert told.exit_code == 0
        assert "compare with the decisions log" in told.stderr
        Notary(tmp_path / rule).close()


def test_records_about_a_vendor_are_counted_over_all_vendors(tmp_path: Path) -> None:
    """The second stage numbers its findings over all vendors together: numbers missing in the ledger of one vendor are
    no gap."""
    notary = Notary(tmp_path)
    notary.record([decision(n, f"vendor:{n % 2}", charter="", participant="") for n in range(1, 8)])
    notary.close()
    for path in ledgers(tmp_path):
        assert not verify(path).doubtful
    Notary(tmp_path).close()


def test_a_cursor_of_an_older_version_is_read(tmp_path: Path) -> None:
    """A cursor without sizes is accepted; without any ledger it is still refused."""
    grown(tmp_path, 3)
    (tmp_path / "cursor.json").write_text('{"epochs": {"decisions/0": 1}, "position": {"seq": 3}}')
    notary = Notary(tmp_path)
    notary.must_hold([decision(3)])
    with pytest.raises(LedgerBroken, match=r"ends at standing 3.*past standing 5"):
        notary.must_hold([decision(5)])
    notary.close()
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).with_suffix(".index").unlink()
    with pytest.raises(LedgerBroken, match="no ledger is here"):
        Notary(tmp_path)


def test_a_rebuild_is_refused_while_a_notary_runs(tmp_path: Path) -> None:
    """A directory that a notary has locked is not changed."""
    grown(tmp_path, 3)
    notary = Notary(tmp_path)
    before = copied(tmp_path, "*")
    done = CliRunner().invoke(ledger, ["rebuild", str(tmp_path)])
    assert done.exit_code == 1
    assert "stop it first" in done.stderr
    assert copied(tmp_path, "*") == before
    notary.close()
