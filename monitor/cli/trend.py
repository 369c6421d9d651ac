"""`sandbox-monitor trend`: the trend report of a pilot, from its ledger alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from monitor.cli.terminal import echo
from monitor.model.records import Reason
from monitor.notary import verify as verifier
from monitor.notary.format import Damage

WINDOWS = (Reason.TREND_RISING.value, Reason.TREND_STEADY.value)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--indicator", default="", help="of this indicator only [default: of all]")
@click.option("--json", "as_json", is_flag=True, help="one JSON object per window")
def trend(file: Path, indicator: str, as_json: bool) -> None:
    """Print the trend report of the pilot whose ledger FILE is: each window of non-serious incidents that the charter
    declares (`trends`), with events, exposure, what the baseline lets expect, the ratio of the rates with its lower
    97.5 % limit, the p-value, and whether the rise is significant. Each line names the entry in the ledger.

    Exit codes: 0 no significant rise, 1 the ledger is damaged or has no window, 2 usage error, 5 a window rose
    significantly.
    """
    try:
        found = [row for row in map(_row, verifier.entries(file)) if row and indicator in ("", row["indicator"])]
    except Damage as damage:
        echo(str(damage), err=True)
        sys.exit(1)
    if not found:
        echo(f"{file}: no window of a trend report; the charter declares them under `trends`", err=True)
        sys.exit(1)
    for row in found:
        echo(json.dumps(row, sort_keys=True) if as_json else _line(row))
    rising = sum(row["rising"] for row in found)
    echo(f"{len(found)} windows, {rising} with a significant rise", err=True)
    sys.exit(5 if rising else 0)


def _row(entry: Any) -> dict[str, Any] | None:
    record = entry.record()
    if record.get("reason") not in WINDOWS:
        return None
    finding = record["finding"]
    kept = {name: finding[name] for name in ("indicator", "events", "exposure", "expected")}
    rising = record["reason"] == Reason.TREND_RISING.value
    return {"entry": entry.id, "standing": entry.standing, "rising": rising, **kept, **finding["content"]}


def _line(row: dict[str, Any]) -> str:
    ratio = "" if "ratio" not in row else f", {row['ratio']:g} times the baseline's rate"
    ratio += "" if "ratio_low" not in row else f" (at least {row['ratio_low']:g})"
    word = "RISING" if row["rising"] else "steady"
    gaps = f", {row['partial_periods']:g} periods partial" if "partial_periods" in row else ""
    return (
        f"{word}  {row['from']} to {row['to']}  {row['indicator']}: {row['events']:g} in {row['exposure']:g} where "
        f"{row['expected']:.3g} are expected{ratio}, p {row['p_value']:g} (significant up to {row['significance']:g})"
        f"{gaps}; decision {row['standing']}"
    )
