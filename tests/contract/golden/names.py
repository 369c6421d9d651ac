"""Every name that the golden tests use, in one place: a file that moves or a class that is renamed is followed here, and
nowhere else in this folder. What is pinned is the bytes, never the Python name."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from aiohttp import web

import monitor
from monitor import errors, sdk
from monitor.__main__ import cli
from monitor.asyncapi import document as asyncapi_document
from monitor.canonical import canonical
from monitor.catalogue import CATALOGUE
from monitor.charter import Charter, Drills, Responses, Trial, Watcher, charter_hash
from monitor.charter import Window as FullStopWindow
from monitor.control import CONTROL_TYPES
from monitor.model import (
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
from monitor.console.board import Board
from monitor.console.routes import routes as board_routes
from monitor.embedded.charters import charter_route
from monitor.embedded.ingress import Bell, Ingress
from monitor.embedded.store import Store
from monitor.machine import Machine, PartitionState
from monitor.refusals import Refusal
from monitor.rejections import Why as RejectionReason
from monitor.sdk.acts import look as read_standing
from monitor.sdk.acts import put as send_act
from monitor.sdk.bulk import open_bulk
from monitor.sdk.link import Link
from monitor.state import VERSION, restore, snapshot
from monitor.stream import keys as state_keys
from monitor.stream.topics import Names, topics
from monitor.telemetry import EVENT_TYPES, encode
from monitor.testing.events import Emitter
from monitor.testing.obedience import Obedience
from monitor.testing.simulator import Fleet

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
        app = Ingress(store, arrived=Bell(), put_out=Bell(), exposition=bytes).app()
        app.add_routes([charter_route(store), *board_routes(Board())])
        return app
    finally:
        await store.close()


def store_schema(path: Path) -> dict[str, str]:
    """The tables of an embedded monitor's file, as SQLite keeps their definitions."""
    asyncio.run(http_application(path))
    with contextlib.closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    return {name: " ".join(re.sub(r"--.*", "", sql).split()) for name, sql in rows}


def environment_variables() -> list[str]:
    """Every name of ours in the environment that the source of the package mentions."""
    return sorted({name for text in _sources() for name in re.findall(r"\bSANDBOX_[A-Z_]*[A-Z]\b", text)})


def _sources() -> Iterator[str]:
    for folder, _, files in os.walk(Path(monitor.__file__).parent):
        yield from (Path(folder, file).read_text("utf-8") for file in files if file.endswith(".py"))


__all__ = [
    "SDK_ERRORS",
    "Link",
    "cli",
    "environment_variables",
    "http_application",
    "open_bulk",
    "read_standing",
    "sdk",
    "send_act",
    "store_schema",
    "CATALOGUE",
    "CONTROL_TYPES",
    "EVENT_TYPES",
    "VERSION",
    "Charter",
    "Claim",
    "Closed",
    "Command",
    "ControlRead",
    "Decision",
    "Drills",
    "Emitter",
    "Evidence",
    "Fleet",
    "FullStopWindow",
    "Level",
    "Machine",
    "Names",
    "Obedience",
    "Outputs",
    "PartitionState",
    "Permit",
    "Position",
    "Reason",
    "Record",
    "Refusal",
    "Rejected",
    "RejectionReason",
    "Responses",
    "Skipped",
    "TimeRead",
    "Trial",
    "Watcher",
    "asyncapi_document",
    "canonical",
    "charter_hash",
    "command_id",
    "digest",
    "encode",
    "restore",
    "snapshot",
    "state_keys",
    "topics",
]
