"""`sandbox-monitor ledger prove` and `restore-authority`: what is made from a publication."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from monitor.cli.terminal import echo
from monitor.errors import LedgerBroken
from monitor.publication.log_key import log_name, read_log_key
from monitor.publication.prove import Read, index_of, stacked_proof
from monitor.publication.restore import restore_leaves
from monitor.tlog.errors import HashUnavailable, TlogError
from monitor.verifier.stores import Unreadable, UrlStore


@click.command()
@click.argument("pilot")
@click.option("--entry", required=True, metavar="ID|N", help="the entry: its id, or its number in the log from 0")
@click.option(
    "--dir",
    "source",
    required=True,
    metavar="PUB|URL",
    help="the publication: its directory (`--publish`), or the URL under which it is served",
)
def prove(pilot: str, entry: str, source: str) -> None:
    """Print a proof that an entry of PILOT (its id, or the name of its log) is published: two stacked proofs in one
    file.

    The first (C2SP tlog-proof) leads from the entry to the checkpoint of the pilot's log, the second from that
    checkpoint to the one of the authority log, which carries the signatures of outside witnesses. The file and the
    public keys are enough to check it, without any server. An id is looked for in all entries; a number is immediate.

    \b
    Example:
      sandbox-monitor ledger prove acme/scoring --entry 17 --dir PUB > entry.tlog-proof

    Exit codes: 0 printed, 1 there is no such entry or the publication cannot be read, 2 usage error.
    """
    read = _reader(source)
    try:
        log = _log_of(read, pilot)
        index = int(entry) if entry.isdecimal() else _found(read, log, entry)
        if index is None:
            raise click.ClickException(f"there is no entry {entry} in {log}")
        sys.stdout.write(stacked_proof(read, log, index).decode())
    except TlogError as error:
        raise click.ClickException(f"{source}: {error}") from error


def _log_of(read: Read, pilot: str) -> str:
    for name in (log_name(pilot), pilot):
        try:
            read(f"{name}/checkpoint")
        except HashUnavailable:
            continue
        return name
    raise click.ClickException(f"{pilot}: no log of this pilot is published here ({log_name(pilot)})")


def _found(read: Read, log: str, identity: str) -> int | None:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("entries", total=None)
        return index_of(read, log, identity, lambda seen: bar.update(task, completed=seen))


def _reader(source: str) -> Read:
    if source.startswith(("http://", "https://")):
        store = UrlStore(source)
        return lambda path: _fetched(store, path)
    directory = Path(source)
    if not directory.is_dir():
        raise click.ClickException(f"{source}: no such directory; give that of --publish, or a URL")

    def read(path: str) -> bytes:
        where = (directory / path).resolve()
        if not where.is_relative_to(directory.resolve()):
            raise HashUnavailable(f"{path} is outside of the publication")
        try:
            return where.read_bytes()
        except OSError as error:
            raise HashUnavailable(f"{where}: {error.strerror}") from error

    return read


def _fetched(store: UrlStore, path: str) -> bytes:
    try:
        data = store.read(path)
    except Unreadable as error:  # whether the file is there is unknown
        raise click.ClickException(str(error)) from error
    if data is None:
        raise HashUnavailable(f"{store.where}/{path}: no such file")
    return data


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--log-key",
    "key",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="key of the published logs; nothing is signed with it here",
)
@click.option(
    "--from", "source", required=True, metavar="PUB|URL", help="a copy of the publication: its directory or URL"
)
def restore_authority(directory: Path, key: Path, source: str) -> None:
    """Restore the leaves of the authority log (`authority.leaves`) in the notary's DIRECTORY from a publication.

    For a notary that refuses to sign because its directory is an older copy, where the newest copy is lost. Stop the
    monitor (`serve`, `notary`) first, and restore the ledgers as far as they go. The copy of the publication must be
    signed by the log key, and continue the leaves that are here; the old file is kept as `authority.leaves.old`.

    Exit codes: 0 restored, or nothing to restore; 1 the publication is older, another one or not signed by this key, or
    a monitor is running; 2 usage error.
    """
    try:
        for text in restore_leaves(directory, read_log_key(key), _reader(source)):
            echo(text, err=True)
    except (LedgerBroken, OSError) as error:
        raise click.ClickException(str(error)) from error
