"""`sandbox-monitor ledger bundle`: a range of entries with all that proves them, as one file."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli.terminal import echo
from monitor.files.durable import replace_file
from monitor.notary.commitment import Plaintext, PlaintextBroken, lines
from monitor.publication.log_key import log_name
from monitor.tlog.errors import TlogError
from monitor.verifier.bundle_write import NoBundle, make_bundle
from monitor.verifier.package import identity
from monitor.verifier.stores import Store, Unreadable, open_store

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("pilot")
@click.option("--dir", "source", required=True, metavar="PUB|URL", help="the publication: its directory, or its URL")
@click.option("--from", "start", type=click.IntRange(min=0), default=0, show_default=True, help="first entry, from 0")
@click.option("--to", "end", type=click.IntRange(min=0), help="last entry [default: the last one that is published]")
@click.option("--policy", "policies", multiple=True, type=FILE, help="a policy file to include; repeatable")
@click.option("--words", type=FILE, help="texts to disclose, as `ledger disclose` printed them")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="FILE.zip")
def bundle(
    pilot: str,
    source: str,
    start: int,
    end: int | None,
    policies: tuple[Path, ...],
    words: Path | None,
    output: Path,
) -> None:
    """Write the published entries of PILOT (its id, or the name of its log) with all that proves them into one file.

    The file holds the entries, the two stacked proofs with their cosigned checkpoints, time stamps, policies, texts
    that are disclosed, and version and hash of this verifier. The same publication gives the same bytes. `ledger verify
    FILE.zip` checks it without any server; monitor/verifier/README.md documents the layout byte by byte.

    \b
    Example:
      sandbox-monitor ledger bundle acme/scoring --dir PUB --from 10 --to 19 --policy policy.txt -o scoring.zip

    Exit codes: 0 written, 1 the publication cannot be read or has no such entries, 2 usage error.
    """
    store = open_store(source)
    try:
        data = make_bundle(
            store,
            _log_of(store, pilot),
            start,
            None if end is None else end + 1,
            policies=[path.read_bytes() for path in policies],
            texts=_texts(words),
            verifier=identity(),
        )
    except (NoBundle, Unreadable, TlogError, PlaintextBroken) as error:
        raise click.ClickException(str(error)) from error
    replace_file(output, data, mode=0o644)
    echo(f"{output}: {len(data)} bytes", err=True)


def _log_of(store: Store, pilot: str) -> str:
    for name in (log_name(pilot), pilot):
        if store.read(f"{name}/checkpoint") is not None:
            return name
    if store.read("authority/checkpoint") is None:
        raise NoBundle(f"{store.where} is no publication: it has no authority/checkpoint; give what --publish named")
    raise NoBundle(f"{store.where}: no published log of {pilot}; give its id, or the name of its directory")


def _texts(path: Path | None) -> list[Plaintext]:
    return [] if path is None else [text for text in lines(path, path.read_bytes()) if text.salt]
