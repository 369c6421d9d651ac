"""Recomputes every number of an annual report, independently of the monitor: `python recompute_annual.py
annual-2026.json LEDGER_DIR...`

Standard library only, and none of the monitor's code. `sandbox-monitor annual --out` writes two more such programs next
to it: `recompute_figures.py` counts, `recompute.py` computes confidence sequences. From the ledger files it computes
leaf hashes and roots, and from their entries, as far as the report read them, each figure by the definition that the
report states, with the entries behind it. That no decision is missing is shown by `sandbox-monitor ledger verify DIR`.

Prints one line for each number that is `different`, and a count of those that are the `same`. Exit codes: 0 nothing
differs, 1 something differs or a file cannot be read, 2 usage error.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import sys
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class Unreadable(Exception):
    """A ledger is not what its format says."""


class Log:
    """One file: what its header names, the bodies of its first entries and their root."""

    def __init__(self, path: Path) -> None:
        self.path, self.raw = path, path.read_bytes()
        if self.raw[:7] != b"SBXLEDG" or self.raw[7] not in (1, 2):
            raise Unreadable(f"{path}: not a ledger")
        end = 10 + int.from_bytes(self.raw[8:10], "big")
        self.subject, self.log, self.year = self.raw[10:end].decode(), "decisions", 0
        if self.raw[7] == 2:
            size = int.from_bytes(self.raw[end : end + 2], "big")
            self.log = self.raw[end + 2 : end + 2 + size].decode()
            end += 4 + size
            self.year = int.from_bytes(self.raw[end - 2 : end], "big")
        if zlib.crc32(self.raw[:end]) != int.from_bytes(self.raw[end : end + 4], "big"):
            raise Unreadable(f"{path}: the header does not match its checksum")
        self._begin = end + 4

    def read(self, most: int) -> tuple[list[Any], str]:
        """The first `most` bodies and their root. Raises Unreadable."""
        at, bodies, hashes = self._begin, list[Any](), list[bytes]()
        while len(bodies) < most and at + 40 <= len(self.raw):
            size = int.from_bytes(self.raw[at : at + 4], "big")
            entry = self.raw[at + 40 : at + 40 + size]
            if len(entry) < size:
                break
            if hashlib.sha256(b"\0" + entry).digest() != self.raw[at + 8 : at + 40]:
                raise Unreadable(f"{self.path}: entry {len(bodies)} does not match its leaf hash")
            hashes.append(self.raw[at + 8 : at + 40])
            skip = 2
            for _ in range(2):
                skip += 2 + int.from_bytes(entry[skip : skip + 2], "big")
            bodies.append(json.loads(entry[skip + 26 :]))
            at += 40 + size
        return bodies, tree_head(hashes)


def tree_head(hashes: list[bytes]) -> str:
    """The root of RFC 6962, level by level: an odd node is carried up."""
    level = hashes or [hashlib.sha256(b"").digest()]
    while len(level) > 1:
        level = [
            hashlib.sha256(b"\1" + level[i] + level[i + 1]).digest() if i + 1 < len(level) else level[i]
            for i in range(0, len(level), 2)
        ]
    return level[0].hex()


def same(a: Any, b: Any) -> bool:
    """Whether two values agree to five digits."""
    if isinstance(a, int | float) and isinstance(b, int | float) and not isinstance(a, bool):
        return math.isclose(a, b, rel_tol=2e-5, abs_tol=1e-12)
    return bool(a == b)


def plain(made: Any, name: str) -> dict[str, list[int]]:
    """Entries or periods in one form."""
    numbers = {key: list(value) for key, value in (made.get(name) or {}).items()}
    return {key: sorted(value) for key, value in numbers.items()} if name == "entries" else numbers


def compare(report: Any, computed: dict[tuple[str, ...], dict[str, Any]]) -> list[tuple[str, str, str]]:
    """(name, result, why) of each number of the report, and of each that it lacks."""
    found, left = [], dict(computed)
    for measure in (measure for section in report["sections"] for measure in section["measures"]):
        for figure in measure.get("figures") or []:
            key = (measure["id"], *figure.get("of", ()))
            made = left.pop(key, None)
            if made is None:
                found.append(("/".join(key), "different", "the ledgers have no such number, or it is listed twice"))
                continue
            for name in ("value", "low", "high"):
                if not same(figure.get(name), made.get(name)):
                    found.append(("/".join(key), "different", f"{name}: computed {made.get(name)}"))
                    break
            else:
                wrong = [name for name in ("entries", "periods") if plain(figure, name) != plain(made, name)]
                why = ", ".join(f"{name}: computed {json.dumps(plain(made, name))[:200]}" for name in wrong)
                found.append(("/".join(key), "different" if wrong else "same", why))
    return [
        *found,
        *(("/".join(key), "different", f"not in the report: {made['value']}") for key, made in left.items()),
    ]


def read_all(report: Any, directories: list[Path]) -> tuple[list[tuple[Log, list[Any]]], list[tuple[str, str, str]]]:
    """The logs that the report lists, as long as they were then, and what does not agree with the list."""
    listed = {(one["subject"], one["log"], one["year"]): one for one in report["ledgers"]}
    known, found = {one["file"] for one in report["remarks"]}, list[tuple[str, str, str]]()
    logs: dict[tuple[str, str, int], Log] = {}
    for path in sorted(path for directory in directories for path in directory.glob("*.ledger")):
        try:
            log = Log(path)
        except Unreadable as error:
            if path.name not in known:
                found.append((path.name, "different", str(error)))
            continue
        key = (log.subject, log.log, log.year)
        if key not in listed:
            found.append((path.name, "different", "this ledger is not in the report; it is newer, or was left out"))
        elif key not in logs or len(log.raw) > len(logs[key].raw):
            logs[key] = log
    read = []
    for key, one in listed.items():
        if key not in logs:
            found.append((one["file"], "different", "the ledger is not here"))
            continue
        try:
            bodies, root = logs[key].read(one["entries"])
        except Unreadable as error:
            found.append((one["file"], "different", str(error)))
            continue
        agrees = len(bodies) == one["entries"] and root == one["root"]
        found.append((one["file"], "same" if agrees else "different", f"{len(bodies)} entries, root {root}"))
        read.append((logs[key], bodies))
    return read, found


def check(report: Any, directories: list[Path], figures: Any, sequences: Any) -> list[tuple[str, str, str]]:
    """Compares a report with the ledgers: (name, `same` or `different`, why) of each file and number. `figures` and
    `sequences` are the programs `recompute_figures.py` and `recompute.py`."""
    logs, found = read_all(report, directories)
    rows = [(log.subject, log.log, log.year, log.path.name, bodies) for log, bodies in logs]
    since, until = (int(datetime(report["year"] + n, 1, 1, tzinfo=UTC).timestamp() * 1000) for n in (0, 1))
    agrees = (report["since"], report["until"]) == (since, until)
    found.append(("since, until", "same" if agrees else "different", f"{since}, {until}"))
    return found + compare(report, figures.compute(report["year"], rows, sequences))


def main(arguments: list[str]) -> int:
    """Runs the program and returns its exit code."""
    if len(arguments) < 2:
        print("usage: recompute_annual.py annual-YEAR.json LEDGER_DIR...", file=sys.stderr)
        return 2
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        programs = [importlib.import_module(name) for name in ("recompute_figures", "recompute")]
        report = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
        found = check(report, list(map(Path, arguments[1:])), *programs)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        print(f"cannot be read: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    different = [one for one in found if one[1] != "same"]
    for name, result, why in different:
        print(f"{result}  {name}: {why}")
    print(f"{len(found) - len(different)} same, {len(different)} different", file=sys.stderr)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
