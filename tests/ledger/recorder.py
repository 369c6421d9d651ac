"""A notary that records and publishes in steps, starting again after each error, as its supervisor does."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

from monitor.errors import SandboxMonitorError
from monitor.model.records import Decision
from monitor.notary.notary import Notary
from monitor.publication.log_key import AUTHORITY, LogKey
from monitor.publication.newest_file import NewestFile
from monitor.publication.publisher import PublicationSettings, Publisher
from monitor.testing.records import command, decision

KEY = LogKey("sandbox.example/ledger", bytes(range(32)))
STEPS, PER_STEP, TRIES = 3, 2, 3


def prepare(directory: Path) -> None:
    """Make what an operator makes before the first start."""
    (directory / "elsewhere").mkdir(parents=True)


def record_and_publish(directory: Path, acknowledge: Callable[[str], None]) -> None:
    """Enter all steps and publish after each. Acknowledges `entered PILOT SIZE ROOT` and `published NOTE`.

    Raises the last error if a step fails three times."""
    for attempt in range(TRIES):
        try:
            _record(directory, acknowledge)
            return
        except (SandboxMonitorError, OSError):
            if attempt == TRIES - 1:
                raise


def _record(directory: Path, acknowledge: Callable[[str], None]) -> None:
    notary = Notary(directory / "ledger")
    try:
        settings = PublicationSettings(
            directory=directory / "published", key=KEY, second=NewestFile(directory / "elsewhere")
        )
        publisher = Publisher(directory / "ledger", lambda: notary.heads, settings)
        for step in range(STEPS):
            first = step * PER_STEP + 1
            numbers = range(first, first + PER_STEP)
            decisions = [_decision(number, pilot) for pilot in ("p-1", "p-2") for number in numbers]
            commands = [command(number) for number in numbers]
            notary.record(decisions, commands, position={"decisions/0": first + PER_STEP})
            for pilot, head in notary.heads.items():
                acknowledge(f"entered {pilot} {head.size} {head.root}")
            publisher.round()
            note = (directory / "published" / AUTHORITY / "checkpoint").read_bytes()
            acknowledge(f"published {base64.b64encode(note).decode()}")
    finally:
        notary.close()


def _decision(number: int, pilot: str) -> Decision:
    """Every second one is an act of a person, whose text goes to another directory."""
    if number % 2:
        return decision(number, pilot)
    return decision(number, pilot, kind="act", cause=f"control:act-{number}", author="Ada Lovelace")
