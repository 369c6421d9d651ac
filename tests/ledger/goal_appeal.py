"""Goals `appeal_*`: a firm's copy of its history replays to the ids and numbers of the ledger, and every planted
difference is named by what it is."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from monitor.cli.ledger_compare import judged_appeal
from monitor.notary.appeal import Outcome, Verdict
from tests.ledger.goal import QUICK, Goal, none_of
from tests.ledger.histories import RecordedHistory
from tests.ledger.planted import planted

MEMORY, SQLITE = (1, 1) if QUICK else (160, 40)
# Reasons of decisions that must be among the histories.
KINDS = {
    "halts": ("hard_rule", "limit_exceeded"),
    "releases": ("released",),
    "amendments": ("amended",),
    "pauses": ("pause_granted",),
    "exits": ("exited", "terminated", "withdrawn"),
    "outages": ("monitor_gap",),
    "configurations": ("configuration_changed",),
}


def run() -> Iterator[Goal]:
    """All goals about appeals."""
    with tempfile.TemporaryDirectory(prefix="appeal-") as home:
        yield from _histories(Path(home))
        yield from _planted(Path(home))


def _histories(home: Path) -> Iterator[Goal]:
    wrong, compared, reasons, restarts = [], 0, Counter[str](), 0
    for seed in range(MEMORY + SQLITE):
        history = RecordedHistory.of(seed, home if seed >= MEMORY else None)
        ledger = history.ledger(home / f"ledger-{seed}")
        reasons.update({str(decision.reason) for decision in history.outputs.decisions})
        restarts += history.deaths > 0
        for pilots in [[], *([pilot] for pilot in history.pilots)]:
            path = home / "appealed.history"
            path.write_bytes(history.exported(pilots))
            appeal = judged_appeal(ledger, path)
            compared += appeal.counts[Verdict.SAME]
            if appeal.outcome is not Outcome.SAME or appeal.compared != appeal.counts[Verdict.SAME]:
                wrong.append(f"seed {seed} {pilots}: {appeal.named} {appeal.first}")
    for words in wrong[:5]:
        print(words)
    count = MEMORY + SQLITE
    yield none_of("appeal_histories_that_differ", len(wrong), count)
    yield Goal("appeal_decisions_and_commands_same", str(compared), str(count), compared >= count)
    yield Goal("appeal_histories_with_restarts", str(restarts), str(count // 2), restarts >= count // 2)
    absent = [kind for kind, names in KINDS.items() if not any(reasons[name] for name in names)]
    if not QUICK:
        yield Goal("appeal_kinds_of_history_absent", ",".join(absent) or "0", "0", not absent)


def _planted(home: Path) -> Iterator[Goal]:
    unnamed, tried = 0, 0
    for difference in planted(home):
        tried += 1
        appeal = judged_appeal(difference.ledger, difference.replay)
        names = [one.cause for one in appeal.named]
        if difference.cause not in names or appeal.outcome is not difference.outcome:
            unnamed += 1
            print(f"{difference.name}: {appeal.outcome}, {appeal.named}, {appeal.first}")
    yield none_of("appeal_planted_differences_not_named", unnamed, tried)
