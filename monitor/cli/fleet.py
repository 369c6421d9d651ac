"""`sandbox-monitor fleet`: the pilots of a board, of all authorities or of one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import click
import msgspec

from monitor.act.http import get
from monitor.cli.addresses import HTTP_URL, TO_VARIABLE
from monitor.cli.terminal import echo
from monitor.projections.formats import stamp
from monitor.projections.wording import LEVEL_WORDS
from monitor.translation import current, tr

MOST = 1 << 28  # bytes of an answer


@click.command()
@click.option(
    "--board",
    "address",
    type=HTTP_URL,
    required=True,
    envvar=("SANDBOX_MONITOR_BOARD_URL", TO_VARIABLE),
    show_envvar=True,
    help="URL of the board; that of `serve` is the address of the monitor",
)
@click.option(
    "--authority", default="", help="only pilots for which this authority (its id) is responsible or addressed"
)
@click.option("--json", "as_json", is_flag=True, help="one JSON object per pilot and line, as /api/board.json has it")
def fleet(address: str, authority: str, as_json: bool) -> None:
    """Print one line for each pilot, worst first: level, since when, pilot, firm, responsible authorities, why.

    The default view of an authority is --authority with its id: pilots for which it is responsible, and those of which
    a decision was addressed to it, as to the level above where an authority missed a deadline.

    \b
    Example:
      sandbox-monitor fleet --board http://127.0.0.1:8321 --authority north

    \b
    Exit codes:
      0  printed, also if there is no pilot
      2  usage error
      3  the board is unavailable
    """
    query = "?" + urlencode({"lang": "en" if as_json else current()} | ({"authority": authority} if authority else {}))
    _, body = get(f"{address.rstrip('/')}/api/board.json", query, MOST)
    pilots = msgspec.json.decode(body)["pilots"]
    if not pilots:
        said = tr("no pilot concerns {authority}; `sandbox show` has the ids", authority=authority)
        echo(said if authority else tr("no pilot yet"), err=True)
    for pilot in pilots:
        echo(msgspec.json.encode(pilot).decode() if as_json else _line(pilot))


def _line(pilot: dict[str, Any]) -> str:
    level = tr("left") if pilot["exited"] else tr(LEVEL_WORDS[pilot["level"]])
    since = stamp(pilot["since"]) if pilot["since"] is not None else "-"
    who = ",".join(pilot.get("authorities") or ()) or "-"
    unknown = tr("; unknown") if pilot["unknown"] else ""
    words = (pilot["pilot"], pilot["participant"], who, f"{pilot['why'] or '-'}{unknown}")
    return f"{level:<9} {since}  " + "  ".join(words)
