"""A network that can be cut: a TCP proxy on loopback, between a service and the other side."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Literal, TypeAlias

Mode: TypeAlias = Literal["pass", "cut", "mute"]


class Proxy:
    """Listens on `port` (a free one) and forwards to `target`, until `close`.

    `pass`: as if it were not there. `cut`: connections are broken and new ones refused at once. `mute`: what is sent
    arrives, but answers are swallowed and the connection is broken: the sender cannot know.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._mode: Mode = "pass"
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._listen, name="proxy", daemon=True).start()

    @property
    def mode(self) -> Mode:
        """What happens to bytes now."""
        return self._mode

    def set(self, mode: Mode) -> None:
        """Change it; `cut` also breaks what is open."""
        self._mode = mode
        if mode == "cut":
            self._break()

    def close(self) -> None:
        """Break everything and stop listening."""
        self._mode = "cut"
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._break()

    def _break(self) -> None:
        with self._lock:
            ends, self._open = self._open, set()
        for end in ends:
            _end(end)

    def _listen(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._mode == "cut":
                _end(near)
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:
                _end(near)
                continue
            far.settimeout(None)
            with self._lock:
                self._open |= {near, far}
            for source, sink, answers in ((near, far, False), (far, near, True)):
                threading.Thread(target=self._pump, args=(source, sink, answers), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        try:
            while data := source.recv(65536):
                if answers and self._mode == "mute":
                    break
                sink.sendall(data)
        except OSError:
            pass
        finally:
            with self._lock:
                self._open -= {source, sink}
            _end(source)
            _end(sink)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
