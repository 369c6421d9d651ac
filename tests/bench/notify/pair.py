"""A pair of real Alertmanagers under faults: `python -m tests.bench.notify.pair [ALERTS]` prints what was lost and how
often an alert was notified more than once.

Halts start one after another, each in a separate message. In the middle of them comes the fault; after a third of
them it is mended.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from monitor.act import Deliver
from monitor.act.alertmanager import Alertmanager
from monitor.clock import wall_ms
from monitor.testing.alertmanager_pair import Pair
from monitor.testing.recorder import Recorder
from monitor.testing.records import halted

FAULTS = ("none", "kill first", "kill second", "partition", "empty first", "empty second")
CONFIG = Path(__file__).parents[3] / "deploy" / "alertmanager" / "alertmanager.yaml"
PACE_MS = 2_000  # of the actor between two halts: each comes by itself, and they are resent every ten
STEP_S = 0.05  # of the wall clock between two halts


def run(fault: str, alerts: int, directory: Path, people: Recorder) -> None:
    """Start `alerts` halts on a pair that suffers `fault`, and end with resending them. `people` is the receiver."""
    config = directory / "alertmanager.yaml"
    config.write_text(CONFIG.read_text().replace("http://127.0.0.1:9095", people.url))
    with Pair(directory, config) as pair:
        _wait(lambda: all(member.peers() == 2 for member in pair.members))
        actors = {f"am-{n}": Alertmanager(member.url) for n, member in enumerate(pair.members)}
        deliver, now = Deliver(actors, directory / "delivered.json"), 0
        for number in range(alerts):
            if number == alerts // 3:
                _break(fault, pair)
            if number == 2 * alerts // 3:
                _mend(fault, pair)
            deliver.feed([halted(pilot=f"p-{number}", at=wall_ms())])
            now += PACE_MS
            deliver.tick(now)
            time.sleep(STEP_S)
        end = time.monotonic() + 120
        while len(heard(people)) < alerts and time.monotonic() < end:
            now += 1_000
            deliver.tick(now)
            time.sleep(0.2)
        time.sleep(5.0)  # the second member may still repeat what the first one notified


def heard(people: Recorder) -> dict[str, int]:
    """How often the halt of each pilot was notified as firing."""
    found = Counter[str]()
    for seen in people.seen:
        for alert in seen.body["alerts"]:
            if alert["labels"]["alertname"] == "SandboxPilotHalted" and alert["status"] == "firing":
                found[alert["labels"]["pilot"]] += 1
    return dict(found)


def _break(fault: str, pair: Pair) -> None:
    kind, _, which = fault.partition(" ")
    if kind == "partition":
        pair.part(True)
    elif which:
        pair.members[which == "second"].kill()


def _mend(fault: str, pair: Pair) -> None:
    kind, _, which = fault.partition(" ")
    if kind == "partition":
        pair.part(False)
    elif which:
        number = int(which == "second")
        if kind == "empty":
            pair.members[number].empty()
        pair.start(number)


def _wait(true: object) -> None:
    assert callable(true)
    end = time.monotonic() + 60
    while not true() and time.monotonic() < end:
        time.sleep(0.1)


def main(alerts: int) -> int:
    """Print a line for each fault, and the goal. Returns the exit code: 1 when an alert was lost."""
    lost = 0
    for fault in FAULTS:
        with tempfile.TemporaryDirectory() as scratch, Recorder() as people:
            run(fault, alerts, Path(scratch), people)
            found = heard(people)
        repeats = sum(found.values()) - len(found)
        lost += alerts - len(found)
        print(f"{fault}: {alerts} alerts, {alerts - len(found)} lost, {repeats} notified again", flush=True)
    print(f"GOAL alertmanager_pair_lost {lost} <=0 {'ok' if lost == 0 else 'short'}", flush=True)
    return 0 if lost == 0 else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 500))
