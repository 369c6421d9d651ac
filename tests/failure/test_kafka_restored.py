"""The notary on Kafka refuses to continue where its ledger was restored from an older copy, or its topic was
recreated."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner

from monitor.cli.ledger import ledger
from monitor.model.records import Decision
from monitor.notary.store import file_name
from monitor.notary.verify import verify
from monitor.testing.kafka import Fresh
from monitor.testing.records import decision
from monitor.testing.wait import Until
from tests.processes import piped

pytestmark = pytest.mark.kafka
FILE = file_name("p-1")


async def produce(fresh: Fresh, decisions: list[Decision]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=fresh.bootstrap)
    await producer.start()
    try:
        await fresh.send(fresh.claims())
        for one in decisions:
            headers = [("type", b"decision"), ("epoch", b"1")]
            await producer.send_and_wait(
                fresh.names.decisions, msgspec.json.encode(one), one.pilot.encode(), partition=0, headers=headers
            )
    finally:
        await producer.stop()


def notary(fresh: Fresh, home: Path, upto: int | None) -> tuple[int, str]:
    """Run the notary until its ledger has `upto` entries (`None`: until it ends); returns exit code and output."""
    command = [
        sys.executable,
        "-m",
        "monitor",
        "notary",
        "--bootstrap",
        fresh.bootstrap,
        "--prefix",
        fresh.names.prefix,
    ]
    process = piped(
        [*command, "--dir", str(home / "ledger"), "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        if upto is not None:
            cursor = home / "ledger" / "cursor.json"
            Until(60.0, every=0.2)(
                lambda: cursor.exists() and msgspec.json.decode(cursor.read_bytes())["entries"].get("p-1") == upto
            )
            process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    return process.returncode, said.decode()


def test_a_ledger_older_than_its_cursor_is_refused_and_can_be_rebuilt(tmp_path: Path) -> None:
    """A restored older ledger next to the newer cursor is refused with the fix. After `ledger rebuild` the topic fills
    in the rest, byte for byte."""
    fresh = Fresh(1)
    directory = tmp_path / "ledger"
    asyncio.run(produce(fresh, [decision(n) for n in range(1, 5)]))
    assert notary(fresh, tmp_path, 4)[0] == 0
    shutil.copytree(directory, tmp_path / "older")
    asyncio.run(produce(fresh, [decision(n) for n in range(5, 9)]))
    assert notary(fresh, tmp_path, 8)[0] == 0
    whole = (directory / FILE).read_bytes()
    for path in (tmp_path / "older").glob("p-1*"):
        shutil.copyfile(path, directory / path.name)
    code, said = notary(fresh, tmp_path, None)
    assert code == 1
    assert "holds 4 entries, cursor.json knows 8; fix: restore" in said
    assert CliRunner().invoke(ledger, ["rebuild", str(directory)]).exit_code == 0
    assert notary(fresh, tmp_path, 8)[0] == 0
    assert (directory / FILE).read_bytes() == whole
    assert verify(directory / FILE).last == 8


def test_a_position_beyond_the_end_of_a_topic_is_refused(tmp_path: Path) -> None:
    """A recreated topic ends before the cursor: the notary stops and names the fix instead of waiting for ever."""
    fresh = Fresh(1)
    asyncio.run(produce(fresh, [decision(1)]))
    assert notary(fresh, tmp_path, 1)[0] == 0
    cursor = tmp_path / "ledger" / "cursor.json"
    kept = msgspec.json.decode(cursor.read_bytes())
    kept["position"] = {name: at + 100 for name, at in kept["position"].items()}
    cursor.write_bytes(msgspec.json.encode(kept))
    code, said = notary(fresh, tmp_path, None)
    assert code == 1
    assert "the reader stands at" in said
    assert "fix: restore the newer one" in said
