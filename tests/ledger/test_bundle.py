"""Bundles: the same bytes for the same publication, verified without any server, and no byte of them can change."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import cryptography
import jsonschema
import pytest
from click.testing import CliRunner

from monitor.cli.ledger import ledger
from monitor.notary.encoding import encode
from monitor.publication.log_key import AUTHORITY, log_name
from monitor.tlog.keys import KeyType, Verifier
from monitor.tlog.merkle import leaf_hash, root
from monitor.tlog.note import parse_note
from monitor.verifier import package
from monitor.verifier.anchors import Anchors
from monitor.verifier.bundle import outside, range_root
from monitor.verifier.bundle_write import NoBundle, make_bundle
from monitor.verifier.main import main
from monitor.verifier.report import Report, Verdict
from monitor.verifier.run import verify_all
from tests.ledger.made_log import KEY, ORIGIN, MadeStore, policy, published
from tests.ledger.tampering import PILOT, VERIFIER, record

VKEY = KEY.verifier(AUTHORITY).vkey
BASE = Verifier(ORIGIN, KeyType.ED25519, KEY.verifier(AUTHORITY).public)
TRIES = 150


@pytest.fixture(scope="module")
def store() -> MadeStore:
    return published({PILOT: [encode(entry) for entry in record()[0]]})


def bundle(store: MadeStore, start: int = 0, end: int | None = None) -> bytes:
    return make_bundle(store, log_name(PILOT), start, end, policies=[policy()], verifier=VERIFIER)


def verified(raw: bytes, path: Path, **anchors: object) -> Report:
    path.write_bytes(raw)
    return verify_all([str(path)], Anchors(log_keys=(VKEY,), **anchors))  # type: ignore[arg-type]


@pytest.mark.parametrize("size", range(1, 40))
def test_every_range_of_a_tree_leads_to_its_root(size: int) -> None:
    """The hashes outside a range are those of the largest subtrees, and with the leaves they give the root."""
    leaves = [leaf_hash(bytes([number])) for number in range(size)]
    for start in range(size):
        for end in range(start + 1, size + 1):
            hashes = [root(leaves[low:high]) for low, high in outside(start, end, size)]
            assert range_root(leaves[start:end], start, size, hashes) == root(leaves)


def test_every_range_of_entries_makes_a_bundle_that_is_verified(store: MadeStore, tmp_path: Path) -> None:
    """Also one that begins inside a record: it then begins with its first part."""
    count = len(record()[0])
    for start in range(count):
        for end in range(start + 1, count + 1):
            report = verified(bundle(store, start, end), tmp_path / "one.zip")
            assert report.verdict is Verdict.VERIFIED, (start, end, report.failures)
    with pytest.raises(NoBundle, match="give a range within 0 to"):
        bundle(store, 2, count + 1)


def test_the_same_publication_gives_the_same_bytes(store: MadeStore) -> None:
    """A bundle can be compared by its hash."""
    assert bundle(store) == bundle(MadeStore(dict(reversed(store.files.items()))))


def test_no_bit_of_a_bundle_can_change(store: MadeStore, tmp_path: Path) -> None:
    """With the digest of each file, no byte that a proof does not cover goes unnoticed."""
    whole, draw = bundle(store), random.Random(7)
    for _ in range(TRIES):
        changed = bytearray(whole)
        changed[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        assert verified(bytes(changed), tmp_path / "one.zip").verdict is Verdict.FAILED


def test_an_earlier_checkpoint_of_the_log_is_compared_where_the_bundle_allows(store: MadeStore, tmp_path: Path) -> None:
    """A range that reaches the earlier size gives its root; of another one nothing is said."""
    entries = [encode(entry) for entry in record()[0]]
    kept = published({PILOT: entries[:5]}).files[f"{log_name(PILOT)}/checkpoint"]
    for start, outcome in ((2, "pass"), (7, "not run")):
        report = verified(bundle(store, start), tmp_path / "one.zip", checkpoints=(("kept", kept),))
        assert report.verdict is Verdict.VERIFIED
        (found,) = [row for row in report.by_check() if row[0] == "anchor.checkpoint"]
        assert found[1].value == outcome


def test_a_policy_of_the_sandbox_governs_all_of_its_logs(store: MadeStore, tmp_path: Path) -> None:
    """A policy that names the key of the sandbox demands its witnesses of the pilot log and of the authority log."""
    of_all = policy().replace(KEY.verifier(AUTHORITY).vkey.encode(), BASE.vkey.encode())
    report = verified(bundle(store), tmp_path / "one.zip", policies=(("policy", of_all),))
    assert report.verdict is Verdict.VERIFIED
    assert sum(result.check == "policy.satisfied" for result in report.results) == 2
    lacking = dict(store.files)
    note = parse_note(lacking[f"{AUTHORITY}/checkpoint"])
    lacking[f"{AUTHORITY}/checkpoint"] = note._replace(signatures=note.signatures[:2]).data
    report = verified(bundle(MadeStore(lacking)), tmp_path / "one.zip", policies=(("policy", of_all),))
    assert {result.check for result in report.failures} == {"policy.satisfied"}


def test_the_command_writes_a_bundle_that_the_file_of_the_verifier_checks(store: MadeStore, tmp_path: Path) -> None:
    """From the published files to a verdict by one file, in a Python that cannot import this package."""
    for name, data in store.files.items():
        (tmp_path / "pub" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pub" / name).write_bytes(data)
    (tmp_path / "policy").write_bytes(policy())
    made, program = tmp_path / "one.zip", tmp_path / "verifier.pyz"
    arguments = ["bundle", PILOT, "--dir", tmp_path / "pub", "--policy", tmp_path / "policy", "-o", made]
    done = CliRunner().invoke(ledger, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    program.write_bytes(package.zipapp())
    assert package.zipapp() == program.read_bytes()
    # -I: neither this folder nor PYTHONPATH; -S: no site-packages, so `cryptography` is given back by its path.
    libraries = Path(cryptography.__file__).parents[1]
    (tmp_path / "lib").mkdir()
    for name in ("cryptography", "cffi", "_cffi_backend*", "pycparser"):
        for found in libraries.glob(name):
            (tmp_path / "lib" / found.name).symlink_to(found)
    code = (
        "import runpy, sys; sys.path.append(sys.argv.pop(1)); del sys.argv[0]; "
        "runpy.run_path(sys.argv[0], None, '__main__')"
    )
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        code,
        str(tmp_path / "lib"),
        str(program),
        "--log-key",
        VKEY,
        str(made),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "VERIFIED" in ran.stdout


def test_the_entries_of_a_verified_bundle_are_printed_with_their_numbers_in_the_log(
    store: MadeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bundle that begins at entry 2 prints 2 first; each decision with its level, reason and what it rests on."""
    path = tmp_path / "two.zip"
    path.write_bytes(bundle(store, 2))
    assert main([str(path), "--log-key", VKEY, "--entries"]) == 0
    printed = capsys.readouterr().out
    entries = record()[0][2:]
    numbers = [int(line.split()[0]) for line in printed.splitlines() if re.match(r" *\d+  2\d{3}-", line)]
    assert numbers == list(range(2, 2 + len(entries)))
    for entry in entries:
        assert f"id {entry.id}" in printed
        assert str(entry.record().get("reason", "")) in printed


def test_the_entries_of_a_bundle_that_fails_are_not_printed(
    store: MadeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was changed is not shown as a record of the monitor."""
    path = tmp_path / "one.zip"
    path.write_bytes(bundle(store))
    assert main([str(path), "--root", "0" * 64, "--entries"]) == 1
    printed = capsys.readouterr().out
    assert "Entries are not shown: failed." in printed
    assert not any(entry.id in printed for entry in record()[0])


def test_entries_in_json_follow_the_schema(
    store: MadeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--json --entries` has each record as it was entered."""
    path = tmp_path / "one.zip"
    path.write_bytes(bundle(store))
    assert main([str(path), "--log-key", VKEY, "--entries", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    jsonschema.validate(report, json.loads((Path(package.__file__).parent / "report.schema.json").read_text()))
    assert [one["record"] for one in report["entries"]] == [entry.record() for entry in record()[0]]
