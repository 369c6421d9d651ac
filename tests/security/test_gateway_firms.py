"""A firm reads its own class through the gateway, and that of no other firm."""

from __future__ import annotations

import asyncio

import msgspec
from msgspec import structs

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
