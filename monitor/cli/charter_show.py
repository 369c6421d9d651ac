"""`sandbox-monitor charter show`: the recorded charter of an admitted pilot."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import quote

import click
import msgspec

from monitor.charter.spec import Charter, canonical_charter
from monitor.cli.addresses import to_option
from monitor.cli.charter_ledger import public_versions
from monitor.cli.terminal import echo
from monitor.cli.trust_keys import trust_option
from monitor.compile.dump import charter_yaml
from monitor.errors import Refused
from monitor.model.signing import Trusted
from monitor.projections.charter_record import Version
from monitor.projections.formats import stamp

_VERSIONS = msgspec.json.Decoder(list[Version]).decode


@click.command()
@click.argument("pilot")
@click.option("--version", type=click.IntRange(1), help="this version instead of the latest in force")
@to_option("kafka://host:port or http://host:port")
@click.option("--prefix", default="sandbox", show_default=True, help="prefix of the Kafka topic names")
@click.option(
    "--dir",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="directory of an embedded monitor (running or not), instead of --to",
)
@click.option(
    "--ledger",
    "ledger",
    type=click.Path(exists=True, path_type=Path),
    help="ledger file, or directory of ledgers: prints the public part of the charter that is recorded there",
)
@click.option("--json", "as_json", is_flag=True, help="the canonical JSON whose SHA-256 is the hash, on one line")
@trust_option
def show(
    pilot: str,
    version: int | None,
    to: str,
    prefix: str,
    directory: Path | None,
    ledger: Path | None,
    as_json: bool,
    trusted: tuple[str, ...],
) -> None:
    """Print the charter of PILOT that is in force: YAML on stdout, which `charter check` reads back to the same hash.

    Over Kafka only what a --trust-key signed counts, where one is given. On stderr: all versions that came into force,
    with time, author, act, and the hash that ledger entries carry from then on. Refused admissions and amendments are
    not listed.

    With --ledger no server is needed: the ledger of a pilot of a founded sandbox holds the public part of each version,
    as JSON, without what the charter lists as `confidential`; the hash is that of the whole charter.

    \b
    Example:
      sandbox-monitor charter show pilot-0001 --to http://127.0.0.1:8321 > pilot-0001.yaml

    \b
    Exit codes:
      0  printed
      1  no such pilot was admitted, or no such version came into force
      2  usage error
      3  the server is unavailable
    """
    if ledger is not None:
        _public(ledger, pilot, version, as_json)
        return
    found = asyncio.run(_stored(directory, pilot)) if directory else charters_at(to, prefix, pilot, trusted)
    if not found:
        where = str(directory) if directory else to
        raise click.ClickException(
            f"no pilot {pilot} was admitted at {where}: check the name (the board lists all pilots)"
        )
    for one in found:
        echo(_line(one, last=one is found[-1]), err=True)
    chosen = [one for one in found if version is None or one.version == version]
    if not chosen:
        there = ", ".join(str(one.version) for one in found)
        raise click.ClickException(f"version {version} of {pilot} never came into force; versions in force: {there}")
    charter = chosen[-1].charter
    echo(canonical_charter(charter) if as_json else charter_yaml(charter), nl=as_json)


def _public(ledger: Path, pilot: str, version: int | None, as_json: bool) -> None:
    """Print a public part from a ledger."""
    found = public_versions(ledger, pilot)
    for one in found:
        echo(
            f"version {one.version} {one.reason} {stamp(one.at)} (entry at standing {one.standing}): hash {one.hash}",
            err=True,
        )
    chosen = [one for one in found if version in (None, one.version)]
    if not chosen:
        what = "no charter" if version is None else f"no version {version}"
        raise click.ClickException(f"{ledger} has {what} of {pilot}; a sandbox must be founded when it is admitted")
    echo(msgspec.json.encode(chosen[-1].document).decode() if as_json else chosen[-1].text())


def version_of(found: list[Version], pilot: str, version: int) -> Charter:
    """The charter of this version. Raises ClickException when it never came into force."""
    for one in reversed(found):
        if one.version == version:
            return one.charter
    there = ", ".join(str(one.version) for one in found) or "none"
    raise click.ClickException(f"version {version} of {pilot} never came into force; versions in force: {there}")


def stored_versions_of(
    directory: Path | None, to: str, prefix: str, pilot: str, trusted: tuple[str, ...]
) -> list[Version]:
    """The charters that came into force for a pilot, from a directory of an embedded monitor or a server."""
    return asyncio.run(_stored(directory, pilot)) if directory else charters_at(to, prefix, pilot, trusted)


def _line(one: Version, last: bool) -> str:
    signed = f"signed by key {one.signed}" if one.signed else "not signed"
    return (
        f"version {one.version} {one.reason} {stamp(one.at)} by {one.author or '?'} ({signed}; act {one.act}; "
        f"entry at standing {one.standing}): hash {one.hash}{'; latest in force' if last else ''}"
    )


async def _stored(directory: Path, pilot: str) -> list[Version]:
    from monitor.embedded.charter_versions import stored_versions
    from monitor.embedded.store import Store

    path = directory / "monitor.db"
    if not path.exists():
        raise Refused(f"{directory} holds no monitor.db: give the --dir of `serve`")
    store = Store(path)
    try:
        return await stored_versions(store, pilot)
    finally:
        await store.close()


def charters_at(to: str, prefix: str, pilot: str, trusted: tuple[str, ...]) -> list[Version]:
    """The charters that came into force for a pilot, read from a server. Raises Unavailable, Refused."""
    from monitor.sdk.http_link import HttpLink
    from monitor.sdk.transports import open_link

    try:
        link = open_link(to, prefix=prefix)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--to") from error
    try:
        if isinstance(link, HttpLink):
            raw = link.get(f"/v1/charters/{quote(pilot, safe='')}")
            return _VERSIONS(raw) if raw else []
    finally:
        link.close()
    from monitor.access.address import kafka_servers
    from monitor.kafka.charter_versions import kafka_versions

    servers = ",".join(kafka_servers(to.removeprefix("kafka://").rstrip("/")))
    return asyncio.run(kafka_versions(servers, prefix, pilot, Trusted(trusted) if trusted else None))
