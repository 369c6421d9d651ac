"""Bounds of the parts of a pilot's state. README.md, "Bounds", lists them with the consequence of each. Pure.

A firm decides by what it sends how many sources, gaps and findings there are, so each is bounded in number and in
bytes. The rest depends on the charter: `monitor/compile/state_size.py` bounds it at admission.
"""

from __future__ import annotations

import functools
from hashlib import blake2b

STATE_BYTES = 960 * 1024  # of a pilot's state, at most
# The part of it that depends on the charter: the charter, streams, detectors, open periods, findings.
CHARTER_BYTES = 368 * 1024

WINDOW = 1024  # how far below its highest sequence number a source may still deliver
SOURCES = 512  # emitter incarnations remembered per pilot
FEW_SOURCES = 64  # up to so many are remembered in full detail; in a larger table, each in less
AHEAD_MS = 300_000  # how far an event's time may be after its reception: clocks differ
AHEAD_PERIODS = 64  # periods that may be open ahead of reception; a later event counts in the last of them
NAME = 64  # bytes of a source's name; a longer one is replaced by a digest

_MARKS, _MARKS_OF_MANY = 32, 6  # statements of exposure remembered per source
# Digests of events remembered per source: 256 bytes, and 2 % of the cost of an event. The SDK resends 100 events at
# most.
_SEEN, _SEEN_OF_MANY = 128, 16


def marks_kept(sources: int) -> int:
    """How many statements of exposure are kept for each of so many sources."""
    return _MARKS if sources <= FEW_SOURCES else _MARKS_OF_MANY


def seen_kept(sources: int) -> int:
    """For how many numbers digests are kept, for each of so many sources."""
    return _SEEN if sources <= FEW_SOURCES else _SEEN_OF_MANY


@functools.lru_cache(maxsize=4096)
def short(source: str) -> str:
    """The name of a source in a pilot's state: itself up to `NAME` bytes, else a digest of it.

    >>> short("my-service/1"), len(short("x" * 200))
    ('my-service/1', 33)
    """
    raw = source.encode("utf-8", "surrogatepass")
    return source if len(raw) <= NAME else "#" + blake2b(raw, digest_size=16).hexdigest()
