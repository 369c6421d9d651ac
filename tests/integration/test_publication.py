"""Both runtimes publish their ledgers: a client that knows the public key follows every log over HTTP or as files."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.cli.keys import keys
from monitor.notary.authority_leaf import Leaf, decode_leaf
from monitor.publication.log_key import AUTHORITY, LogKey, log_name, read_log_key
from monitor.publication.prove import Published, Read, check_stacked, stacked_proof
from monitor.testing.kafka import Fresh
from monitor.testing.records import decision
from monitor.testing.wait import Until
from monitor.tlog.errors import HashUnavailable
from monitor.tlog.merkle import Frontier, leaf_hash
from monitor.tlog.tiles import WIDTH
from tests.failure.test_kafka_restored import produce
from tests.integration.test_embedded_serve import ended, get, prepare, serve
from tests.processes import piped

until = Until(120.0, every=0.2)


def options(home: Path) -> tuple[list[str], LogKey]:
    """The options that publish, and the key."""
    key = home / "log.key"
    if not key.exists():
        made = CliRunner().invoke(keys, ["new-log", str(key), "--origin", "sandbox.example/ledger"])
        assert made.exit_code == 0, made.output
        (home / "newest").mkdir()
    given = ["--publish", home / "published", "--log-key", key, "--newest", home / "newest", "--publish-every", "0.2"]
    return [str(one) for one in given], read_log_key(key)


def files(directory: Path) -> Read:
    def read(path: str) -> bytes:
        try:
            return (directory / path).read_bytes()
        except OSError as error:
            raise HashUnavailable(path) from error

    return read


def followed(read: Read, key: LogKey, log: str) -> list[bytes]:
    """The entries of a log, which lead to its signed checkpoint."""
    published = Published.open(read, log)
    head = key.opened(log, published.note.data)
    entries = [entry for bundle in range(-(-head.size // WIDTH)) for entry in published.entries(bundle)]
    tree = Frontier()
    for entry in entries:
        tree.push(leaf_hash(entry))
    assert (tree.size, tree.root()) == (head.size, head.root)
    return entries


def sizes(read: Read, key: LogKey, *pilots: str) -> dict[str, int]:
    """The sizes of the logs of these pilots; each checkpoint has its leaf, and each proof holds."""
    leaves = [decode_leaf(entry) for entry in followed(read, key, AUTHORITY)]
    found = {}
    for pilot in pilots:
        entries = followed(read, key, log_name(pilot))
        head = Published.open(read, log_name(pilot)).head
        assert Leaf(head.origin, head.size, head.root) in leaves
        proof = stacked_proof(read, log_name(pilot), len(entries) - 1)
        verifier = lambda origin: key.verifier(origin.removeprefix(f"{key.origin}/"))  # noqa: E731
        assert check_stacked(proof, None, verifier) == entries[-1]
        found[pilot] = len(entries)
    return found


def test_the_embedded_monitor_publishes_and_serves_its_ledgers(tmp_path: Path) -> None:
    """Over HTTP while it runs; the last entries at a clean stop; the same again after the folder was deleted."""
    charters, events, _ = prepare(tmp_path)
    publishing, key = options(tmp_path)
    publishing.append("--serve-pilot-logs")
    process, address = serve(tmp_path, *charters, "--read", str(events), *publishing)

    def read(path: str) -> bytes:
        try:
            return get(address, f"publication/{path}")
        except urllib.error.HTTPError as error:
            raise HashUnavailable(path) from error

    def shown() -> bool:
        try:
            return b"halt" in b"".join(followed(read, key, log_name("pilot-0002")))
        except HashUnavailable:
            return False

    until(shown)
    assert min(sizes(read, key, "pilot-0001", "pilot-0002").values()) >= 1
    assert b'sandbox_monitor_publication_rounds_total{outcome="published"}' in get(address, "metrics")
    ended(process)
    before = sizes(files(tmp_path / "published"), key, "pilot-0001", "pilot-0002")
    shutil.rmtree(tmp_path / "published")
    process, address = serve(tmp_path, *publishing)
    until(shown)
    ended(process)
    after = sizes(files(tmp_path / "published"), key, "pilot-0001", "pilot-0002")
    assert all(after[pilot] >= size for pilot, size in before.items())


@pytest.mark.kafka
def test_the_notary_publishes_through_a_kill_and_refuses_to_sign_on_an_old_disk(tmp_path: Path) -> None:
    """Killed at any moment, it goes on; on a restored old copy of its directory the ledger goes on, and nothing is
    signed."""
    fresh = Fresh(1)
    publishing, key = options(tmp_path)
    read, log = files(tmp_path / "published"), tmp_path / "notary.log"

    def notary() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "monitor", "notary", "--bootstrap", fresh.bootstrap]
        command += ["--prefix", fresh.names.prefix, "--dir", str(tmp_path / "ledger"), "--port", "0", *publishing]
        with log.open("ab") as out:
            return piped(command, stdout=out, stderr=out)

    def reached(size: int) -> bool:
        try:
            return sizes(read, key, "p-1")["p-1"] == size
        except HashUnavailable:
            return False

    asyncio.run(produce(fresh, [decision(n) for n in range(1, 5)]))
    process = notary()
    try:
        until(lambda: reached(4))
        process.kill()
        process.wait()
        shutil.copytree(tmp_path / "ledger", tmp_path / "old")
        asyncio.run(produce(fresh, [decision(n) for n in range(5, 9)]))
        process = notary()
        until(lambda: reached(8))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        shutil.rmtree(tmp_path / "ledger")
        os.rename(tmp_path / "old", tmp_path / "ledger")
        before = (tmp_path / "published" / AUTHORITY / "checkpoint").read_bytes()
        asyncio.run(produce(fresh, [decision(9)]))
        process = notary()
        until(lambda: b"signing would fork the log" in log.read_bytes())
        until(
            lambda: decision(9).id.encode() in b"".join(map(Path.read_bytes, (tmp_path / "ledger").glob("p-1*.ledger")))
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert (tmp_path / "published" / AUTHORITY / "checkpoint").read_bytes() == before
    finally:
        process.kill()
        process.wait()
