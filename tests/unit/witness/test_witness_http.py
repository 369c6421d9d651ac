"""A witness over HTTP, and the client that asks it: real sockets, and witnesses that misbehave."""

from __future__ import annotations

import hashlib
import http.client
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from monitor.clock import wall_ms
from monitor.testing.grown_log import GrownLog, request
from monitor.testing.ports import free_port
from monitor.testing.running_witness import RunningWitness
from monitor.tlog.keys import KeyType, Signer
from monitor.tlog.note import parse_note, sign
from monitor.witness.client import Cosignature, Outcome, WitnessClient
from monitor.witness.server import MAX_REQUEST_BYTES

LOG = GrownLog("sandbox.example/authority", 40)
LOGS = {LOG.origin: [LOG.signer.verifier]}
KEY = Signer("witness.example/w1", KeyType.COSIGNATURE_ED25519, bytes([7]) * 32)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningWitness]:
    """A witness of LOG."""
    with RunningWitness(tmp_path / "w", LOGS, [KEY]) as found:
        yield found


def ask(client: WitnessClient, size: int, log: GrownLog = LOG, seconds: float = 60.0) -> Cosignature:
    return client.cosign(
        parse_note(log.note(size)), log.checkpoint(size), lambda old: log.proof(old, size), time.monotonic() + seconds
    )


def post(url: str, body: bytes) -> tuple[int, str, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}/add-checkpoint", body), timeout=60) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read()


def test_the_answers_arrive_as_the_specification_says(running: RunningWitness) -> None:
    """Status, media type and body of a cosignature, and of each refusal."""
    status, _, body = post(running.url, LOG.request(0, 10))
    assert (status, body.startswith("— witness.example/w1 ".encode())) == (200, True)
    assert post(running.url, LOG.request(0, 20)) == (409, "text/x.tlog.size", b"10\n")
    assert post(running.url, request(10, [], LOG.forked(3, 10).note(10))) == (409, "text/x.tlog.size", b"10\n")
    other, stranger = GrownLog("other", 3), GrownLog(LOG.origin, 20, seed=3)
    found = [
        post(running.url, body)[0]
        for body in (b"", other.request(0, 3), stranger.request(10, 20), request(10, [], LOG.note(20)))
    ]
    assert found == [400, 404, 403, 422]
    assert post(running.url, b"x" * (MAX_REQUEST_BYTES + 1))[0] == 413


def test_only_a_post_adds(running: RunningWitness) -> None:
    """GET on add-checkpoint is 405; the monitoring address serves what was cosigned last."""
    log = hashlib.sha256(LOG.origin.encode()).hexdigest()
    for path, status in (("/add-checkpoint", 405), (f"/latest/{log}", 404), ("/latest/x", 404)):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(running.url + path, timeout=60)
        assert caught.value.code == status
        caught.value.close()
    post(running.url, LOG.request(0, 10))
    with urllib.request.urlopen(f"{running.url}/latest/{log}", timeout=60) as answer:
        assert answer.read() == running.witness.latest(LOG.origin)


def test_connections_are_kept_for_further_requests(running: RunningWitness) -> None:
    """Two requests over one connection (tlog-witness: SHOULD support keep-alive)."""
    connection = http.client.HTTPConnection(running.url.removeprefix("http://"), timeout=60)
    for old, size in ((0, 10), (10, 20)):
        connection.request("POST", "/add-checkpoint", LOG.request(old, size))
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
    connection.close()


def test_a_client_catches_up_from_whatever_the_witness_holds(running: RunningWitness) -> None:
    """A new client learns the size from a 409, sends the proof from there, and gets a verified cosignature."""
    for size in (5, 17, 40):
        found = ask(WitnessClient(running.url, KEY.verifier), size)
        assert found.outcome is Outcome.COSIGNED, found
        assert found.signature is not None
        KEY.verifier.verify(LOG.checkpoint(size).text, found.signature.signature)
    assert ask(WitnessClient(running.url, KEY.verifier), 40).outcome is Outcome.COSIGNED, "the same one again"


def test_a_client_names_a_fork_and_a_rollback(running: RunningWitness) -> None:
    """The witness holds more than this checkpoint, or another root: named, because the log went back or forked."""
    client = WitnessClient(running.url, KEY.verifier)
    assert ask(client, 20).outcome is Outcome.COSIGNED
    assert ask(WitnessClient(running.url, KEY.verifier), 10).outcome is Outcome.AHEAD
    fork = LOG.forked(3, 40)
    assert ask(client, 20, fork).outcome is Outcome.FORK
    assert ask(client, 30, fork).outcome is Outcome.FORK


def test_a_client_names_what_the_witness_does_not_know(running: RunningWitness) -> None:
    """A log, a key of the log, and a key of the witness that are not the ones expected."""
    client = WitnessClient(running.url, KEY.verifier)
    assert ask(client, 3, GrownLog("other", 3)).outcome is Outcome.UNKNOWN_LOG
    assert ask(client, 3, GrownLog(LOG.origin, 3, seed=3)).outcome is Outcome.NOT_SIGNED
    wrong = Signer(KEY.name, KeyType.COSIGNATURE_ED25519, bytes([9]) * 32)
    assert ask(WitnessClient(running.url, wrong.verifier), 3).outcome is Outcome.BAD_ANSWER


def test_a_witness_that_does_not_listen_is_unavailable() -> None:
    """Refused connections are retried until the time is over, then named."""
    found = ask(WitnessClient(f"http://127.0.0.1:{free_port()}", KEY.verifier), 3, seconds=0.5)
    assert found.outcome is Outcome.UNAVAILABLE
    assert "does not answer" in found.detail


class Answers(BaseHTTPRequestHandler):
    """Answers each request by the next of `script` (the last one for ever)."""

    script: ClassVar[list[Callable[[Answers, bytes], None]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        step(self, body)

    def give(self, status: int, body: bytes, media: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def answering(*script: Callable[[Answers, bytes], None]) -> Iterator[str]:
    """A server that misbehaves as the script says."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Scripted", (Answers,), {"script": list(script)}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def cosignature(handler: Answers, body: bytes) -> None:
    text = parse_note(body.partition(b"\n\n")[2]).text
    handler.give(200, sign(text, KEY, wall_ms() // 1000).line.encode())


TIMES = {"no time": 0, "the year 1970": 1, "before the checkpoint": 8_999, "from the future": 11_001, "the end": 2**62}


@pytest.mark.parametrize("what", TIMES)
def test_a_cosignature_whose_time_cannot_be_true_does_not_count(what: str) -> None:
    """The checkpoint was first submitted at 9,600 s and is submitted again at 10,400 s; 600 s between clocks are
    tolerated on both sides."""
    times = iter((5_000, 9_000, 11_000, TIMES[what]))

    def answer(handler: Answers, body: bytes) -> None:
        text = parse_note(body.partition(b"\n\n")[2]).text
        handler.give(200, sign(text, KEY, next(times)).line.encode())

    with answering(answer) as url:
        now = 9_600_000
        client = WitnessClient(url, KEY.verifier, clock=lambda: now)
        assert ask(client, 3).outcome is Outcome.BAD_ANSWER
        now = 10_400_000
        assert [ask(client, 3).outcome for _ in range(2)] == 2 * [Outcome.COSIGNED]
        found = ask(client, 3)
    assert found.outcome is Outcome.BAD_ANSWER
    assert "time" in found.detail


def test_a_transient_error_is_retried() -> None:
    """503, then a cosignature."""
    with answering(lambda handler, _: handler.give(503, b""), cosignature) as url:
        assert ask(WitnessClient(url, KEY.verifier), 3).outcome is Outcome.COSIGNED


MISBEHAVIOUR: dict[str, tuple[Callable[[Answers, bytes], None], Outcome]] = {
    "text instead of a signature": (lambda handler, _: handler.give(200, b"hello\n"), Outcome.BAD_ANSWER),
    "nothing": (lambda handler, _: handler.give(200, b""), Outcome.BAD_ANSWER),
    "bytes that are no UTF-8": (lambda handler, _: handler.give(200, b"\xff\n"), Outcome.BAD_ANSWER),
    "a cosignature of another checkpoint": (
        lambda handler, _: handler.give(200, sign(LOG.checkpoint(4).text, KEY, 1).line.encode()),
        Outcome.BAD_ANSWER,
    ),
    "a redirection": (lambda handler, _: handler.give(302, b""), Outcome.REFUSED),
    "a 409 without a size": (lambda handler, _: handler.give(409, b"ten\n", "text/x.tlog.size"), Outcome.REFUSED),
    "a 409 of another media type": (lambda handler, _: handler.give(409, b"10\n"), Outcome.REFUSED),
    "a size that is not the one it holds": (
        lambda handler, body: handler.give(409, b"2\n" if body.startswith(b"old 1\n") else b"1\n", "text/x.tlog.size"),
        Outcome.UNAVAILABLE,
    ),
}


@pytest.mark.parametrize("what", MISBEHAVIOUR)
def test_an_answer_that_is_no_cosignature_gives_none(what: str) -> None:
    """Whatever a witness answers, the client returns in bounded attempts and never an unverified line."""
    step, outcome = MISBEHAVIOUR[what]
    with answering(step) as url:
        found = ask(WitnessClient(url, KEY.verifier), 3)
    assert (found.outcome, found.signature) == (outcome, None)


def test_a_witness_that_hangs_does_not_hold_its_client() -> None:
    """No answer ever comes: the client returns all the same, when its time is over."""
    returned = threading.Event()
    with answering(lambda handler, _: (returned.wait(600), None)[1]) as url:
        found = ask(WitnessClient(url, KEY.verifier, request_s=0.2), 3, seconds=0.4)
        returned.set()
    assert found.outcome is Outcome.UNAVAILABLE
