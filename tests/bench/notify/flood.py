"""A flood on a real Alertmanager with the shipped routes: `python -m tests.bench.notify.flood [FINDINGS [SECONDS]]`.

FINDINGS pilots have a grave finding within ten seconds, and in the middle of it another pilot is halted. Prints how
many messages the receiver gets within SECONDS, what the first one names, and when the halt is named.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from monitor.act import Deliver
from monitor.act.alertmanager import Alertmanager
from monitor.clock import wall_ms
from monitor.model.records import Decision, Level, Reason
from monitor.testing.recorder import Recorded, Recorder
from monitor.testing.records import halted
from monitor.testing.servers import alertmanager

CONFIG = Path(__file__).parents[3] / "deploy" / "alertmanager" / "alertmanager.yaml"
WITHIN_S, STEPS = 10.0, 100


class Flooded(NamedTuple):
    """What the receiver got: messages, the pilots named in firing alerts, the text of the first message, and the
    seconds from the halt to the message that names it."""

    messages: int
    named: int
    first: str
    halt_s: float | None


def finding(number: int) -> Decision:
    """An escalation of pilot `number`."""
    return halted(pilot=f"p-{number}", level=Level.ESCALATE, reason=Reason.BOUNDARY_BREACHED, at=wall_ms())


def run(findings: int, seconds: float, directory: Path) -> Flooded:
    """Flood an Alertmanager, and wait until `seconds` after the first finding."""
    arrived: list[tuple[float, Recorded]] = []

    def received(recorded: Recorded) -> tuple[int, Any]:
        arrived.append((time.monotonic(), recorded))
        return 200, {}

    with Recorder(received) as people:
        config = directory / "alertmanager.yaml"
        config.write_text(CONFIG.read_text().replace("http://127.0.0.1:9095", people.url))
        with alertmanager(directory / "alertmanager", config) as server:
            deliver, over = (
                Deliver({"alertmanager": Alertmanager(server.url)}, directory / "act.json"),
                threading.Event(),
            )
            thread = threading.Thread(target=deliver.run, args=(wall_ms, over.wait, over.is_set))
            thread.start()
            begun, halt = time.monotonic(), 0.0
            for step in range(STEPS):
                deliver.feed([finding(n) for n in range(step * findings // STEPS, (step + 1) * findings // STEPS)])
                if step == STEPS // 2:
                    halt = time.monotonic()
                    deliver.feed([halted(pilot="another", at=wall_ms())])
                time.sleep(max(0.0, begun + (step + 1) * WITHIN_S / STEPS - time.monotonic()))
            time.sleep(max(0.0, begun + seconds - time.monotonic()))
            over.set()
            thread.join()
    named = {a["labels"]["pilot"] for _, one in arrived for a in one.body["alerts"] if a["status"] == "firing"}
    halts = [at - halt for at, one in arrived if any(a["labels"]["pilot"] == "another" for a in one.body["alerts"])]
    first = str(arrived[0][1].body["commonAnnotations"] | arrived[0][1].body["alerts"][0]["annotations"])
    return Flooded(len(arrived), len(named), first, min(halts, default=None))


def main(findings: int, seconds: float) -> int:
    """Print the figures and the goals. Returns the exit code: 1 when one is missed."""
    with tempfile.TemporaryDirectory() as scratch:
        found = run(findings, seconds, Path(scratch))
    print(f"{found.messages} messages in {seconds:g} s, {found.named} of {findings + 1} pilots named")
    print(f"the first one: {found.first}")
    waited = 1e9 if found.halt_s is None else found.halt_s
    goals = (
        ("flood_messages", found.messages, 10),
        ("flood_halt_named_s", waited, 5),
        ("flood_pilots_unnamed", findings + 1 - found.named, 0),
        ("flood_first_cause_unnamed", int("Pilot p-0 of" not in found.first), 0),
    )
    for name, figure, bound in goals:
        print(f"GOAL {name} {figure:.3g} <={bound} {'ok' if figure <= bound else 'short'}", flush=True)
    return int(any(figure > bound for _, figure, bound in goals))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, float(sys.argv[2]) if len(sys.argv) > 2 else 600))
