"""Goals `witness_*`: every answer as tlog-witness says, no contradicting cosignatures, and none lost by a kill."""

from __future__ import annotations

import http.client
import logging
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

from monitor.testing.grown_log import GrownLog, request
from monitor.testing.running_witness import RunningWitness
from monitor.tlog.keys import KeyType, Signer
from monitor.tlog.note import SignedNote, parse_note, parse_signatures, verify_note
from monitor.witness.key_file import new_witness_key
from tests.ledger.goal import QUICK, Goal, none_of
from tests.unit.witness.test_witness import LOG, MATRIX

ADDS = 400 if QUICK else 10_000
KILLS = 2 if QUICK else 20
CLIENTS, LEAVES, COMMON = 32, 2_000, 100  # clients; leaves of each of two branches, which differ after COMMON
KEY = Signer("witness.example/w1", KeyType.COSIGNATURE_ED25519, bytes([7]) * 32)


def run() -> Iterator[Goal]:
    """All goals about the witness."""
    logging.getLogger("monitor.witness").setLevel(logging.CRITICAL + 1)  # forks are the point here
    with tempfile.TemporaryDirectory() as scratch:
        yield _answers(Path(scratch) / "answers")
        yield from _concurrent(Path(scratch) / "concurrent")
        yield _killed(Path(scratch))


def _answers(directory: Path) -> Goal:
    """Each row of the matrix over HTTP, against a witness that cosigned size 10."""
    wrong = 0
    with RunningWitness(directory, {LOG.origin: [LOG.signer.verifier]}, [KEY]) as running:
        assert _post(running.url, LOG.request(0, 10))[0] == 200
        for what, body, answer, size in MATRIX:
            status, media, said = _post(running.url, body)
            expected = 413 if what == "more than the largest request" else answer.status
            right = status == expected and (status != 409 or (media, said) == ("text/x.tlog.size", size))
            wrong += not right
            if not right:
                print(f"{what}: {status} {media} {said!r}", file=sys.stderr)
        wrong += _post(running.url, LOG.request(10, 20))[0] != 200
    return none_of("witness_answers", wrong, len(MATRIX) + 1)


def _concurrent(directory: Path) -> Iterator[Goal]:
    """Many clients submit checkpoints of two branches at once; every cosignature is then compared with every other."""
    log = GrownLog("sandbox.example/busy", LEAVES)
    branches = [log, log.forked(COMMON, LEAVES)]
    cosigned: list[tuple[int, int, int]] = []  # time, size, branch
    answered: list[int] = []
    with RunningWitness(directory, {log.origin: [log.signer.verifier]}, [KEY]) as running:
        clients = [
            threading.Thread(target=_submit, args=(running.url, branches, number, cosigned, answered))
            for number in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
    late = {branch for _, size, branch in cosigned if size > COMMON}
    falls = sum(b[1] < a[1] for a, b in _neighbours(sorted(cosigned)) if a[0] < b[0])
    inconsistent = (sum(size > COMMON for _, size, _ in cosigned) if len(late) > 1 else 0) + falls
    yield Goal("witness_concurrent_adds", str(len(answered)), f"{ADDS}", len(answered) == ADDS)
    yield none_of("witness_inconsistent_cosignatures", inconsistent, len(cosigned))


def _submit(
    url: str, branches: list[GrownLog], number: int, cosigned: list[tuple[int, int, int]], answered: list[int]
) -> None:
    """One client: asks for a size a little above what the witness holds, on one of the branches."""
    connection, held = http.client.HTTPConnection(url.removeprefix("http://"), timeout=600), 0
    branch = number % 2
    for step in range(ADDS // CLIENTS + (number < ADDS % CLIENTS)):
        size = min(LEAVES, held + (number + step) % 3)
        connection.request("POST", "/add-checkpoint", branches[branch].request(held, size))
        answer = connection.getresponse()
        body = answer.read()
        answered.append(answer.status)
        if answer.status == 409:
            held = int(body)
        elif answer.status == 200:
            note = SignedNote(parse_note(branches[branch].note(size)).text, parse_signatures(body.decode()))
            (verified,) = verify_note(note, [KEY.verifier])
            cosigned.append((verified.time or 0, size, branch))
            held = size
    connection.close()


def _neighbours(found: list[tuple[int, int, int]]) -> Iterator[tuple[tuple[int, int, int], tuple[int, int, int]]]:
    return pairwise(found)


def _killed(scratch: Path) -> Goal:
    """A real process dies by SIGKILL after it stored and before it answered; the next one must know the checkpoint."""
    log, lost = GrownLog("sandbox.example/killed", KILLS + 2), 0
    new_witness_key(scratch / "key", KEY.name)
    state, fork = scratch / "killed", log.forked(0, KILLS + 2)
    for size in range(1, KILLS + 1):
        dies = _process(state, scratch / "key", log.vkey, kill_at=1)
        with dies as url, suppress(OSError, http.client.HTTPException):
            lost += _post(url, log.request(size - 1, size))[0] == 200  # then it was not killed
        with _process(state, scratch / "key", log.vkey, kill_at=0) as url:
            held = _post(url, log.request(size - 1, size + 1))
            forked = _post(url, request(size, [], fork.note(size)))
            again = _post(url, log.request(size, size))
        lost += (held[0], held[2]) != (409, b"%d\n" % size) or forked[0] != 409 or again[0] != 200
    return none_of("witness_lost_by_kill", lost, KILLS)


@contextmanager
def _process(state: Path, key: Path, vkey: str, kill_at: int) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.ledger.killed_witness", str(state), str(key), vkey, str(kill_at)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


def _post(url: str, body: bytes) -> tuple[int, str, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}/add-checkpoint", body), timeout=600) as answer:
            return answer.status, answer.headers.get_content_type(), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get_content_type(), error.read()
