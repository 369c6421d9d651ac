"""Which `Host` headers are accepted. A web page that reaches a server by DNS rebinding names its own host."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def host_of(header: str) -> str | None:
    """The host of a `Host` header in lower case, without port and brackets; None when it is none.

    >>> host_of("LOCALHOST:80"), host_of("[::1]:80"), host_of("a b"), host_of("a:b")
    ('localhost', '::1', None, None)
    """
    if header.startswith("["):
        name, bracket, rest = header[1:].partition("]")
        if not bracket or (rest and not _is_port(rest)):
            return None
        try:
            return str(ipaddress.IPv6Address(name))
        except ValueError:
            return None
    name, colon, port = header.partition(":")
    if colon and not _is_port(colon + port):
        return None
    plain = name.isascii() and name and all(c.isalnum() or c in "-._" for c in name) and len(name) <= 253
    return name.lower().removesuffix(".") if plain else None


def _is_port(text: str) -> bool:
    digits = text.removeprefix(":")
    return text.startswith(":") and (not digits or (digits.isascii() and digits.isdecimal() and len(digits) <= 5))


class HostNames:
    """Accepts loopback names, the address on which a connection arrived, and the given names."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = LOOPBACK | {name.lower().removesuffix(".").strip("[]") for name in names}

    def accepts(self, header: str, local_address: str) -> bool:
        """Whether a request with this `Host` that arrived on `local_address` is served."""
        host = host_of(header)
        return host is not None and (host in self._names or host == local_address.partition("%")[0].lower())
