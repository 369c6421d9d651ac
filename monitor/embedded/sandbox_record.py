"""The accepted acts on the configuration of the sandbox, from the embedded store."""

from __future__ import annotations

import sqlite3

import msgspec
from aiohttp import web

from monitor.embedded.store import Store, record_of
from monitor.lifecycle.sandbox import SUBJECT
from monitor.model.records import Decision, Record
from monitor.projections.sandbox_record import AcceptedAct, accepted_acts

_decision = msgspec.json.Decoder(Decision).decode
_DECISIONS = "SELECT value FROM decisions WHERE pilot = ?"
_ACTS = "SELECT place, received, key, value, headers FROM control WHERE instr(value, ?) > 0 ORDER BY place"


async def stored_sandbox_acts(store: Store) -> list[AcceptedAct]:
    """The accepted acts in their order; empty where no sandbox is founded."""

    def query(db: sqlite3.Connection) -> list[AcceptedAct]:
        decisions = [_decision(raw) for (raw,) in db.execute(_DECISIONS, (SUBJECT,))]
        records: list[Record] = []
        for decision in decisions:
            name = decision.cause.removeprefix("control:").encode()
            records += [record_of(row) for row in db.execute(_ACTS, (name,))]
        return accepted_acts(records, decisions)

    return await store.read(query)


def sandbox_route(store: Store) -> web.RouteDef:
    """`GET /v1/sandbox`: JSON of `stored_sandbox_acts`; 204 where no sandbox is founded."""

    async def answer(request: web.Request) -> web.Response:
        found = await stored_sandbox_acts(store)
        if not found:
            return web.Response(status=204)
        return web.Response(body=msgspec.json.encode(found), content_type="application/json")

    return web.get("/v1/sandbox", answer)
