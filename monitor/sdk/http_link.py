"""The link over HTTP: POST of CloudEvents batches, long polling for commands and permits. Standard library only."""

from __future__ import annotations

import http.client
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from urllib.parse import quote, urlsplit

import msgspec

from monitor.access.address import http_address
from monitor.errors import Refused, Unavailable
from monitor.model.signing import HTTP_HEADER, HTTP_KEY_HEADER
from monitor.sdk.link import BATCH, FeedName, SignedMessage

TIMEOUT_S = 10.0  # for a response, in addition to the time of a long poll
STREAM_TIMEOUT_S = 120.0  # for each part of a long response
STREAM_BYTES = 65_536
MAX_RETRY_AFTER_S = 60
NUMBER = "Sandbox-Number"
MAX_WANTED = 8  # newest heartbeats of this process whose permits are requested


class _Nonce(msgspec.Struct):
    nonce: str


class _Connection:
    """One persistent connection, reopened after the other side has closed it. Not thread-safe."""

    def __init__(self, address: str) -> None:
        base = http_address(address, "http://127.0.0.1:8321")
        parts = urlsplit(base.url)
        self._address, self._authorization = base.shown, base.headers
        self._base = parts.path.rstrip("/")
        secure = parts.scheme == "https"
        self._kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._host, self._port = str(parts.hostname), parts.port or (443 if secure else 80)
        self._open: http.client.HTTPConnection | None = None
        self.number = self.key = ""
        self.retry_after = 0.0

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        kind: str = "",
        timeout: float = TIMEOUT_S,
        signature: str = "",
        more: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes, str]:
        """Return status, body and signature of the response; `number` and `key` are then its headers `Sandbox-Number`
        and `Sandbox-Signed-By`, "" without one, and `retry_after` the seconds that the other side asks to wait.

        Blocks for up to `timeout` seconds. Raises `Unavailable` when there is no complete response by then.
        """
        headers = {**self._authorization, **(more or {})}
        if kind:
            headers["Content-Type"] = kind
        if signature:
            headers[HTTP_HEADER] = signature
        try:
            response = self._asked(method, path, body, headers, timeout)
            return response.status, response.read(), response.getheader(HTTP_HEADER, "")
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unavailable(f"{self._address} does not respond: {error or type(error).__name__}") from error

    def _asked(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], timeout: float
    ) -> http.client.HTTPResponse:
        if self._open is None:
            self._open = self._kind(self._host, self._port, timeout=timeout)
        if self._open.sock is not None:
            self._open.sock.settimeout(timeout)
        self._open.request(method, self._base + path, body, headers)
        response = self._open.getresponse()
        self.number = response.getheader(NUMBER, "")
        self.key = response.getheader(HTTP_KEY_HEADER, "")
        self.retry_after = _seconds(response.getheader("Retry-After", ""))
        return response

    def stream(self, path: str, more: Mapping[str, str], timeout: float = STREAM_TIMEOUT_S) -> Iterator[bytes]:
        """Yield the body of a GET in parts as they come. Raises `Unavailable` when it is not complete, and as
        `raise_for_status`."""
        try:
            response = self._asked("GET", path, None, {**self._authorization, **more}, timeout)
            if response.status != 200:
                raise_for_status(f"GET {self._address}{path}", response.status, response.read(), self.retry_after)
                return
            while part := response.read(STREAM_BYTES):
                yield part
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{self._address} ended early: {error or type(error).__name__}") from error
        finally:
            self.close()

    def target(self, path: str) -> str:
        """The path as it is sent."""
        return self._base + path

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


class HttpLink:
    """Sends to `<address>/v1/telemetry`; status 202 means durable."""

    def __init__(self, address: str) -> None:
        self._target = address
        self._connection = _Connection(address)
        self.address = http_address(address).shown  # for messages

    def send(self, pilot: str, body: bytes, signature: str = "") -> None:
        """See `Link.send`."""
        self.post("/v1/telemetry", body, BATCH, signature)

    def get(self, path: str, wait: float = 0.0) -> bytes:
        """Return the body of a GET, b"" when there is none. `wait` is the time of a long poll (s). Raises as `post`."""
        more = self.headers("GET", path, None)
        status, body, _ = self._connection.request("GET", path, timeout=TIMEOUT_S + wait, more=more)
        raise_for_status(f"GET {self.address}{path}", status, body, self._connection.retry_after)
        return body

    def post(self, path: str, body: bytes, kind: str, signature: str = "") -> bytes:
        """Return the body of the response to a POST.

        Raises `Unavailable` on 408, 425, 429 and 5xx (with the wait that the response asks for) and without a response,
        `Refused` on other statuses than 2xx.
        """
        more = self.headers("POST", path, body)
        status, response, _ = self._connection.request("POST", path, body, kind, signature=signature, more=more)
        raise_for_status(f"POST {self.address}{path}", status, response, self._connection.retry_after)
        return response

    def stream(self, path: str) -> Iterator[bytes]:
        """Yield the body of a GET in parts as they come. Raises as `get`, and `Unavailable` when it ends early."""
        yield from self._connection.stream(path, self.headers("GET", path, None))

    def headers(self, method: str, path: str, body: bytes | None) -> dict[str, str]:
        """Further headers of a request; none here."""
        return {}

    def target(self, path: str) -> str:
        """The path as it is sent, with that of the address in front."""
        return self._connection.target(path)

    def feed(self, pilot: str, what: FeedName = "commands") -> HttpFeed | HttpPermits:
        """See `Link.feed`."""
        return HttpFeed(self._target, pilot) if what == "commands" else HttpPermits(self._target, pilot)

    def close(self) -> None:
        """See `Link.close`."""
        self._connection.close()


class HttpFeed:
    """Commands by long polling of `<address>/v1/commands/<pilot>`."""

    def __init__(self, address: str, pilot: str) -> None:
        self._address = http_address(address).shown
        self._path = f"/v1/commands/{quote(pilot, safe='')}"
        self._connection = _Connection(address)
        self._complete = False
        self._seen = 0  # number of the command received last; a resent command has a higher one

    @property
    def complete(self) -> bool:
        """True after the first response: it holds the newest command, or says that there is none."""
        return self._complete

    def poll(self, after: int, wait: float) -> list[SignedMessage]:
        """See `Feed.poll`. The first poll does not wait."""
        wait = wait if self._complete else 0.0
        messages = fetch(self._connection, f"{self._path}?after={after}&seen={self._seen}&wait={wait:g}", wait)
        if self._connection.number.isdecimal():
            self._seen = int(self._connection.number)
        self._complete = True
        return messages

    def want(self, nonce: str) -> None:
        """See `Feed.want`."""

    def close(self) -> None:
        """See `Feed.close`."""
        self._connection.close()


class HttpPermits:
    """Permits by long polling of `<address>/v1/permits/<pilot>`, requested by the nonces of our own heartbeats: the
    newest permit of a pilot may be another machine's."""

    def __init__(self, address: str, pilot: str) -> None:
        self._path = f"/v1/permits/{quote(pilot, safe='')}"
        self._connection = _Connection(address)
        self._changed = threading.Condition()
        self._wanted: deque[str] = deque(maxlen=MAX_WANTED)

    @property
    def complete(self) -> bool:
        """Always True: permits are read from now on."""
        return True

    def want(self, nonce: str) -> None:
        """See `Feed.want`. Thread-safe."""
        with self._changed:
            self._wanted.append(nonce)
            self._changed.notify_all()

    def poll(self, after: int, wait: float) -> list[SignedMessage]:
        """See `Feed.poll`. Sends no request while there is no heartbeat whose permit is missing."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._wanted), wait)
            requested = list(self._wanted)
        if not requested:
            return []
        query = "&".join(f"nonce={quote(nonce, safe='')}" for nonce in requested)
        messages = fetch(self._connection, f"{self._path}?{query}&wait={wait:g}", wait)
        if messages:
            self._received(messages[0].body, requested)
        return messages

    def _received(self, body: bytes, requested: list[str]) -> None:
        """A permit was received: stop requesting those of its heartbeat and of earlier ones."""
        try:
            nonce = msgspec.json.decode(body, type=_Nonce).nonce
        except (msgspec.MsgspecError, UnicodeDecodeError):
            nonce = requested[-1]  # not readable; the verifier rejects the message
        with self._changed:
            while nonce in self._wanted:
                self._wanted.popleft()

    def close(self) -> None:
        """See `Feed.close`."""
        self._connection.close()


def fetch(connection: _Connection, path: str, wait: float) -> list[SignedMessage]:
    """Return the message at `path` as a list of one; [] when there is none. `wait` is the time of a long poll (s)."""
    status, body, signature = connection.request("GET", path, timeout=TIMEOUT_S + wait)
    raise_for_status(f"GET {path}", status, body, connection.retry_after)
    return [SignedMessage(body, signature, connection.key)] if status == 200 else []


def raise_for_status(request: str, status: int, body: bytes, retry_after: float = 0.0) -> None:
    """Raise `Unavailable` for a temporary error status, `Refused` for a permanent one."""
    if 200 <= status < 300:
        return
    text = f"{request}: status {status}: {body[:200].decode(errors='replace')}"
    if status in (408, 425, 429) or status >= 500:
        raise Unavailable(text, retry_after=retry_after)
    raise Refused(text)


def _seconds(header: str) -> float:
    """The seconds of a `Retry-After`, at most MAX_RETRY_AFTER_S; 0.0 without one, or for a date."""
    return float(min(int(header[:9]), MAX_RETRY_AFTER_S)) if header.isascii() and header.isdecimal() else 0.0
