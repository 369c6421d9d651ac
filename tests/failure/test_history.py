"""The share of histories that every test run does: random operations and faults, then every position against an offline
step."""

from __future__ import annotations

import asyncio
import signal
import socket
from pathlib import Path

import pytest

from monitor.testing.fork_server import Nursery
from monitor.testing.history.__main__ import cheap, real
from monitor.testing.history.live import Live
from monitor.testing.history.parts import Lane
from monitor.testing.history.plan import plan
from monitor.testing.history.tally import Tally
from tests.strength import examples


def held(tally: Tally) -> None:
    """Fail with the seed and the first position of each history that does not hold."""
    broken = [f"--seed {r.seed} --kind {r.kind}: {r.differences[0]}" for r in tally.failed]
    assert not broken, "\n".join(broken)


def test_histories_in_memory() -> None:
    """Cheap histories, owners dying at failpoints and in broken calls, zombies waking up: every position as it must
    be."""
    tally, count = Tally(), examples(12, 30)
    cheap(range(count), tally.add)
    held(tally)
    assert tally.histories["memory"] == count


def test_histories_on_sqlite() -> None:
    """The same on the embedded store, fewer of them."""
    tally = Tally()
    cheap(range(100, 104), tally.add, on_disk=True)
    held(tally)


def test_a_worker_that_is_taken_away_while_it_is_born_is_ended(tmp_path: Path) -> None:
    """Its supervisor is still waiting for the fork when it is no longer wanted: it is ended, and not awaited."""

    async def story(nursery: Nursery) -> None:
        live = Live(plan(1), Lane(mute, mute), nursery, tmp_path)
        slot = live.start("w0")
        await asyncio.sleep(0)
        assert slot.lives == 1
        assert slot.child is None
        await live.leave(slot, signal.SIGTERM)
        assert slot.codes == [-signal.SIGKILL]

    with socket.create_server(("127.0.0.1", 0)) as server, Nursery() as nursery:
        mute = f"127.0.0.1:{server.getsockname()[1]}"  # takes the connection and says nothing
        asyncio.run(story(nursery))


@pytest.mark.kafka
def test_histories_on_a_real_broker(tmp_path: Path) -> None:
    """Histories with real worker processes on a real broker, workers killed in most of them."""
    tally, count = Tally(), examples(10, 25)
    real([plan(seed) for seed in range(count)], tmp_path, tally.add)
    held(tally)
    assert tally.histories["kafka"] == count
    assert tally.kills >= count * 4 // 5
    assert tally.fenced == tally.woken
