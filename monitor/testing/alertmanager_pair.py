"""Two real Alertmanagers as a cluster on loopback, that can be killed, parted and started without their data."""

from __future__ import annotations

import json
import shutil
import urllib.request
from pathlib import Path

from monitor.testing.ports import free_port
from monitor.testing.proxy import DatagramProxy, Proxy
from monitor.testing.servers import Server, alertmanager

PEER_TIMEOUT_S = 3  # for which the second one waits for the first before it notifies


class Member:
    """One Alertmanager; the other one reaches it through a proxy, which can be cut. `url` stays over restarts."""

    def __init__(self, directory: Path, config: Path) -> None:
        self._directory, self._config = directory, config
        self._port, self._gossip = free_port(), free_port()
        self._tcp = Proxy(self._gossip)
        self._udp = DatagramProxy(self._tcp.port, self._gossip)
        self.reached_at = self._tcp.port
        self.url = f"http://127.0.0.1:{self._port}"
        self.server: Server | None = None

    def start(self, peer: int) -> None:
        """Start it; `peer` is the port at which it reaches the other one."""
        cluster = [
            f"--cluster.listen-address=127.0.0.1:{self._gossip}",
            f"--cluster.advertise-address=127.0.0.1:{self.reached_at}",
            f"--cluster.peer=127.0.0.1:{peer}",
            f"--cluster.peer-timeout={PEER_TIMEOUT_S}s",
            "--cluster.reconnect-interval=1s",
            "--cluster.pushpull-interval=2s",
            "--cluster.settle-timeout=10s",
        ]
        self.server = alertmanager(self._directory, self._config, port=self._port, cluster=cluster)

    def kill(self) -> None:
        """End it with SIGKILL."""
        if self.server is not None:
            self.server.process.kill()
            self.server.process.wait()
            self.server = None

    def empty(self) -> None:
        """Delete its data; it must not run."""
        shutil.rmtree(self._directory / "data", ignore_errors=True)

    def cut(self, cut: bool) -> None:
        """Cut it off from the other one, or connect it again."""
        self._tcp.set("cut" if cut else "pass")
        self._udp.cut = cut

    def peers(self) -> int:
        """How many members of the cluster it sees, itself included."""
        with urllib.request.urlopen(self.url + "/api/v2/status", timeout=5) as answer:
            return len(json.load(answer)["cluster"].get("peers") or ())

    def close(self) -> None:
        """End it and its proxies."""
        if self.server is not None:
            self.server.stop()
        self._udp.close()
        self._tcp.close()


class Pair:
    """A context manager: both are started with `config`."""

    def __init__(self, directory: Path, config: Path) -> None:
        self.members = tuple(Member(directory / name, config) for name in ("first", "second"))

    def start(self, number: int) -> None:
        """Start member `number`."""
        self.members[number].start(self.members[1 - number].reached_at)

    def part(self, cut: bool) -> None:
        """Cut the network between the two, or connect it again."""
        for member in self.members:
            member.cut(cut)

    def __enter__(self) -> Pair:
        for number in (0, 1):
            self.start(number)
        return self

    def __exit__(self, *exc: object) -> None:
        for member in self.members:
            member.close()
