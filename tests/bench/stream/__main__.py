"""`make bench-stream`: how many events a second, compared with others at the same job on the same topic.

Every round makes fresh topics on one real broker, admits the pilots, writes the load as it would arrive (event time is
now, periods of a second), and then lets each runner read it from its beginning, one after the other in turning order. A
run is clocked from its first record to its last event, in the runner's own process. Medians over rounds; a ratio is the
median of the rounds' own ratios, so that both sides had the same weather. `QUICK=1` takes fewer events and rounds.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from functools import partial
from pathlib import Path

from aiokafka import AIOKafkaProducer

from monitor.kafka.topics import LARGE
from monitor.model.signing import Signer
from monitor.testing.broker import shared
from monitor.testing.broker_runtime import REPOSITORY
from monitor.testing.kafka import Fresh, until
from monitor.testing.workers import Worker
from tests.bench.stream import latency, pair, pure
from tests.bench.stream.load import Load

HERE = Path(__file__).parent
PEERS = REPOSITORY / "var" / "bench-venv"
BATCH_TYPE = ("content-type", b"application/cloudevents-batch+json")
PILOTS = 10
PERIOD_MS = 5000

Row = dict[str, float]


def peers() -> Path:
    """A Python with the peers of peers.txt installed, made once for each content of it."""
    python, done, wanted = PEERS / "bin" / "python", PEERS / ".done", (HERE / "peers.txt").read_text()
    if not done.exists() or done.read_text() != wanted:
        venv.create(PEERS, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "-r", HERE / "peers.txt"], check=True)
        done.write_text(wanted)
    return python


def runners() -> dict[str, list[str]]:
    """Name -> command, without its arguments."""
    mine, theirs = sys.executable, str(peers())
    return {
        "ours": [mine, "-m", "tests.bench.stream.ours"],
        "bare aiokafka": [mine, "-m", "tests.bench.stream.bare"],
        "bytewax stateful": [theirs, str(HERE / "wax.py")],
        "Quix stateful": [theirs, str(HERE / "quix.py")],
        "stock Faust table": [mine, "-m", "tests.bench.stream.stock_faust"],
    }


# What each may take of the load: the slow ones would need minutes for all of it, and their pace does not depend on it.
SHARE = {("stock Faust table", 1): 0.1, ("Quix stateful", 1): 0.5}


def fill(topics: Fresh, events: int, pack: int) -> None:
    """Admit the pilots under a worker that then stops, and write the load."""
    load = Load(PILOTS, period_ms=PERIOD_MS, start=int(time.time() * 1000), per_period=50_000)
    log = REPOSITORY / "var" / f"bench-{topics.names.prefix}.log"
    worker = Worker(topics.bootstrap, topics.names.prefix, log)

    async def admitted() -> bool:
        return len([s for s in await topics.seen() if type(s.value).__name__ == "Decision"]) >= PILOTS

    try:
        worker.wait_ready()
        asyncio.run(topics.send(topics.control(load.admissions())))
        asyncio.run(until(admitted))
        worker.stop()
    finally:
        worker.kill()
    asyncio.run(write(topics, load, events, pack))


async def write(topics: Fresh, load: Load, events: int, pack: int) -> int:
    """Pilots in turn, 100 events each time, packed or one by one, pilot i in partition i modulo their number; returns
    how many."""
    async with AIOKafkaProducer(
        bootstrap_servers=topics.bootstrap, max_request_size=LARGE, max_batch_size=512 * 1024, linger_ms=5, acks=1
    ) as producer:
        sent = []
        for turn in range(events // 100):
            pilot, now = load.pilots[turn % PILOTS], int(time.time() * 1000)
            key, partition = pilot.encode(), turn % PILOTS % topics.partitions
            if pack > 1:
                value = load.packed(pilot, now, 100)
                sent.append(await producer.send(topics.telemetry, value, key, partition, headers=[BATCH_TYPE]))
            else:
                values = load.events(pilot, now, 100)
                sent.extend([await producer.send(topics.telemetry, value, key, partition) for value in values])
            if len(sent) > 5000:
                await asyncio.gather(*sent)
                sent = []
        await asyncio.gather(*sent)
    return events // 100 * 100


def clocked(command: list[str], where: str, topics: Fresh, events: int) -> Row:
    """One run in a separate process. Raises RuntimeError with its talk when it says nothing."""
    done = subprocess.run(
        [*command, topics.bootstrap, where, str(events)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=120 if events <= 300_000 else 900,
        check=False,
    )
    lines = [line[line.index("{") :] for line in done.stdout.splitlines() if "{" in line]
    if not lines:
        raise RuntimeError(f"{command[-1]} gave no figure (exit code {done.returncode}):\n{done.stderr[-2000:]}")
    return dict(json.loads(lines[-1]))


def rounds(pack: int, events: int, count: int) -> dict[str, list[float]]:
    """Events a second of each runner in each round."""
    commands = runners()
    rates: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(count):
        topics = Fresh()
        fill(topics, events, pack)
        order = list(commands)[turn % len(commands) :] + list(commands)[: turn % len(commands)]
        for name in order:
            wanted = int(events * SHARE.get((name, pack), 1.0))
            where = topics.names.prefix if name == "ours" else topics.telemetry
            row = clocked(commands[name], where, topics, wanted)
            rates[name].append(row["events"] / row["seconds"])
            print(
                f"  {pack:>3}/record  round {turn + 1}  {name:<18} {rates[name][-1] / 1e3:8.0f} k/s wall "
                f"{row['events'] / max(row['cpu'], 1e-9) / 1e3:8.0f} k/s of CPU {row['mb']:6.0f} MB",
                flush=True,
            )
    return rates


def ratio(rates: dict[str, list[float]], other: str) -> float:
    """Median over rounds of ours to the other's rate in the same round."""
    return statistics.median(a / b for a, b in zip(rates["ours"], rates[other], strict=True))


def goal(name: str, figure: float, bound: float, unit: str = "", *, most: bool = False) -> str:
    """A last line: the figure must be at least the bound, or at most (`most`)."""
    good = figure <= bound if most else figure >= bound
    return f"GOAL {name} {figure:.3g}{unit} {'<=' if most else '>='}{bound:g}{unit} {'ok' if good else 'short'}"


BOUNDS: dict[int, dict[str, float]] = {
    100: {"ours": 600, "bare aiokafka": 0.6, "bytewax stateful": 1.3, "Quix stateful": 3.5},
    1: {"ours": 180, "bare aiokafka": 0.6, "bytewax stateful": 1.8, "Quix stateful": 2.5, "stock Faust table": 15},
}
WORDS = {100: "packed", 1: "single"}


def alone(quick: bool) -> list[str]:
    """The pure machine without Kafka."""
    runs = [pure.run(600_000 if quick else 2_000_000, 100) for _ in range(2 if quick else 4)]
    figure = statistics.median(1 / seconds for seconds, _, _ in runs) / 1e3
    print(
        f"pure machine, packed: {figure:.0f} k/s, {runs[0][2]} periods of one indicator and segment closed", flush=True
    )
    return [goal("pure-packed", figure, 700, "k/s")]


def signatures(quick: bool) -> list[str]:
    """The pure machine with signatures off and on, in turn: what verifying a record costs, packed and one by one."""
    signer, goals = Signer(bytes(32)), []
    for pack, events in ((100, 300_000 if quick else 1_000_000), (1, 20_000 if quick else 100_000)):
        pairs = [(pure.run(events, pack)[0], pure.run(events, pack, signer=signer)[0]) for _ in range(3)]
        off, on = min(a for a, _ in pairs), min(b for _, b in pairs)
        print(
            f"signatures, {WORDS[pack]}: off {off * 1e6:.2f} us, on {on * 1e6:.2f} us of CPU per event, "
            f"{(on - off) * pack * 1e6:.0f} us per record",
            flush=True,
        )
        goals.append(goal(f"signed-{WORDS[pack]}", off / on, BOUNDS_SIGNED[pack], "x"))
    return goals


BOUNDS_SIGNED = {100: 0.35, 1: 0.01}  # throughput with signatures on, as a share of that without


def against_peers(pack: int, quick: bool) -> list[str]:
    """(a), (b): ours and the others."""
    rates = rounds(pack, 300_000 if quick else 2_000_000, 1 if quick else 3)
    goals = []
    for name, values in rates.items():
        print(f"{WORDS[pack]:<7} {name:<18} median {statistics.median(values) / 1e3:8.0f} k/s", flush=True)
    for name, bound in BOUNDS[pack].items():
        if name == "ours":
            goals.append(goal(f"kafka-{WORDS[pack]}", statistics.median(rates["ours"]) / 1e3, bound, "k/s"))
        else:
            goals.append(goal(f"{WORDS[pack]}-to-{name.replace(' ', '-')}", ratio(rates, name), bound, "x"))
    return goals


def delays(quick: bool) -> list[str]:
    """(c): send -> halt command, without and with another pilot's bursts."""
    goals = []
    for burst in (False, True):
        found = latency.run(12 if quick else 120, burst)
        p50, p99 = latency.percentiles(found)
        print(f"latency {'with burst' if burst else 'steady':<10} p50 {p50:6.1f} ms  p99 {p99:6.1f} ms", flush=True)
        if burst:
            goals.append(goal("latency-burst-p99", p99, 250, "ms", most=True))
        else:
            goals.append(goal("latency-p50", p50, 25, "ms", most=True))
            goals.append(goal("latency-p99", p99, 100, "ms", most=True))
    return goals


def sizes(quick: bool) -> list[str]:
    """(d): 10, 1,000 and 100,000 pilots."""
    rows = {}
    for pilots in (10, 1_000, 10_000 if quick else 100_000):
        topics = Fresh()
        arguments = (topics.bootstrap, topics.names.prefix, str(pilots), str(300_000 if quick else 2_000_000))
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.stream.scale", *arguments],
            cwd=REPOSITORY, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{pilots} pilots gave no figure:\n{done.stderr[-2000:]}")
        rows[pilots] = row = json.loads(done.stdout)
        print(
            f"{pilots:>7} pilots  {row['cost']:6.2f} us/event (first record {row['first']:6.2f})  "
            f"{row['kb']:6.2f} KB per pilot "
            f"and indicator ({row['kb_recovered']:.2f} when recovered)  recovery {row['recovery']:6.2f} s, "
            f"{row['recovery_cpu']:.2f} s of it CPU of the worker",
            flush=True,
        )
    first, last = rows[10], rows[max(rows)]
    return [
        goal(f"scale-cost-{max(rows)}", last["cost"] / first["cost"], 1.5, "x", most=True),
        goal(f"scale-memory-{max(rows)}", last["kb"], 2, "KB", most=True),
        goal(f"scale-recovery-{max(rows)}", last["recovery"], 10 * max(rows) / 100_000, "s", most=True),
    ]


def halves(quick: bool) -> list[str]:
    """Two workers with half of the partitions each, compared with one that has all: as fast as they can, and at an easy
    pace."""
    events, seconds, count = (500_000, 8, 1) if quick else (2_000_000, 20, 3)
    full = partial(pair.run, sender=lambda topics, load: asyncio.run(write(topics, load, events, 100)))
    easy = partial(pair.run, sender=partial(pair.paced, 40_000, seconds))
    goals = []
    for name, run in (("two-workers-cpu", full), ("two-workers-cpu-at-40k", easy)):
        found = [(run(1), run(2)) for _ in range(count)]
        for one, two in found:
            print(f"{name:<22} one {one:6.2f} us of CPU per event, two {two:6.2f}", flush=True)
        goals.append(goal(name, statistics.median(two / one for one, two in found), 1.15, "x", most=True))
    return goals


PARTS: dict[str, Callable[[bool], list[str]]] = {
    "pure": alone,
    "signed": signatures,
    "packed": lambda quick: against_peers(100, quick),
    "single": lambda quick: against_peers(1, quick),
    "latency": delays,
    "scale": sizes,
    "two": halves,
}


def main() -> int:
    """Run the parts that are named (all without a name); returns the exit code: 0 = every goal met, 1 = some are
    short."""
    quick, strict = os.environ.get("QUICK") == "1", "--strict" in sys.argv
    names = [name for name in sys.argv[1:] if not name.startswith("-")] or list(PARTS)
    shared()
    goals = [line for name in names for line in PARTS[name](quick)]
    print("\n".join(goals))
    return int(strict and any(line.endswith("short") for line in goals))


if __name__ == "__main__":
    sys.exit(main())
