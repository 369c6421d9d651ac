"""`sandbox-monitor charter diff`: what changed between two versions of a charter, and what it means."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from monitor.charter.spec import Charter, charter_hash
from monitor.cli.addresses import to_option
from monitor.cli.charter_show import stored_versions_of, version_of
from monitor.cli.terminal import echo
from monitor.cli.trust_keys import trust_option
from monitor.compile.charter_diff import Change, charter_diff, overall, refused
from monitor.compile.load import load_charter
from monitor.projections.charter_record import Version


class FileOrVersion(click.ParamType):
    """A charter file, or the number of a version."""

    name = "file"


@click.command()
@click.argument("old", type=FileOrVersion())
@click.argument("new", type=FileOrVersion())
@click.option("--pilot", default="", help="OLD and NEW may then be numbers: versions that came into force for it")
@to_option("with --pilot: as of `charter show`")
@click.option("--prefix", default="sandbox", show_default=True, help="prefix of the Kafka topic names")
@click.option(
    "--dir",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="directory of an embedded monitor (running or not), instead of --to",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout instead of the text.")
@trust_option
def diff(
    old: str,
    new: str,
    pilot: str,
    to: str,
    prefix: str,
    directory: Path | None,
    as_json: bool,
    trusted: tuple[str, ...],
) -> None:
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
      sandbox-monitor charter diff 1 2 --pilot pilot-0001 --to http://127.0.0.1:8321

    \b
    Exit codes:
      0  the charters are equal, or NEW may amend OLD
      1  NEW would be refused as an amendment, or a file is no valid charter
      2  usage error
    """
    found = stored_versions_of(directory, to, prefix, pilot, trusted) if pilot else []
    was, now = (_one(text, pilot, found) for text in (old, new))
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


def _one(text: str, pilot: str, found: list[Version]) -> Charter:
    """The charter in a file, or of a version of the pilot."""
    path = Path(text)
    if pilot and text.isascii() and text.isdecimal() and not path.exists():
        return version_of(found, pilot, int(text))
    if not path.is_file():
        more = "" if pilot else "; with --pilot it may be the number of a version"
        raise click.BadParameter(f"{text}: there is no such file{more}", param_hint="OLD NEW")
    return load_charter(path)


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
