"""Asks one witness over HTTP (C2SP tlog-witness) to cosign a checkpoint. Each answer is bounded in size, and in time
between two of its bytes: call it in a thread for which nothing waits longer than it wants to.

The client needs to remember nothing: a witness that holds another size than expected says so (409), and is asked again
with the proof from there.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from enum import StrEnum
from typing import IO, NamedTuple

from monitor.access.address import http_address
from monitor.clock import wall_ms
from monitor.tlog.add_checkpoint import PATH, SIZE_TYPE, AddCheckpoint, parse_conflict, parse_cosignatures
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.errors import TlogError
from monitor.tlog.keys import Verifier
from monitor.tlog.note import Signature, SignedNote
from monitor.witness.cosignature_time import time_problem

Consistency = Callable[[int], list[bytes]]
"""The consistency proof from an older size to the checkpoint; empty from 0 and from the checkpoint's own size."""

REQUEST_S = 3.0  # for one request
PAUSES_S = (0.1, 0.3, 1.0)  # between attempts after an answer that may change
MOST_CONFLICTS = 3  # 409 in a row: somebody else submits checkpoints of this log
LONGEST_ANSWER = 64 * 1024  # bytes


class Outcome(StrEnum):
    """What became of one request for a cosignature; a label of `sandbox_monitor_cosignatures_total`."""

    COSIGNED = "cosigned"
    UNAVAILABLE = "unavailable"  # no answer in time, or a transient error
    SKIPPED = "skipped"  # it did not answer, or refused this checkpoint, and is not asked again yet
    UNKNOWN_LOG = "unknown_log"  # 404 (403 from witnesses that do not tell the two apart)
    NOT_SIGNED = "not_signed"  # 403
    REFUSED = "refused"  # another status, such as 400
    AHEAD = "ahead"  # the witness cosigned a larger checkpoint of this log than this one
    FORK = "fork"  # the witness cosigned a checkpoint that this one contradicts
    BAD_ANSWER = "bad_answer"  # not a valid cosignature by its key, or its time cannot be true


class Cosignature(NamedTuple):
    """The outcome, with the signature where there is one and a text for people where there is none."""

    outcome: Outcome
    signature: Signature | None = None
    detail: str = ""


class WitnessClient:
    """The witness with this public key at `url`, its submission prefix. One thread at a time. `clock`: ms since 1970.

    The time in a cosignature is bounded by when this checkpoint was first submitted here, and by the time of the answer
    (`cosignature_time.py`).
    """

    def __init__(
        self, url: str, verifier: Verifier, *, request_s: float = REQUEST_S, clock: Callable[[], int] = wall_ms
    ) -> None:
        self._address = http_address(url, "https://witness.example.org")
        self._verifier, self._request_s, self._clock = verifier, request_s, clock
        self._sizes: dict[str, int] = {}  # what the witness held last, per log; only saves a request
        self._made: dict[str, tuple[str, int]] = {}  # per log the text submitted last, and when first: seconds

    @property
    def shown(self) -> str:
        """Its address, without credentials."""
        return self._address.shown

    def cosign(self, note: SignedNote, checkpoint: Checkpoint, consistency: Consistency, until: float) -> Cosignature:
        """Ask for a cosignature, verified. `until` is on time.monotonic(): nothing is begun after it, and the last
        request may end `request_s` later, or after more where its answer comes in small pieces. Never raises for what
        the witness does."""
        old = min(self._sizes.get(checkpoint.origin, 0), checkpoint.size)
        if self._made.get(checkpoint.origin, ("", 0))[0] != note.text:
            self._made[checkpoint.origin] = (note.text, self._clock() // 1000)
        conflicts, pauses, last = 0, list(PAUSES_S), Cosignature(Outcome.UNAVAILABLE, None, "no time left to ask")
        while time.monotonic() < until and conflicts <= MOST_CONFLICTS:
            status, media, body = self._post(AddCheckpoint(old, tuple(consistency(old)), note).data, until)
            if status == 409 and media == SIZE_TYPE and (held := _size(body)) is not None:
                if held > checkpoint.size:
                    return Cosignature(Outcome.AHEAD, None, f"holds size {held}, this is {checkpoint.size}")
                if held == old:
                    return Cosignature(Outcome.FORK, None, f"holds another root for size {held}")
                old, conflicts = held, conflicts + 1
                self._sizes[checkpoint.origin] = held
                last = Cosignature(Outcome.UNAVAILABLE, None, "its size changes while it is asked")
                continue
            last = self._judge(status, body, note, checkpoint)
            if last.outcome is not Outcome.UNAVAILABLE or not pauses:
                break
            time.sleep(max(0.0, min(pauses.pop(0), until - time.monotonic())))
        if last.outcome is Outcome.COSIGNED:
            self._sizes[checkpoint.origin] = checkpoint.size
        return last

    def _judge(self, status: int, body: bytes, note: SignedNote, checkpoint: Checkpoint) -> Cosignature:
        said = f"{status} {body[:200].decode(errors='replace').strip()}"
        if status == 200:
            return self._cosignature(body, note, self._made[checkpoint.origin][1])
        if status == 0 or status >= 500 or status in (408, 425, 429):
            return Cosignature(Outcome.UNAVAILABLE, None, said if status else body.decode(errors="replace"))
        if status == 422:
            return Cosignature(Outcome.FORK, None, f"finds no consistency with what it cosigned: {said}")
        outcome = {403: Outcome.NOT_SIGNED, 404: Outcome.UNKNOWN_LOG}.get(status, Outcome.REFUSED)
        return Cosignature(outcome, None, said)

    def _cosignature(self, body: bytes, note: SignedNote, made_s: int) -> Cosignature:
        try:
            lines = parse_cosignatures(body)
            mine = next((line for line in lines if line.is_by(self._verifier)), None)
            if mine is None:
                return Cosignature(Outcome.BAD_ANSWER, None, f"no signature by {self._verifier!r}")
            time_s = self._verifier.verify(note.text, mine.signature)
        except TlogError as error:
            return Cosignature(Outcome.BAD_ANSWER, None, str(error))
        if problem := time_problem(time_s, made_s, self._clock() // 1000):
            return Cosignature(Outcome.BAD_ANSWER, None, f"{self._verifier!r}: {problem}")
        return Cosignature(Outcome.COSIGNED, mine)

    def _post(self, body: bytes, until: float) -> tuple[int, str, bytes]:
        """Status, media type and body; status 0 and the problem as body when there is no answer."""
        headers = {"Content-Type": "text/plain; charset=utf-8", **self._address.headers}
        request = urllib.request.Request(f"{self._address.url}/{PATH}", body, headers, method="POST")
        left = max(0.05, min(self._request_s, until - time.monotonic()))
        try:
            with _opener.open(request, timeout=left) as answer:
                return int(answer.status), answer.headers.get_content_type(), answer.read(LONGEST_ANSWER)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers.get_content_type(), _rest(error)
        except (OSError, http.client.HTTPException) as error:
            return 0, "", f"{self.shown} does not answer: {error}".encode()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


def _rest(error: urllib.error.HTTPError) -> bytes:
    try:
        return error.read(1_000)
    except (OSError, http.client.HTTPException):
        return b""


def _size(body: bytes) -> int | None:
    try:
        return parse_conflict(body)
    except TlogError:
        return None
