"""From a reported death to the webhook of a person: `python -m tests.bench.notify.latency [HALTS]`.

The monitor (`serve`) in its own process, a pair of real Alertmanagers with the shipped routes, and a receiver. Each
halt is that of another pilot. The time runs from the request that reports the death, which is before the decision to
halt, until the receiver has read the message that names the pilot as halted. Goal: the 99th percentile is at most one
second.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import msgspec

from monitor.charter.spec import canonical_charter
from monitor.clock import wall_ms
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity
from monitor.simulation.fleet_charter import charter
from monitor.testing.alertmanager_pair import Pair
from monitor.testing.recorder import Recorded, Recorder

CONFIG = Path(__file__).parents[3] / "deploy" / "alertmanager" / "alertmanager.yaml"
PACE_S = 0.5  # between two halts: each comes by itself
WARM = 5  # first halts that do not count: the program is still loading
BOUND_S = 1.0


class Arrivals:
    """When the halt of each pilot was first named to the receiver, in seconds of the monotonic clock."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self.changed = threading.Condition()

    def __call__(self, recorded: Recorded) -> tuple[int, Any]:
        now = time.monotonic()
        with self.changed:
            for alert in recorded.body["alerts"]:
                if alert["labels"]["alertname"] == "SandboxPilotHalted":
                    self.at.setdefault(alert["labels"]["pilot"], now)
            self.changed.notify_all()
        return 200, {}

    def wait(self, pilot: str, seconds: float) -> float | None:
        """When the halt of `pilot` was named; `None` if it was not within `seconds`."""
        with self.changed:
            self.changed.wait_for(lambda: pilot in self.at, seconds)
            return self.at.get(pilot)


def run(halts: int, directory: Path) -> list[float]:
    """Seconds of each halt; 60 for one that was not notified in that time."""
    arrivals, names = Arrivals(), [f"p-{n}" for n in range(halts)]
    with Recorder(arrivals) as people:
        config = directory / "alertmanager.yaml"
        config.write_text(CONFIG.read_text().replace("http://127.0.0.1:9095", people.url))
        with Pair(directory, config) as pair:
            addresses = ",".join(member.url for member in pair.members)
            process, address = _started(directory, names, addresses)
            try:
                return [_one(address, name, arrivals) for name in names]
            finally:
                process.terminate()
                process.wait()


def _started(directory: Path, pilots: list[str], alertmanagers: str) -> tuple[subprocess.Popen[bytes], str]:
    """The monitor with these pilots, and its address."""
    now, files = wall_ms(), []
    for pilot in pilots:
        plan = charter(pilot, number=0, period_ms=3_600_000, cap=2e3, dispersion=1.0, start=now - 86_400_000, end=now)
        (directory / f"{pilot}.yaml").write_bytes(canonical_charter(plan))
        files += ["--charter", str(directory / f"{pilot}.yaml")]
    command = [sys.executable, "-m", "monitor", "serve", "--dir", str(directory / "data"), "--port", "0", *files]
    command += ["--alertmanager", alertmanagers]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(os.environ))
    assert process.stdout is not None
    return process, process.stdout.readline().decode().split()[1]


def _one(address: str, pilot: str, arrivals: Arrivals) -> float:
    death = Emitter("s", pilot).incident(wall_ms(), Severity.SERIOUS_INCIDENT, Harm.DEATH)
    headers = {"Content-Type": "application/cloudevents+json"}
    request = urllib.request.Request(address + "v1/telemetry", msgspec.json.encode(death), headers, method="POST")
    begun = time.monotonic()
    urllib.request.urlopen(request, timeout=30).close()
    found = arrivals.wait(pilot, 60.0)
    took = 60.0 if found is None else found - begun
    time.sleep(max(0.0, PACE_S - took))
    return took


def main(halts: int) -> int:
    """Print the figures and the goal. Returns the exit code: 1 when it is missed."""
    with tempfile.TemporaryDirectory() as scratch:
        took = sorted(run(halts + WARM, Path(scratch))[WARM:])
    p99 = took[min(len(took) - 1, round(0.99 * len(took)))]
    print(f"{halts} halts: median {statistics.median(took):.3f} s, p99 {p99:.3f} s, longest {took[-1]:.3f} s")
    print(f"GOAL halt_to_webhook_p99_s {p99:.3f} <={BOUND_S:g} {'ok' if p99 <= BOUND_S else 'short'}", flush=True)
    return int(p99 > BOUND_S)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
