"""`sandbox-monitor doctor`: checks an installation and says how to mend what is wrong."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import click
import msgspec

from monitor.act.grafana import TOKEN_VARIABLE
from monitor.cli.addresses import HTTP_URL, KAFKA_SERVERS
from monitor.cli.doctor_checks import CHECKS, STATES, Checked, Setup, State, run_check
from monitor.cli.terminal import echo
from monitor.translation import speaking, tr


@click.command()
@click.option(
    "--bootstrap", default=None, type=KAFKA_SERVERS, help="Kafka address; its login comes from SANDBOX_KAFKA_*"
)
@click.option("--prefix", default="sandbox", show_default=True, help="prefix of the topic names")
@click.option("--replication", default=1, show_default=True, type=click.IntRange(1), help="replicas of each partition")
@click.option("--prometheus", default=None, type=HTTP_URL, help="URL of Prometheus")
@click.option("--alertmanager", default=None, type=HTTP_URL, help="URL of Alertmanager")
@click.option("--grafana", default=None, type=HTTP_URL, help="URL of Grafana")
@click.option(
    "--token", envvar=TOKEN_VARIABLE, show_envvar=True, default="", help="token of a service account of Grafana"
)
@click.option("--board", default=None, type=HTTP_URL, help="URL of the board")
@click.option(
    "--key-file",
    "keys",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="key file that must be usable; repeatable",
)
@click.option(
    "--dir",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="directory of the data or of the ledgers: space and rights",
)
@click.option("--only", multiple=True, type=click.Choice(list(CHECKS)), help="run only this check; repeatable")
@click.option("--json", "as_json", is_flag=True, help="one JSON object per line")
def doctor(
    bootstrap: str | None,
    prefix: str,
    replication: int,
    prometheus: str | None,
    alertmanager: str | None,
    grafana: str | None,
    token: str,
    board: str | None,
    keys: tuple[Path, ...],
    directory: Path | None,
    only: tuple[str, ...],
    as_json: bool,
) -> None:
    """Check an installation: clocks, broker, topics, keys, disk, Prometheus, Alertmanager, Grafana, board. Each problem
    comes with its fix. Nothing is changed, and what is not given is skipped.

    \b
    Example, for `make stack OPEN=1`:
      sandbox-monitor doctor --bootstrap 127.0.0.1:9092 --prometheus http://127.0.0.1:9090 \\
        --alertmanager http://127.0.0.1:9093

    \b
    Exit codes:
      0  nothing failed; there may be warnings
      1  something failed
      2  usage error
    """
    setup = Setup(
        bootstrap=bootstrap or "", prefix=prefix, replication=replication, prometheus=prometheus or "",
        alertmanager=alertmanager or "", grafana=grafana or "", token=token, board=board or "", keys=keys,
        directory=directory,
    )  # fmt: skip
    with speaking("en") if as_json else nullcontext():
        failed = _run(setup, only, as_json)
    if failed:
        raise SystemExit(1)


def _run(setup: Setup, only: tuple[str, ...], as_json: bool) -> int:
    """Run the checks and print what they find. Returns how many failed."""
    count: dict[State, int] = dict.fromkeys(STATES, 0)
    for name, check in CHECKS.items():
        if only and name not in only:
            continue
        for found in run_check(check, setup):
            count[found.state] += 1
            _say(name, found, as_json)
    if not as_json:
        echo(", ".join(f"{number} {tr(STATES[state])}" for state, number in count.items()), err=True)
    return count["failed"]


def _say(name: str, found: Checked, as_json: bool) -> None:
    if as_json:
        echo(msgspec.json.encode({"check": name, **msgspec.to_builtins(found)}).decode())
        return
    echo(f"{tr(STATES[found.state]):<8} {name}: {found.what}")
    if found.fix:
        echo(f"{'':<8} {tr('fix: {fix}', fix=found.fix)}")
