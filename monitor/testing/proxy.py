"""A network that can be cut: proxies on loopback for TCP, between a service and the other side, and for datagrams."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Literal, TypeAlias

Mode: TypeAlias = Literal["pass", "cut", "mute"]


class Proxy:
    """Listens on `port` (a free one) and forwards to `target`, until `close`.

    `pass`: as if it were not there. `cut`: connections are broken and new ones refused at once. `mute`: what is sent
    arrives, but answers are dropped and the connection is broken: the sender cannot know. `delay` (s) holds back each
    piece of an answer.

    `lose` aims at one message. `lost` counts the messages that were lost.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._mode: Mode = "pass"
        self.delay = 0.0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._aims: list[tuple[bool, tuple[bytes, ...]]] = []
        self.lost = 0
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

    def lose(self, *marks: bytes, answer: bool) -> None:
        """Lose the next message that holds all `marks`, once: an answer does not arrive; a request does, but its answer
        is dropped. The connection is broken either way."""
        with self._lock:
            self._aims.append((answer, marks))

    def _hits(self, data: bytes, answer: bool) -> bool:
        with self._lock:
            for aim in self._aims:
                if aim[0] == answer and all(mark in data for mark in aim[1]):
                    self._aims.remove(aim)
                    self.lost += 1
                    return True
        return False

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
                if answers and self.delay:
                    time.sleep(self.delay)
                if answers and (self._mode == "mute" or self._hits(data, True)):
                    break
                sink.sendall(data)
                if not answers and self._hits(data, False):
                    break
        except OSError:
            pass
        finally:
            with self._lock:
                self._open -= {source, sink}
            _end(source)
            _end(sink)


class DatagramProxy:
    """Forwards datagrams from `port` to `target` unless `cut`, until `close`. Answers have to go to the address that
    the sender names in the datagram, as those of memberlist do."""

    def __init__(self, port: int, target: int) -> None:
        self.cut = False
        self._target = ("127.0.0.1", target)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self._socket.settimeout(0.2)
        self._closed = False
        self._thread = threading.Thread(target=self._pump, name="datagrams", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop forwarding."""
        self._closed = True
        self._thread.join()
        self._socket.close()

    def _pump(self) -> None:
        while not self._closed:
            with contextlib.suppress(OSError):  # a time-out, or a target that is not there
                data, source = self._socket.recvfrom(65536)
                if not self.cut and source != self._target:
                    self._socket.sendto(data, self._target)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
