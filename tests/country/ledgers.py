"""Reads a directory of ledger files: the decisions, acts and evidence of each pilot, as plain JSON. Standard library
only, after the description of the format in `monitor/notary/README.md`; none of the monitor's code."""

from __future__ import annotations

import json
import struct
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

CHARTER, EVIDENCE = 4, 5
_FRAME = struct.Struct(">II32s")
Body = dict[str, Any]


class Ledgers(NamedTuple):
    """By pilot: decisions and acts in order, charters, evidence."""

    decisions: dict[str, list[Body]]
    charters: dict[str, list[Body]]
    evidence: dict[str, list[Body]]


def read_ledgers(directory: Path) -> Ledgers:
    """All ledgers of a directory."""
    found = Ledgers(defaultdict(list), defaultdict(list), defaultdict(list))
    for path in sorted(directory.glob("*.ledger")):
        for kind, body in entries(path.read_bytes()):
            if kind in (1, 2):
                found.decisions[body["pilot"]].append(body)
            elif kind == CHARTER:
                found.charters[body["pilot"]].append(body)
            elif kind == EVIDENCE:
                found.evidence[body["pilot"]].append(body)
    return found


def entries(raw: bytes) -> Iterator[tuple[int, Body]]:
    """Type and body of each entry of a ledger file."""
    at = _header(raw)
    while at + _FRAME.size <= len(raw):
        length, _, _ = _FRAME.unpack_from(raw, at)
        at += _FRAME.size
        entry = raw[at : at + length]
        at += length
        place = 2
        for _ in range(2):  # id, pilot
            place += 2 + int.from_bytes(entry[place : place + 2], "big")
        yield entry[1], json.loads(entry[place + 26 :])


def _header(raw: bytes) -> int:
    """Where the first frame begins."""
    at = 8 + 2 + int.from_bytes(raw[8:10], "big")
    if raw[7] == 2:
        at += 2 + int.from_bytes(raw[at : at + 2], "big") + 2
    return at + 4
