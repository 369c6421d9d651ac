"""Goal `outside_litewitness`: a witness that knows nothing of our code cosigns our checkpoints, and we verify that.

`filippo.io/torchwood/cmd/litewitness`, built from `tests/ledger/go_witness`; its key is held by an ssh-agent, its logs
are rows of an SQLite database.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from monitor.testing.grown_log import GrownLog
from monitor.testing.ports import free_port
from monitor.testing.wait import Until
from monitor.tlog.keys import Verifier, parse_vkey
from monitor.tlog.merkle import EMPTY_ROOT
from monitor.tlog.note import parse_note
from monitor.tlog.policy import parse_policy
from monitor.tlog.text import to_base64
from monitor.witness.client import Outcome, WitnessClient
from monitor.witness.cosigner import PolicyCosigner
from tests.ledger.go_tools import MODULE, GoUnavailable, program
from tests.ledger.goal import QUICK, Goal, none_of

NAME = "outside_litewitness"
PACKAGE = "filippo.io/torchwood/cmd/litewitness"
WITNESS = "witness.example/lite"
SIZES = (1, 2, 3, 20, 255, 256, 257, 600)
STARTS_S = 60.0


def run() -> Iterator[Goal]:
    """The goal."""
    missing = [name for name in ("ssh-agent", "ssh-add", "ssh-keygen") if shutil.which(name) is None]
    if missing:
        yield Goal(NAME, "", "0", ok=True, skipped=f"{', '.join(missing)} not installed")
        return
    try:
        path = program(PACKAGE, MODULE.parent / "go_witness")
    except GoUnavailable as why:
        yield Goal(NAME, "", "0", ok=True, skipped=str(why))
        return
    log = GrownLog("sandbox.example/authority", max(SIZES))
    with tempfile.TemporaryDirectory(prefix="lw") as scratch, running(path, Path(scratch), log) as (url, key):
        checks = list(_checks(log, url, key))
    for what, holds in checks:
        if not holds:
            print(f"{NAME}: {what}", flush=True)
    yield none_of(NAME, sum(not holds for _, holds in checks), len(checks))


def _checks(log: GrownLog, url: str, key: Verifier) -> Iterator[tuple[str, bool]]:
    """What was tried, and whether it held."""
    client = WitnessClient(url, key)
    for size in SIZES[:4] if QUICK else SIZES:
        yield f"size {size}", _ask(client, log, size) is Outcome.COSIGNED
    yield "the same size again", _ask(client, log, size) is Outcome.COSIGNED
    yield "a client that knows no size", _ask(WitnessClient(url, key), log, size) is Outcome.COSIGNED
    policy = parse_policy(f"log {log.vkey}\nwitness lite {key.vkey} {url}\nquorum lite\n".encode())
    note = log.note(size)
    lines = PolicyCosigner([policy], within_s=60).cosign(log.origin, note, lambda old: log.proof(old, size))
    yield "the policy is satisfied", bool(policy.satisfied(parse_note(note + b"".join(lines))))
    yield "a checkpoint of before", _ask(client, log, size - 1) is Outcome.AHEAD
    yield "a fork of the same size", _ask(client, log.forked(0, size), size) is Outcome.FORK
    yield "another key of the log", _ask(client, GrownLog(log.origin, size, seed=3), size) is Outcome.NOT_SIGNED


def _ask(client: WitnessClient, log: GrownLog, size: int) -> Outcome:
    """The outcome; `COSIGNED` means that our client verified the cosignature."""
    note = parse_note(log.note(size))
    answer = client.cosign(note, log.checkpoint(size), lambda old: log.proof(old, size), time.monotonic() + 60)
    return answer.outcome


@contextmanager
def running(binary: Path, scratch: Path, log: GrownLog) -> Iterator[tuple[str, Verifier]]:
    """A litewitness that follows `log`: its address and its public key."""
    agent, key = scratch / "a", scratch / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    with ExitStack() as stack:
        _process(stack, ["ssh-agent", "-D", "-a", str(agent)])
        Until(STARTS_S)(agent.exists)
        subprocess.run(
            ["ssh-add", "-q", str(key)], env={"SSH_AUTH_SOCK": str(agent), "PATH": "/usr/bin:/bin"}, check=True
        )
        listed = subprocess.run(["ssh-keygen", "-l", "-f", f"{key}.pub"], check=True, capture_output=True, text=True)
        _database(scratch / "db", log)
        port = free_port()
        witness = _process(
            stack,
            [
                str(binary), "-name", WITNESS, "-db", str(scratch / "db"), "-ssh-agent", str(agent),
                "-key", listed.stdout.split()[1], "-listen", f"127.0.0.1:{port}",
            ],
        )  # fmt: skip
        yield f"http://127.0.0.1:{port}", _vkey(witness)


def _process(stack: ExitStack, command: list[str]) -> subprocess.Popen[str]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    stack.enter_context(process)
    stack.callback(process.terminate)
    return process


def _vkey(witness: subprocess.Popen[str]) -> Verifier:
    """Read the public key from its log, wait until it listens, and go on reading, so that it never blocks."""
    assert witness.stderr is not None
    vkey = None
    for line in witness.stderr:
        found = re.search(r'vkey="?([^"\s]+)', line)
        vkey = parse_vkey(found[1]) if found else vkey
        if "msg=listening" in line:
            break
    assert vkey is not None, "litewitness ended before it listened"
    threading.Thread(target=witness.stderr.read, daemon=True).start()
    return vkey


def _database(path: Path, log: GrownLog) -> None:
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE TABLE log (origin TEXT PRIMARY KEY, tree_size INTEGER NOT NULL, tree_hash TEXT NOT NULL)"
        )
        database.execute(
            "CREATE TABLE key (origin TEXT NOT NULL, key TEXT NOT NULL, FOREIGN KEY(origin) REFERENCES log(origin))"
        )
        database.execute("INSERT INTO log VALUES (?, 0, ?)", (log.origin, to_base64(EMPTY_ROOT)))
        database.execute("INSERT INTO key VALUES (?, ?)", (log.origin, log.vkey))
    database.close()
