"""A gateway over decisions of a real machine, without a broker; and the signed requests of its firms."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator

import msgspec
from msgspec import structs

from monitor.charter.control import Admission
from monitor.charter.spec import Charter, Participant
from monitor.engine.machine import Machine
from monitor.http_server.limits import ServerLimits
from monitor.http_server.server import HttpServer
from monitor.http_server.token_buckets import TokenBuckets
from monitor.kafka.firm_directory import FirmDirectory, FirmOfPilot
from monitor.kafka.gateway_routes import GatewayRoutes, Lines
from monitor.kafka.outcome_memory import OutcomeMemory
from monitor.model.records import Record
from monitor.model.request_signing import (
    FIRM_HEADER,
    NONCE_HEADER,
    REQUEST_HEADER,
    SESSION_HEADER,
    TIME_HEADER,
    FirmRequest,
)  # fmt: skip
from monitor.model.signing import HTTP_HEADER, Signer
from monitor.simulation.fleet import Fleet
from tests.security.http_tools import HOST, Client

KEYS = {"firm-1": Signer(b"1" * 32), "firm-2": Signer(b"2" * 32)}
STRANGER = Signer(b"3" * 32)


def charters(keys: dict[str, Signer] | None = None) -> dict[str, Charter]:
    """A pilot of each firm, by the name of the firm."""
    signers = KEYS if keys is None else keys
    fleet = Fleet(3, pilots=len(signers), scenarios=["calm"], start=int(time.time() * 1000), hours=1, period="1h")
    return {
        firm: structs.replace(fleet.charter_for(pilot), participant=Participant(firm, keys=(signers[firm].public,)))
        for firm, pilot in zip(signers, fleet.pilots, strict=True)
    }


OF_FIRM = charters()
PILOTS = {firm: charter.pilot for firm, charter in OF_FIRM.items()}


class MemoryControl:
    """A control log in memory."""

    def __init__(self) -> None:
        self.appended: list[tuple[str, bytes, str]] = []

    async def append(self, pilot: str, body: bytes, signature: str) -> tuple[int, int]:
        self.appended.append((pilot, body, signature))
        return 0, len(self.appended) - 1


async def lines(pilot: str, firm: FirmOfPilot) -> AsyncGenerator[bytes, None]:
    """Stands for the logs."""
    yield json.dumps([pilot, firm.participant]).encode() + b"\n"


def signature_headers(asked: FirmRequest, body: bytes, signer: Signer, firm: str) -> list[bytes]:
    """The headers that prove a request; `firm` is the one that they name."""
    return [
        f"{FIRM_HEADER}: {firm}".encode(),
        f"{SESSION_HEADER}: {asked.session}".encode(),
        f"{TIME_HEADER}: {asked.time}".encode(),
        f"{NONCE_HEADER}: {asked.nonce}".encode(),
        f"{REQUEST_HEADER}: {signer.sign('request', asked.signed_bytes(body))}".encode(),
    ]


class Bench:
    """A gateway over decisions of a real machine, without a broker."""

    def __init__(self, port: int, routes: GatewayRoutes, control: MemoryControl) -> None:
        self.port, self.routes, self.control = port, routes, control

    def signed(
        self,
        firm: str,
        method: str,
        target: str,
        body: bytes = b"",
        /,
        *,
        signer: Signer | None = None,
        act_signer: Signer | None = None,
        **other: object,
    ) -> bytes:
        """The bytes of a request; `other` replaces fields of what is signed."""
        whole = {"firm": firm, "method": method, "target": target, "session": self.routes.gate.session}
        asked = whole | {"time": int(time.time() * 1000), "nonce": os.urandom(16).hex()} | other
        made = FirmRequest(**asked)  # type: ignore[arg-type]
        proof = signature_headers(made, body, signer or KEYS[firm], firm)
        headers = [f"{method} {target} HTTP/1.1".encode(), HOST, *proof]
        if method == "POST":
            act = (act_signer or signer or KEYS[firm]).sign("control", body)
            headers += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
            headers.append(f"{HTTP_HEADER}: {act}".encode())
        return b"\r\n".join([*headers, b"", body])

    async def status(self, request: bytes) -> int:
        """The status of the response; the body is read as far as it is sent at once."""
        client = await Client.open(self.port)
        try:
            return (await client.ask(request))[0]
        finally:
            client.close()


@contextlib.asynccontextmanager
async def bench(
    burst: float = 1e12,
    limits: ServerLimits | None = None,
    of_firm: dict[str, Charter] = OF_FIRM,
    export: Lines = lines,
) -> AsyncIterator[Bench]:
    """A gateway that has read the admission of a pilot of each firm."""
    directory, outcomes, control = FirmDirectory(), OutcomeMemory("sandbox.control"), MemoryControl()
    machine = Machine(open_mode=True)
    for number, charter in enumerate(of_firm.values()):
        act = Admission(id=f"a{number}", pilot=charter.pilot, author="regulator", charter=charter)
        directory.act(act)
        outputs = machine.control(Record(number, 1_800_000_000_000, None, msgspec.json.encode(act), ()))
        for decision in outputs.decisions:
            directory.decision(decision)
            outcomes.decision(decision)
    streams = {"export": export, "decisions": lines, "rejected": lines}
    routes = GatewayRoutes(directory, outcomes, control, streams, TokenBuckets(10.0, burst))
    routes.ready = True
    server = HttpServer("gateway", limits=limits)
    routes.join(server)
    await server.start("127.0.0.1", 0)
    try:
        yield Bench(server.port, routes, control)
    finally:
        await server.stop()
