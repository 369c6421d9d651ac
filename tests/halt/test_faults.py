"""Each fault five times, with real processes, embedded and on Kafka; `make test-halt` runs each 100 times."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from monitor.testing.slowness import Slowness

RUNS = 5
LOG_CHARACTERS = 60_000  # shown of a failed run: the logs of its services
KAFKA = ("undisturbed", "monitor_killed", "network_cut", "suspended", "lying", "broker_down")


def kept(line: str, slowness: float) -> bool:
    """Whether a `GOAL name figure bound ok|short` line keeps its promise. The time to refuse is promised for an idle
    machine; on a busy one it may take longer by the factor by which the machine is slower."""
    _, name, figure, bound, word, *_ = line.split()
    if "_breach_to_refusal_" in name:
        return float(figure) <= float(bound) * slowness
    return word == "ok"


def test_only_the_time_to_refuse_stretches_with_the_load() -> None:
    """A lost halt is a failure on any machine; a refusal after three seconds is a failure on an idle machine only."""
    late = "GOAL kafka_breach_to_refusal_p99_ms 2942 1000 short of 5"
    assert kept(late, 5.0)
    assert not kept(late, 1.2)
    assert not kept("GOAL kafka_halts_lost 1 0 short of 30", 5.0)
    assert kept("GOAL kafka_halts_lost 0 0 ok of 30", 1.0)


@pytest.mark.parametrize(
    ("environment", "only"),
    [("embedded", ()), pytest.param("kafka", KAFKA, marks=pytest.mark.kafka)],
    ids=["embedded", "kafka"],
)
def test_no_halt_is_lost_and_nothing_resumes(environment: str, only: tuple[str, ...]) -> None:
    """Command or acknowledgement lost, service or monitor killed during a halt, broker down, network cut, clock moved
    in both directions, service suspended, a service that ignores the halt: every guarantee holds, and a service without
    a permit stops within lease + 1 s."""
    command = [
        sys.executable,
        str(Path(__file__).with_name("run.py")),
        "--environment",
        environment,
        "--runs",
        str(RUNS),
    ]
    for fault in only:
        command += ["--only", fault]
    with Slowness() as slowness:
        run = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    said = [line for line in run.stdout.splitlines() if line.startswith("GOAL")]
    log = run.stderr[-LOG_CHARACTERS:]
    assert len(said) == 10, run.stdout + log
    short = [line for line in said if not kept(line, slowness.factor)]
    assert not short, f"{short} on a machine {slowness.factor:.1f} times slower than an idle one: {log}"
