"""An appeal: a firm exports its own history from a running monitor, replays it, and compares it with the ledger."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from monitor.__main__ import cli
from monitor.charter.control import Approval, Evaluation, Rectification, Release
from monitor.charter.spec import Responses
from monitor.kafka.output_consumer import ConsumedOutput, read_outputs
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity
from monitor.model.records import Decision, Reason
from monitor.notary.notary import Notary
from monitor.sdk import Pilot
from monitor.testing.environments import ENVIRONMENTS, Environment, Kafka
from monitor.testing.kafka import gathered
from monitor.testing.service import Service
from monitor.testing.wait import Until

from .walked_page import Walk

PAGE = Path(__file__).parents[2] / "monitor" / "lifecycle" / "appeal.md"
WORLD = [pytest.param("embedded"), pytest.param("kafka", marks=pytest.mark.kafka)]
until = Until(60.0, every=0.05)


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


def told(result: Result, key: str) -> list[dict[str, object]]:
    """The objects of that name that `replay --json` printed."""
    lines = [msgspec.json.decode(line) for line in result.stdout.splitlines()]
    return [line[key] for line in lines if key in line]


def walked(environment: Environment, pilot: str, participant: str, home: Path) -> None:
    """Halt, acknowledgement, verification, the monitor killed and started again, rectification, evaluation, approvals,
    release."""
    by = {"pilot": pilot, "author": "regulator-1"}
    settings = {**environment.settings(environment.proxy()), "pilot": pilot, "participant": participant}
    with Service(**settings, model="m1", spool=home, heartbeat_s=0.3, pack_ms=5, tier="high") as service:
        service.wait("serving", timeout=60)
        event = Emitter(f"outside/{pilot}", pilot).incident(
            int(time.time() * 1000), severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH
        )
        environment.report(event)
        environment.decisions.wait(pilot, Reason.HALT_VERIFIED, 60)
        environment.kill()
        environment.start()
        environment.act(Release(id="too-soon", **by))
        environment.act(Rectification(id="r", **by, finding="f", cause="c", action="a", evidence="e"))
        environment.act(Evaluation(id="e", **by, passed=True, report="r"))
        environment.act(Approval(id="a", **by))
        environment.act(Approval(id="b", pilot=pilot, author="regulator-2"))
        environment.act(Release(id="l", **by))
        environment.decisions.wait(pilot, Reason.RELEASED, 60)
        with Pilot(pilot, spool_dir=home, participant=participant, **environment.settings(environment.proxy())) as firm:
            until(lambda: firm.standing.release)
            firm.resume()
        service.wait("serving")


def ledger_of(environment: Environment) -> Path:
    """The ledger of an embedded monitor; on Kafka one that a notary makes of what stands there now."""
    if not isinstance(environment, Kafka):
        return environment.home / "monitor" / "ledger"
    import asyncio

    async def outputs() -> list[ConsumedOutput]:
        topics = (environment.names.decisions, environment.names.commands)
        return [seen async for seen in read_outputs(environment.broker.bootstrap, topics, follow=False)]

    everything = asyncio.run(outputs())
    directory = environment.home / "ledger"
    directory.mkdir(exist_ok=True)
    notary = Notary(directory)
    for partition in sorted({seen.partition for seen in everything}):  # epochs are those of one partition
        out = gathered([seen for seen in everything if seen.partition == partition])
        notary.record(out.decisions, out.commands, partition=partition)
    notary.close()
    return directory


@pytest.mark.parametrize("name", WORLD)
def test_a_firms_history_replays_to_the_ledger(tmp_path: Path, name: str) -> None:
    """After a verified halt, a restart and a release, the pilot's history and the whole history replay to the ids and
    numbers of the ledger; the firm's file contains nothing of the other pilot; a changed ledger or history is
    detected."""
    environment: Environment = ENVIRONMENTS[name](tmp_path, 2, Responses(acknowledge_within="20s"))
    try:
        charter, other = environment.next(), environment.next().pilot
        walked(environment, charter.pilot, charter.participant.id, tmp_path / "spool")
        time.sleep(6)  # a `time` entry after the last record
        where = ["--dir", str(tmp_path / "monitor")]
        if isinstance(environment, Kafka):
            where = ["--bootstrap", environment.broker.bootstrap, "--prefix", environment.names.prefix]
        exported = ran("export", *where, "--pilot", charter.pilot)
        assert exported.exit_code == 0, exported.output
        ledger = ledger_of(environment)
        mine = tmp_path / "mine.history"
        mine.write_bytes(exported.stdout_bytes)
        whole = tmp_path / "whole.history"
        whole.write_bytes(ran("export", *where).stdout_bytes)
    finally:
        environment.close()
    assert other.encode() not in mine.read_bytes()
    assert other.encode() in whole.read_bytes()
    decided = {d.reason for d in environment.decisions.of(charter.pilot)}
    assert {Reason.HALT_VERIFIED, Reason.MONITOR_GAP, Reason.RELEASED} - decided <= {Reason.MONITOR_GAP}
    for file in (mine, whole):
        result = ran("replay", str(file), "--against", str(ledger), "--twice")
        assert result.exit_code == 0, result.output
        assert "0 different, 0 not recorded, 0 not replayed" in result.stderr
    record = {d.id: d for d in environment.decisions.of(charter.pilot)}
    result = ran("replay", str(mine), "--json")
    replayed = [msgspec.convert(d, Decision) for d in told(result, "decision")]
    assert {d.id: msgspec.structs.replace(d, epoch=0) for d in replayed if d.id in record} == {
        d.id: msgspec.structs.replace(d, epoch=0) for d in record.values()
    }


@contextlib.contextmanager
def gateway(environment: Environment, home: Path, pilot: str, firm: str) -> Iterator[str]:
    """The port of a gateway to a monitor on Kafka; "" for an embedded one."""
    if not isinstance(environment, Kafka):
        yield ""
        return
    of = ["--bootstrap", environment.broker.bootstrap, "--prefix", environment.names.prefix]
    with (home / "gateway.log").open("wb") as log:
        served = subprocess.Popen([sys.executable, "-m", "monitor", "gateway", *of, "--port", "0"], stderr=log)
    try:
        until(lambda: b"gateway http://" in (home / "gateway.log").read_bytes())
        port = (home / "gateway.log").read_text().split("gateway http://127.0.0.1:", 1)[1].split("/")[0]
        who = ["--author", firm, "--key", str(environment.key), "--to", f"http://127.0.0.1:{port}"]
        until(lambda: CliRunner().invoke(cli, ["standing", pilot, *who]).exit_code == 0)  # it has read the logs
        yield port
    finally:
        served.terminate()
        served.wait(30)


@pytest.mark.parametrize("name", WORLD)
def test_the_commands_of_the_page_print_what_the_page_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A firm that types the page about appeals reads what the page says, on both runtimes."""
    environment: Environment = ENVIRONMENTS[name](tmp_path, 1, Responses(acknowledge_within="20s"))
    try:
        charter = environment.next()
        walked(environment, charter.pilot, charter.participant.id, tmp_path / "spool")
        time.sleep(6)  # a `time` entry after the last record
        with gateway(environment, tmp_path, charter.pilot, charter.participant.id) as port:
            walk = Walk(PAGE, tmp_path, 0, monkeypatch, processes=False)
            walk.runtime = name
            walk.names = {"pilot-0001": charter.pilot, "firm-1": charter.participant.id, "8322": port}
            walk.through()
    finally:
        environment.close()
    assert len(walk.took) >= 6


@pytest.mark.parametrize("change", ["finding", "missing"])
def test_every_difference_from_the_record_is_listed(tmp_path: Path, change: str) -> None:
    """A changed number and a missing decision are listed with their fields; exit code 1."""
    environment: Environment = ENVIRONMENTS["embedded"](tmp_path, 1, Responses())
    try:
        charter = environment.next()
        event = Emitter(f"outside/{charter.pilot}", charter.pilot).incident(
            int(time.time() * 1000), severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH
        )
        environment.report(event)
        environment.decisions.wait(charter.pilot, Reason.HARD_RULE)
        time.sleep(6)
        exported = ran("export", "--dir", str(tmp_path / "monitor"), "--pilot", charter.pilot)
    finally:
        environment.close()
    history = tmp_path / "mine.history"
    history.write_bytes(exported.stdout_bytes)
    plain = ran("replay", str(history), "--json")
    decisions = told(plain, "decision")
    record = tmp_path / "decisions.jsonl"
    record.write_bytes(b"\n".join(msgspec.json.encode(d) for d in decisions))
    assert ran("replay", str(history), "--against", str(record)).exit_code == 0
    if change == "finding":
        decisions[1] = {**decisions[1], "finding": {**decisions[1]["finding"], "observed": 2.0}}  # type: ignore[dict-item]
    else:
        del decisions[1]
    record.write_bytes(b"\n".join(msgspec.json.encode(d) for d in decisions))
    result = ran("replay", str(history), "--against", str(record))
    assert result.exit_code == 1, result.output
    if change == "finding":
        assert "DIFFERENT" in result.stdout
        assert "finding.observed: recorded 2, replayed 1" in result.stdout
    else:
        assert "NOT RECORDED" in result.stdout
    as_json = ran("replay", str(history), "--against", str(record), "--json")
    assert as_json.exit_code == 1
    assert told(as_json, "summary")[0]["verdict"] == "different"
