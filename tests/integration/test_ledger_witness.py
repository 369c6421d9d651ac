"""`ledger witness` as a real process, and `ledger stamp` against a real time-stamping authority."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from monitor.cli.ledger import ledger
from monitor.testing.grown_log import GrownLog
from monitor.testing.timestamp_authority import TimestampAuthority
from monitor.tlog.keys import parse_vkey
from monitor.tlog.note import parse_note
from monitor.witness.client import Outcome, WitnessClient

LOG = GrownLog("sandbox.example/authority", 20)
MONITOR = [sys.executable, "-m", "monitor"]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*MONITOR, *map(str, arguments)], capture_output=True, text=True, check=False)


@contextmanager
def witness(tmp_path: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The process, its address and the address of its metrics; ended by SIGTERM."""
    command = [
        *MONITOR, "ledger", "witness", "--dir", str(tmp_path / "w"), "--key", str(tmp_path / "key"), "--log", LOG.vkey,
        "--listen", "127.0.0.1:0", "--metrics-port", "0", *more,
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        metrics = url = ""
        for line in process.stderr:
            metrics = line.split()[1] if line.startswith("metrics ") else metrics
            if line.startswith("witness http"):
                url = line.split()[1].removesuffix("/add-checkpoint")
                break
        try:
            yield process, url, metrics
            process.send_signal(signal.SIGTERM)
            assert process.wait(120) == 0
        finally:
            process.kill()


def test_a_firm_runs_a_witness(tmp_path: Path) -> None:
    """A new key, a first start with --new, cosignatures over HTTP, metrics, a restart that remembers, refusals."""
    made = run("keys", "new-witness", tmp_path / "key", "--name", "acme.example/witness", "--post-quantum")
    keys = [parse_vkey(line) for line in made.stdout.split()]
    assert [key.kind for key in keys] == [4, 6]
    note = parse_note(LOG.note(9))
    with witness(tmp_path, "--new") as (_, url, metrics):
        for key in keys:
            client = WitnessClient(url, key, request_s=60)
            answer = client.cosign(note, LOG.checkpoint(9), lambda old: LOG.proof(old, 9), time.monotonic() + 60)
            assert answer.outcome is Outcome.COSIGNED, answer
        with urllib.request.urlopen(metrics, timeout=60) as page:
            assert b'sandbox_monitor_witness_answers_total{answer="cosigned"} 2.0' in page.read()
    with witness(tmp_path) as (_, url, _):
        client, fork = WitnessClient(url, keys[0], request_s=60), LOG.forked(3, 9)
        answer = client.cosign(parse_note(fork.note(9)), fork.checkpoint(9), lambda old: [], time.monotonic() + 60)
        assert answer.outcome is Outcome.FORK, answer
    assert len(list((tmp_path / "w" / "evidence").glob("*/fork-*.json"))) == 1
    common = ("ledger", "witness", "--dir", tmp_path / "elsewhere", "--key", tmp_path / "key", "--log", LOG.vkey)
    lost = run(*common)
    assert (lost.returncode, "could cosign a fork" in lost.stderr) == (1, True)
    wrong = run(*common[:-1], keys[0].vkey)
    assert (wrong.returncode, "the key of a witness, not of a log" in wrong.stderr) == (2, True)


@pytest.mark.parametrize("revoked", [False, True])
def test_a_checkpoint_is_stamped_by_hand_and_verified_later(tmp_path: Path, revoked: bool) -> None:
    """Requested once, stored next to the checkpoint; verified from files, with a newer revocation list as well."""
    authority = TimestampAuthority(tmp_path / "tsa")
    checkpoint = tmp_path / "authority" / "checkpoint"
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(LOG.note(9))
    root = ("--root", authority.root_file)

    def stamp(*arguments: str | Path) -> Result:
        return CliRunner().invoke(ledger, ["stamp", *map(str, arguments)])

    try:
        for _ in range(2):
            done = stamp(checkpoint, "--url", authority.url, *root)
            assert (done.exit_code, done.stdout.startswith("size=9 time=20")) == (0, True), done.stderr
        assert authority.requests == 1, "a stamp that is there is not requested again"
        newer = tmp_path / "newer.crl"
        authority.publish_lists(authority.signer if revoked else None)
        newer.write_bytes(authority.revocation_list("/issuing.crl") or b"")
    finally:
        authority.stop()
    done = stamp(checkpoint.parent / "stamp", *root, "--revocation", newer, "--json")
    found = json.loads(done.stdout)
    assert (done.exit_code, [one["problem"] for one in found["problems"]]) == (int(revoked), ["revoked"] * revoked)
    gone = stamp(tmp_path / "authority" / "checkpoint", "--url", "http://127.0.0.1:9", *root)
    assert gone.exit_code == 0, "the stored stamp is verified without the authority"
    empty = stamp(tmp_path / "tsa", *root)
    assert (empty.exit_code, "0 stamps" in empty.stderr) == (1, True)
