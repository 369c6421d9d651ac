"""Halts under faults, with real processes: `python tests/halt/run.py` (or `make test-halt`) prints one line per
promise.

A real monitor, embedded or on a real Kafka broker; real services that work without pause and sign their telemetry; a
proxy in front of them that can be cut or lose one message. Each run breaches a limit of a separate pilot (another
source reports a death), injects one fault, and compares the outcome with the promise. Runs are concurrent, in lanes:
the embedded monitor is one, and the faults on Kafka are distributed over several brokers. 100 runs of each fault; 5
with QUICK=1; or `--runs N`. Lines: `GOAL name figure bound ok|short`. Exit code 1 when one is short. Times are of
CLOCK_BOOTTIME: a refusal as seen in the service's process, records as seen by a reader that polls every 10 ms.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from monitor.charter.spec import Responses
from monitor.errors import SandboxMonitorError
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity
from monitor.model.records import Reason
from monitor.testing.environments import ENVIRONMENTS, Environment, Kafka, boottime
from monitor.testing.scratch import scratch
from monitor.testing.service import GuardChange, Service

BEAT_S, WITHIN_S = 0.5, 6.0
LEASES = {"embedded": 3.0, "kafka": 4.0}
SECOND = 1_000_000_000
HOUR = 3_600
PATIENCE_S = 300.0  # for what must happen some time: a busy machine may be 30 times slower; promised times are measured


class Run:
    """One pilot, its service behind a proxy, and the outcome of a breach."""

    def __init__(self, environment: Environment, name: str) -> None:
        self.environment, self.name = environment, name
        self.home = environment.home / name
        self.home.mkdir()
        self.charter = environment.next()
        self.pilot = self.charter.pilot
        self.proxy = environment.proxy()
        self.services: list[Service] = []
        self.at = 0
        self.figures: dict[str, float] = {}
        self.broken = ""

    @property
    def service(self) -> Service:
        """The service that was started last."""
        return self.services[-1]

    def serve(self, **more: Any) -> None:
        """Start the service (again)."""
        settings = self.environment.settings(self.proxy)
        firm = {"pilot": self.pilot, "participant": self.charter.participant.id, "model": "m1", "tier": "high"}
        pace = {"heartbeat_s": BEAT_S, "pack_ms": 5, "spool": self.home / "spool"}
        self.services.append(Service(**settings, **firm, **pace, **more))

    def serving(self) -> None:
        """Wait until it serves and some heartbeats have an answer."""
        self.service.wait("serving", timeout=PATIENCE_S)
        time.sleep(2.4 * BEAT_S)

    def breach(self) -> None:
        """Another source reports a death."""
        event = Emitter(f"outside/{self.pilot}", self.pilot).incident(
            time.time_ns() // 1_000_000, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH
        )
        self.at = boottime()
        self.environment.report(event)

    def decided(self) -> None:
        """Wait until the monitor has recorded the halt: before that, a service may get a new permit and work."""
        self.environment.decisions.wait(self.pilot, Reason.HARD_RULE, PATIENCE_S)

    def refused(self, measure: bool = False) -> GuardChange:
        """Wait for the refusal."""
        (change,) = self.service.wait("Halted", since=self.at, timeout=PATIENCE_S)
        if measure:
            self.figures["refusal"] = (change.at - self.at) / 1e6
        return change

    def lapsed(self, since: int) -> GuardChange:
        """Wait for the service to stop without a command; measure how long after the last answered heartbeat work
        began. On a busy machine it may have stopped before `since` already."""
        (change,) = self.service.wait_in("Lapsed", since=since, timeout=PATIENCE_S)
        self.figures["self_stop"] = (max(change.served, change.sent) - change.sent) / SECOND
        return change

    def verified(self, measure: bool = False) -> None:
        """Wait for the verification."""
        at, _ = self.environment.decisions.wait(self.pilot, Reason.HALT_VERIFIED, PATIENCE_S)
        if measure:
            self.figures["verified"] = (at - self.at) / 1e6

    def resumed(self) -> bool:
        """Whether work began after the first refusal by a halt, or at all after a restart."""
        found = False
        for number, service in enumerate(self.services):
            halted = next((change.at for change in service.changes if change.state == "Halted"), 0 if number else None)
            found = found or (halted is not None and any(change.served > halted for change in service.changes))
        return found

    def end(self) -> None:
        """Stop the services."""
        for service in self.services:
            service.kill()
        if self.environment.name == "embedded":
            self.proxy.close()


class Batch:
    """Concurrent runs with the same fault. A run that broke a promise takes no further part."""

    def __init__(self, environment: Environment, name: str, runs: int) -> None:
        self.environment = environment
        self.lease = LEASES[environment.name]
        self.runs = [Run(environment, f"{name}-{number}") for number in range(runs)]

    def each(self, step: Callable[[Run], Any]) -> None:
        """Execute one step of each run, concurrently."""

        def tried(run: Run) -> None:
            try:
                step(run)
            except (SandboxMonitorError, AssertionError) as error:
                run.broken = f"{step.__name__}: {error}"
                if isinstance(error, AssertionError):
                    traceback.print_exc()

        going = [run for run in self.runs if not run.broken]
        with ThreadPoolExecutor(max(1, len(going))) as pool:
            list(pool.map(tried, going))

    def network(self, mode: Any) -> None:
        """Set what the proxies do."""
        for proxy in {run.proxy for run in self.runs}:
            proxy.set(mode)

    def begin(self, **more: Any) -> None:
        """Start the services and wait until they serve."""
        self.each(lambda run: run.serve(**more))
        self.each(Run.serving)

    def halted(self, measure: bool = False) -> None:
        """Wait until every service refuses and its halt is verified."""
        self.each(lambda run: run.refused(measure))
        self.each(lambda run: run.verified(measure))


def undisturbed(batch: Batch) -> None:
    """No fault: measures how long it takes."""
    batch.begin()
    batch.each(Run.breach)
    batch.halted(measure=True)


def command_lost(batch: Batch) -> None:
    """The first response with the command is lost."""
    batch.begin()
    batch.each(lambda run: run.proxy.lose(b'"pilot":"%b","action":"halt"' % run.pilot.encode(), answer=True))
    before = sum(proxy.lost for proxy in {run.proxy for run in batch.runs})
    batch.each(Run.breach)
    batch.halted()
    lost = sum(proxy.lost for proxy in {run.proxy for run in batch.runs}) - before
    assert lost >= 1, "no command was lost: nothing was tried"
    batch.runs[0].figures["commands_lost"] = lost


def acknowledgement_lost(batch: Batch) -> None:
    """The response to the acknowledgement is lost: the service cannot know that it arrived."""
    batch.begin()
    marks = [(b'"type":"sandbox.command.acknowledged"', b'"subject":"%b"' % run.pilot.encode()) for run in batch.runs]
    for run, two in zip(batch.runs, marks, strict=True):
        run.proxy.lose(*two, answer=False)
    before = sum(proxy.lost for proxy in {run.proxy for run in batch.runs})
    batch.each(Run.breach)
    batch.halted()
    lost = sum(proxy.lost for proxy in {run.proxy for run in batch.runs}) - before
    assert lost == sum(not run.broken for run in batch.runs), f"{lost} acknowledgements were lost"
    batch.runs[0].figures["acknowledgements_lost"] = lost


def service_killed(batch: Batch) -> None:
    """SIGKILL to the service as soon as it refuses, then a restart: it must never serve."""

    def again(run: Run) -> None:
        run.refused()
        run.service.kill()
        run.serve()

    batch.begin()
    batch.each(Run.breach)
    batch.each(again)
    batch.halted()


def monitor_killed(batch: Batch) -> None:
    """SIGKILL to the monitor as soon as it has the breaches, and a restart a second later."""
    batch.begin()
    batch.each(Run.breach)
    batch.environment.kill()
    time.sleep(1.0)
    batch.environment.start()
    batch.halted()


def network_cut(batch: Batch) -> None:
    """Network cut before the breach: the service stops when its lease ends, and obeys once the network is back."""
    batch.begin()
    since = boottime()
    batch.network("cut")
    cut = boottime()
    batch.each(Run.breach)
    batch.each(lambda run: run.lapsed(since))
    batch.each(Run.decided)
    time.sleep(0.5)
    batch.network("pass")
    batch.halted()
    end = cut + int((batch.lease + 1.0) * SECOND)

    def quiet(run: Run) -> None:
        late = max((change.served for change in run.service.changes), default=0) - end
        assert late <= 0, f"work began {late / SECOND:.2f} s after lease + 1 s from the cut"

    batch.each(quiet)


def clock_forward(batch: Batch) -> None:
    """The service's wall clock is an hour ahead while the network is cut; its events count once the clock is right."""
    _clock(batch, HOUR)


def clock_back(batch: Batch) -> None:
    """The service's wall clock is moved back by an hour."""
    _clock(batch, -HOUR)


def _clock(batch: Batch, shift: int) -> None:
    def moved(run: Run) -> None:
        change = run.lapsed(since)
        off = change.wall - time.time()
        assert change.at < since or abs(off - shift) < 60, f"the clock of the service is {off:.0f} s off, not {shift}"

    batch.each(lambda run: run.serve(clock=run.home / "clock"))
    batch.each(Run.serving)
    since = boottime()
    batch.network("cut")
    batch.each(lambda run: run.service.move_clock(shift))
    batch.each(Run.breach)
    batch.each(moved)
    batch.network("pass")
    batch.each(Run.refused)
    batch.each(lambda run: run.service.move_clock(0))
    batch.each(Run.verified)


def suspended(batch: Batch) -> None:
    """SIGSTOP beyond the end of the lease, with a breach during it: after SIGCONT no work begins, and it obeys."""
    batch.begin()
    batch.each(lambda run: run.service.suspend())
    batch.each(Run.breach)
    batch.each(Run.decided)
    time.sleep(batch.lease + 1.0)
    woken = boottime()
    batch.each(lambda run: run.service.resume())
    batch.halted()

    def quiet(run: Run) -> None:
        assert not any(change.served > woken for change in run.service.changes), "work began after it woke"

    batch.each(quiet)


def broker_down(batch: Batch) -> None:
    """SIGKILL to the broker: services stop at the end of their lease; the breach comes before the worker is back."""
    assert isinstance(batch.environment, Kafka)
    batch.begin()
    since = boottime()
    batch.environment.broker.kill()
    batch.each(lambda run: run.lapsed(since))
    batch.environment.kill()
    batch.environment.broker.start()
    batch.each(Run.breach)
    batch.environment.start()
    batch.halted()


def broker_killed_mid_halt(batch: Batch) -> None:
    """SIGKILL to the broker as soon as it has the breaches, and a restart."""
    assert isinstance(batch.environment, Kafka)
    batch.begin()
    batch.each(Run.breach)
    batch.environment.broker.kill()
    time.sleep(1.0)
    batch.environment.broker.start()
    batch.environment.kill()  # a worker exits when a write is not acknowledged; its supervisor starts another
    batch.environment.start()
    batch.halted()


def lying(batch: Batch) -> None:
    """The service acknowledges and continues to serve."""
    batch.begin(ignores_halt=True)
    batch.each(Run.breach)
    batch.each(Run.refused)

    def found(run: Run) -> None:
        _, word = run.environment.decisions.wait(run.pilot, Reason.COMMAND_ACKNOWLEDGED, PATIENCE_S)
        _, other = run.environment.decisions.wait(run.pilot, Reason.HALT_CONTRADICTED, PATIENCE_S)
        run.figures["found"] = (other.at - word.at) / 1000

    batch.each(found)


BOTH = (
    undisturbed,
    command_lost,
    acknowledgement_lost,
    service_killed,
    monitor_killed,
    network_cut,
    clock_forward,
    clock_back,
    suspended,
    lying,
)
FAULTS: dict[str, Sequence[Callable[[Batch], None]]] = {
    "embedded": BOTH,
    "kafka": (*BOTH, broker_down, broker_killed_mid_halt),
}


class Series:
    """The results of all batches of one environment."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.figures: dict[str, list[float]] = defaultdict(list)
        self.broken: list[str] = []
        self.ran: Counter[str] = Counter()
        self.lost = self.resumed = 0

    def take(self, fault: str, batch: Batch) -> None:
        """Count the runs of a batch and end them."""
        for run in batch.runs:
            self.ran[fault] += 1
            self.lost += "no Halted" in run.broken
            self.resumed += run.resumed() and fault != "lying"
            if run.broken:
                self.broken.append(f"{run.name}: {run.broken}")
            for name, value in run.figures.items():
                self.figures[name].append(value)
        with ThreadPoolExecutor(len(batch.runs)) as pool:
            list(pool.map(Run.end, batch.runs))

    def add(self, other: Series) -> None:
        """Add the results of another lane."""
        for name, values in other.figures.items():
            self.figures[name].extend(values)
        self.broken += other.broken
        self.ran += other.ran
        self.lost += other.lost
        self.resumed += other.resumed

    def report(self) -> int:
        """Print one line per promise; return 1 when one is short."""
        began, figures, of = sum(self.ran.values()), self.figures, self.name
        goals: list[tuple[str, float, float, str]] = [
            ("halts_lost", self.lost, 0, f"of {began}"),
            ("services_resumed", self.resumed, 0, f"of {began}"),
            ("runs_not_as_promised", len(self.broken), 0, f"of {began}"),
        ]
        for name, bound in {"refusal": 1000.0, "verified": WITHIN_S * 1000}.items():
            for share in (0.5, 0.99) if name in figures else ():
                what = f"breach_to_{name}_p{share * 100:.0f}_ms"
                goals.append((what, quantile(figures[name], share), bound, f"of {len(figures[name])}"))
        if stops := figures["self_stop"]:
            goals.append(("self_stop_max_s", max(stops), LEASES[of] + 1, f"of {len(stops)}, lease {LEASES[of]:g} s"))
        if found := figures["found"]:
            quick = sum(value <= BEAT_S for value in found)
            goals.append(("lies_found_late", self.ran["lying"] - quick, 0, f"{quick} of {self.ran['lying']} in time"))
            goals.append(("lie_found_max_s", max(found), BEAT_S, ""))
        for name, figure, bound, note in goals:
            word = "ok" if figure <= bound else "short"
            print(f"GOAL {of}_{name} {figure:.4g} {bound:g} {word} {note}".rstrip(), flush=True)
        return int(any(figure > bound for _, figure, bound, _ in goals))


def quantile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1))]


def series(name: str, faults: Sequence[Callable[[Batch], None]], runs: int, side_by_side: int) -> Series:
    """All runs of some faults in one environment."""
    done = Series(name)
    responses = Responses(lease=f"{LEASES[name]:g}s", acknowledge_within=f"{WITHIN_S:g}s")
    with tempfile.TemporaryDirectory(prefix=scratch("halt")) as home:
        environment = ENVIRONMENTS[name](Path(home), len(faults) * runs, responses)
        try:
            for fault in faults:
                took, before = time.monotonic(), len(done.broken)
                for first in range(0, runs, side_by_side):
                    batch = Batch(environment, f"{fault.__name__}-{first}", min(side_by_side, runs - first))
                    try:
                        fault(batch)
                        time.sleep(0.3)
                    except (SandboxMonitorError, AssertionError) as error:
                        traceback.print_exc()
                        for run in batch.runs:
                            run.broken = run.broken or f"the whole batch: {error}"
                    finally:
                        batch.network("pass")
                        done.take(fault.__name__, batch)
                seconds, broken = time.monotonic() - took, len(done.broken) - before
                print(f"{name} {fault.__name__}: {runs} runs in {seconds:.0f} s, {broken} broken", file=sys.stderr)
        finally:
            environment.close()
    for line in done.broken:
        print(f"{name} {line}", file=sys.stderr)
    return done


def together(lanes: Sequence[tuple[str, Sequence[Callable[[Batch], None]]]], runs: int, side_by_side: int) -> int:
    """Run all lanes concurrently, then report by environment."""
    began = time.monotonic()
    with ThreadPoolExecutor(len(lanes)) as pool:
        going = [pool.submit(series, name, faults, runs, side_by_side) for name, faults in lanes]
    whole = {name: Series(name) for name, _ in lanes}
    for lane in going:
        done = lane.result()
        whole[done.name].add(done)
    print(f"{len(lanes)} lanes took {time.monotonic() - began:.0f} s", file=sys.stderr)
    return max([done.report() for done in whole.values()])


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    quick = os.environ.get("QUICK", "") not in ("", "0")
    names = sorted({fault.__name__ for faults in FAULTS.values() for fault in faults})
    parser.add_argument("--runs", type=int, help="of each fault (default 100; 5 with QUICK=1)")
    parser.add_argument("--environment", choices=list(ENVIRONMENTS), action="append", help="one of them only")
    parser.add_argument("--only", choices=names, action="append", help="one fault only; repeatable")
    parser.add_argument("--side-by-side", type=int, default=10, help="runs at a time, in each lane")
    parser.add_argument("--lanes", type=int, default=2, help="brokers that share the faults on Kafka")
    given = parser.parse_args()
    for library in ("aiokafka", "kafka"):  # brokers are killed on purpose
        logging.getLogger(library).setLevel(logging.CRITICAL + 1)
    lanes = []
    for name in given.environment or ENVIRONMENTS:
        faults = [fault for fault in FAULTS[name] if not given.only or fault.__name__ in given.only]
        count = given.lanes if name == "kafka" else 1
        lanes += [(name, dealt) for first in range(count) if (dealt := faults[first::count])]
    return together(lanes, given.runs or (5 if quick else 100), given.side_by_side)


if __name__ == "__main__":
    sys.exit(main())
