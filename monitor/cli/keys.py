"""Keys: the monitor's signing key, made once; its public part is what services and verifiers are given."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.files.key_file import new_key, read_key
from monitor.model.signing import Trusted


@click.group()
def keys() -> None:
    """Signing keys (Ed25519). The private file stays where it was made; hand out what `show` prints.

    Exit codes: 0 done, 1 there is a key already, or none that can be read.
    """


@keys.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def new(file: Path) -> None:
    """Make a key in FILE, readable by its owner only, and print its public part. An existing one is never
    overwritten."""
    click.echo(new_key(file).public)


@keys.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def show(file: Path) -> None:
    """Print the public part of the key in FILE."""
    click.echo(read_key(file).public)


def checked(keys: tuple[str, ...]) -> tuple[str, ...]:
    """The same keys. Raises BadParameter when one is none."""
    try:
        Trusted(keys)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--admit-key") from error
    return keys
