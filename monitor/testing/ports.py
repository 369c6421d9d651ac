"""TCP ports for servers of tests."""

from __future__ import annotations

import socket
from collections import deque

_given: deque[int] = deque(maxlen=1_000)  # the system may give a port twice before its first server listens on it


def free_port() -> int:
    """A TCP port of the loopback interface that was free a moment ago, and none of the last 1,000 given."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in _given:
            _given.append(port)
            return port
