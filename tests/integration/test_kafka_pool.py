"""The second stage on a real broker: evidence of several partitions in, each decision about a vendor out once,
whichever process wrote it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from monitor.errors import Fenced, LogBroken
from monitor.kafka.output_consumer import read_outputs
from monitor.kafka.partition_reader import PartitionReader
from monitor.kafka.pool_service import pool_names, pool_topics, run_pool
from monitor.kafka.topics import create_topics
from monitor.model.records import Decision
from monitor.testing.kafka import Fresh, Sent, until
from monitor.testing.ports import free_port
from tests.unit.common_cause.test_common_cause import PARTS, story

pytestmark = pytest.mark.kafka
NOW = int(time.time() // 3600)  # older periods would not be waited for


def lines(fresh: Fresh, hours: slice) -> list[Sent]:
    """The story's evidence of some hours: three records an hour on each of two partitions."""
    cut = slice(3 * (hours.start or 0), None if hours.stop is None else 3 * hours.stop)
    return [
        (fresh.names.evidence, r.key, r.value, r.headers, number)
        for number, part in enumerate(PARTS)
        for r in story(12, 4.0, first=NOW)[part][cut]
    ]


async def said(fresh: Fresh) -> list[Decision]:
    topic = pool_names(fresh.names.prefix).decisions
    return [
        s.value async for s in read_outputs(fresh.bootstrap, [topic], follow=False) if isinstance(s.value, Decision)
    ]


def causes(port: int) -> float:
    """The findings about the vendor `v` that the process counts."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        found = re.search(r'common_causes_total\{indicator="incidents",vendor="v"\} (\S+)', answer.read().decode())
    return float(found[1]) if found else 0.0


def test_a_killed_pool_decides_the_same_once() -> None:
    """Half of the evidence, SIGKILL, the other half, another process: the decisions are those of one that was not
    killed, and that one counts them in its metrics."""
    broken, whole, port = Fresh(partitions=2), Fresh(partitions=2), free_port()

    def start(fresh: Fresh, *more: str) -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-m",
            "monitor",
            "pool",
            "--bootstrap",
            fresh.bootstrap,
            "--prefix",
            fresh.names.prefix,
            *more,
        ]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    async def go() -> tuple[list[Decision], list[Decision]]:
        for fresh in (broken, whole):
            await create_topics(fresh.bootstrap, pool_topics(fresh.names.prefix, 1))
            await fresh.send(fresh.claims())
        first = start(broken)
        second = start(whole, "--metrics-port", str(port))
        try:
            await broken.send(lines(broken, slice(0, 8)))
            await whole.send(lines(whole, slice(0, None)))

            async def spoke() -> bool:
                return bool(await said(broken))

            await until(spoke, 60)
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
            await broken.send(lines(broken, slice(8, None)))
            first = start(broken)

            async def done() -> bool:
                return len(await said(broken)) == len(await said(whole)) > 1

            await until(done, 60)

            async def counted() -> bool:
                return causes(port) == len(await said(whole))

            await until(counted, 60)
            for process in (first, second):
                process.send_signal(signal.SIGTERM)
                assert process.wait(60) == 0
            return await said(broken), await said(whole)
        finally:
            for process in (first, second):
                if process.poll() is None:
                    process.kill()
                    process.wait()

    got, wanted = asyncio.run(go())
    assert [d.id for d in got] == [d.id for d in wanted]
    assert len({d.id for d in got}) == len(got)


def test_a_second_instance_fences_the_first() -> None:
    """Of two second stages the older one ends with a named error."""
    fresh = Fresh(partitions=2)

    async def claimed() -> bool:
        reader = PartitionReader(fresh.bootstrap)
        await reader.start()
        try:
            _, end = await reader.bounds(pool_names(fresh.names.prefix).journal, 0)
        finally:
            await reader.stop()
        return end > 0

    async def go() -> BaseException | None:
        await create_topics(fresh.bootstrap, pool_topics(fresh.names.prefix, 1))
        older = asyncio.create_task(run_pool(fresh.bootstrap, fresh.names.prefix, every=0.1))
        await until(claimed)
        assert not older.done()
        over = asyncio.Event()
        newer = asyncio.create_task(run_pool(fresh.bootstrap, fresh.names.prefix, every=0.1, ending=over.is_set))
        await fresh.send([*fresh.claims(), *lines(fresh, slice(0, 6))])
        done, _ = await asyncio.wait([older], timeout=90)
        over.set()
        await newer
        assert done, "the older one went on"
        return older.exception()

    assert isinstance(asyncio.run(go()), (Fenced, LogBroken))
