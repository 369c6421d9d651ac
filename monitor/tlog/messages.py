"""What is signed for each type of key: the text of the note, or a cosigned message (https://c2sp.org/tlog-cosignature).

`0x01`: the text as it is. `0x04`: `cosignature/v1`, the time and the text. `0x06`: a binary `cosigned_message` of
cosigner, time, origin, first and last leaf and root; extension lines are not covered.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from monitor.tlog import checkpoint
from monitor.tlog.errors import BadFormat
from monitor.tlog.text import HASH_BYTES, MAX_INTEGER, check_name, check_origin

LABEL = b"subtree/v1\n\x00"
TIMESTAMP_BYTES = 8


class Subtree(NamedTuple):
    """The leaves from `start` to `end` of a log, and their root."""

    origin: str
    start: int
    end: int
    root: bytes


def ed25519_message(text: str, time: int) -> bytes:
    """What an Ed25519 cosigner signs of a checkpoint at `time`, seconds since 1970.

    Raises:
        BadFormat: the text is no checkpoint, or the time is out of range.
    """
    checkpoint.parse(text)
    _check_time(time)
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def ml_dsa_44_message(name: str, text: str, time: int) -> bytes:
    """What the ML-DSA-44 cosigner `name` signs of a checkpoint at `time`, seconds since 1970.

    Raises:
        BadFormat: the text is no checkpoint, or name or time are out of range.
    """
    head = checkpoint.parse(text)
    return subtree_message(name, time, Subtree(head.origin, 0, head.size, head.root))


def subtree_message(name: str, time: int, subtree: Subtree) -> bytes:
    """The structure `cosigned_message`; `time` is 0 where no statement is made about the largest tree observed.

    Raises:
        BadFormat: a field is out of range, or a time is given for a subtree that does not start at 0.
    """
    what = "cosigned message"
    check_name(name, what)
    check_origin(subtree.origin, what)
    _check_time(time)
    if not 0 <= subtree.start <= subtree.end <= MAX_INTEGER:
        raise BadFormat(what, f"leaves {subtree.start} to {subtree.end}", "start may not be above end")
    if subtree.start and time:
        raise BadFormat(what, f"time {time} with start {subtree.start}", "a subtree not from leaf 0 has time 0")
    if len(subtree.root) != HASH_BYTES:
        raise BadFormat(what, f"root of {len(subtree.root)} bytes", "a root has 32 bytes")
    cosigner, origin = name.encode(), subtree.origin.encode()
    return b"".join(
        (
            LABEL,
            struct.pack(">B", len(cosigner)) + cosigner,
            struct.pack(">Q", time),
            struct.pack(">B", len(origin)) + origin,
            struct.pack(">QQ", subtree.start, subtree.end),
            subtree.root,
        )
    )


def _check_time(time: int) -> None:
    if not 0 <= time <= MAX_INTEGER:
        raise BadFormat("cosignature", f"time {time}", "a time is from 0 to 2^63 - 1 seconds since 1970")
