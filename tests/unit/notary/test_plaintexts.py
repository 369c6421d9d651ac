"""What people write is committed to, never entered: it can be shown to whom it may be, and erased without a root
changing."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.cli.ledger import ledger
from monitor.files.durable import RealDisk
from monitor.model.canonical import canonical
from monitor.model.records import Decision, Finding
from monitor.notary.commitment import FIELDS, Plaintext, commitment, get, put, salt
from monitor.notary.encoding import CLEAR, COMMITTED, Entry, Malformed, check, encode, type_of
from monitor.notary.entries import entry_of
from monitor.notary.notary import Notary
from monitor.notary.plaintexts import KEY, PlaintextStore, plaintext_dir
from monitor.notary.store import LedgerFile, file_name
from monitor.notary.verify import CommitmentMismatch, entries, verify
from monitor.testing.records import command, decision

FILE = file_name("p-1")
NAME = FILE.removesuffix(".ledger")
SECRET = bytes(range(32))
VECTORS = json.loads((Path(__file__).parents[2] / "data" / "ledger" / "committed.json").read_text())


def act(standing: int, author: str = "Ada Lovelace", detail: str = "look at Mr Smith's case", **more: Any) -> Decision:
    """What a person did."""
    return decision(
        standing,
        kind="act",
        cause=f"control:a-{standing}",
        author=author,
        finding=Finding(rule="override", detail=detail),
        **more,
    )


def opened(directory: Path) -> Notary:
    """A notary with the key of the vectors."""
    words = plaintext_dir(directory)
    words.mkdir(parents=True, exist_ok=True)
    (words / KEY).write_bytes(SECRET)
    return Notary(directory)


def ran(*arguments: object) -> Result:
    return CliRunner().invoke(ledger, [str(argument) for argument in arguments])


def prefixed(text: str, size: int) -> bytes:
    return len(text.encode()).to_bytes(size, "big") + text.encode()


@pytest.mark.parametrize("case", VECTORS["words"], ids=lambda case: case["field"])
def test_commitment_vectors(case: dict[str, Any]) -> None:
    """Salt and commitment are those published, and those of the documented layout written out by hand."""
    salted = hmac.digest(SECRET, prefixed(case["id"], 2) + prefixed(case["field"], 2), "sha256")
    by_hand = hashlib.sha256(b"\x02" + salted + prefixed(case["field"], 2) + prefixed(case["text"], 4)).hexdigest()
    assert salt(bytes.fromhex(VECTORS["key"]), case["id"], case["field"]).hex() == case["salt"] == salted.hex()
    assert commitment(salted, case["field"], case["text"]) == case["commitment"] == by_hand
    assert {"commitment": case["commitment"]} == get(json.loads(VECTORS["body"]), case["field"])


def test_the_vector_of_an_entry_with_commitments() -> None:
    """Format version 2 is the layout of version 1 with commitments in the body."""
    raw = bytes.fromhex(VECTORS["entry_hex"])
    entry = check(raw)
    assert (entry.version, entry.body) == (COMMITTED, VECTORS["body"].encode())
    assert hashlib.sha256(b"\x00" + raw).hexdigest() == VECTORS["leaf_hash"]
    assert encode(entry) == raw
    assert encode(entry_of(act(7), SECRET)[0]) == raw


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
PLANS = st.lists(st.tuples(TEXTS, TEXTS, st.booleans()), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(PLANS, st.data())
def test_equal_records_and_key_give_equal_bytes_however_they_come(
    tmp_path_factory: pytest.TempPathFactory, plan: list[tuple[str, str, bool]], data: st.DataObject
) -> None:
    """Ledgers and words are byte for byte the same in one batch, piecewise, with repeats and restarts; every text is
    what its entry commits to, and with it the record can be rebuilt."""
    records = [act(n, author, detail) if person else decision(n) for n, (author, detail, person) in enumerate(plan, 1)]
    one, other = tmp_path_factory.mktemp("one") / "ledger", tmp_path_factory.mktemp("other") / "ledger"
    whole = opened(one)
    whole.record(records)
    whole.close()
    piecewise = opened(other)
    for record in records:
        piecewise.record([record])
        if data.draw(st.booleans()):
            piecewise.close()
            piecewise = opened(other)
            piecewise.record([record])
    piecewise.close()
    assert (one / FILE).read_bytes() == (other / FILE).read_bytes()
    kept = PlaintextStore(plaintext_dir(one)).of(NAME)
    assert kept == PlaintextStore(plaintext_dir(other)).of(NAME)
    assert verify(one / FILE, disclosed=kept.values()).shown == len(kept)
    for record, entry in zip(records, entries(one / FILE), strict=True):
        rebuilt = entry.record()
        for (identity, field), words in kept.items():
            if identity == record.id:
                put(rebuilt, field, words.text)
        assert msgspec.convert(rebuilt, Decision) == record


def test_nothing_that_a_person_wrote_is_in_a_ledger(tmp_path: Path) -> None:
    """No ledger holds a name or text of an act; plaintexts are in a separate directory that only its owner may read."""
    notary = Notary(tmp_path / "ledger")
    notary.record([act(1), decision(2, cause="control:o", author="Ada Lovelace"), decision(3)], [command(2)])
    notary.close()
    raw = b"".join(path.read_bytes() for path in (tmp_path / "ledger").iterdir())
    assert b"Lovelace" not in raw
    assert b"Smith" not in raw
    assert [entry.version for entry in entries(tmp_path / "ledger" / FILE)] == [COMMITTED, COMMITTED, CLEAR, CLEAR]
    kept = plaintext_dir(tmp_path / "ledger")
    assert sorted(path.name for path in kept.iterdir()) == sorted([KEY, f"{NAME}.words", "lock"])
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept.iterdir()} == {0o600}
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700


def test_erasing_words_breaks_no_root(tmp_path: Path) -> None:
    """While a notary runs: text and salt are erased from the disk, roots stay, the rest can still be shown, and what is
    read again from the logs does not bring them back."""
    directory = tmp_path / "ledger"
    notary = opened(directory)
    notary.record([act(1), act(2, detail="another")])
    before = verify(directory / FILE)
    done = ran("erase", directory / FILE, "--entry", act(1).id)
    assert (done.exit_code, done.output) == (0, f"erased: 2 texts of entry {act(1).id}\n")
    notary.record([act(3, "Grace Hopper", "hold on")])
    notary.close()
    assert b"Smith" not in (plaintext_dir(directory) / f"{NAME}.words").read_bytes()
    assert [words.id for words in PlaintextStore(plaintext_dir(directory)).of(NAME).values()] == [act(2).id] * 2 + [
        act(3).id
    ] * 2
    assert verify(directory / FILE, [before.root]).found == {before.root: 2}
    PlaintextStore(plaintext_dir(directory)).add(NAME, entry_of(act(1), SECRET)[1])
    assert not [words for words in PlaintextStore(plaintext_dir(directory)).of(NAME).values() if words.id == act(1).id]
    assert ran("erase", directory / FILE, "--entry", act(1).id).exit_code == 1
    shown = ran("show", directory / FILE).output.splitlines()
    assert [n for n, line in enumerate(shown) if "Ada Lovelace" in line] == [2]
    assert shown[4].endswith("by Grace Hopper")
    assert shown[5].endswith(": hold on.")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act next to a notary of another user")
def test_the_notary_goes_on_when_an_administrator_has_erased(tmp_path: Path) -> None:
    """The file of words belongs to the notary's user afterwards, too."""
    notary = opened(tmp_path / "ledger")
    notary.record([act(1)])
    notary.close()
    kept = plaintext_dir(tmp_path / "ledger") / f"{NAME}.words"
    os.chown(kept, 4321, 4321)
    assert ran("erase", tmp_path / "ledger" / FILE, "--entry", act(1).id).exit_code == 0
    assert (kept.stat().st_uid, kept.stat().st_gid, stat.S_IMODE(kept.stat().st_mode)) == (4321, 4321, 0o600)


def test_words_are_found_however_the_ledger_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a link or as the working directory: plaintexts are next to the real directory, where `erase` looks for
    them."""
    (tmp_path / "real" / "ledger").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "ledger")
    for number, (name, stand) in enumerate([("link", tmp_path), (".", tmp_path / "real" / "ledger")], 1):
        monkeypatch.chdir(stand)
        notary = Notary(Path(name))
        notary.record([act(number)])
        notary.close()
        done = ran("erase", tmp_path / "link" / FILE, "--entry", act(number).id)
        assert done.exit_code == 0, done.output


def test_words_of_an_entry_that_a_crash_took_get_the_salt_of_its_next_writing(tmp_path: Path) -> None:
    """The key was moved away between the two: what is kept is what the entry commits to, and erasing takes both."""
    directory = tmp_path / "ledger"
    opened(directory).close()
    PlaintextStore(plaintext_dir(directory)).add(NAME, entry_of(act(1), bytes(32))[1])
    notary = Notary(directory)
    notary.record([act(1)])
    notary.close()
    shown = ran("show", directory / FILE)
    assert (shown.exit_code, "Ada Lovelace" in shown.output) == (0, True)
    assert ran("erase", directory / FILE, "--entry", act(1).id).exit_code == 0
    assert b"Lovelace" not in (plaintext_dir(directory) / f"{NAME}.words").read_bytes()


def test_one_field_is_erased_alone(tmp_path: Path) -> None:
    """A name may have to go where its words may stay."""
    notary = opened(tmp_path / "ledger")
    notary.record([act(1)])
    notary.close()
    assert ran("erase", tmp_path / "ledger" / FILE, "--entry", act(1).id, "--field", "author").exit_code == 0
    (left,) = PlaintextStore(plaintext_dir(tmp_path / "ledger")).of(NAME).values()
    assert (left.field, left.text) == ("finding.detail", "look at Mr Smith's case")


def test_a_disclosed_text_is_held_against_its_entry(tmp_path: Path) -> None:
    """Given alone the text that was written passes; one letter, another field, another salt or another entry does
    not."""
    directory = tmp_path / "ledger"
    notary = opened(directory)
    notary.record([act(1), act(2), decision(3)])
    notary.close()
    told = tmp_path / "told.jsonl"
    told.write_text(ran("disclose", directory / FILE, "--entry", act(1).id).output)
    good = ran("verify", directory, "--disclosed", told)
    assert good.exit_code == 0
    assert "2 of 2 disclosed texts match their commitments" in good.output
    words = PlaintextStore(plaintext_dir(directory)).of(NAME)[act(1).id, "author"]
    for bad in (
        {"text": "Ada Lovelacf"},
        {"field": "finding.detail"},
        {"salt": "00" * 32},
        {"id": act(2).id},
        {"id": decision(3).id},
        {"id": "never"},
        {"field": "cause"},
    ):
        with pytest.raises(CommitmentMismatch):
            verify(directory / FILE, disclosed=[words._replace(**bad)])
    told.write_text(json.dumps(words._replace(pilot="p-9")._asdict()))
    strange = ran("verify", directory, "--disclosed", told)
    assert (strange.exit_code, "0 of 1 disclosed texts" in strange.output) == (1, True)
    told.write_text(json.dumps(words._replace(salt=" ")._asdict()))  # blanks are hex of nothing
    assert "not a line of plaintext" in ran("verify", directory, "--disclosed", told).output
    told.write_text(json.dumps(words._replace(text="", salt="")._asdict()))  # erased: it can show nothing
    nothing = ran("verify", directory, "--disclosed", told)
    assert (nothing.exit_code, "discloses nothing" in nothing.output) == (2, True)


def test_a_stranger_verifies_what_is_disclosed_with_the_standard_library_alone(tmp_path: Path) -> None:
    """From copies of the ledger and the disclosed lines, without the words' directory."""
    notary = opened(tmp_path / "ledger")
    notary.record([act(1)])
    notary.close()
    (tmp_path / "told").write_text(ran("disclose", tmp_path / "ledger" / FILE).output)
    code = (
        "import sys\nfrom monitor.notary.verify import main\nstatus = main(sys.argv[1:])\n"
        "assert not {'msgspec', 'click', 'rich', 'aiohttp', 'cryptography'} & set(sys.modules)\nsys.exit(status)"
    )
    arguments = ["--disclosed", str(tmp_path / "told"), str(tmp_path / "ledger")]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "2 of 2 disclosed texts match their commitments\n")
    (tmp_path / "told").write_text((tmp_path / "told").read_text().replace("Ada", "Eve"))
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "does not match the disclosed text" in done.stderr


def test_ledgers_of_before_stay_verifiable_and_go_on(tmp_path: Path) -> None:
    """Version 1 held words in clear: its entries are read, shown and verified as ever, and version 2 follows in the
    same file."""
    directory = tmp_path / "ledger"
    directory.mkdir()
    fields = msgspec.to_builtins(act(1), str_keys=True)
    old = Entry(type_of(fields), act(1).id, "p-1", act(1).at, 1, 1, canonical(fields))
    LedgerFile(directory / FILE, "p-1", RealDisk()).append([old])
    before = verify(directory / FILE)
    notary = opened(directory)
    assert notary.record([act(1), act(2)]) == 1
    notary.close()
    assert verify(directory / FILE, [before.root]).found == {before.root: 1}
    assert [entry.version for entry in entries(directory / FILE)] == [CLEAR, COMMITTED]
    shown = ran("show", directory / FILE).output.splitlines()
    assert [n for n, line in enumerate(shown) if "by Ada Lovelace" in line] == [0, 2]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", ["in clear", {"commitment": "x" * 64}, {"commitment": "0" * 63}, {}, 7, None])
def test_an_entry_of_version_2_holds_nothing_in_clear(field: str, value: Any) -> None:
    """A field that is neither empty nor a commitment makes the entry malformed."""
    entry, _ = entry_of(act(1), SECRET)
    record = entry.record()
    put(record, field, value)
    with pytest.raises(Malformed, match=f"{field} must hold a commitment"):
        check(encode(entry._replace(body=canonical(record))))


def test_kept_words_that_were_changed_are_not_shown(tmp_path: Path) -> None:
    """A plaintext is believed only if it matches its commitment in the ledger; a line cut short by a crash is written
    over."""
    directory = tmp_path / "ledger"
    notary = opened(directory)
    notary.record([act(1)])
    path = plaintext_dir(directory) / f"{NAME}.words"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"field":"author","id":"' + b"x" * 900)
    notary.record([act(2)])
    notary.close()
    assert {words.id for words in PlaintextStore(plaintext_dir(directory)).of(NAME).values()} == {act(1).id, act(2).id}
    path.write_bytes(path.read_bytes().replace(b"Ada", b"Eve"))
    shown = ran("show", directory / FILE)
    assert shown.exit_code == 1
    assert "Eve" not in shown.output
    path.write_bytes(b"no line of words\n")
    assert "not a line of plaintext" in ran("show", directory / FILE).output
    assert Plaintext("p-1", "i", "author", "", "").salt == ""
