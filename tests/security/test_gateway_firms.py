"""A firm reads its own class through the gateway, and that of no other firm."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
from click.testing import CliRunner, Result
from msgspec import structs

from monitor.__main__ import cli
from monitor.firms.content import record_of
from monitor.lifecycle.firm_acts import Annulment
from monitor.model.records import Decision
from monitor.state.acts_once import validity
from tests.security.gateway_bench import KEYS, PILOTS, Bench, bench
from tests.unit.engine.test_firm_acts import BAD, classification
from tests.unit.lifecycle.founded import Founded


def classified(firm: str) -> Decision:
    """The decision that sets the class of a firm."""
    world = Founded(admit=None)
    act = classification(world, "officer", structs.replace(BAD, firm=firm))
    (decision,) = world.put(structs.replace(act, pilot=f"firm:{firm}")).decisions
    return decision


async def answered(b: Bench, request: bytes) -> tuple[int, bytes]:
    """Status and body of an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", b.port)
    try:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        return int(head.split()[1]), await reader.readexactly(length)
    finally:
        writer.close()
        await writer.wait_closed()


def test_a_firm_reads_its_class_and_no_other() -> None:
    """With the record that it follows from; another firm gets its own, which is none, and no pilot of others."""

    async def story() -> None:
        async with bench() as b:
            b.routes._outcomes.decision(classified("firm-1"))
            first, second = (f"/v1/firm/{PILOTS[firm]}" for firm in ("firm-1", "firm-2"))
            status, body = await answered(b, b.signed("firm-1", "GET", first, signer=KEYS["firm-1"]))
            assert status == 200
            content = msgspec.json.decode(body, type=Decision).finding.content
            assert isinstance(content, dict)
            assert record_of(content).firm == "firm-1"
            assert await b.status(b.signed("firm-2", "GET", second, signer=KEYS["firm-2"])) == 204
            assert await b.status(b.signed("firm-2", "GET", first, signer=KEYS["firm-2"])) == 403
            assert await b.status(b.signed("firm-1", "GET", first, signer=KEYS["firm-2"])) == 403

    asyncio.run(story())


def test_a_firm_prints_its_class(tmp_path: Path) -> None:
    """`firm own` over the gateway: class, grounds and numbers; as JSON the decision; refused for a pilot of others."""
    for number, name in enumerate(("firm-1", "firm-2"), 1):
        key = tmp_path / name
        key.write_bytes(str(number).encode() * 32)
        key.chmod(0o600)

    async def own(b: Bench, firm: str, pilot: str, *more: str) -> Result:
        given = ["firm", "own", PILOTS[pilot], "--to", f"http://127.0.0.1:{b.port}", "--author", firm]
        return await asyncio.to_thread(CliRunner().invoke, cli, [*given, "--key", str(tmp_path / firm), *more])

    async def story() -> None:
        async with bench() as b:
            b.routes._outcomes.decision(made := classified("firm-1"))
            said = await own(b, "firm-1", "firm-1")
            assert said.exit_code == 0, said.output
            assert said.output.startswith("class D since ")
            assert "  * contradictions: 30 in 8 pilot-years" in said.output
            assert "    contradictions: 30\n" in said.output
            as_json = await own(b, "firm-1", "firm-1", "--json")
            assert msgspec.json.decode(as_json.output, type=Decision) == made
            none = await own(b, "firm-2", "firm-2")
            assert (none.exit_code, "no class of firm-2 was set yet" in none.output) == (1, True)
            assert (await own(b, "firm-2", "firm-1")).exit_code != 0

    asyncio.run(story())


def test_a_firm_sends_no_act_on_a_firm() -> None:
    """Not even one that the machine would refuse; nothing is appended."""

    async def story() -> None:
        async with bench() as b:
            for subject in ("firm:firm-1", PILOTS["firm-1"]):
                act = Annulment(id="a-1", pilot=subject, author="firm-1", of="p", decision="a" * 32, reason="x",
                                **validity(0, 1))  # fmt: skip
                body = msgspec.json.encode(act)
                assert await b.status(b.signed("firm-1", "POST", "/v1/control", body, signer=KEYS["firm-1"])) == 403
            assert not b.control.appended

    asyncio.run(story())
