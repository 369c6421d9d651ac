"""Parses addresses: every `--to`, `--bootstrap`, URL of an actor and of the SDK. A malformed one is refused with the
fix.

Whether a host resolves or responds is not checked here: that may change, and is retried. Credentials of a URL become an
`Authorization` header (RFC 7617); addresses in logs, errors and metrics never contain them.
"""

from __future__ import annotations

import base64
import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from monitor.errors import Refused

MASK = "***"
_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?|\[[0-9A-Fa-f:.%A-Za-z]+\]")
_CREDENTIALS = re.compile(r"^([a-z+]+://)?.*@", re.IGNORECASE | re.DOTALL)


class HttpAddress(NamedTuple):
    """A base URL without its credentials; `authorization` is the header's value, empty without any; `shown` is for
    people."""

    url: str
    authorization: str
    shown: str

    @property
    def headers(self) -> dict[str, str]:
        """The headers that each request needs."""
        return {"Authorization": self.authorization} if self.authorization else {}


def shown(address: str) -> str:
    """`address` for logs and errors: without credentials, also where it is malformed.

    >>> shown("http://user:p@ss/word@host:9093"), shown("user:secret@host"), shown("host:9092")
    ('http://***@host:9093', '***@host', 'host:9092')
    """
    return _CREDENTIALS.sub(lambda found: f"{found[1] or ''}{MASK}@", address)


def http_address(address: str, example: str = "http://127.0.0.1:9093") -> HttpAddress:
    """Read the base URL of an HTTP server. Raises Refused, naming the fix with `example`, when it can never work.

    >>> found = http_address("https://ann:s3cret@alerts.example.org/am/")
    >>> found.url, found.authorization, found.shown
    ('https://alerts.example.org/am', 'Basic YW5uOnMzY3JldA==', 'https://***@alerts.example.org/am/')
    """
    seen = shown(address)
    scheme, rest = _split_scheme(address)
    if any(character.isspace() or not character.isprintable() for character in address) or not address.isascii():
        raise Refused(
            f"{seen!r} has characters that a URL cannot have; percent-encode them, and write a host name as xn--..."
        )
    if scheme.lower() not in ("http", "https"):
        fix = f"http://{seen}" if not scheme and rest else example
        raise Refused(f"{seen!r} is not the URL of an HTTP server; write http:// or https:// in front: {fix}")
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), -1
    host = parts.netloc.rpartition("@")[2]
    if port == -1 or port == 0:
        problem = (
            "is not a number from 1 to 65535, or the credentials hold a character to be percent-encoded (/ as %2F)"
        )
        raise Refused(f"{seen!r}: the port {problem}; write it as {example}")
    name = host.rpartition(":")[0] if port is not None or host.endswith(":") else host
    if not _HOST.fullmatch(name):
        raise Refused(f"{seen!r} names no host; write it as {example}")
    if parts.query or parts.fragment or "?" in address or "#" in address:
        raise Refused(
            f"{seen!r} has a query or a fragment; leave out what begins with ? or #, percent-encode them in a password"
        )
    url = f"{parts.scheme}://{host}{parts.path}".rstrip("/")
    authorization = ""
    if "@" in parts.netloc:
        user, _, password = parts.netloc.rpartition("@")[0].partition(":")
        raw = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
        authorization = f"Basic {base64.b64encode(raw).decode()}"
    return HttpAddress(url, authorization, shown(f"{parts.scheme}://{parts.netloc}{parts.path}"))


def http_addresses(text: str) -> list[str]:
    """One or several base URLs, separated by commas, unchanged. Raises Refused for the first that can never work.

    >>> http_addresses("http://a:9093,http://b:9093/am,x")
    ['http://a:9093', 'http://b:9093/am,x']
    """
    found = re.split(r",(?=https?://)", text, flags=re.IGNORECASE)
    for address in found:
        http_address(address)
    return found


def kafka_servers(address: str) -> list[str]:
    """The servers of `host:port[,host:port]`, port 9092 where none is given. Raises Refused, naming the fix.

    >>> kafka_servers("a:9092,b")
    ['a:9092', 'b:9092']
    """
    seen, example = shown(address), "write host:port[,host:port], such as 127.0.0.1:9092"
    if "://" in address:
        raise Refused(f"{seen!r} has a scheme, which a Kafka address has not; {example}")
    if "@" in address:
        raise Refused(f"{seen!r} contains credentials; give them as SANDBOX_KAFKA_USER and SANDBOX_KAFKA_PASSWORD_FILE")
    servers = []
    for server in filter(None, address.split(",")) if address.strip(",") else [""]:
        host, colon, port = server.rpartition(":") if not server.endswith("]") and ":" in server else (server, "", "")
        if not _HOST.fullmatch(host):
            raise Refused(f"{seen!r}: {server!r} names no host; {example}")
        if colon and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise Refused(f"{seen!r}: {port!r} is not a port from 1 to 65535; {example}")
        servers.append(f"{host}:{port or 9092}")
    return servers


def _split_scheme(address: str) -> tuple[str, str]:
    scheme, mark, rest = address.partition("://")
    return (scheme, rest) if mark and scheme.isalpha() else ("", address)
