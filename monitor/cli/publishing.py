"""The options of a command that publishes ledgers: `--publish` and those that belong to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from monitor.cli.addresses import HTTP_URL
from monitor.publication.log_key import read_log_key
from monitor.publication.newest_file import NewestFile
from monitor.publication.outside import Outside
from monitor.publication.publisher import PublicationSettings
from monitor.publication.service import EVERY_S
from monitor.stamps.roots import read_roots
from monitor.witness.cosigner import read_policy
from monitor.witness.key_file import read_witness_key

NAMES = ("publish", "log_key", "newest", "publish_every", "serve_pilot_logs")
OUTSIDE = ("policies", "witness_key", "witness_dir", "witness_new", "stamp_url", "stamp_roots")


def publishing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add these options; the command gets `publishing`, the settings and the seconds between rounds, or `None`."""
    folder = click.Path(file_okay=False, path_type=Path)

    def with_settings(*args: Any, **kwargs: Any) -> Any:
        given = {name: kwargs.pop(name) for name in NAMES}
        outside = {name: kwargs.pop(name) for name in OUTSIDE}
        return command(*args, publishing=_settings(**given, outside=outside), **kwargs)

    with_settings.__name__, with_settings.__doc__ = command.__name__, command.__doc__
    with_settings.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    for option in (
        *_outside_options(),
        click.option(
            "--serve-pilot-logs",
            is_flag=True,
            help="serve also the logs of the pilots under /publication/: to everybody who reaches the port, so only "
            "behind a proxy that shows each firm its own log [default: the authority log alone]",
        ),
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
            "/publication/, without the logs of the pilots (--serve-pilot-logs) [default: not published]",
        ),
    ):
        option(with_settings)
    return with_settings


def _settings(
    publish: Path | None,
    log_key: Path | None,
    newest: Path | None,
    publish_every: float,
    serve_pilot_logs: bool,
    outside: dict[str, Any],
) -> tuple[PublicationSettings, float] | None:
    if publish is None:
        more = {f"--{name.replace('_', '-')}": outside[name] for name in OUTSIDE[1:5]}
        more |= {"--policy": outside["policies"], "--stamp-root": outside["stamp_roots"]}
        more |= {"--log-key": log_key, "--newest": newest, "--serve-pilot-logs": serve_pilot_logs}
        source = click.get_current_context().get_parameter_source("publish_every")
        more["--publish-every"] = source is not ParameterSource.DEFAULT
        for name, value in more.items():
            if value:
                raise click.UsageError(f"{name} belongs to --publish DIR; give that too")
        return None
    if log_key is None:
        raise click.UsageError("--publish needs --log-key FILE; make one with `sandbox-monitor keys new-log`")
    if newest is not None and newest.resolve() == publish.resolve():
        raise click.UsageError("--newest must be another directory than --publish, on another disk")
    second = None if newest is None else NewestFile(newest)
    key = read_log_key(log_key)
    settings = PublicationSettings(
        directory=publish, key=key, second=second, serve_pilot_logs=serve_pilot_logs, outside=_outside(**outside)
    )
    return settings, publish_every


def _outside_options() -> tuple[Callable[..., Any], ...]:
    file = click.Path(dir_okay=False, path_type=Path)
    return (
        click.option(
            "--stamp-root",
            "stamp_roots",
            multiple=True,
            type=file,
            help="trusted root certificate of --stamp-url, PEM; repeatable",
        ),
        click.option(
            "--stamp-url",
            type=HTTP_URL,
            help="time-stamping authority (RFC 3161): stamps the authority log's checkpoint at most once a minute",
        ),
        click.option(
            "--witness-new",
            is_flag=True,
            help="create --witness-dir: only for the first start with a new --witness-key",
        ),
        click.option(
            "--witness-dir",
            type=click.Path(file_okay=False, path_type=Path),
            help="what --witness-key cosigned, best on another disk: it never cosigns a checkpoint that contradicts it",
        ),
        click.option(
            "--witness-key",
            type=file,
            help="key of a witness of the policies that this process holds (`sandbox-monitor keys new-witness`); needs "
            "--witness-dir",
        ),
        click.option(
            "--policy",
            "policies",
            multiple=True,
            type=file,
            help="policy file (C2SP tlog-policy) of the logs that it names: which witnesses are asked, and without "
            "which quorum a checkpoint is not published; repeatable",
        ),
    )


def _outside(
    policies: tuple[Path, ...],
    witness_key: Path | None,
    witness_dir: Path | None,
    witness_new: bool,
    stamp_url: str | None,
    stamp_roots: tuple[Path, ...],
) -> Outside:
    if bool(stamp_url) != bool(stamp_roots):
        raise click.UsageError("--stamp-url and --stamp-root belong together; give both")
    if bool(witness_key) != bool(witness_dir) or (witness_new and not witness_dir):
        raise click.UsageError("--witness-key and --witness-dir belong together (--witness-new creates it); give both")
    return Outside(
        policies=tuple(map(read_policy, policies)),
        signers=tuple(read_witness_key(witness_key)) if witness_key else (),
        witness_dir=witness_dir,
        witness_new=witness_new,
        stamp_url=stamp_url or "",
        stamp_roots=read_roots(stamp_roots),
    )
