"""The pages of the ledger: the same numbers as the command line, proofs that hold, commands that work."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.cli.ledger import ledger
from monitor.console.fleet_view import FleetView
from monitor.console.ledger_page import entry_page, ledger_page, ledgers_page, offline_commands
from monitor.console.ledger_view import entry_answer, entry_view, ledger_answer, ledger_view, ledgers_answer
from monitor.notary.desk_facts import Desk
from monitor.notary.format import LogName
from monitor.notary.store import file_name
from monitor.publication import desk as desks
from monitor.publication.log_key import AUTHORITY, log_name
from monitor.tlog.merkle import leaf_hash, verify_inclusion
from monitor.verifier.checks import CHECKS
from monitor.verifier.main import main as verifier
from tests.board_world import HALTED, MODEL, World, world


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world with its ledger, published."""
    return world(tmp_path_factory.mktemp("world"), publish=True)


@pytest.fixture
def fresh(tmp_path: Path) -> World:
    """A world whose files a test may damage."""
    return world(tmp_path, publish=True)


def desk_of(made: World) -> Desk:
    """Its desk."""
    assert made.board.desk is not None
    return made.board.desk


def outcomes(made: World, number: int) -> dict[str, str]:
    """The checks of an entry, by id."""
    return {one.check: one.outcome for one in desk_of(made).verify(LogName(HALTED), number)}


def test_entries_have_the_numbers_and_lines_of_ledger_show(made: World) -> None:
    """Number by number, what the board tells of an entry is what the command line prints."""
    found = CliRunner().invoke(ledger, ["show", str(made.ledger / file_name(HALTED))])
    printed = [line.split(maxsplit=2)[:2] for line in found.output.splitlines() if line[:6].strip().isdigit()]
    view = ledger_view(desk_of(made), HALTED)
    assert view is not None
    assert [str(one.number) for one in reversed(view.entries)] == [number for number, _ in printed]
    text = ledger_page(made.board, HALTED, made.now, {})
    assert text is not None
    for one in view.entries:
        assert f'<a href="/ledger/{HALTED}/{one.number}">{one.number}</a>' in text
        assert all(line in found.output for line in one.said[1:2])


def test_an_entry_is_found_by_its_number_and_by_the_id_of_its_record(made: World) -> None:
    """A link from a decision leads to the entry that holds it."""
    halt = made.board.halts.newest[HALTED].decision
    view = entry_view(desk_of(made), HALTED, halt.id)
    assert view is not None
    assert view.entry.entry is not None
    assert (view.entry.entry.id, view.entry.entry.standing) == (halt.id, halt.standing)
    again = entry_view(desk_of(made), HALTED, str(view.entry.number))
    assert again is not None
    assert again.entry == view.entry
    assert entry_view(desk_of(made), HALTED, "f" * 32) is None
    assert entry_view(desk_of(made), HALTED, "99999") is None
    assert entry_view(desk_of(made), f"model:{MODEL}", "0") is not None


def test_the_proof_on_the_page_leads_from_the_bytes_to_the_root(made: World) -> None:
    """For every entry, by the library of the verifier."""
    desk = desk_of(made)
    for held in desk.ledgers():
        for number in {0, held.size // 2, held.size - 1}:
            proof = desk.proof(held.name, number)
            assert proof is not None
            data = desk.entries(held.name, number, 1)[0].data
            path = [bytes.fromhex(one) for one in proof.hashes]
            verify_inclusion(leaf_hash(data), number, proof.size, path, bytes.fromhex(held.root))


def test_all_checks_of_a_sound_entry_pass_and_have_ids_of_the_verifier(made: World) -> None:
    """Of the entry, of the ledger as it is now, and of its publication up to the authority log."""
    view = ledger_view(desk_of(made), HALTED)
    assert view is not None
    known = {check.id for check in CHECKS}
    for number in range(view.held.size):
        found = outcomes(made, number)
        assert set(found.values()) == {"pass"}
        assert found.keys() <= known
    text = entry_page(made.board, HALTED, "3", made.now, {})
    assert text is not None
    assert "Every check that could run passed." in text


def test_a_changed_byte_of_an_entry_fails(fresh: World) -> None:
    """The ledger file is changed on the disk: the hash no longer leads to the root, and the page says so."""
    file = fresh.ledger / file_name(HALTED)
    raw = bytearray(file.read_bytes())
    at = raw.index(b'"limit_exceeded"')
    raw[at : at + 16] = b'"limit_half_way"'
    file.write_bytes(raw)
    changed = next(n for n in range(12) if outcomes(fresh, n)["ledger.leaf-hash"] == "FAIL")
    text = entry_page(fresh.board, HALTED, str(changed), fresh.now, {})
    assert text is not None
    assert "At least one check failed." in text
    assert 'class="alarm"' in text


def test_a_publication_that_is_not_signed_by_the_log_fails(fresh: World) -> None:
    """The checkpoint of another log in its place is found."""
    assert fresh.published is not None
    other = (fresh.published / AUTHORITY / "checkpoint").read_bytes()
    (fresh.published / log_name(HALTED) / "checkpoint").write_bytes(other)
    assert "FAIL" in outcomes(fresh, 0).values()


def test_what_is_not_published_is_not_run_and_says_which_option_to_give(tmp_path: Path) -> None:
    """Without a publication the entry is verified against the ledger, and the page names --publish."""
    made = world(tmp_path)
    found = outcomes(made, 0)
    assert (found["ledger.leaf-hash"], found["checkpoint.signature"]) == ("pass", "not run")
    assert "--publish PUB" in ledgers_page(made.board, made.now)


def test_a_board_without_ledgers_says_which_option_to_give() -> None:
    """No error, and no empty list that looks like an empty ledger."""
    assert "--dir DIR" in ledgers_page(FleetView(), 0)
    assert ledgers_answer(None, 1) is None
    assert ledger_answer(None, "p", {}, 1) is None
    assert entry_answer(None, "p", "0", {}) is None


def test_files_that_cannot_be_read_are_an_alarm_and_no_crash(fresh: World) -> None:
    """A ledger whose index is gone: the page says that it cannot be read."""
    (fresh.ledger / file_name(HALTED)).with_suffix(".index").unlink()
    for text in (ledger_page(fresh.board, HALTED, fresh.now, {}), entry_page(fresh.board, HALTED, "0", fresh.now, {})):
        assert text is not None
        assert "cannot be read now" in text


def test_the_newest_checkpoint_has_origin_size_root_age_and_signatures(made: World) -> None:
    """What somebody notes of it, and that no witness has cosigned it."""
    desk = desk_of(made)
    one = desk.checkpoint(None)
    assert one is not None
    assert one.size == len(desk.ledgers())
    text = ledgers_page(made.board, one.seen + 90_000)
    for shown in (one.origin, one.root, one.key, "(1 min ago)", "none; a witness outside"):
        assert shown in text


def test_the_commands_on_the_page_verify_the_entry_without_the_board(
    made: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command is run as it stands; the first fails on another root, the last on another key."""
    monkeypatch.chdir(tmp_path)
    view = entry_view(desk_of(made), HALTED, "3")
    assert view is not None
    verify, show, bundle, check = map(shlex.split, offline_commands(view, desk_of(made)))
    assert verifier(verify[3:]) == 0
    assert verifier([*verify[3:5], "0" * 64]) == 1
    assert CliRunner().invoke(ledger, show[2:]).exit_code == 0
    assert CliRunner().invoke(ledger, bundle[2:]).exit_code == 0
    assert check[:2] == ["python3", "sandbox-verifier.pyz"]
    assert verifier(check[2:]) == 0
    assert verifier([*check[2:-1], check[-1].replace("credit", "kredit")]) != 0


def test_a_long_ledger_costs_a_page_no_more_than_its_bounds(made: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a ledger beyond the bound no tree is computed: the check is not run, and the page names the command."""
    monkeypatch.setattr(desks, "LEAVES", 4)
    assert outcomes(made, 0)["ledger.leaf-hash"] == "not run"
    text = entry_page(made.board, HALTED, "0", made.now, {})
    assert text is not None
    assert "too long to compute its tree" in text


def test_texts_of_people_are_commitments(made: World) -> None:
    """The page shows no text that the ledger only commits to."""
    for number in range(12):
        text = entry_page(made.board, HALTED, str(number), made.now, {})
        assert text is not None
        assert "Retrained on new data" not in text
