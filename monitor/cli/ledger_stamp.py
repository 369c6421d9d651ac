"""`sandbox-monitor ledger stamp`: stamps a published checkpoint by hand, or verifies stored stamps."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from monitor.cli.addresses import HTTP_URL
from monitor.cli.terminal import echo
from monitor.errors import Refused, Unavailable
from monitor.stamps.client import StampClient
from monitor.stamps.roots import Roots, read_lists, read_roots
from monitor.stamps.store import StampStore, files_of, verify_files
from monitor.stamps.verify import Verdict
from monitor.tlog.checkpoint import parse as parse_checkpoint
from monitor.tlog.errors import TlogError
from monitor.tlog.note import parse_note

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("stamp")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option("--root", "roots", required=True, multiple=True, type=FILE, help="trusted root, PEM; repeatable")
@click.option("--url", type=HTTP_URL, help="time-stamping authority (RFC 3161) to ask for a stamp")
@click.option("--revocation", "lists", multiple=True, type=FILE, help="newer revocation list, PEM or DER; repeatable")
@click.option("--json", "as_json", is_flag=True, help="one JSON object per stamp")
def stamp(path: Path, roots: tuple[Path, ...], url: str | None, lists: tuple[Path, ...], as_json: bool) -> None:
    """Stamp a published checkpoint, or verify the stamps that were stored with checkpoints.

    \b
      sandbox-monitor ledger stamp PUB/authority/checkpoint --url https://stamps.example.org/tsr --root root.pem
      sandbox-monitor ledger stamp PUB/authority/stamp --root root.pem

    A time stamp (RFC 3161) is a statement of an outside authority that the checkpoint existed at a time: the entries
    before it cannot have been made later. With --url, PATH is a checkpoint; its stamp is stored in stamp/SIZE next to
    it, with the chain of certificates and the revocation lists that it names. Without --url, PATH is a directory of
    stamps; each is verified, and every problem is named: a certificate that is missing, revoked or was not valid, a
    root that is not trusted, a revocation list that is missing or was out of date.

    Prints size, time, signer and result of each stamp. --revocation adds lists that are newer than the stored ones: a
    certificate may have been revoked since. Exit codes: 0 every stamp proves its time, 1 one does not (or there is
    none), 2 usage error, 3 the authority does not answer.
    """
    try:
        trusted, newer = read_roots(roots), read_lists(lists)
        if url is not None:
            store, size = _request(path, url, trusted)
            sizes = [size]
        else:
            store = StampStore(path)
            sizes = store.sizes()
        bad = not sizes
        for size in sizes:
            verdict = verify_files(store.read(size), trusted, newer)
            _print(size, verdict, as_json)
            bad |= not verdict.proved
    except Unavailable as error:
        echo(str(error), err=True)
        sys.exit(3)
    except (Refused, OSError) as error:
        raise click.ClickException(str(error)) from error
    echo(f"{len(sizes)} {'stamp' if len(sizes) == 1 else 'stamps'}, {'not all sound' if bad else 'sound'}", err=True)
    sys.exit(1 if bad else 0)


def _request(path: Path, url: str, roots: Roots) -> tuple[StampStore, int]:
    """Stamp the checkpoint in the file and store the stamp next to it."""
    note = path.read_bytes() if path.is_file() else b""
    try:
        size = parse_checkpoint(parse_note(note).text).size
    except TlogError as error:
        raise Refused(
            f"{path} is not a published checkpoint: {error}; give the file PUB/authority/checkpoint"
        ) from error
    store = StampStore(path.parent / "stamp")
    if size in store.sizes():
        echo(f"the checkpoint of size {size} has a stamp already; it is verified", err=True)
        return store, size
    store.add(size, files_of(StampClient(url, roots).stamp(note)))
    return store, size


def _print(size: int, verdict: Verdict, as_json: bool) -> None:
    at = verdict.at.isoformat() if verdict.at else None
    if as_json:
        problems = [{"problem": found.kind.value, "detail": found.detail} for found in verdict.problems]
        fields = {"size": size, "time": at, "authority": verdict.authority, "problems": problems}
        echo(json.dumps(fields, sort_keys=True, ensure_ascii=False))
        return
    echo(
        f"size={size} time={at or '-'} authority={verdict.authority or '-'} {'sound' if verdict.proved else 'refused'}"
    )
    for problem in verdict.problems:
        echo(f"size {size}: {problem}", err=True)
