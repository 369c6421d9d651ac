"""`sandbox-monitor keys`: create signing keys and print their public part."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli.terminal import echo
from monitor.files.key_file import new_key, read_key
from monitor.model.signing import Trusted
from monitor.publication.log_key import AUTHORITY, log_name, new_log_key, read_log_key
from monitor.witness.key_file import new_witness_key


@click.group()
def keys() -> None:
    """Signing keys (Ed25519). Keep the key file secret; give others the public key that `show` prints.

    To replace the key of the workers without losing a record: 1. make a new key; 2. give its public key to everyone who
    trusts the old one (readers and workers: --trust-key; services: trust=), together with the old one, and restart;
    3. start the workers with the new --key-file and the old public key as --trust-key; 4. after the next checkpoint of
    every partition take the old key away from services. Readers that start with an empty directory read old records and
    need the old key for as long as those are kept.

    Exit codes: 0 done, 1 the file exists already (`new`, `new-log`), or is missing or unreadable (`show`, `show-log`).
    """


@keys.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def new(file: Path) -> None:
    """Create a key in FILE, readable by its owner only, and print its public key. An existing file is never
    overwritten."""
    echo(new_key(file).public)


@keys.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def show(file: Path) -> None:
    """Print the public key of FILE."""
    echo(read_key(file).public)


@keys.command("new-witness")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--name", required=True, help="name of the witness: a URL without scheme, as acme.example/witness")
@click.option("--post-quantum", is_flag=True, help="add an ML-DSA-44 key; the witness signs with both")
def new_witness(file: Path, name: str, post_quantum: bool) -> None:
    """Create the key of a witness in FILE and print its public keys (vkeys of C2SP signed-note), one per line.

    Give them to the authority, which writes one into the policy file. A witness that lost its directory must not go on
    with the same key.
    """
    for signer in new_witness_key(file, name, post_quantum=post_quantum):
        echo(signer.verifier.vkey)


@keys.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--origin", required=True, help="name of the logs: the URL, without scheme, under which they will be published"
)
def new_log(file: Path, origin: str) -> None:
    """Create the key of the published logs in FILE and print the public key of the authority log (a vkey of C2SP
    signed-note).

    One key signs all logs of a sandbox, under different names: ORIGIN/authority and ORIGIN/LOG for each pilot. Back it
    up: a log cannot continue under another key.
    """
    echo(new_log_key(file, origin).verifier(AUTHORITY).vkey)


@keys.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--pilot", help="of the log of this pilot instead of the authority log")
def show_log(file: Path, pilot: str | None) -> None:
    """Print the public key (vkey) of a published log, from the key in FILE."""
    echo(read_log_key(file).verifier(AUTHORITY if pilot is None else log_name(pilot)).vkey)


def checked(keys: tuple[str, ...], option: str) -> tuple[str, ...]:
    """Return the keys. Raises BadParameter when one is not a public key."""
    try:
        Trusted(keys)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error
    return keys
