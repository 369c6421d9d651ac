"""The limits of a server, and the number of files that the process may open."""

from __future__ import annotations

import resource

from msgspec import Struct

MIB = 1024 * 1024
MOST_FILES = 65_536  # more open files than any server here needs


class ServerLimits(Struct, frozen=True, kw_only=True):
    """What clients of one server may take. Times in seconds, sizes in bytes; per client where the name says so."""

    connections: int = 1_024
    connections_per_client: int = 768
    header_seconds: float = 10.0
    idle_seconds: float = 75.0
    body_seconds: float = 30.0
    write_seconds: float = 30.0
    body_bytes: int = 8 * MIB
    bodies_bytes: int = 64 * MIB  # of all bodies in reception
    client_requests_per_second: float = 2_000.0
    client_request_burst: float = 4_000.0
    client_bytes_per_second: float = 32.0 * MIB
    client_byte_burst: float = 64.0 * MIB

    def connections_within(self, files: int) -> int:
        """Connections that may be open at once in a process that may open `files` files: at most half of them."""
        return max(1, min(self.connections, files // 2))


def raise_open_files() -> int:
    """Raise the soft limit of open files to the hard one (at most MOST_FILES). Returns the limit in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return MOST_FILES if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):  # a container may forbid it
        return soft
    return most
