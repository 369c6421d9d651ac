"""The option `--trust-key` of those who read what a monitor wrote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from monitor.model.signing import PREFIX, Trusted

VARIABLE = "SANDBOX_TRUST_KEYS"


META = "sandbox_monitor.trusted"


def trusted_here() -> Trusted | None:
    """The keys given to the running command; None without any."""
    keys: tuple[str, ...] = click.get_current_context().meta.get(META, ())
    return Trusted(keys) if keys else None


def trust_option(command: Callable[..., Any], *, expose: bool = True) -> Callable[..., Any]:
    """Add the option; the command gets `trusted`, the public keys as text, unless `expose` is False."""
    return click.option(
        "--trust-key",
        "trusted",
        multiple=True,
        envvar=VARIABLE,
        callback=_keys,
        expose_value=expose,
        help="public key (ed25519:...) of the workers, or a file with one per line; repeatable; or "
        f"{VARIABLE}, separated by spaces; what none of them signed is refused [default: any writer is believed]",
    )(command)


def _keys(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    found: list[str] = []
    for value in values:
        found += [value] if value.startswith(PREFIX) else _file(value)
    try:
        Trusted(found)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--trust-key") from error
    if values and not found:
        raise click.BadParameter("names no key; give ed25519:<base64> as `keys show` prints it")
    context.meta[META] = tuple(found)
    return tuple(found)


def _file(name: str) -> list[str]:
    try:
        lines = [line.strip() for line in Path(name).read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{name!r} is neither ed25519:<base64> nor a readable file: {error}") from error
    return [line for line in lines if line and not line.startswith("#")]
