"""The options of a command that publishes ledgers: `--publish`, `--log-key`, `--newest`, `--publish-every`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from monitor.publication.log_key import read_log_key
from monitor.publication.newest_file import NewestFile
from monitor.publication.publisher import PublicationSettings
from monitor.publication.service import EVERY_S

NAMES = ("publish", "log_key", "newest", "publish_every")


def publishing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add these options; the command gets `publishing`, the settings and the seconds between rounds, or `None`."""
    folder = click.Path(file_okay=False, path_type=Path)

    def with_settings(*args: Any, **kwargs: Any) -> Any:
        given = {name: kwargs.pop(name) for name in NAMES}
        return command(*args, publishing=_settings(**given), **kwargs)

    with_settings.__name__, with_settings.__doc__ = command.__name__, command.__doc__
    with_settings.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    for option in (
        click.option(
            "--publish-every",
            default=EVERY_S,
            show_default=True,
            type=click.FloatRange(0.1),
            help="seconds between two rounds of the publication",
        ),
        click.option(
            "--newest",
            type=folder,
            help="keep the newest signed checkpoint also in this directory, which must exist, on another disk: a "
            "restored old disk then refuses to sign",
        ),
        click.option(
            "--log-key",
            type=click.Path(dir_okay=False, path_type=Path),
            help="key of the published logs (`sandbox-monitor keys new-log`)",
        ),
        click.option(
            "--publish",
            type=folder,
            help="publish the ledgers in this directory as logs (C2SP tlog-tiles); needs --log-key; served as "
            "/publication/ [default: not published]",
        ),
    ):
        option(with_settings)
    return with_settings


def _settings(
    publish: Path | None, log_key: Path | None, newest: Path | None, publish_every: float
) -> tuple[PublicationSettings, float] | None:
    if publish is None:
        for name, value in (("--log-key", log_key), ("--newest", newest)):
            if value is not None:
                raise click.UsageError(f"{name} belongs to --publish DIR; give that too")
        return None
    if log_key is None:
        raise click.UsageError("--publish needs --log-key FILE; make one with `sandbox-monitor keys new-log`")
    if newest is not None and newest.resolve() == publish.resolve():
        raise click.UsageError("--newest must be another directory than --publish, on another disk")
    second = None if newest is None else NewestFile(newest)
    return PublicationSettings(directory=publish, key=read_log_key(log_key), second=second), publish_every
