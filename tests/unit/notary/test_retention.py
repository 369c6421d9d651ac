"""Retention, legal hold and erasure: what is removed, what is kept, and that every earlier root still holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from monitor.cli.ledger import ledger
from monitor.model.records import Decision, Reason
from monitor.notary.commitment import commitment, salt
from monitor.notary.format import EVIDENCE, LogName
from monitor.notary.notary import Notary
from monitor.notary.plaintexts import KEY, PlaintextStore, plaintext_dir
from monitor.notary.retention import CLASSES
from monitor.notary.retired import read_retired
from monitor.notary.store import file_name
from monitor.notary.verify import verify
from monitor.testing.records import decision
from tests.unit.notary.test_plaintexts import act
from tests.unit.notary.test_shards import ending, groups
from tests.unit.notary.typed_records import charter, key, puts

NAME = Path(file_name("p-1")).stem
IN_TIME, AFTER = "2024-01-01", "2045-01-01"
YEARS = [ending(2016, 6), ending(2017), ending(2017, 1, 2), ending(2018, 3)]


def command(arguments: Sequence[str | Path]) -> Result:
    return CliRunner().invoke(ledger, [str(one) for one in arguments])


def held(standing: int, **more: object) -> Decision:
    return decision(standing, kind="act", cause=f"control:h-{standing}", reason=Reason.EVIDENCE_HELD, **more)


def lifted(standing: int) -> Decision:
    return decision(standing, kind="act", cause=f"control:l-{standing}", reason=Reason.HOLD_LIFTED)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A ledger with a charter, two acts of people, and evidence of three years."""
    notary = Notary(tmp_path / "ledger")
    notary.record([puts(1, charter()), act(2), act(3)], charters={key(1, charter()): charter()})
    notary.record_evidence(groups(YEARS))
    notary.close()
    return tmp_path / "ledger"


def record(directory: Path, *decisions: Decision) -> None:
    notary = Notary(directory)
    notary.record(decisions)
    notary.close()


def texts(directory: Path) -> int:
    return len(PlaintextStore(plaintext_dir(directory)).of(NAME))


def test_nothing_is_due_before_its_time(directory: Path) -> None:
    """Each class has a time; none has passed."""
    printed = command(["retention", directory, "--at", IN_TIME]).stdout
    assert all(one.name in printed for one in CLASSES)
    assert "due 2" not in printed


def test_after_its_time_everything_but_decisions_is_due(directory: Path) -> None:
    """Texts and complete shards are listed with their file; the shard that is written and all decisions stay."""
    printed = command(["retention", directory, "--at", AFTER]).stdout
    due = [line for line in printed.splitlines() if line.startswith("due ")]
    assert len(due) == texts(directory) + 2
    assert sum("shard of evidence" in line for line in due) == 2
    assert "decisions  for ever" in printed


def test_applied_retention_removes_what_is_due_and_no_root_changes(directory: Path) -> None:
    """Texts are erased, complete shards deleted; decisions and the last shard have the roots of before, the notary
    starts, and the verifier finds nothing wrong."""
    main, last = directory / file_name("p-1"), directory / file_name(LogName("p-1", EVIDENCE, 2018))
    before = verify(main).root, verify(last).root
    kept = ["--keep", "author=0", "--keep", "detail=0", "--keep", "withheld=forever", "--keep", "evidence=30"]
    done = command(["retention", directory, "--apply", *kept])
    assert done.exit_code == 0, done.output
    fields = {field for _, field in PlaintextStore(plaintext_dir(directory)).of(NAME)}
    assert all(field.startswith("withheld.") for field in fields)
    assert fields
    assert [path.name for path in directory.glob("*evidence*.ledger")] == [last.name]
    assert done.stdout.count("deleted;") == 2
    assert (verify(main).root, verify(last).root) == before
    assert command(["verify", directory]).exit_code == 0
    notary = Notary(directory)
    assert notary.record_evidence(groups(YEARS)) == 0


def test_a_held_pilot_keeps_everything(directory: Path) -> None:
    """While the hold stands nothing of the pilot is erased or deleted; lifted, it is due again."""
    record(directory, held(4))
    before = texts(directory)
    printed = command(["retention", directory, "--at", AFTER])
    assert printed.stdout.count("held since entry 4") == before + 2
    command(["retention", directory, "--apply", "--keep", "author=0", "--keep", "detail=0", "--keep", "evidence=0"])
    refused = command(["erase", directory / file_name("p-1"), "--entry", act(2).id])
    assert refused.exit_code == 1
    assert "lift-hold p-1" in refused.output
    assert texts(directory) == before
    assert len(list(directory.glob("*evidence*.ledger"))) == 3
    assert "held as evidence since entry 4" in command(["hold", directory]).stdout
    record(directory, lifted(5))
    assert command(["hold", directory, "--json"]).stdout == '{"held": null, "pilot": "p-1"}\n'
    assert command(["erase", directory / file_name("p-1"), "--entry", act(2).id]).exit_code == 0
    assert texts(directory) == before - 2


def test_the_states_of_a_pilot_say_whether_it_is_held(directory: Path) -> None:
    """A serious incident holds a pilot without an act of that reason; the states in the decision say so."""
    record(directory, decision(4, states="live evidence_held"), decision(5))
    assert "held as evidence since entry 4" in command(["hold", directory]).stdout
    record(directory, decision(6, states="live"))
    assert "not held" in command(["hold", directory]).stdout


def test_shards_are_not_deleted_while_the_notary_runs(directory: Path) -> None:
    """The notary knows how many entries each of its files holds."""
    running = Notary(directory)
    done = command(["retention", directory, "--apply", "--keep", "evidence=0"])
    running.close()
    assert done.exit_code == 1
    assert "another process writes this ledger" in done.output
    assert len(list(directory.glob("*evidence*.ledger"))) == 3


@pytest.mark.parametrize("keep", ["decisions=1", "evidence", "evidence=-1", "opinions=3", "author=ten"])
def test_a_wrong_time_is_refused(directory: Path, keep: str) -> None:
    """Decisions have no end, and a time is a number of days."""
    assert command(["retention", directory, "--keep", keep]).exit_code == 2


def test_erased_with_a_new_key_a_text_cannot_be_found_or_guessed(directory: Path) -> None:
    """Neither text nor salt is in any file, and with everything that is left a right guess cannot be recognized."""
    store = PlaintextStore(plaintext_dir(directory))
    text = store.of(NAME)[act(2).id, "finding.detail"]
    root = verify(directory / file_name("p-1")).root
    done = command(["erase", directory / file_name("p-1"), "--entry", act(2).id, "--renew-key"])
    assert done.exit_code == 0, done.output
    for path in (*directory.iterdir(), *plaintext_dir(directory).iterdir()):
        whole = path.read_bytes()
        assert bytes.fromhex(text.salt) not in whole
        assert text.salt.encode() not in whole
    left = (plaintext_dir(directory) / KEY).read_bytes()
    guess = commitment(salt(left, act(2).id, "finding.detail"), "finding.detail", text.text)
    assert guess != text.commitment()
    assert verify(directory / file_name("p-1")).root == root
    shown = verify(directory / file_name("p-1"), disclosed=store.of(NAME).values())
    assert shown.shown == len(store.of(NAME)) > 0


def test_a_record_after_a_new_key_is_entered_as_ever(directory: Path) -> None:
    """The notary takes the new key without a restart; what is resent is a repeat."""
    notary = Notary(directory)
    PlaintextStore(plaintext_dir(directory)).renew_key()
    assert notary.record([act(3), act(4)]) == 1
    assert verify(directory / file_name("p-1"), disclosed=PlaintextStore(plaintext_dir(directory)).of(NAME).values())


def test_a_line_that_a_crash_cut_short_hides_no_shard_that_is_deleted_later(directory: Path) -> None:
    """The shard of the incomplete line is still here; the lines that follow are whole, so the notary starts."""
    (directory / "retired.jsonl").write_bytes(b'{"at": "2040-01-01T00:00:00Z", "file": "evid')
    done = command(["retention", directory, "--apply", "--keep", "evidence=0"])
    assert done.stdout.count("deleted;") == 2
    assert len(read_retired(directory)) == 2
    Notary(directory).close()
