"""Types of command-line options for addresses: a malformed one is a usage error (exit code 2) with the fix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from monitor.access.address import http_address, http_addresses, kafka_servers
from monitor.errors import Refused

F = TypeVar("F", bound=Callable[..., Any])


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


TO_VARIABLE = "SANDBOX_MONITOR_TO"
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
