"""What a witness answers to `add-checkpoint`: the closed list, with the HTTP status of each. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from monitor.tlog import add_checkpoint
from monitor.tlog.add_checkpoint import SIZE_TYPE

TEXT = "text/plain; charset=utf-8"


class AddAnswer(StrEnum):
    """Why a checkpoint was cosigned or refused; a label of `sandbox_monitor_witness_answers_total`."""

    COSIGNED = "cosigned"
    MALFORMED = "malformed"  # not the format, or an old size above that of the checkpoint
    UNKNOWN_LOG = "unknown_log"
    NOT_SIGNED = "not_signed"  # by no key of the log that this witness knows, or wrongly
    OLD_SIZE = "old_size"  # not the size that this witness cosigned last
    FORK = "fork"  # another root for the size that this witness cosigned last
    BAD_PROOF = "bad_proof"
    NOT_STORED = "not_stored"  # the disk failed; nothing was cosigned

    @property
    def status(self) -> int:
        """The HTTP status."""
        return _STATUS[self]


_STATUS = {
    AddAnswer.COSIGNED: 200,
    AddAnswer.MALFORMED: 400,
    AddAnswer.NOT_SIGNED: 403,
    AddAnswer.UNKNOWN_LOG: 404,
    AddAnswer.OLD_SIZE: 409,
    AddAnswer.FORK: 409,
    AddAnswer.BAD_PROOF: 422,
    AddAnswer.NOT_STORED: 503,
}


class Response(NamedTuple):
    """An answer as it goes out. `body` has the cosignature lines, the size (409), or a line for people."""

    answer: AddAnswer
    body: bytes

    @property
    def content_type(self) -> str:
        """The media type: of a 409 that of tlog-witness, otherwise text."""
        return SIZE_TYPE if self.answer.status == 409 else TEXT


def conflict(answer: AddAnswer, size: int) -> Response:
    """A 409: the body is the size that was cosigned last."""
    return Response(answer, add_checkpoint.conflict(size))


def refusal(answer: AddAnswer, text: str) -> Response:
    """A refusal with one line for people."""
    return Response(answer, f"{' '.join(text.split())[:500]}\n".encode())
