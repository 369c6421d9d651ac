"""Halts under faults, with real processes: `python tests/halt/run.py` (or `make test-halt`) prints one line per promise.

A real embedded monitor, a real service that works without pause, a proxy between them that can be cut. Each run breaches a
limit of a pilot of its own (a death is reported by somebody else), does one fault to it, and holds what happened against
the promise. 100 runs of each fault, 5 with QUICK=1, or `--runs N`. Lines: `GOAL name figure bound ok|short`. Exit code 1 when
one is short. Times are of CLOCK_BOOTTIME, as seen in the service's own process for a refusal, and by asking the monitor
every 10 ms for what it put on record.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from monitor.charter import Charter, Responses
from monitor.errors import Unavailable
from monitor.model import Reason
from monitor.telemetry import Harm, Severity
from monitor.testing.broker import free_port
from monitor.testing.events import Emitter, packed
from monitor.testing.proxy import Proxy
from monitor.testing.service import Service
from monitor.testing.simulator import Fleet

LEASE_S, BEAT_S, WITHIN_S = 3.0, 0.5, 10.0
SECOND = 1_000_000_000
MONITOR = """
import asyncio, sys
from pathlib import Path
import msgspec
from monitor.charter import Charter
from monitor.embedded.process import Monitor
from monitor.embedded.service import run_until_stopped
charters = msgspec.json.decode(Path(sys.argv[3]).read_bytes(), type=list[Charter])
asyncio.run(run_until_stopped(Monitor(Path(sys.argv[1]), port=int(sys.argv[2]), charters=charters)))
"""


def boottime() -> int:
    """The services' clock, ns."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class World:
    """One embedded monitor with as many admitted pilots as there will be runs."""

    def __init__(self, home: Path, pilots: int) -> None:
        self.home, self.port = home, free_port()
        now = time.time_ns() // 1_000_000
        fleet = Fleet(1, pilots=pilots, scenarios=["calm"], start=now - 3_600_000, hours=24)
        responses = Responses(lease=f"{LEASE_S:g}s", acknowledge_within=f"{WITHIN_S:g}s")
        self.charters: list[Charter] = [
            msgspec.structs.replace(fleet.charter_for(pilot), responses=responses) for pilot in fleet.pilots
        ]
        (home / "charters.json").write_bytes(msgspec.json.encode(self.charters))
        self.process: subprocess.Popen[bytes] | None = None
        self._left = list(self.charters)

    def start(self) -> None:
        """Start the monitor, and wait until its door is open."""
        with (self.home / "monitor.log").open("ab") as log:
            arguments = [str(self.home / "monitor"), str(self.port), str(self.home / "charters.json")]
            self.process = subprocess.Popen([sys.executable, "-c", MONITOR, *arguments], stdout=log, stderr=log)
        end = time.monotonic() + 60
        while self.ask("GET", "/ready")[0] != 200:
            if time.monotonic() > end or self.process.poll() is not None:
                raise Unavailable("the monitor does not start: " + (self.home / "monitor.log").read_text()[-2000:])
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> tuple[int, bytes]:
        """One request; status 0 when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, {"Content-Type": kind} if kind else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()

    def next(self) -> Charter:
        """A pilot that nobody has used."""
        return self._left.pop()

    def mark(self) -> int:
        """The number of the last decision so far."""
        seq = 0
        while lines := self.ask("GET", f"/v1/decisions?after={seq}")[1].splitlines():
            seq = int(json.loads(lines[-1])["seq"])
        return seq


class Run:
    """One pilot, its service behind a proxy, and what became of a breach."""

    def __init__(self, world: World, home: Path) -> None:
        self.world, self.home = world, home
        self.charter = world.next()
        self.pilot = self.charter.pilot
        self.proxy = Proxy(world.port)
        self.services: list[Service] = []
        self.mark = world.mark()
        self.at = 0
        self.figures: dict[str, float] = {}

    def serve(self, **more: Any) -> Service:
        """Start the service (again)."""
        service = Service(
            to=f"http://127.0.0.1:{self.proxy.port}",
            pilot=self.pilot,
            participant=self.charter.participant.id,
            model="m1",
            spool=self.home / "spool",
            heartbeat_s=BEAT_S,
            pack_ms=5,
            tier="high",
            trust=self.world.ask("GET", "/v1/key")[1].decode(),
            **more,
        )
        self.services.append(service)
        return service

    def breach(self) -> None:
        """Somebody else reports a death."""
        event = Emitter(f"outside/{self.pilot}", self.pilot).incident(
            time.time_ns() // 1_000_000, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH
        )
        self.at = boottime()
        status, answer = self.world.ask("POST", "/v1/telemetry", packed([event]), "application/cloudevents-batch+json")
        assert status == 202, (status, answer)

    def refused(self, service: Service, keep: bool = True) -> None:
        """Wait for the refusal."""
        said = service.wait("Halted", since=self.at)
        if keep:
            self.figures["refusal"] = (said[0].at - self.at) / 1e6

    def recorded(self, reason: Reason, timeout: float = 25.0) -> tuple[int, int]:
        """When the monitor was first seen to have this on record (ns), and when it says that it was (ms of its own clock).
        Raises `Unavailable`."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            status, raw = self.world.ask("GET", f"/v1/decisions?after={self.mark}")
            for line in raw.splitlines() if status == 200 else ():
                decision = json.loads(line)
                if decision["pilot"] == self.pilot and decision["reason"] == reason:
                    return boottime(), int(decision["at"])
            time.sleep(0.01)
        raise Unavailable(f"{reason} of {self.pilot} is not on record within {timeout:g} s")

    def verified(self, keep: bool = True) -> None:
        """Wait for the verification."""
        at, _ = self.recorded(Reason.HALT_VERIFIED)
        if keep:
            self.figures["verified"] = (at - self.at) / 1e6

    def resumed(self) -> bool:
        """Whether any process served after the first refusal that a halt brought, or a later start served at all."""
        found = False
        for number, service in enumerate(self.services):
            states = [said.state for said in service.said]
            after = states[states.index("Halted") :] if "Halted" in states else states if number else []
            found = found or "serving" in after
        return found

    def end(self) -> None:
        """Stop what runs."""
        for service in self.services:
            service.kill()
        self.proxy.close()


def undisturbed(run: Run) -> None:
    """No fault: how long it takes."""
    service = run.serve()
    service.wait("serving")
    run.breach()
    run.refused(service)
    run.verified()


def command_lost(run: Run) -> None:
    """The answer that carries the command is swallowed, and whatever else is answered within a second."""
    service = run.serve()
    service.wait("serving")
    run.proxy.set("mute")
    run.breach()
    time.sleep(1.0)
    run.proxy.set("pass")
    run.refused(service, keep=False)
    run.verified(keep=False)


def acknowledgement_lost(run: Run) -> None:
    """The answer to the acknowledgement is swallowed: the service cannot know that it has arrived."""
    service = run.serve()
    service.wait("serving")
    run.breach()
    run.refused(service)
    run.proxy.set("mute")
    time.sleep(1.0)
    run.proxy.set("pass")
    run.verified(keep=False)


def service_killed(run: Run) -> None:
    """SIGKILL as soon as it refuses, and started again."""
    service = run.serve()
    service.wait("serving")
    run.breach()
    run.refused(service)
    service.kill()
    run.serve().wait("Halted")
    run.verified(keep=False)


def monitor_killed(run: Run) -> None:
    """SIGKILL as soon as it has taken the breach, and started again a second later."""
    service = run.serve()
    service.wait("serving")
    run.breach()
    run.world.kill()
    time.sleep(1.0)
    run.world.start()
    run.refused(service, keep=False)
    run.verified(keep=False)


def network_cut(run: Run) -> None:
    """Cut off before the breach: the service stops by itself when its lease is over, and obeys when the network is back."""
    service = run.serve()
    service.wait("serving")
    time.sleep(1.2)  # some heartbeats were answered
    since = boottime()
    run.proxy.set("cut")
    run.breach()
    lapsed = service.wait("Lapsed", since=since)[0]
    run.figures["self_stop"] = (lapsed.at - lapsed.sent) / SECOND
    time.sleep(0.5)
    run.proxy.set("pass")
    run.refused(service, keep=False)
    run.verified(keep=False)
    assert "serving" not in [said.state for said in service.said if said.at > lapsed.at], "served after the cut"


def clock_forward(run: Run) -> None:
    """The service's wall clock moves an hour ahead."""
    _clock(run, 3600.0)


def clock_back(run: Run) -> None:
    """The service's wall clock moves back an hour."""
    _clock(run, -3600.0)


def _clock(run: Run, shift: float) -> None:
    service = run.serve(shift=shift)
    service.wait("serving")
    time.sleep(1.5)
    run.breach()
    run.refused(service)


def lying(run: Run) -> None:
    """It acknowledges and goes on serving."""
    service = run.serve(lies=True)
    service.wait("serving")
    run.breach()
    run.refused(service)
    _, acknowledged = run.recorded(Reason.COMMAND_ACKNOWLEDGED)
    _, found = run.recorded(Reason.HALT_CONTRADICTED)
    run.figures["found"] = (found - acknowledged) / 1000


FAULTS: tuple[Callable[[Run], None], ...] = (
    undisturbed,
    command_lost,
    acknowledgement_lost,
    service_killed,
    monitor_killed,
    network_cut,
    clock_forward,
    clock_back,
    lying,
)


@contextmanager
def world(pilots: int) -> Iterator[World]:
    """A monitor for the time of the runs."""
    with tempfile.TemporaryDirectory(prefix="halt-") as home:
        made = World(Path(home), pilots)
        made.start()
        try:
            yield made
        finally:
            made.kill()


def quantile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1))]


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    quick = os.environ.get("QUICK", "") not in ("", "0")
    parser.add_argument("--runs", type=int, default=5 if quick else 100, help="of each fault")
    parser.add_argument("--only", choices=[fault.__name__ for fault in FAULTS], help="one fault")
    given = parser.parse_args()
    faults = [fault for fault in FAULTS if given.only in (None, fault.__name__)]
    figures: dict[str, list[float]] = {}
    broken: list[str] = []
    lost = resumed = began = 0
    with world(len(faults) * given.runs) as made:
        for fault in faults:
            took = time.monotonic()
            for number in range(given.runs):
                began += 1
                run = Run(made, made.home / f"{fault.__name__}-{number}")
                try:
                    fault(run)
                    time.sleep(0.3)
                except (Unavailable, AssertionError) as error:
                    broken.append(f"{fault.__name__} {number}: {error}")
                    lost += "no Halted" in str(error)
                    if not isinstance(error, Unavailable):
                        traceback.print_exc()
                finally:
                    resumed += run.resumed()
                    run.end()
                for name, value in run.figures.items():
                    figures.setdefault(name, []).append(value)
            print(
                f"{fault.__name__}: {given.runs} runs in {time.monotonic() - took:.0f} s", file=sys.stderr, flush=True
            )
    for line in broken:
        print(line, file=sys.stderr)
    return report(figures, began, lost, resumed, len(broken))


def report(figures: dict[str, list[float]], began: int, lost: int, resumed: int, broken: int) -> int:
    """One line per promise; 1 when one is short."""
    goals: list[tuple[str, float, float, str]] = [
        ("halts_lost", lost, 0, f"of {began}"),
        ("services_resumed", resumed, 0, f"of {began}"),
        ("runs_not_as_promised", broken, 0, f"of {began}"),
    ]
    bounds = {"refusal": ("ms", 1000.0), "verified": ("ms", WITHIN_S * 1000)}
    for name, (unit, bound) in bounds.items():
        if name in figures:
            goals += [
                (f"breach_to_{name}_p{share * 100:.0f}_{unit}", quantile(figures[name], share), bound, "")
                for share in (0.5, 0.99)
            ]
    if "self_stop" in figures:
        goals.append(("self_stop_after_last_answered_heartbeat_max_s", max(figures["self_stop"]), LEASE_S + 1, ""))
    if "found" in figures:
        goals.append(
            ("lie_found_after_acknowledgement_max_s", max(figures["found"]), BEAT_S, f"in {len(figures['found'])} runs")
        )
    for name, figure, bound, note in goals:
        print(f"GOAL {name} {figure:.4g} {bound:g} {'ok' if figure <= bound else 'short'} {note}".rstrip())
    return int(any(figure > bound for _, figure, bound, _ in goals))


if __name__ == "__main__":
    sys.exit(main())
