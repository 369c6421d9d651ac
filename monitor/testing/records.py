"""Builders for decisions, commands and evidence, for tests of their readers."""

from __future__ import annotations

from typing import Any, Literal

from monitor.model.records import Command, Decision, Evidence, Finding, Level, Reason, command_id, digest


def decision(standing: int, pilot: str = "p-1", **changes: Any) -> Decision:
    """A plausible decision number `standing` of a pilot."""
    fields: dict[str, Any] = {
        "id": digest(pilot, standing, "decision"),
        "pilot": pilot,
        "participant": "firm-1",
        "charter": "c" * 64,
        "kind": "level",
        "level": Level.ESCALATE,
        "was": Level.NORMAL,
        "reason": Reason.LIMIT_HALF_WAY,
        "at": 1_700_000_000_000 + standing,
        "standing": standing,
        "epoch": 1,
        "cause": f"event:firm-1/svc#{standing}",
        "finding": Finding(
            indicator="incidents", rule="limit", statistic=4.66, bar=5.1, observed=15.0, expected=6.2, alpha=0.006
        ),
    }
    return Decision(**(fields | changes))


def halted(standing: int = 1, pilot: str = "p-1", **changes: Any) -> Decision:
    """The decision to halt a pilot, or by `changes` what follows it; all at the same moment."""
    fields: dict[str, Any] = {"level": Level.HALT, "reason": Reason.LIMIT_EXCEEDED, "at": 1_700_000_000_000}
    return decision(standing, pilot, **(fields | changes))


def command(standing: int, action: Literal["halt", "release"] = "halt", pilot: str = "p-1", **changes: Any) -> Command:
    """The halt or release that follows decision number `standing`."""
    fields: dict[str, Any] = {
        "id": command_id(digest(pilot, standing, "decision")),
        "pilot": pilot,
        "action": action,
        "standing": standing,
        "epoch": 1,
        "reason": Reason.LIMIT_EXCEEDED,
        "decision": digest(pilot, standing, "decision"),
        "at": 1_700_000_000_000 + standing,
    }
    return Command(**(fields | changes))


def evidence(period: int = 0, pilot: str = "p-1", **changes: Any) -> Evidence:
    """Hour number `period` of a count against a limit: three events over 1,000 units, evidence rising with time."""
    start = 1_700_000_000_000 - 1_700_000_000_000 % 3_600_000 + period * 3_600_000
    fields: dict[str, Any] = {
        "pilot": pilot,
        "participant": "firm-1",
        "vendor": "vendor-1",
        "data_source": "source-1",
        "model": "m-1",
        "indicator": "incidents",
        "segment": "",
        "kind": "count",
        "start": start,
        "end": start + 3_600_000,
        "k": 3.0,
        "m": 1000.0,
        "scores": {"e_process_count": (0.2 * period, 5.1)},
    }
    return Evidence(**(fields | changes))
