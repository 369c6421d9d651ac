"""The options of who may read the board: of `serve` and `notary`."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from monitor.console.access.gate import BoardAccess
from monitor.console.access.proxy_login import ProxyLogin
from monitor.console.access.read_log import ReadLog
from monitor.console.access.settings import read_access
from monitor.errors import BoardAccessError

SECRET = "SANDBOX_MONITOR_BOARD_SECRET"
F = TypeVar("F", bound=Callable[..., Any])


def access_options(command: F) -> F:
    """Add --board-access and --read-log; the command gets `access`, `None` without them."""

    @click.option(
        "--board-access",
        "access_file",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="readers of the board log in at a reverse proxy; this file says who sees what "
        f"(monitor/console/access/README.md). The proxy's secret is in {SECRET}",
    )
    @click.option(
        "--read-log",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help="log who read which page in this file; needs --board-access",
    )
    @functools.wraps(command)
    def with_access(*args: Any, access_file: Path | None, read_log: Path | None, **more: Any) -> Any:
        return command(*args, access=_access(access_file, read_log), **more)

    return with_access  # type: ignore[return-value]


def _access(file: Path | None, read_log: Path | None) -> BoardAccess | None:
    if file is None:
        if read_log is not None:
            raise click.UsageError("--read-log needs --board-access: without a login there is no reader to log")
        return None
    try:
        settings = read_access(file)
        secret = os.environ.get(SECRET, "")
        ProxyLogin(settings, secret)
        if read_log is not None:
            ReadLog(read_log).close()
    except BoardAccessError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"--read-log {read_log}: {error.strerror}") from None
    except ValueError as error:
        raise click.ClickException(f"{SECRET}: {error}") from None
    return BoardAccess(settings, secret, read_log)
