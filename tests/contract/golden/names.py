"""Every name that the golden tests use, in one place: a file that moves or a class that is renamed is followed here,
and nowhere else in this folder. What is pinned is the bytes, never the Python name."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

import monitor
from detectors import DETECTORS
from monitor import errors, sdk
from monitor.__main__ import cli
from monitor.act import ACTORS
from monitor.asyncapi import document as asyncapi_document
from monitor.charter.control import CONTROL_TYPES
from monitor.charter.model_acts import ACTS_ON_MODEL, ModelContent
from monitor.charter.spec import Bound, Charter, DetectorSpec, Drills, Participant, Trial
from monitor.charter.spec import Window as FullStopWindow
from monitor.cli.real import cases
from monitor.client.bulk import open_bulk
from monitor.client.control import read_state as read_standing
from monitor.client.control import send_act
from monitor.compile.load import load_charter
from monitor.console.fleet_view import FleetView
from monitor.console.routes import routes as board_routes
from monitor.embedded.charter_versions import charter_route
from monitor.embedded.ingress import Ingress
from monitor.embedded.store import Store
from monitor.engine.machine import Machine
from monitor.engine.partition import PartitionState
from monitor.engine.replay import replay_charters, timed_records
from monitor.http_server.bell import Bell
from monitor.http_server.server import HttpServer
from monitor.indicators import INDICATORS
from monitor.kafka import state_keys as state_keys
from monitor.kafka.output_consumer import identity
from monitor.kafka.topics import TopicNames, topics
from monitor.model.builders import Emitter, as_instant
from monitor.model.canonical import canonical
from monitor.model.events import EVENT_TYPES, Harm, Severity, encode
from monitor.model.records import (
    Claim,
    Closed,
    Command,
    ControlRead,
    Decision,
    Evidence,
    Level,
    Outputs,
    Permit,
    Position,
    Reason,
    Record,
    Rejected,
    Skipped,
    TimeRead,
    command_id,
    digest,
)
from monitor.model.refusals import Refusal
from monitor.model.signing import HEADER, HTTP_HEADER, Signer, Trusted
from monitor.notary.store import file_name as ledger_file
from monitor.projections.metric_catalogue import CATALOGUE
from monitor.sdk.link import Link
from monitor.simulation.fleet import Fleet
from monitor.simulation.simulated_service import SimulatedService
from monitor.state.acts_once import short_digest
from monitor.state.snapshots import restore, snapshot
from monitor.validate.rejections import RejectionReason

SDK_ERRORS: dict[str, type[Exception]] = {
    "BadEvent": sdk.BadEvent,
    "Halted": sdk.Halted,
    "Lapsed": sdk.Lapsed,
    "SpoolBroken": sdk.SpoolBroken,
    "SpoolFull": sdk.SpoolFull,
    "Unavailable": sdk.Unavailable,
    "CharterError": errors.CharterError,
    "SetAside": errors.SetAside,
    "Refused": errors.Refused,
    "TryAgain": errors.TryAgain,
    "SandboxMonitorError": errors.SandboxMonitorError,
    "ValueError": ValueError,
    "OSError": OSError,
}


async def http_application(path: Path) -> web.Application:
    """The embedded monitor's web application over a store at `path`, as its process builds it."""
    store = Store(path)
    try:
        server = HttpServer("embedded")
        Ingress(store, arrived=Bell(), emitted=Bell(), exposition=bytes).join(server)
        server.app.add_routes([charter_route(store), *board_routes(FleetView())])
        return server.app
    finally:
        await store.close()


def store_schema(path: Path) -> dict[str, str]:
    """The tables of an embedded monitor's file, as SQLite keeps their definitions."""
    asyncio.run(http_application(path))
    with contextlib.closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    return {name: " ".join(re.sub(r"--.*", "", sql).split()) for name, sql in rows}


class OneByOne(Machine):
    """A machine that steps every event by itself: the slow path."""

    fast_path = False
    skips_empty_periods = False


def state_of(machine: Machine, pilot: str) -> bytes:
    """The snapshot of one pilot; of the partition itself for an empty name."""
    raw = machine.snapshots([pilot] if pilot else [])[pilot]
    assert raw is not None, pilot
    return raw


def written_again(raw: bytes) -> bytes:
    """A snapshot, read and written."""
    return snapshot(restore(raw)[0])


CLOSED_LISTS: dict[str, type[StrEnum]] = {
    "Reason": Reason,
    "RejectionReason": RejectionReason,
    "Refusal": Refusal,
    "Severity": Severity,
    "Harm": Harm,
}


def detector_parameters(kind: Any) -> str:
    """What a charter may set of a detector, with the defaults."""
    found = inspect.signature(getattr(kind, "settings", kind.design)).parameters.values()
    return ", ".join(f"{p.name}={p.default!r}" for p in found if p.kind is p.KEYWORD_ONLY)


def indicator_parameters(kind: Any) -> list[str]:
    """What a charter may set of an indicator."""
    params = getattr(kind, "Params", None) or getattr(sys.modules[kind.__module__], "Params", None)
    return [] if params is None else [f"{f.encode_name}={f.default!r}" for f in msgspec.structs.fields(params)]


def readers_examples() -> dict[str, Any]:
    """One output of each kind that has no id, by which readers know it again."""
    permit = Permit(pilot="p", nonce="n", standing=3, epoch=2, lease_ms=60_000)
    return {"permit": permit, "closed": Closed(partition=1, through=5)}


@functools.cache
def real_cases() -> dict[str, Any]:
    """The replays of real data that ship with the product, by name."""
    return {case.slug: case for case in cases(Path(__file__).parents[2] / "data")}


@functools.cache
def replayed(name: str, batch: int) -> Outputs:
    """What a replay of one of them emits."""
    case, out = real_cases()[name], Outputs()
    for step in replay_charters([load_charter(case.charter)], timed_records(case.events), batch=batch):
        out.extend(step)
    return out


def without_closed(out: Outputs) -> Outputs:
    """The closed periods alone, without the records that say up to where all are closed."""
    return Outputs(evidence=[item for item in out.evidence if isinstance(item, Evidence)])


def environment_variables() -> list[str]:
    """Every name of ours in the environment that the source of the package mentions."""
    return sorted({name for text in _sources() for name in re.findall(r"\bSANDBOX_[A-Z_]*[A-Z]\b", text)})


def _sources() -> Iterator[str]:
    for folder, _, files in os.walk(Path(monitor.__file__).parent):
        yield from (Path(folder, file).read_text("utf-8") for file in files if file.endswith(".py"))


__all__ = [
    "ACTORS",
    "ACTS_ON_MODEL",
    "CATALOGUE",
    "CLOSED_LISTS",
    "CONTROL_TYPES",
    "DETECTORS",
    "EVENT_TYPES",
    "HEADER",
    "HTTP_HEADER",
    "INDICATORS",
    "SDK_ERRORS",
    "Bound",
    "Charter",
    "Claim",
    "Closed",
    "Command",
    "ControlRead",
    "Decision",
    "DetectorSpec",
    "Drills",
    "Emitter",
    "Evidence",
    "Fleet",
    "FullStopWindow",
    "Level",
    "Link",
    "Machine",
    "ModelContent",
    "OneByOne",
    "Outputs",
    "Participant",
    "PartitionState",
    "Permit",
    "Position",
    "Reason",
    "Record",
    "Rejected",
    "Signer",
    "SimulatedService",
    "Skipped",
    "TimeRead",
    "TopicNames",
    "Trial",
    "Trusted",
    "as_instant",
    "asyncapi_document",
    "canonical",
    "cli",
    "command_id",
    "detector_parameters",
    "digest",
    "encode",
    "environment_variables",
    "http_application",
    "identity",
    "indicator_parameters",
    "ledger_file",
    "open_bulk",
    "read_standing",
    "readers_examples",
    "replayed",
    "sdk",
    "send_act",
    "short_digest",
    "state_keys",
    "state_of",
    "store_schema",
    "topics",
    "without_closed",
    "written_again",
]
