"""The HTTP interface of the embedded monitor, as used by a firm, a regulator, a service and Prometheus."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
import pytest
from msgspec import structs
from yarl import URL

from monitor.act.json_lines import JsonLines
from monitor.charter.control import Override
from monitor.charter.spec import Authority, Charter
from monitor.embedded.ingress import BATCH, LARGEST, LINES, STRUCTURED
from monitor.embedded.monitor import Monitor
from monitor.embedded.sqlite_log import SqliteLog
from monitor.errors import Fenced, Forged
from monitor.model.builders import Emitter
from monitor.model.events import Harm, Severity
from monitor.model.records import Command, Decision, Level, Outputs, Permit, Reason
from monitor.model.signing import HTTP_HEADER, SignedKind, Trusted
from monitor.simulation.fleet_charter import charter
from monitor.testing.records import halted

Story = Callable[[Monitor, aiohttp.ClientSession], Awaitable[None]]


def now() -> int:
    return time.time_ns() // 1_000_000


def told(directory: Path, story: Story, **more: Any) -> None:
    """Run a story against a monitor over `directory`, with one pilot `p` admitted."""

    async def run() -> None:
        plan = charter(
            "p", number=0, period_ms=3_600_000, cap=2_000, dispersion=1.0, start=1_767_571_200_000, end=now()
        )
        monitor = Monitor(directory, port=0, charters=[plan], **more)
        await monitor.start()
        try:
            async with aiohttp.ClientSession(monitor.address) as session:
                await story(monitor, session)
        finally:
            await monitor.stop()

    asyncio.run(run())


async def send(session: aiohttp.ClientSession, body: bytes, media: str, **headers: str) -> tuple[int, dict[str, Any]]:
    async with session.post(
        "v1/telemetry", data=io.BytesIO(body), headers={"Content-Type": media, **headers}
    ) as answer:
        return answer.status, await answer.json()


async def text(session: aiohttp.ClientSession, path: str) -> str:
    async with session.get(path) as answer:
        return await answer.text()


async def until(session: aiohttp.ClientSession, path: str, word: str) -> str:
    """Ask until the answer holds `word`; fails after a minute."""
    for _ in range(1_200):
        if word in (found := await text(session, path)):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"{path} never said {word!r}: {found}")


def death(service: Emitter) -> bytes:
    return msgspec.json.encode(service.incident(now(), Severity.SERIOUS_INCIDENT, Harm.DEATH))


@pytest.mark.parametrize("how", ["structured", "batch", "lines", "binary"])
def test_a_death_halts_however_it_is_packed(tmp_path: Path, how: str) -> None:
    """Structured, batch, JSON lines and binary mode: the long poll of the service returns the halt at once."""

    async def story(monitor: Monitor, session: aiohttp.ClientSession) -> None:
        waiting = asyncio.create_task(until(session, "v1/commands/p?wait=9.5", "halt"))
        event = death(Emitter("s", "p"))
        if how == "binary":
            parts = msgspec.json.decode(event)
            data = msgspec.json.encode(parts.pop("data"))
            ce = {f"ce-{name}": value for name, value in parts.items()}
            status, answer = await send(session, data, "application/json", **ce)
        else:
            body, media = {
                "structured": (event, STRUCTURED),
                "batch": (b"[%s]" % event, BATCH),
                "lines": (event, LINES),
            }[how]
            status, answer = await send(session, body, media)
        assert (status, answer["records"], answer["events"], answer["first"]) == (202, 1, 1, 0)
        command = msgspec.json.decode(await asyncio.wait_for(waiting, 60))
        assert (command["action"], command["reason"], command["pilot"]) == ("halt", "hard_rule", "p")
        standing = command["standing"]
        assert await text(session, f"v1/commands/p?after={standing - 1}") != ""
        async with session.get(f"v1/commands/p?after={standing}&wait=0") as nothing_new:
            assert nothing_new.status == 204

    told(tmp_path, story)


def test_invalid_input_is_stored_and_rejected_with_its_reason(tmp_path: Path) -> None:
    """Invalid input gets 202 because it is stored; it is counted by reason, and valid events before and after it
    count."""

    async def story(monitor: Monitor, session: aiohttp.ClientSession) -> None:
        service = Emitter("s", "p")
        for body in (msgspec.json.encode(service.heartbeat(now())), b"rubbish", b'{"a":', b"\xff\xfe", death(service)):
            status, _ = await send(session, body, STRUCTURED)
            assert status == 202
        await until(session, "metrics", 'rejected_total{reason="not_json"} 2.0')
        await until(session, "metrics", 'rejected_total{reason="not_utf8"} 1.0')
        await until(session, "v1/commands/p", "halt")

    told(tmp_path, story)


def test_a_permit_answers_its_heartbeat_and_is_signed_like_a_command(tmp_path: Path) -> None:
    """The permit of each nonce can be waited for, also when a newer one is there; what the monitor says can be checked
    with the key that it shows, and a halted pilot's heartbeat has no permit."""

    async def story(monitor: Monitor, session: aiohttp.ClientSession) -> None:
        service = Emitter("s", "p")
        trusted = Trusted([(await text(session, "v1/key")).strip()])

        async def signed(path: str, kind: SignedKind) -> bytes:
            status = 204  # a wait has ended without an answer
            while status == 204:
                async with session.get(path) as answer:
                    body, status, headers = await answer.read(), answer.status, answer.headers
            assert status == 200
            trusted.verify(kind, body, headers[HTTP_HEADER])
            with pytest.raises(Forged):
                trusted.verify(kind, body + b" ", headers[HTTP_HEADER])
            return body

        waiting = asyncio.create_task(signed("v1/permits/p?nonce=n-1&wait=9", "permit"))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        for nonce in ("n-1", "n-2"):
            await send(session, msgspec.json.encode(service.heartbeat(now(), nonce=nonce)), STRUCTURED)
        permit = msgspec.json.decode(await asyncio.wait_for(waiting, 120), type=Permit)
        assert (permit.nonce, permit.source, permit.standing, permit.lease_ms) == ("n-1", "s", 0, 60_000)
        await signed("v1/permits/p?nonce=n-2&wait=9", "permit")
        await send(session, death(service), STRUCTURED)
        await until(session, "v1/commands/p", "halt")
        command = msgspec.json.decode(await signed("v1/commands/p", "command"), type=Command)
        assert command.halts
        await send(session, msgspec.json.encode(service.heartbeat(now(), serving=False, nonce="n-3")), STRUCTURED)
        async with session.get("v1/permits/p?nonce=n-3&wait=1") as answer:
            assert answer.status == 204

    told(tmp_path, story)


def test_a_request_that_cannot_be_stored_is_refused_with_a_message(tmp_path: Path) -> None:
    """Empty: 400; wrong content type: 415; too large: 413; each with a message, and nothing is stored."""

    async def story(monitor: Monitor, session: aiohttp.ClientSession) -> None:
        for body, media, status, word in (
            (b"", STRUCTURED, 400, "empty"),
            (b"x", "text/plain", 415, "application/cloudevents+json"),
            (b"x" * (1 << 20) + b"x", STRUCTURED, 413, "in parts"),
            (b"x" * (LARGEST + 1), LINES, 413, "in parts"),
        ):
            got, answer = await send(session, body, media)
            assert got == status
            assert word in answer["error"]
        for query in ("after=x", "after=1e3", "wait=nan", "after=99999999999999999999"):
            async with session.get(f"v1/commands/p?{query}") as answer:
                assert answer.status == 400
        async with session.post("v1/control", data=b"{}", headers={"Content-Type": "text/plain"}) as answer:
            assert answer.status == 415
        assert (await monitor.store.ends())[0] == {}

    told(tmp_path, story)


def test_a_foreign_host_header_is_refused(tmp_path: Path) -> None:
    """A request under another host name is refused, against DNS rebinding."""

    async def story(monitor: Monitor, session: aiohttp.ClientSession) -> None:
        for path in ("", "v1/decisions", "metrics"):
            async with session.get(path, headers={"Host": f"evil.example:{monitor.port}"}) as answer:
                assert answer.status == 403
        async with session.get("live", headers={"Host": f"localhost:{monitor.port}"}) as answer:
            assert answer.status == 200

    told(tmp_path, story)


def test_no_input_is_taken_during_recovery(tmp_path: Path) -> None:
    """Before the first `time` entry input is refused, and the sender is asked to retry."""

    async def story(monitor: Monitor, session: aiohttp.ClientSession) -> None:
        async with session.get("ready") as answer:
            assert answer.status == 200
        monitor.ingress.ready = False
        async with session.post("v1/telemetry", data=b"{}", headers={"Content-Type": STRUCTURED}) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        async with session.get("ready") as answer:
            assert answer.status == 503
        async with session.get("live") as answer:
            assert answer.status == 200

    told(tmp_path, story)


def test_the_first_time_entry_comes_before_the_first_event(tmp_path: Path) -> None:
    """When input is accepted, the journal already holds a `time` entry."""

    async def story(monitor: Monitor, session: aiohttp.ClientSession) -> None:
        entries = await monitor.store.read(lambda db: db.execute("SELECT entry FROM journal ORDER BY place").fetchall())
        kinds = [msgspec.json.decode(entry)["type"] for (entry,) in entries]
        assert kinds[:3] == ["claim", "control", "time"]

    told(tmp_path, story)


def test_a_regulators_act_takes_effect_once(tmp_path: Path) -> None:
    """A control record that is sent twice takes effect once."""

    async def story(monitor: Monitor, session: aiohttp.ClientSession) -> None:
        act = Override(id="c1", pilot="p", author="regulator-1", level="escalate", reason="to be sure")
        for _ in range(2):
            async with session.post(
                "v1/control", data=msgspec.json.encode(act), headers={"Content-Type": "application/json"}
            ) as answer:
                assert answer.status == 202
        await until(session, "v1/decisions", "overridden")
        await asyncio.sleep(0.2)
        lines = (await text(session, "v1/decisions")).splitlines()
        assert [msgspec.json.decode(line)["reason"] for line in lines].count("overridden") == 1

    told(tmp_path, story)


def test_decisions_are_read_page_by_page(tmp_path: Path) -> None:
    """Each line has its sequence number; a request after it returns newer lines only."""

    async def story(monitor: Monitor, session: aiohttp.ClientSession) -> None:
        await send(session, death(Emitter("s", "p")), STRUCTURED)
        await until(session, "v1/decisions", "hard_rule")
        rows, after = [], 0
        while line := await text(session, f"v1/decisions?after={after}&limit=1"):
            row = msgspec.json.decode(line)
            rows.append(msgspec.json.decode(line, type=Decision))
            assert row["seq"] > after
            after = row["seq"]
        assert rows[0].reason is Reason.ADMITTED
        assert rows[-1].level is Level.HALT

    told(tmp_path, story)


def test_rejections_are_read_page_by_page(tmp_path: Path) -> None:
    """Rejections of invalid input are listed with record, field and fix."""

    async def story(monitor: Monitor, session: aiohttp.ClientSession) -> None:
        headers = {"Content-Type": LINES}
        bad = death(Emitter("s", "p")).replace(b'"severity":"serious_incident"', b'"severity":"bad"')
        assert b"bad" in bad
        async with session.post("v1/telemetry", data=bad + b"\nrubbish", headers=headers) as answer:
            first = (await answer.json())["first"]
        lines = (await until(session, "v1/rejected", "not_json")).splitlines()
        rows = [msgspec.json.decode(line) for line in lines]
        assert [(r["offset"], r["field"], r["reason"]) for r in rows] == [
            (first, "data.severity", "unknown_value"),
            (first + 1, "", "not_json"),
        ]
        assert "near_miss" in rows[0]["detail"]
        assert (await text(session, f"v1/rejected?after={rows[0]['seq']}")).count("\n") == 1
        assert await text(session, "v1/rejected?limit=-1") == ""

    told(tmp_path, story)


def test_a_halt_is_shown_everywhere_after_a_restart(tmp_path: Path) -> None:
    """Board, metrics, commands and ledger of the next process show the halt; actors get no decision twice."""
    lines = tmp_path / "decisions.jsonl"

    async def first(monitor: Monitor, session: aiohttp.ClientSession) -> None:
        await send(session, death(Emitter("s", "p")), STRUCTURED)
        await until(session, "v1/commands/p", "halt")

    async def second(monitor: Monitor, session: aiohttp.ClientSession) -> None:
        await until(session, "metrics", 'pilot_level{participant="firm-1",pilot="p"} 3.0')
        assert '"level":"halt"' in await until(session, "api/board.json", "hard_rule")
        assert "halt" in await text(session, "v1/commands/p")
        assert "pilot" in (await text(session, "")).lower()
        head = monitor.notary.head("p")
        assert head is not None
        decided = (await text(session, "v1/decisions")).count("\n")
        assert head.size == decided + 2  # and the charter and the command
        for _ in range(1_200):
            if lines.exists() and lines.read_bytes().count(b"\n") == decided:
                break
            await asyncio.sleep(0.05)
        standings = [msgspec.json.decode(line)["standing"] for line in lines.read_bytes().splitlines()]
        assert standings == list(range(1, decided + 1))

    for story in (first, second, second):
        told(tmp_path / "data", story, actors={"json_lines": JsonLines(str(lines))})


def test_no_scrape_after_a_restart_shows_counters_below_those_before(tmp_path: Path) -> None:
    """The first scrape after a restart has all rejections, since Prometheus would take a later rise for new ones."""
    bad = 20_000

    def rejected(page: str) -> float:
        return sum(
            float(line.split()[-1]) for line in page.splitlines() if line.startswith("sandbox_monitor_rejected_total")
        )

    async def first(monitor: Monitor, session: aiohttp.ClientSession) -> None:
        await send(session, b"[" + b",".join([b"{}"] * 5_000) + b"]", BATCH)
        for _ in range(bad // 5_000 - 1):
            await send(session, b"[" + b",".join([b"{}"] * 5_000) + b"]", BATCH)
        await until(session, "metrics", f"{bad / 1e0:.1f}")

    async def second(monitor: Monitor, session: aiohttp.ClientSession) -> None:
        assert rejected(await text(session, "metrics")) == bad

    told(tmp_path, first)
    told(tmp_path, second)


def test_a_pilot_of_any_name_has_its_page(tmp_path: Path) -> None:
    """The link on the board opens its page, whatever characters its id has."""

    async def story(monitor: Monitor, session: aiohttp.ClientSession) -> None:
        for name in ("a/b", "a?b#c", "50 %", "Z\u00fcrich", "old\nid", "<b>"):
            monitor.board.apply(Outputs(decisions=[structs.replace(halted(standing=1), pilot=name)]))
            async with session.get(URL(f"{monitor.address}pilot/{quote(name, safe='')}", encoded=True)) as answer:
                assert answer.status == 200, name

    told(tmp_path, story)


def test_a_fenced_owner_stops(tmp_path: Path) -> None:
    """When another owner claims the file the monitor ends with `Fenced` and writes nothing more."""

    async def story(monitor: Monitor, session: aiohttp.ClientSession) -> None:
        await SqliteLog(monitor.store).claim()
        await send(session, death(Emitter("s", "p")), STRUCTURED)
        with pytest.raises(Fenced):
            await asyncio.wait_for(monitor.wait(), 10)
        assert "hard_rule" not in await text(session, "v1/decisions")

    told(tmp_path, story)


def test_a_checkpoint_is_seen_in_the_metrics(tmp_path: Path) -> None:
    """The time of the last checkpoint is a metric, so that its age can be alerted on."""

    async def story(monitor: Monitor, session: aiohttp.ClientSession) -> None:
        await send(session, death(Emitter("s", "p")), STRUCTURED)
        await until(session, "metrics", 'checkpoint_timestamp_seconds{partition="0"}')

    told(tmp_path, story, checkpoint_every_ms=1)


def test_a_charter_given_at_the_start_is_in_force_or_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator who starts the monitor may amend; during a halt this changes nothing of who may release it, and is
    told."""
    first = charter("p", number=0, period_ms=3_600_000, cap=2_000, dispersion=1.0, start=1_767_571_200_000, end=now())
    better = msgspec.structs.replace(first, scenario="said better", version=2)
    others = msgspec.structs.replace(better, authorities=(Authority("a", approvers=("x", "y")),), version=3)

    async def run(plan: Charter, halt: bool = False) -> int:
        monitor = Monitor(tmp_path, port=0, charters=[plan])
        await monitor.start()
        try:
            async with aiohttp.ClientSession(monitor.address) as session:
                if halt:
                    act = Override(id="h", pilot="p", author="regulator-1", level="halt", reason="by hand")
                    headers = {"Content-Type": "application/json"}
                    async with session.post("v1/control", data=msgspec.json.encode(act), headers=headers) as answer:
                        assert answer.status == 202
                    await until(session, "v1/standing/p", '"level":"halt","stop":"not acknowledged"')
                if plan is others:
                    assert "halt_stands" in await until(session, "v1/rejected", "charter.authorities")
                return monitor.runner.machine.pilots["p"].charter.version
        finally:
            await monitor.stop()

    assert asyncio.run(run(first, halt=True)) == 1
    assert asyncio.run(run(better)) == 2
    assert "charter.not_in_force" not in caplog.text
    assert asyncio.run(run(others)) == 2
    assert "charter.not_in_force stage=decide pilot=p version=3 version_in_force=2 hash_in_force=" in caplog.text
