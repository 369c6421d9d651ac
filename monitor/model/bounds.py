"""How large each part of a pilot's state may grow. README.md, "Bounds", lists them with what happens at each.

What a firm sends decides how many sources, gaps and findings there are, so each of them is bounded in number and in
bytes. The rest follows from the charter: `monitor/compile/state_size.py` bounds it at admission.
"""

from __future__ import annotations

import functools
from hashlib import blake2b

STATE_BYTES = 640 * 1024  # the most that a pilot's state may take as bytes
# Of them, what follows from the charter: itself, streams, detectors, open periods, findings.
CHARTER_BYTES = 352 * 1024

WINDOW = 1024  # sequence numbers below its highest one that a source may still deliver
SOURCES = 512  # emitter incarnations remembered per pilot
FEW_SOURCES = 64  # up to so many, each is remembered in full detail; in a larger table, each in less
AHEAD_MS = 300_000  # an event may tell of a time so far after its reception: clocks differ
AHEAD_PERIODS = 64  # periods that may be open ahead of reception; what tells of a later one counts in the last of them
NAME = 64  # bytes of a source's name that are kept as they are

_MARKS, _MARKS_OF_MANY = 32, 6  # statements of exposure remembered per source
# Digests of events remembered per source: 256 bytes, and 2 % of the cost of an event. The SDK resends 100 events at
# most.
_SEEN, _SEEN_OF_MANY = 128, 16


def marks_kept(sources: int) -> int:
    """How many statements of exposure each of so many sources may have."""
    return _MARKS if sources <= FEW_SOURCES else _MARKS_OF_MANY


def seen_kept(sources: int) -> int:
    """Of how many numbers each of so many sources has digests."""
    return _SEEN if sources <= FEW_SOURCES else _SEEN_OF_MANY


@functools.lru_cache(maxsize=4096)
def short(source: str) -> str:
    """The name of a source in a pilot's state: itself up to `NAME` bytes, else a digest of it.

    >>> short("my-service/1"), len(short("x" * 200))
    ('my-service/1', 33)
    """
    raw = source.encode("utf-8", "surrogatepass")
    return source if len(raw) <= NAME else "#" + blake2b(raw, digest_size=16).hexdigest()
