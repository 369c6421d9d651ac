"""Counts open connections, in total and per client address."""

from __future__ import annotations

import ipaddress
from collections import Counter

from monitor.http_server.refusals import HttpRefusal


def client_of(address: object) -> str:
    """The client of a peer address: an IPv4 address, or the /64 of an IPv6 address, which one subscriber has.

    >>> client_of(("::ffff:10.0.0.1", 80, 0, 0)), client_of(("2001:db8::1:2:3", 80, 0, 0))
    ('10.0.0.1', '2001:db8::/64')
    """
    text = str(address[0]) if isinstance(address, tuple) and address else ""
    try:
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


class ConnectionCounts:
    """At most `most` connections, of which one client may hold `per_client`."""

    def __init__(self, most: int, per_client: int) -> None:
        self._most, self._per_client = most, min(per_client, most)
        self._of: Counter[str] = Counter()
        self.open = 0

    def enter(self, client: str) -> HttpRefusal | None:
        """Count a connection. Returns why it must be refused, None when it was counted."""
        if self.open >= self._most:
            return HttpRefusal.TOO_MANY_CONNECTIONS
        if self._of[client] >= self._per_client:
            return HttpRefusal.TOO_MANY_OF_CLIENT
        self._of[client] += 1
        self.open += 1
        return None

    def leave(self, client: str) -> None:
        """A counted connection was closed."""
        self.open -= 1
        self._of[client] -= 1
        if not self._of[client]:
            del self._of[client]
