"""Simulated days of the monitor as samples in a real Prometheus: every act and every event of a simulated country goes
through the machine, its outputs through `Metrics`, and the exposition of each process at each moment becomes a block.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TextIO

import msgspec

from monitor.act import ACTORS
from monitor.charter.running_acts import Grant, PauseRequest
from monitor.charter.users_acts import ComplaintAnswer, ComplaintWithdrawal, RedressStep, UserDeparture
from monitor.common_cause.machine import CommonCauseMachine
from monitor.engine.replay import TimedRecord, replay_charters, timed_records
from monitor.lifecycle.sandbox_acts import SandboxFounding
from monitor.model.output_records import OutputRejection
from monitor.model.records import Command, Decision, Evidence, Outputs, Rejected
from monitor.projections.metrics import Metrics
from monitor.simulation.fleet import Fleet
from monitor.state.acts_once import validity
from monitor.testing.ports import free_port
from monitor.testing.servers import PROMETHEUS, Server
from tests.country.in_process import InProcess
from tests.country.nation import ADMITTER, DAY_MS, START, key, sandbox
from tests.country.script import QUICK, script
from tests.country.year import Year
from tests.unit.common_cause.test_common_cause import run as pooled
from tests.unit.common_cause.test_common_cause import story
from tests.unit.engine.test_firm_acts import GOOD, classification
from tests.unit.lifecycle.founded import Founded
from tests.unit.users.test_users_acts import WATCHED, filing
from tests.unit.users.test_users_acts import name as complaint

HOUR_MS = 3_600_000
AFTER_MS = 90_000  # from the last act of a moment to the sample of what followed
DAYS = 45
LATER = START + 90 * DAY_MS  # when the second scenario begins
LATER_HOURS = 60
JOB = "sandbox-monitor"


class Samples:
    """Expositions of processes as one OpenMetrics file; the time rises with each call."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._last: dict[str, int] = {}

    def add(self, metrics: Metrics, instance: str, at_ms: int) -> None:
        """Append all series of a process as they are at this time, unless a sample of that second exists."""
        at = at_ms // 1000
        if at <= self._last.get(instance, 0):
            return
        self._last[instance] = at
        for line in metrics.exposition().decode().splitlines():
            if line.startswith("#"):
                continue
            series, _, value = line.rpartition(" ")
            name, _, labels = series.rstrip("}").partition("{")
            labels = f'job="{JOB}",instance="{instance}",{labels}'.rstrip(",")
            self._file.write(f"{name}{{{labels}}} {value} {at}\n")


class Observed(InProcess):
    """The country in one process, with the metrics of one worker per partition."""

    def __init__(self, home: Path, samples: Samples) -> None:
        super().__init__(home)
        self.workers = [Metrics(actors=ACTORS) for _ in self.machines]
        self._samples = samples
        for number, worker in enumerate(self.workers):
            worker.owns(number, 1)

    def at(self, now: int) -> None:
        """Take a sample of what has settled, then move the time."""
        if self._now:
            self.sample()
        super().at(now)

    def sample(self) -> None:
        """One sample of each worker."""
        for number, worker in enumerate(self.workers):
            runner_facts(worker, number, self._now)
            self._samples.add(worker, f"worker-{number}", self._now + AFTER_MS)

    def settle(self) -> tuple[list[Decision], list[Command], list[Rejected]]:
        """As the country does, with each machine's outputs going to its worker's metrics."""
        self._now += 1_000
        settled = Outputs()
        for number, machine in enumerate(self.machines):
            out, self._fresh[number] = self._fresh[number], Outputs()
            out.extend(machine.time(self._now))
            worker, before = self.workers[number], machine.events
            worker.observe(out, now_ms=self._now)
            worker.stepped(0.004, max(0, machine.events - before) + len(out.evidence))
            worker.uncounted(out.uncounted)
            for pilot in {one.pilot for one in out.decisions} & machine.pilots.keys():
                worker.learn(machine.pilots[pilot].charter)
            settled.extend(out)
        self.all.extend(settled)
        return settled.decisions, settled.commands, settled.rejected


def runner_facts(metrics: Metrics, partition: int, now: int) -> None:
    """What runner, notary, publication and actors report besides outputs."""
    metrics.heartbeat(now)
    metrics.woken(0.05)
    metrics.lagging("sandbox.telemetry", partition, 12)
    metrics.configured(partition, 1, "0f" * 16, open_mode=False)
    metrics.held(partition, 12, 3)
    metrics.checkpointed(partition, now)
    metrics.recorded(3)
    metrics.reads("sandbox.decisions")
    metrics.reading("sandbox.decisions", partition, now // 1000, 3, 1)
    metrics.skipped_output("sandbox.decisions", OutputRejection.UNREADABLE)
    metrics.publication_round("published")
    metrics.cosignature("witness.example", "cosigned")
    metrics.witness_answered("cosigned")
    metrics.stamp_failed("unavailable")
    metrics.publication_refused("older_than_newest", 0)
    metrics.published(1, 1, now)
    metrics.published_until(now)
    metrics.http_refused("rate_limited")
    for actor in ACTORS:
        metrics.acted(actor, "done")
        metrics.pending(actor, 0)


def country(home: Path, samples: Samples) -> Observed:
    """Two months: several authorities, sectors and tiers; halts and releases; deadlines met and missed."""
    runtime = Observed(home, samples)
    runtime.at(START)
    founding = SandboxFounding(id="founding", pilot="sandbox", author=ADMITTER, sandbox=sandbox(), **validity(0, START))
    runtime.found(founding, key(ADMITTER))
    Year(script(1, pilots=24, firms=8, calendar=QUICK._replace(days=DAYS)), runtime).run()
    runtime.sample()
    return runtime


def fleet(samples: Samples) -> None:
    """What the country has not: detectors that declare a rate of alarms, a vendor whose pilots exceed together, classes
    of firms, the users' channel, and unreadable records."""
    worker, pool = Metrics(actors=ACTORS), Metrics()
    made = Fleet(
        1, pilots=6, scenarios=("death", "step", "silence", "late", "calm", "drift"), hours=LATER_HOURS, onset=12,
        start=LATER, prefix="f-",
    )  # fmt: skip
    log = list(timed_records(made))
    for place in range(50, len(log), 100):
        log[place] = TimedRecord(msgspec.structs.replace(log[place].record, value=b"{"), log[place].time)
    for pilot in made.pilots:
        worker.learn(made.charter_for(pilot))
    institution = iter(_institution())
    common = iter(_common_causes())
    for turn, outputs in enumerate(replay_charters([made.charter_for(pilot) for pilot in made.pilots], log, batch=200)):
        worker.observe(outputs)
        worker.stepped(0.004, 20)
        worker.uncounted(outputs.uncounted)
        if turn % 4 == 2:
            worker.observe(Outputs(decisions=next(institution, [])))
            pool.common_causes(next(common, []))
        ended = max((one.end for one in outputs.evidence if isinstance(one, Evidence)), default=0)
        if ended:
            runner_facts(worker, 0, ended)
            samples.add(worker, "worker-0", ended + AFTER_MS)
            samples.add(pool, "pool", ended + AFTER_MS)


def _institution() -> list[list[Decision]]:
    """Decisions of a machine on complaints of users and on the class of a firm, step by step."""
    world, steps = Founded(admit=WATCHED), []
    acts: list[Callable[[], msgspec.Struct]] = [
        lambda: filing(world, 1, 2, 3, 4),
        lambda: RedressStep(**world.by("public"), step="asked", complaints=(complaint(1), complaint(2))),
        lambda: ComplaintAnswer(**world.by("firm"), complaints=(complaint(1),), text="a" * 64),
        lambda: RedressStep(**world.by("firm"), step="given", complaints=(complaint(1),)),
        lambda: RedressStep(**world.by("firm"), step="refused", complaints=(complaint(2),)),
        lambda: ComplaintWithdrawal(**world.by("public"), complaints=(complaint(3),)),
        lambda: UserDeparture(**world.by("public"), users=("u" * 32,)),
        lambda: classification(world, "officer", GOOD),
        lambda: PauseRequest(**world.by("firm"), reason="a new data centre"),
        lambda: Grant(**world.by("officer")),
    ]
    for act in acts:
        out = world.put(act())  # type: ignore[arg-type]
        steps.append(out.decisions)
    return steps


def _common_causes() -> list[list[Decision]]:
    """Findings of the second stage on a vendor whose pilots have twice what their limits allow, one by one."""
    hour = LATER // HOUR_MS
    found = pooled(CommonCauseMachine(), story(12, 4.0, first=hour), (hour + 13) * HOUR_MS)
    return [[one] for one in found]


class History(NamedTuple):
    """A running Prometheus with both scenarios, and the decisions of the country."""

    server: Server
    decisions: list[Decision]


def serve(directory: Path) -> History:
    """A real Prometheus over both scenarios. A sample holds for twelve hours: the country has four moments a day."""
    text, data = directory / "samples.txt", directory / "data"
    with text.open("w") as file:
        samples = Samples(file)
        decisions = country(directory / "country", samples).all.decisions
        fleet(samples)
        file.write("# EOF\n")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=744h", "-q"]
    done = subprocess.run([*command, str(text), str(data)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    text.unlink()
    port, config = free_port(), directory / "prometheus.yaml"
    config.write_text("{}\n")
    command = [PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={data}", "--log.level=warn"]
    command += ["--storage.tsdb.retention.time=100y", "--query.lookback-delta=12h"]
    command += [f"--web.listen-address=127.0.0.1:{port}"]
    return History(Server(command, port, directory, "prometheus").wait_ready(), decisions)
