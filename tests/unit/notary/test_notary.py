"""What the notary records, drops and refuses, and that a stranger can verify it."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.cli.ledger import ledger
from monitor.errors import LedgerBroken
from monitor.model.canonical import canonical
from monitor.model.records import Command, Decision, Finding
from monitor.notary.entries import entry_of
from monitor.notary.format import Damage
from monitor.notary.notary import Notary
from monitor.notary.store import file_name
from monitor.notary.verify import entries, ledgers, verify
from monitor.testing.records import command, decision


def ids(directory: Path, pilot: str = "p-1") -> list[str]:
    return [entry.id for entry in entries(directory / file_name(pilot))]


def test_one_file_per_pilot_in_the_order_given(tmp_path: Path) -> None:
    """Each pilot has its own ledger, and a command stands behind its decision."""
    notary = Notary(tmp_path)
    assert notary.record([decision(1), decision(1, "p-2"), decision(2)], [command(1)]) == 4
    assert ids(tmp_path) == [decision(1).id, command(1).id, decision(2).id]
    assert ids(tmp_path, "p-2") == [decision(1, "p-2").id]
    assert len(ledgers(tmp_path)) == 2


def test_a_repeated_id_is_dropped(tmp_path: Path) -> None:
    """Input may come twice, within a batch, across batches and across restarts: each record is entered once."""
    notary = Notary(tmp_path)
    assert notary.record([decision(1), decision(1), decision(2)], [command(2), command(2)]) == 3
    head = notary.head("p-1")
    assert notary.record([decision(1), decision(2)], [command(2)]) == 0
    notary.close()
    again = Notary(tmp_path)
    assert again.record([decision(1), decision(2)], [command(2)]) == 0
    assert (notary.repeated, again.repeated) == (5, 3)
    assert again.head("p-1") == head


def test_a_lower_epoch_after_a_higher_one_is_void(tmp_path: Path) -> None:
    """What an owner wrote after a newer one had claimed is dropped and counted, for any pilot of the partition."""
    notary = Notary(tmp_path)
    notary.record([decision(1, epoch=4)], partition=2)
    assert notary.record([decision(2, epoch=3), decision(1, "p-2", epoch=3)], partition=2) == 0
    assert notary.record([decision(1, "p-3", epoch=3)], partition=1) == 1
    assert notary.voided == 2


def test_each_log_has_its_own_order_of_epochs(tmp_path: Path) -> None:
    """Decisions read ahead to a newer epoch do not void commands that stand before that epoch in their own log."""
    notary = Notary(tmp_path)
    notary.record([decision(1, epoch=1), decision(2, epoch=5)])
    assert notary.record([], [command(1, epoch=1)]) == 1
    assert notary.record([], [command(2, epoch=5)]) == 1
    assert notary.record([], [command(3, epoch=4)]) == 0
    assert notary.voided == 1


def test_void_epochs_stay_known_after_a_restart(tmp_path: Path) -> None:
    """The highest epoch of a partition is kept with the position, that of a pilot in its ledger."""
    notary = Notary(tmp_path)
    notary.record([decision(1, epoch=4)], position={"decisions/0": 1})
    notary.close()
    again = Notary(tmp_path)
    assert again.record([decision(1, "p-2", epoch=3), decision(2, epoch=3)]) == 0
    assert again.voided == 2


def test_the_position_is_where_to_read_on(tmp_path: Path) -> None:
    """The position survives a restart, and is never ahead of the entries."""
    notary = Notary(tmp_path)
    assert notary.position == {}
    notary.record([decision(1)], position={"decisions/0": 1, "commands/0": 0})
    notary.record([decision(2)])
    notary.close()
    assert Notary(tmp_path).position == {"decisions/0": 1, "commands/0": 0}


def test_standing_that_does_not_rise_stops_the_process(tmp_path: Path) -> None:
    """Another history is never written behind the one in the ledger: its clock, the standing, would go backwards."""
    notary = Notary(tmp_path)
    notary.record([decision(7)])
    before = notary.head("p-1")
    with pytest.raises(LedgerBroken, match=r"standing 3 after 7.*another history"):
        notary.record([decision(3)])
    assert notary.head("p-1") == before
    with pytest.raises(LedgerBroken, match="earlier error"):
        notary.record([decision(8)])


def test_a_falling_clock_time_is_entered_as_it_is(tmp_path: Path) -> None:
    """`at` is the record's own statement; clocks of two brokers may differ, so only standing orders a ledger."""
    notary = Notary(tmp_path)
    assert notary.record([decision(1, at=2000), decision(2, at=1999)]) == 2
    assert verify(tmp_path / file_name("p-1")).entries == 2


def test_a_record_that_cannot_be_entered_stops_the_process(tmp_path: Path) -> None:
    """An entry longer than a tile entry may be is refused whole; a record is never cut or left out in silence."""
    import msgspec

    bad = decision(1)
    bad = msgspec.structs.replace(bad, finding=msgspec.structs.replace(bad.finding, detail="x" * 66_000))
    with pytest.raises(LedgerBroken, match="more than 65535"):
        Notary(tmp_path).record([bad])


def test_two_processes_never_share_a_directory(tmp_path: Path) -> None:
    """A second notary on the same directory is refused until the first releases it."""
    first = Notary(tmp_path)
    with pytest.raises(LedgerBroken, match="another process"):
        Notary(tmp_path)
    first.close()
    Notary(tmp_path).close()


@pytest.mark.parametrize("pilot", ["../../etc/passwd", "A" * 200, "ü", "a/b", "a-b", "\0", ".", " "])
def test_any_pilot_id_makes_a_harmless_file_name(tmp_path: Path, pilot: str) -> None:
    """No id leaves the directory, collides with another, or is too long."""
    notary = Notary(tmp_path / "ledger")
    notary.record([decision(1, pilot)])
    (file,) = ledgers(tmp_path / "ledger")
    assert file.parent == tmp_path / "ledger"
    assert verify(file).subject == pilot


def test_a_file_under_another_name_is_refused(tmp_path: Path) -> None:
    """A copy inside the directory cannot pass for a second model file."""
    notary = Notary(tmp_path)
    notary.record([decision(1)])
    notary.close()
    (file,) = ledgers(tmp_path)
    file.with_name("copy.ledger").write_bytes(file.read_bytes())
    with pytest.raises(LedgerBroken, match="is called"):
        Notary(tmp_path)


RECORDS = st.lists(
    st.tuples(st.sampled_from(["p-1", "p-2", "<b>"]), st.booleans(), st.text(max_size=5), st.integers(0, 2**53)),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(RECORDS, st.data())
def test_any_sequence_reads_back_with_the_same_roots_however_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, plan: list[tuple[str, bool, str, int]], data: st.DataObject
) -> None:
    """Records round-trip, and roots depend on neither batches, nor repeats, nor restarts."""
    steps: list[tuple[list[Decision], list[Command]]] = []
    standings = Counter[str]()
    for pilot, halts, cause, at in plan:
        standings[pilot] += 1
        number = standings[pilot]
        steps.append(([decision(number, pilot, cause=cause, at=at)], [command(number, pilot=pilot)] if halts else []))
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    whole = Notary(one)
    whole.record([d for ds, _ in steps for d in ds], [c for _, cs in steps for c in cs])
    piecewise = Notary(other)
    for decisions, commands in steps:
        piecewise.record(decisions, commands)
        if data.draw(st.booleans()):
            piecewise.close()
            piecewise = Notary(other)
            piecewise.record(decisions, commands)
    assert whole.heads == piecewise.heads
    for pilot, head in whole.heads.items():
        sound = verify(one / file_name(pilot))
        assert (sound.entries, sound.root) == head
        expected = [r.id for ds, cs in steps for r in (*ds, *cs) if r.pilot == pilot]
        assert ids(one, pilot) == expected
    whole.close()
    piecewise.close()


def test_the_verifier_stands_alone(tmp_path: Path) -> None:
    """Verifying loads nothing but the standard library and the ledger's own readers."""
    Notary(tmp_path).record([decision(1)])
    code = (
        "import sys\nfrom monitor.notary.verify import main\nstatus = main([sys.argv[1]])\n"
        "ours = {m for m in sys.modules if m.split('.')[0] in ('monitor', 'detectors')}\n"
        "allowed = {'monitor', 'monitor.model', 'monitor.model.canonical', 'monitor.notary'} | {'monitor.notary.' + m "
        "for m in "
        "('verify', 'encoding', 'commitment', 'format', 'cursor', 'dense', 'entry_rules', 'not_entered', "
        "'typed', 'placement', 'retired')}\n"
        "allowed |= {m for m in ours if m.startswith('monitor.verifier')}\n"
        "allowed |= {'monitor.tlog'} | {'monitor.tlog.' + m for m in ('merkle', 'text', 'errors')}\n"
        "assert ours <= allowed, ours - allowed\n"
        "assert not {'msgspec', 'click', 'rich', 'aiohttp', 'cryptography'} & set(sys.modules)\n"
        "sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "entries=1" in done.stdout


def test_cli_prints_each_ledger_and_finds_an_earlier_root(tmp_path: Path) -> None:
    """`ledger verify` prints entries and root; a root noted earlier is found at its size, a strange one is not."""
    notary = Notary(tmp_path)
    notary.record([decision(1)])
    head = notary.head("p-1")
    assert head is not None
    notary.record([decision(2), decision(1, "p-2")])
    good = CliRunner().invoke(ledger, ["verify", str(tmp_path), "--root", head.root])
    assert good.exit_code == 0
    assert good.stdout.count("root=") == 2
    assert "at 1 entries; 1 since" in good.stderr
    bad = CliRunner().invoke(ledger, ["verify", str(tmp_path), "--root", "00" * 32])
    assert bad.exit_code == 1
    assert "no ledger here had the root" in bad.stderr


def test_cli_names_file_entry_and_offset_of_damage(tmp_path: Path) -> None:
    """`ledger verify` ends with 1 and says exactly where; `show` prints what comes before."""
    Notary(tmp_path).record([decision(1), decision(2)])
    (file,) = ledgers(tmp_path)
    raw = bytearray(file.read_bytes())
    raw[-3] ^= 1
    file.write_bytes(raw)
    done = CliRunner().invoke(ledger, ["verify", str(tmp_path)])
    assert done.exit_code == 1
    assert f"{file}:1:" in done.stderr
    shown = CliRunner().invoke(ledger, ["show", str(file), "--json"])
    assert shown.exit_code == 1
    assert decision(1).id in shown.stdout
    assert decision(2).id not in shown.stdout


def test_cli_shows_the_numbers_that_a_decision_rests_on(tmp_path: Path) -> None:
    """Below a decision `show` prints its sentence with observed, expected, statistic and threshold, then the alpha."""
    evidence = Finding(
        indicator="incidents",
        segment="night",
        rule="e_process",
        statistic=5.3,
        bar=4.60517,
        alpha=0.01,
        alpha_spent=0.03,
    )
    Notary(tmp_path).record([decision(1), decision(2, finding=evidence), decision(3, finding=Finding())], [command(3)])
    (file,) = ledgers(tmp_path)
    shown = CliRunner().invoke(ledger, ["show", str(file)])
    assert shown.exit_code == 0, shown.output
    first, said, alpha, second, evidence_said, spent, third, _, order, told = shown.stdout.splitlines()
    assert said.strip() == (
        "Evidence of an exceeded limit is half-way to its threshold: incidents: "
        "15 counted where at most 6.2 were allowed; statistic 4.66, threshold 5.1."
    )
    numbers = "rule limit; indicator incidents; observed 15; expected 6.2; statistic 4.66; threshold 5.1"
    assert alpha.strip() == f"{numbers}; this threshold may spend alpha 0.006"
    assert evidence_said.strip().endswith("incidents, night: e-value 200, threshold 100.")
    assert spent.strip().endswith("; this threshold may spend alpha 0.01; all thresholds so far may spend 0.03")
    assert told.strip().startswith(f"Command to halt for decision {decision(3).id}")
    for line, record in ((first, decision(1)), (second, decision(2)), (third, decision(3)), (order, command(3))):
        assert record.id in line


def test_a_newer_version_s_words_do_not_stop_show(tmp_path: Path) -> None:
    """An entry with a reason that this version does not know is printed with its head alone."""
    from monitor.notary.encoding import Entry, EntryType, encode
    from monitor.notary.format import frame, header

    body = canonical({**msgspec.to_builtins(decision(1)), "reason": "of_another_time"})
    entry = Entry(EntryType.DECISION, decision(1).id, "p-1", decision(1).at, 1, 1, body)
    path = tmp_path / file_name("p-1")
    path.write_bytes(header("p-1") + frame(0, encode(entry)))
    shown = CliRunner().invoke(ledger, ["show", str(path)])
    assert shown.exit_code == 0, shown.output
    assert "of_another_time" in shown.stdout


def test_what_records_gained_later_is_entered_only_where_it_says_something(tmp_path: Path) -> None:
    """Fields that formats 1 and 2 did not know are left out at their default: a record keeps its bytes for ever."""
    old, _ = entry_of(decision(1), b"")
    assert "exposure" not in old.record()["finding"]
    counted = msgspec.structs.replace(decision(1).finding, events=15.0, exposure=1000.0, unit="km")
    new, _ = entry_of(decision(1, finding=counted), b"")
    assert new.record()["finding"]["exposure"] == 1000
    Notary(tmp_path).record([decision(1, finding=counted)])
    assert verify(tmp_path / file_name("p-1")).entries == 1


def test_a_ledger_that_is_gone_is_missed(tmp_path: Path) -> None:
    """An index without its ledger, an empty directory and a wrong path are damage, not success."""
    Notary(tmp_path).record([decision(1)])
    (file,) = ledgers(tmp_path)
    file.unlink()
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(Damage):
            ledgers(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(Damage, match="no ledger"):
        ledgers(tmp_path / "empty")
