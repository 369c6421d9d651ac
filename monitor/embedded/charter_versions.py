"""The charters of a pilot from the embedded store: version, time and author of each that came into force."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

import msgspec
from aiohttp import web

from monitor.charter.control import ControlBase
from monitor.charter.spec import Charter
from monitor.embedded.store import Store
from monitor.model.records import Decision, Record, Rejected
from monitor.projections.charter_record import CAUSES, Version, charter_in, versions
from monitor.validate.parse import validate_control

_decision = msgspec.json.Decoder(Decision).decode
_DECISIONS = (
    "SELECT value FROM decisions WHERE pilot = ? AND (" + " OR ".join("instr(value, ?) > 0" for _ in CAUSES) + ")"
)
_ACTS = "SELECT place, received, key, value FROM control WHERE instr(value, ?) > 0"


async def stored_versions(store: Store, pilot: str) -> list[Version]:
    """The charters that came into force for a pilot, the latest last; empty when it was never admitted."""

    def query(db: sqlite3.Connection) -> list[Version]:
        reasons = [f'"reason":"{reason.value}"'.encode() for reason in CAUSES]
        decisions = [_decision(raw) for (raw,) in db.execute(_DECISIONS, (pilot, *reasons))]
        acts: list[ControlBase] = []
        for decision in decisions:
            name = decision.cause.removeprefix("control:").encode()
            for row in db.execute(_ACTS, (name,)):
                act = validate_control(Record(*row), "control", 0, secret=b"")
                if not isinstance(act, Rejected):
                    acts.append(act)
        return versions(pilot, acts, decisions)

    return await store.read(query)


async def stored_charters(store: Store, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], Charter]:
    """Those of the charters `wanted` (id of the act, hash) that are on control."""

    def query(db: sqlite3.Connection) -> dict[tuple[str, str], Charter]:
        found: dict[tuple[str, str], Charter] = {}
        for name in {act for act, _ in wanted}:
            for row in db.execute(_ACTS, (name.encode(),)):
                act = validate_control(Record(*row), "control", 0, secret=b"")
                found |= {} if isinstance(act, Rejected) else charter_in(act)
        return {key: charter for key, charter in found.items() if key in wanted}

    return await store.read(query)


def charter_route(store: Store) -> web.RouteDef:
    """`GET /v1/charters/{pilot}`: JSON of `stored_versions`; 204 for a pilot that was never admitted."""

    async def answer(request: web.Request) -> web.Response:
        pilot = request.match_info["pilot"]
        found = await stored_versions(store, pilot)
        if not found:
            return web.Response(status=204)
        return web.Response(body=msgspec.json.encode(found), content_type="application/json")

    return web.get("/v1/charters/{pilot}", answer)
