"""How long the pages and data of a board with many pilots take, and how large they are.

    python tests/bench/board_pages.py [--pilots N] [--rounds N]

The board is that of `board_pilots.py`, with ledgers. Each page and each data of `pages.py` is asked for `--rounds`
times: those of one thing for one pilot, firm, authority, model or ledger entry, those with a filter also for one
authority. Prints one line for each, of the slowest request, the first one included, in ms of processor time. `loops`
is that time divided by the time of a fixed loop in the same run: the load of the machine does not change it:

    GOAL board_/fleet ms=... most=300 loops=... bytes=... ok
"""

from __future__ import annotations

import argparse
import gc
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from monitor.console.fleet_view import FleetView
from monitor.console.pages import DATA, PAGES, Asked
from tests.bench.board_pilots import NOW, board_of

MOST_MS = 300.0
MOST_BYTES = {"/api/board.json": 8_000_000}  # every pilot, on one page
OTHER_BYTES = 600_000
QUERIES: dict[str, dict[str, str]] = {"/search": {"q": "pilot-04"}}
NAMES = {
    "pilot": "pilot-00010", "firm": "firm-1", "authority": "authority-1", "model": "model-010",
    "ledger": "pilot-00010", "subject": "pilot-00010", "entry": "3",
}  # fmt: skip
FILTERED = ("/", "/fleet", "/halts", "/clocks")  # asked for once more, for one authority
Answer = Callable[[], bytes]
T = TypeVar("T")


def answers(board: FleetView) -> Iterator[tuple[str, Answer]]:
    """Every page and data of the board, by its address without the names in it."""
    for path, page in PAGES.items():
        asked = Asked(board, QUERIES.get(path, {}), _names(path), NOW)
        yield _short(path), lambda page=page, asked=asked: _there(page(asked)).encode()  # type: ignore[misc]
    for path in FILTERED:
        asked = Asked(board, {"authority": "authority-1"}, {}, NOW)
        yield f"{path}?authority", lambda page=PAGES[path], asked=asked: _there(page(asked)).encode()  # type: ignore[misc]
    for path, data in DATA.items():
        asked = Asked(board, {}, _names(path), NOW)
        yield _short(path), lambda data=data, asked=asked: msgspec.json.encode(_there(data(asked)))  # type: ignore[misc]


def _there(found: T | None) -> T:
    if found is None:
        raise SystemExit("a page of the board is not there: the bench asks for a name that the board does not have")
    return found


def _names(path: str) -> dict[str, str]:
    return {name: NAMES[name] for name in re.findall(r"\{([a-z]+):", path)}


def _short(path: str) -> str:
    """The address with `-` for the patterns of names."""
    return re.sub(r"\{[a-z]+:(?:[^{}]|\{[0-9]+\})*\}", "-", path)


def reference_loop() -> float:
    """The time of a fixed amount of work, in ms."""
    began = time.process_time()
    found = {}
    for number in range(100_000):
        found[number % 1_000] = str(number)
    return 1000 * (time.process_time() - began)


def main() -> int:
    """Ask for everything, and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pilots", type=int, default=5_000)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        board = board_of(chosen.pilots, Path(directory) / "ledger")
        gc.collect()
        gc.freeze()
        met = [_measured(name, answer, chosen.rounds) for name, answer in answers(board)]
    return int(not all(met))


def _measured(name: str, answer: Answer, rounds: int) -> bool:
    slowest, loops, size = 0.0, 0.0, 0
    for _ in range(rounds):
        loop = reference_loop()
        began = time.process_time()
        size = len(answer())
        took = 1000 * (time.process_time() - began)
        slowest, loops = max(slowest, took), max(loops, took / loop)
    met = slowest < MOST_MS and size < MOST_BYTES.get(name, OTHER_BYTES)
    verdict = "ok" if met else "MISSED"
    print(f"GOAL board_{name} ms={slowest:.0f} most={MOST_MS:.0f} loops={loops:.1f} bytes={size} {verdict}", flush=True)
    return met


if __name__ == "__main__":
    sys.exit(main())
