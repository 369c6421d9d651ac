"""Types of command-line options that are addresses: a malformed one is a wrong call (exit code 2), said with the
fix."""

from __future__ import annotations

import click

from monitor.access.address import http_address, kafka_servers
from monitor.errors import Refused


class _HttpUrl(click.ParamType):
    """The base URL of an HTTP server, credentials allowed; the value is what was given."""

    name = "url"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            http_address(value)
        except Refused as error:
            self.fail(str(error), param, ctx)
        return value


class _KafkaServers(click.ParamType):
    """`host:port[,host:port]`; the value has a port for each."""

    name = "host:port[,host:port]"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return ",".join(kafka_servers(value))
        except Refused as error:
            self.fail(str(error), param, ctx)


HTTP_URL = _HttpUrl()
KAFKA_SERVERS = _KafkaServers()
