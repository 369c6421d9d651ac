"""Types of command-line options for addresses: a malformed one is a usage error (exit code 2) with the fix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from monitor.access.address import http_address, http_addresses, kafka_servers
from monitor.access.environment import AUTHOR, KEY, TO
from monitor.errors import Refused

F = TypeVar("F", bound=Callable[..., Any])
KEY_META = "sandbox_monitor.key"


class _HttpUrl(click.ParamType):
    """The base URL of an HTTP server, credentials allowed; the value is unchanged."""

    name = "url"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            http_address(value)
        except Refused as error:
            self.fail(str(error), param, ctx)
        return value


class _HttpUrls(click.ParamType):
    """One or several base URLs, separated by commas; the value is unchanged."""

    name = "url"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            http_addresses(value)
        except Refused as error:
            self.fail(str(error), param, ctx)
        return value


class _KafkaServers(click.ParamType):
    """`host:port[,host:port]`; the value has a port for each host."""

    name = "host:port[,host:port]"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return ",".join(kafka_servers(value))
        except Refused as error:
            self.fail(str(error), param, ctx)


TO_VARIABLE = TO
"""Address of the monitor, for every command with `--to`, so that a person writes it once."""


def to_option(text: str) -> Callable[[F], F]:
    """The option `--to` of a command that talks to a monitor, with this help."""
    return click.option(
        "--to", envvar=TO_VARIABLE, show_envvar=True, default="kafka://127.0.0.1:9092", show_default=True, help=text
    )


HTTP_URL = _HttpUrl()
HTTP_URLS = _HttpUrls()
KAFKA_SERVERS = _KafkaServers()

host_names = click.option(
    "--host-name",
    "host_names",
    multiple=True,
    help="name under which this server may be reached, besides loopback names and its own address; repeatable",
)
"""The option `--host-name` of every command with an HTTP server."""


def firm_options(command: F) -> F:
    """The options `--author` and `--key` of commands that read: who signs the requests to a gateway."""
    author = click.option(
        "--author",
        default="",
        envvar=AUTHOR,
        show_envvar=True,
        help="the firm by its participant.id, for a gateway and for the topics of a firm",
    )
    return author(key_option("key file of the firm, for a gateway")(command))


def key_option(text: str) -> Callable[[F], F]:
    """The option `--key`, which goes to the context as `KEY_META`."""
    return click.option(
        "--key",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        envvar=KEY,
        show_envvar=True,
        callback=lambda context, _option, path: context.meta.__setitem__(KEY_META, path),
        expose_value=False,
        help=text,
    )
