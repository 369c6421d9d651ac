"""`sandbox-monitor charter diff`: what changed between two versions of a charter, and what it means."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from monitor.charter.spec import charter_hash
from monitor.cli.terminal import echo
from monitor.compile.charter_diff import Change, charter_diff, overall, refused
from monitor.compile.load import load_charter

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("old", type=FILE)
@click.argument("new", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout instead of the text.")
def diff(old: Path, new: Path, as_json: bool) -> None:
    """Print what changes if the charter in NEW is put in force after the one in OLD, and what it means for the
    statistics.

    Each change has one of five effects: `none`; `continue` (the evidence continues against the new limit);
    `re-baseline` (detectors that learn what is usual learn it again); `new share of alpha` (an indicator is added);
    `refused` (an amendment may not change this). Formatting and comments of the files do not matter. `charter show
    PILOT --version N` prints a recorded version.

    \b
    Example:
      sandbox-monitor charter show pilot-0001 > in-force.yaml
      sandbox-monitor charter diff in-force.yaml amended.yaml

    \b
    Exit codes:
      0  the charters are equal, or NEW may amend OLD
      1  NEW would be refused as an amendment, or a file is no valid charter
      2  usage error
    """
    was, now = load_charter(old), load_charter(new)
    changes = charter_diff(was, now)
    if as_json:
        summary = {
            "old": {"version": was.version, "hash": charter_hash(was)},
            "new": {"version": now.version, "hash": charter_hash(now)},
            "effect": overall(changes),
            "amends": not refused(changes),
            "changes": changes,
        }
        echo(msgspec.json.encode(summary))
    else:
        _print(was.version, now.version, changes)
    if refused(changes):
        sys.exit(1)


def _print(old: int, new: int, changes: list[Change]) -> None:
    if not changes:
        echo(f"version {old}: no difference")
        return
    for change in changes:
        echo(f"{change.field}: {_text(change.old)} -> {_text(change.new)}")
        echo(f"   {change.effect}: {change.meaning}")
    verdict = (
        "refused as an amendment" if refused(changes) else f"may amend; effect on the statistics: {overall(changes)}"
    )
    echo(f"version {old} to {new}: {len(changes)} change{'' if len(changes) == 1 else 's'}, {verdict}")


def _text(value: Any) -> str:
    return "(not given)" if value is None else json.dumps(value, ensure_ascii=False)
