"""Fetch responses are received whole however the stream is cut, and errors end as in aiokafka."""

from __future__ import annotations

import asyncio
import inspect
import ipaddress
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, client, conn
from aiokafka.errors import CorrelationIdError, KafkaConnectionError
from aiokafka.protocol.admin import ApiVersionRequest, ApiVersionResponse_v0
from aiokafka.protocol.fetch import FetchRequest, FetchResponse_v11
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from monitor.kafka import zero_copy

WHOLE = 1_000_000  # bytes of the records in an answer
VERSIONS = ApiVersionResponse_v0(0, [(1, 0, 11), (18, 0, 0)])
ASK = FetchRequest(100, 1, 1 << 20, 1, [("t", [(0, 0, 1 << 20)])])


def answer(records: bytes) -> bytes:
    """A broker's response to `ASK`."""
    return bytes(FetchResponse_v11(0, 0, 0, [("t", [(0, 0, 7, 7, 0, [(5, 6)], -1, records)])]).encode())


def framed(number: int, body: bytes) -> bytes:
    """A response with its length and its correlation id."""
    return struct.pack(">ii", len(body) + 4, number) + body


Script = Callable[[int, asyncio.StreamWriter], Awaitable[None]]


async def with_broker(
    script: Script, then: Callable[[Any], Awaitable[Any]], context: Any = None, mine: Any = None
) -> Any:
    """Run `then(connection)` against a broker that sends its versions first, and follows the script for later
    requests."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                size, key, _, number = struct.unpack(">ihhi", await reader.readexactly(12))
                await reader.readexactly(size - 8)
                if key == ApiVersionRequest.API_KEY:
                    writer.write(framed(number, VERSIONS.encode()))
                else:
                    await script(number, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    kind = {"security_protocol": "SSL", "ssl_context": mine} if mine else {}
    connection = await conn.create_conn("127.0.0.1", port, request_timeout_ms=5_000, **kind)
    try:
        return await then(connection)
    finally:
        closed = connection._closed_fut
        connection.close()
        await closed
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.01)  # the broker's side closes too


def certified(directory: Path) -> tuple[Path, Path]:
    """A self-signed certificate of 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (directory / "certificate").write_bytes(certificate.public_bytes(pem))
    (directory / "key").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return directory / "certificate", directory / "key"


def records_of(response: Any) -> Any:
    """The records in a response."""
    return response.topics[0][1][0][-1]


class Kept(conn.AIOKafkaConnection):  # type: ignore[misc]
    """A connection that records what it is given."""

    def _handle_frame(self, resp: bytes) -> None:
        self.__dict__.setdefault("kept", []).append(resp)


@given(
    st.lists(st.one_of(st.integers(0, 9), st.integers(50, 200)), min_size=1, max_size=8),
    st.lists(st.one_of(st.integers(1, 9), st.integers(50, 200)), min_size=1, max_size=8),
)
def test_responses_are_complete_however_the_stream_is_cut(sizes: list[int], pieces: list[int]) -> None:
    """Small and large responses in a row arrive in order, byte for byte, wherever the stream is cut."""

    async def fed() -> list[bytes]:
        connection = Kept("127.0.0.1", 0)
        connection._writer = object()
        connection._requests.extend([(None, None, None)] * len(sizes))
        reading = zero_copy.FrameReceiver(connection, asyncio.Protocol(), wire, small=64)
        at, turn = 0, 0
        while at < len(stream):
            assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) <= len(stream) - at, (
                "never wait for bytes that will not come"
            )
            room = reading.get_buffer(-1)
            some = stream[at : at + min(pieces[turn % len(pieces)], len(room))]
            room[: len(some)] = some
            reading.buffer_updated(len(some))
            at, turn = at + len(some), turn + 1
        assert len(reading.get_buffer(-1)) > 0
        assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 1
        return list(connection.kept)

    answers = [bytes([i + 1]) * size for i, size in enumerate(sizes)]
    stream = b"".join(struct.pack(">i", len(each)) + each for each in answers)
    with socket.socket() as wire:
        assert asyncio.run(fed()) == answers


def test_a_fetch_is_received_into_place() -> None:
    """The records of a response are a view of it, equal to what aiokafka makes of it; the next request on the
    connection works too."""

    async def script(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(number, answer(bytes([number]) * WHOLE)))

    async def ask(connection: Any) -> list[Any]:
        plain = await connection.send(ASK)
        assert zero_copy.divert(connection)
        assert zero_copy.divert(connection), "idempotent"
        return [
            plain,
            await connection.send(ASK),
            await connection.send(ApiVersionRequest()),
            await connection.send(ASK),
        ]

    plain, first, versions, second = asyncio.run(with_broker(script, ask))
    assert isinstance(records_of(plain), bytes)
    for response, like in ((first, plain), (second, plain)):
        records = records_of(response)
        assert isinstance(records, memoryview)
        assert len(records) == WHOLE == len(records_of(like))
        assert response.topics[0][1][0][:-1] == like.topics[0][1][0][:-1] == (0, 0, 7, 7, 0, [(5, 6)], -1)
    assert bytes(records_of(first)[:1]) != bytes(records_of(second)[:1]), "a response is not overwritten by the next"
    assert versions.api_versions == VERSIONS.api_versions


def test_a_long_response_wakes_its_reader_a_few_times() -> None:
    """Nine megabytes that arrive in two hundred pieces are read in a few turns, as each takes the interpreter lock
    from another thread."""
    long = 9_000_000

    async def script(number: int, writer: asyncio.StreamWriter) -> None:
        whole = framed(number, answer(bytes(long)))
        for at in range(0, len(whole), 45_000):
            writer.write(whole[at : at + 45_000])
            await writer.drain()
            await asyncio.sleep(0.001)

    async def ask(connection: Any) -> int:
        assert zero_copy.divert(connection)
        reading = connection._writer.transport.get_protocol()
        turns = []
        read = reading.buffer_updated

        def counted(nbytes: int) -> None:
            turns.append(nbytes)
            read(nbytes)

        reading.buffer_updated = counted
        for _ in range(3):  # the kernel enlarges its buffer after the first long response
            turns.clear()
            assert len(records_of(await connection.send(ASK))) == long
        return len(turns)

    assert asyncio.run(with_broker(script, ask)) <= 20


@pytest.mark.parametrize("sent", [2, 100, 200_000, WHOLE])
def test_a_connection_that_ends_within_a_response_fails_the_request(sent: int) -> None:
    """A waiting request fails at once, and the connection is marked as closed."""

    async def script(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(number, answer(bytes(WHOLE)))[:sent])
        await writer.drain()
        writer.close()

    async def ask(connection: Any) -> None:
        assert zero_copy.divert(connection)
        with pytest.raises(KafkaConnectionError):
            await connection.send(ASK)
        assert not connection.connected()

    asyncio.run(with_broker(script, ask))


@pytest.mark.parametrize("diverted", [True, False])
def test_a_response_to_another_request_ends_the_connection(diverted: bool) -> None:
    """A response out of step is delivered to no request, here as in aiokafka."""

    async def script(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(number + 1, answer(bytes(WHOLE))))

    async def ask(connection: Any) -> None:
        assert not diverted or zero_copy.divert(connection)
        with pytest.raises(CorrelationIdError):
            await connection.send(ASK)
        assert not connection.connected()

    asyncio.run(with_broker(script, ask))


@pytest.mark.parametrize("rubbish", [b"\xff\xff\xff\xff", framed(2, b"\0\0\0\0\0\0\0\0\0\0\x7f\xff\xff\xff")])
def test_invalid_data_ends_the_connection(rubbish: bytes) -> None:
    """A negative length, or a response that cannot be decoded, fails the request at once instead of after a timeout."""

    async def script(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(rubbish)

    async def ask(connection: Any) -> None:
        connection._loop.set_exception_handler(lambda loop, context: said.append(context["message"]))
        assert zero_copy.divert(connection)
        with pytest.raises(KafkaConnectionError):
            await connection.send(ASK)
        assert not connection.connected()

    said: list[str] = []
    asyncio.run(with_broker(script, ask))
    assert said == ["Fatal error: protocol.buffer_updated() call failed."]


def test_a_connection_under_tls_is_not_changed(tmp_path: Path) -> None:
    """Decrypted data is read by aiokafka, with the same result."""
    certificate, key = certified(tmp_path)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(certificate, key)

    async def script(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(framed(number, answer(b"x" * WHOLE)))

    async def ask(connection: Any) -> Any:
        assert not zero_copy.divert(connection)
        return await connection.send(ASK)

    response = asyncio.run(with_broker(script, ask, theirs, ssl.create_default_context(cafile=str(certificate))))
    assert records_of(response) == b"x" * WHOLE


def test_a_connection_that_waits_for_a_response_is_not_changed() -> None:
    """Part of the response may be in aiokafka's reader already; the next request finds the connection free."""

    async def script(number: int, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        writer.write(framed(number, answer(b"x")))

    async def ask(connection: Any) -> None:
        waiting = asyncio.ensure_future(connection.send(ASK))
        await asyncio.sleep(0)
        assert not zero_copy.divert(connection)
        await waiting
        assert zero_copy.divert(connection)

    asyncio.run(with_broker(script, ask))


def test_a_view_reads_as_bytes_do() -> None:
    """Names and numbers are bytes, long values are views, and reads at the end are short, as aiokafka's decoders
    expect."""
    data = bytes(range(256)) * 8
    view, plain = zero_copy.ViewReader(memoryview(data)), BytesIO(data)
    for size in (4, 0, zero_copy.WORD, zero_copy.WORD + 1, 5000, 3):
        got = view.read(size)
        assert bytes(got) == plain.read(size)
        assert isinstance(got, memoryview if size > zero_copy.WORD else bytes)
    assert zero_copy.WORD > 249, "the longest name of a topic"


def test_aiokafka_handles_a_response_as_was_read() -> None:
    """A response goes to the first waiting request, is decoded once, marks the connection as used and removes the
    request; a task awaits it, ends the connection on any error, and reads only through the reader."""
    source = inspect.getsource(conn.AIOKafkaConnection._handle_frame)
    for line in (
        "correlation_id, request, fut = self._requests[0]",
        "response_header = request.parse_response_header(resp)",
        "response = resp_type.decode(resp)",
        "fut.set_result(response)",
        "self._last_action = time.monotonic()",
        "self._requests.popleft()",
    ):
        assert source.count(line) == 1 or line == "fut.set_result(response)"
    assert "self._handle_frame(resp)" in inspect.getsource(conn.AIOKafkaConnection._read)
    assert "self.close(reason=CloseReason.CONNECTION_BROKEN" in inspect.getsource(
        conn.AIOKafkaConnection._on_read_task_error
    )
    assert list(inspect.signature(client.AIOKafkaClient._get_conn).parameters) == [
        "self",
        "node_id",
        "group",
        "no_hint",
    ]
    assert "self._client = AIOKafkaClient(" in inspect.getsource(AIOKafkaConsumer.__init__)
