"""`make test-ledger`: what a stranger can check of the ledger, measured. `QUICK=1` runs a small part of each.

Prints one line `GOAL name value limit ok|missed` per promise, or `skipped: why` where this machine cannot run it, and
progress on stderr. Exit codes: 0 none is missed, 1 one is missed, 2 usage error.

To add goals, write `tests/ledger/goal_X.py` with a function `run` that returns them, and one line in `GOALS`. With
`QUICK` (`tests/ledger/goal.py`) it takes a few seconds of processor time at most: `test_goals.py` runs it then.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Iterable

from tests.ledger.goal import Goal

GOALS: dict[str, str] = {
    "proofs": "goal_proofs",
    "faults": "goal_faults",
    "tampering": "goal_tampering",
    "verify_speed": "goal_verify_speed",
    "second_verifier": "goal_second_verifier",
    "mutations": "goal_mutations",
    "outside_formats": "goal_outside_formats",
    "speed_formats": "goal_speed_formats",
    "appeal": "goal_appeal",
    "entries": "goal_entries",
    "witness": "goal_witness",
    "outside_litewitness": "goal_litewitness",
    "outside_fsck": "goal_outside_fsck",
    "rollback": "goal_rollback",
    "speed": "goal_speed",
}


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="test-ledger", description="what a stranger can check of the ledger")
    parser.add_argument("goals", nargs="*", metavar="GOAL", help=f"all, or some of {', '.join(GOALS)}")
    chosen = parser.parse_args().goals or list(GOALS)
    unknown = [name for name in chosen if name not in GOALS]
    if unknown:
        parser.error(f"no such goal: {', '.join(unknown)}; there are {', '.join(GOALS)}")
    missed = 0
    for name in chosen:
        began = _processor_time()
        run: Callable[[], Iterable[Goal]] = importlib.import_module(f"tests.ledger.{GOALS[name]}").run
        for goal in run():
            print(goal.line, flush=True)
            missed += not (goal.ok or goal.skipped)
        print(f"{name}: {_processor_time() - began:.1f} s of processor time", file=sys.stderr)
    return 1 if missed else 0


def _processor_time() -> float:
    """Seconds of this process and of those that it has waited for."""
    return sum(os.times()[:4])


if __name__ == "__main__":
    sys.exit(main())
