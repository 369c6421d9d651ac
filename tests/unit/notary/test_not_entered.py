"""A decision that cannot follow in its ledger stops no other: it is set aside, listed, and `ledger verify` says so."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from monitor.cli.ledger import ledger
from monitor.model.records import Decision
from monitor.notary.not_entered import NAME, NotEntered, append, read_not_entered
from monitor.notary.notary import Notary
from monitor.notary.store import file_name
from monitor.notary.verify import verify
from monitor.testing.records import decision


def entered(directory: Path, *decisions: Decision) -> list[tuple[int, str]]:
    """Record them in one call; returns standing and reason of each that was set aside."""
    notary, left = Notary(directory), list[tuple[int, str]]()
    notary.record(list(decisions), set_aside=lambda d, why: left.append((d.standing, why)), position={"d/0": 9})
    notary.close()
    return left


def test_misfits_are_set_aside_and_all_others_entered(tmp_path: Path) -> None:
    """After a gap, at a standing that is taken, too large, out of range: none of these stops the decisions around
    it, whether they come in one call or in several."""
    wide = decision(3, id="wide", cause="x" * 70_000)
    low, far = decision(2, id="other"), decision(9, "p-2", id="far")
    given = [decision(1), decision(2), low, wide, decision(3), decision(1, "p-2"), far, decision(2, "p-2")]
    left = entered(tmp_path / "one", *given)
    for one in given:
        left_apart = entered(tmp_path / "many", one)
        assert len(left_apart) == (one in (low, wide, far))
    assert [standing for standing, _ in left] == [2, 3, 9]
    assert "another decision has standing 2" in left[0][1]
    assert "more than" in left[1][1]
    assert left[2][1] == "standings 2 to 8 are missing before it"
    for directory in (tmp_path / "one", tmp_path / "many"):
        assert verify(directory / file_name("p-1")).last == 3
        assert verify(directory / file_name("p-2")).last == 2
    for name in (file_name("p-1"), file_name("p-2")):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "many" / name).read_bytes()


def test_a_repeat_is_no_misfit(tmp_path: Path) -> None:
    """A decision that is read twice is dropped as before, in one call and over several."""
    assert entered(tmp_path, decision(1), decision(1), decision(2)) == []
    assert entered(tmp_path, decision(1), decision(2), decision(3)) == []
    assert verify(tmp_path / file_name("p-1")).last == 3


def test_verify_fails_while_a_ledger_ends_before_a_decision_that_was_read(tmp_path: Path) -> None:
    """The list tells a ledger that misses a decision from a whole one: `verify` names pilot, standing and place. Once
    the ledger reaches it, the list is history."""
    entered(tmp_path, decision(1), decision(2))
    append(tmp_path, NotEntered("p-1", 2, "other", "another decision has standing 2", "s.decisions/0/7"))
    assert CliRunner().invoke(ledger, ["verify", str(tmp_path)]).exit_code == 0
    append(tmp_path, NotEntered("p-1", 4, "d4", "standing 3 is missing before it", "s.decisions/0/8"))
    said = CliRunner().invoke(ledger, ["verify", str(tmp_path)])
    assert said.exit_code == 1
    assert "ends at standing 2, but a decision of standing 4 was read at s.decisions/0/8" in said.output
    entered(tmp_path, decision(3), decision(4))
    assert CliRunner().invoke(ledger, ["verify", str(tmp_path)]).exit_code == 0


def test_a_line_that_a_crash_cut_short_is_left_out(tmp_path: Path) -> None:
    """The rest of the list is read."""
    row = NotEntered("p-1", 4, "d4", "why", "s.decisions/0/8")
    append(tmp_path, row)
    with (tmp_path / NAME).open("ab") as file:
        file.write(b'{"pilot": "p-')
    assert read_not_entered(tmp_path) == [row]
    assert read_not_entered(tmp_path / "nowhere") == []


def test_a_rebuild_reads_the_log_again_and_puts_the_list_aside(tmp_path: Path) -> None:
    """What was not entered is judged again from the log."""
    entered(tmp_path, decision(1))
    append(tmp_path, NotEntered("p-1", 4, "d4", "why", "s.decisions/0/8"))
    assert CliRunner().invoke(ledger, ["rebuild", str(tmp_path)]).exit_code == 0
    assert read_not_entered(tmp_path) == []


def test_a_line_that_a_crash_cut_short_hides_no_later_one(tmp_path: Path) -> None:
    """The decision of the incomplete line is read again, because the position is stored after it."""
    row = NotEntered("p-1", 4, "d4", "standing 3 is missing before it", "s.decisions/0/8")
    (tmp_path / NAME).write_bytes(row.line()[:20])
    append(tmp_path, row)
    assert read_not_entered(tmp_path) == [row]
