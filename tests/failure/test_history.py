"""The histories of every test run: random operations and faults, then a comparison with an offline step at every
position."""

from __future__ import annotations

import asyncio
import signal
import socket
from pathlib import Path

import pytest

from monitor.testing.fork_server import ForkServer
from monitor.testing.history.__main__ import run_in_process, run_on_kafka
from monitor.testing.history.kafka_history import KafkaHistory
from monitor.testing.history.parts import BrokerRoute
from monitor.testing.history.plan import plan
from monitor.testing.history.tally import Tally
from tests.strength import examples


def held(tally: Tally) -> None:
    """Fail with the seed and the first difference of each failed history."""
    broken = [f"--seed {r.seed} --kind {r.kind}: {r.differences[0]}" for r in tally.failed]
    assert not broken, "\n".join(broken)


def test_histories_in_memory() -> None:
    """In one process, with crashes at failpoints and in failing calls and with zombies, every position equals the
    offline step."""
    tally, count = Tally(), examples(12, 30)
    run_in_process(range(count), tally.add)
    held(tally)
    assert tally.histories["memory"] == count


def test_histories_on_sqlite() -> None:
    """Histories on the embedded store equal the offline step at every position."""
    tally = Tally()
    run_in_process(range(100, 104), tally.add, on_disk=True)
    held(tally)


def test_a_worker_that_is_stopped_while_it_is_forked_is_killed(tmp_path: Path) -> None:
    """A worker whose slot is stopped before its fork returns is killed by the supervisor."""

    async def scenario(fork_server: ForkServer) -> None:
        history = KafkaHistory(plan(1), BrokerRoute(mute, mute), fork_server, tmp_path)
        slot = history.start("w0")
        await asyncio.sleep(0)
        assert slot.lives == 1
        assert slot.child is None
        await history.leave(slot, signal.SIGTERM)
        assert slot.codes == [-signal.SIGKILL]

    with socket.create_server(("127.0.0.1", 0)) as server, ForkServer() as fork_server:
        mute = f"127.0.0.1:{server.getsockname()[1]}"  # accepts the connection and sends nothing
        asyncio.run(scenario(fork_server))


@pytest.mark.kafka
def test_histories_on_a_real_broker(tmp_path: Path) -> None:
    """Histories with worker processes on a real broker, most with killed workers, equal the offline step at every
    position."""
    tally, count = Tally(), examples(10, 25)
    run_on_kafka([plan(seed) for seed in range(count)], tmp_path, tally.add)
    held(tally)
    assert tally.histories["kafka"] == count
    assert tally.kills >= count * 4 // 5
    assert tally.fenced == tally.resumed
