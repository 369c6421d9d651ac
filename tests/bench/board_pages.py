"""How long the pages of a board with many pilots take to render, and how large they are.

    python tests/bench/board_pages.py [--pilots N] [--rounds N]

The board holds `--pilots` pilots of 50 firms, each with a charter and 20 decisions; of ten one is halted, one escalated
and one on watch. Prints one line for each page, of the slowest of `--rounds`, the first one included:

    GOAL board_/fleet ms=... most=300 bytes=... ok
"""

from __future__ import annotations

import argparse
import sys
import time

from msgspec import structs

from monitor.charter.spec import charter_hash
from monitor.console.fleet_view import FleetView
from monitor.console.pages import PAGES, Asked
from monitor.model.records import Decision, Finding, Level, Outputs, Reason
from monitor.simulation.fleet_charter import charter
from monitor.testing.records import decision

MOST_MS = 300.0
MOST_BYTES = 600_000
HOUR = 3_600_000
START = 1_767_225_600_000
NOW = START + 90 * 24 * HOUR
QUERIES: dict[str, dict[str, str]] = {"/search": {"q": "pilot-04"}}
LEVELS = (Level.HALT, Level.ESCALATE, Level.WATCH)


def board_of(pilots: int) -> FleetView:
    """A board with so many pilots."""
    board = FleetView(most=max(5_000, pilots))
    for number in range(pilots):
        name, firm = f"pilot-{number:05}", f"firm-{number % 50}"
        made = charter(name, number=number, period_ms=HOUR, cap=9.0, dispersion=1.0, start=START, end=NOW)
        plan = structs.replace(made, participant=structs.replace(made.participant, id=firm), sector=f"s{number % 9}")
        board.learn(plan)
        board.apply(Outputs(decisions=_history(name, firm, charter_hash(plan), number)))
    return board


def _history(name: str, firm: str, digest: str, number: int) -> list[Decision]:
    common = {"participant": firm, "charter": digest}
    found = [
        decision(1, name, kind="act", level=Level.NORMAL, reason=Reason.ADMITTED, at=START, finding=Finding(),
                 author="officer", responsible=(f"authority-{number % 7}",), **common)
    ]  # fmt: skip
    for standing in range(2, 20):
        at = START + standing * HOUR
        found.append(decision(standing, name, kind="finding", level=Level.NORMAL, was=Level.NORMAL, at=at, **common))
    if number % 10 < len(LEVELS):
        level = LEVELS[number % 10]
        found.append(decision(20, name, level=level, at=START + 30 * HOUR + number, **common))
    return found


def main() -> int:
    """Render every page of the table that names no single thing, and one pilot."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pilots", type=int, default=5_000)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    board, failed = board_of(chosen.pilots), False
    for path, page in PAGES.items():
        names = {"pilot": "pilot-00010"} if path.startswith("/pilot/") else {}
        if "{" in path and not names:
            continue
        asked = Asked(board, QUERIES.get(path, {}), names, NOW)
        times, size = [], 0
        for _ in range(chosen.rounds):
            began = time.process_time()
            size = len((page(asked) or "").encode())
            times.append(1000 * (time.process_time() - began))
        slowest = max(times)
        met = slowest < MOST_MS and size < MOST_BYTES
        failed = failed or not met
        verdict = "ok" if met else "MISSED"
        print(
            f"GOAL board_{path.split('{')[0]} ms={slowest:.0f} most={MOST_MS:.0f} bytes={size} {verdict}",
            flush=True,
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
