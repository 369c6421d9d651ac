"""The link over Kafka while no broker answers."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from monitor.errors import Unavailable
from monitor.sdk.kafka_link import KafkaLink, LinkTopics

SOON_MS = 200


def answer(connection: socket.socket) -> None:
    """Answer one request with its correlation id and nothing else."""
    size = struct.unpack(">i", connection.recv(4))[0]
    request = connection.recv(size)
    connection.sendall(struct.pack(">i", 4) + request[4:8])


@pytest.fixture(name="fading")
def broker_that_goes_away() -> Iterator[int]:
    """The port of a server that answers on its first connection and closes all later ones: a broker that goes away in
    the minute during which a successful login is remembered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                first, _ = listener.accept()
                with first:
                    answer(first)
                    answer(first)
                while True:
                    listener.accept()[0].close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize("make", [KafkaLink.consumer, KafkaLink.producer], ids=["consumer", "producer"])
def test_a_client_that_finds_no_broker_leaves_no_thread(fading: int, make: Callable[[KafkaLink], object]) -> None:
    """However often a client is tried during an outage, the process has as many threads as before."""
    link = KafkaLink([f"127.0.0.1:{fading}"], LinkTopics("sandbox"), {"bootstrap_timeout_ms": SOON_MS})
    before = set(threading.enumerate())
    for _ in range(3):
        with pytest.raises(Unavailable, match="Unable to bootstrap"):
            make(link)
    assert set(threading.enumerate()) <= before
