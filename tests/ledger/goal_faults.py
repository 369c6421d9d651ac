"""Goal: an error or a kill in any single system call loses nothing acknowledged and leaves what can be verified."""

from __future__ import annotations

import base64
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from monitor.verifier.anchors import Anchors
from monitor.verifier.report import Report, Verdict
from monitor.verifier.run import verify_all
from tests.ledger.goal import QUICK, Goal
from tests.ledger.recorder import KEY, prepare, record_and_publish
from tests.ledger.syscalls import EFFECTS, KINDS, Fault, Ran, cannot_trace, run_traced

SAMPLE = 16
LIMIT = "0"


def run() -> Iterator[Goal]:
    """One goal for each kind of system call."""
    if why := cannot_trace():
        yield Goal("faults", "-", LIMIT, False, why)
        return
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        warm = root / "warm"
        prepare(warm)
        record_and_publish(warm, lambda line: None)  # what is imported now is not opened under a fault
        healthy = tried(root, None)
        assert not healthy.problems, healthy.problems
        faults = [
            Fault(call, effect, number)
            for calls in KINDS.values() for call in calls for effect in EFFECTS
            for number in range(1, healthy.ran.calls[call] + 1)
        ]  # fmt: skip
        dice = random.Random(15)
        for kind, calls in KINDS.items():
            mine = [fault for fault in faults if fault.call in calls]
            mine = dice.sample(mine, min(len(mine), SAMPLE // len(KINDS))) if QUICK else mine
            failed = 0
            for number, fault in enumerate(mine):
                case = tried(root, fault)
                failed += bool(case.problems)
                for problem in case.problems:
                    print(f"faults: {fault}: {problem}", file=sys.stderr)
                if number % 50 == 49:
                    print(f"faults: {kind}: {number + 1} of {len(mine)}", file=sys.stderr)
            yield Goal(f"faults.{kind}", f"{failed}/{len(mine)}", f"0/{len(mine)}", bool(mine) and not failed)


class Case:
    """What happened under one fault, and what was wrong with it afterwards."""

    def __init__(self, ran: Ran) -> None:
        self.ran = ran
        self.problems: list[str] = []


def tried(root: Path, fault: Fault | None) -> Case:
    """Run the recorder under a fault; verify what it left; let it finish; verify again."""
    directory = root / "case"
    prepare(directory)
    case = Case(run_traced(lambda told: record_and_publish(directory, told), root / "strace.log", fault))
    if fault is None and case.ran.status != 0:
        case.problems.append(f"it ended with {case.ran.status}")
    case.problems += [f"after the fault: {problem}" for problem in verified(directory, case.ran.lines)]
    lines = list(case.ran.lines)
    try:
        record_and_publish(directory, lines.append)
    except Exception as error:
        case.problems.append(f"it does not start again: {error}")
    case.problems += [f"after the next start: {problem}" for problem in verified(directory, lines)]
    shutil.rmtree(directory)
    return case


def verified(directory: Path, lines: list[str]) -> list[str]:
    """What the verifier finds wrong, given everything that was acknowledged as known from outside."""
    roots = [line.split()[3] for line in lines if line.startswith("entered ")]
    notes = [base64.b64decode(line.split()[1]) for line in lines if line.startswith("published ")]
    published = directory / "published"
    anchors = Anchors(
        roots=tuple(dict.fromkeys(roots)),
        log_keys=(KEY.verifier("authority").vkey,),
        checkpoints=tuple((f"acknowledged {number}", note) for number, note in enumerate(notes)),
        published=str(published) if any(published.glob("*/checkpoint")) else None,
    )
    report: Report = verify_all([str(directory / "ledger")], anchors)
    problems = [f"{result.check}: {result.line}" for result in report.failures]
    if report.verdict is Verdict.NO_VERDICT and lines:
        problems += report.unreadable
    return problems
