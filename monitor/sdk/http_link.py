"""The link over HTTP: POST of CloudEvents batches, long poll for commands; standard library only."""

from __future__ import annotations

import http.client
import threading
from collections import deque
from urllib.parse import quote, urlsplit

import msgspec

from monitor.access.address import http_address
from monitor.errors import Refused, Unavailable
from monitor.model.signing import HTTP_HEADER
from monitor.sdk.link import BATCH, SignedMessage, What

TIMEOUT = 10.0  # seconds for an answer, on top of a long poll's own
NUMBER = "Sandbox-Number"
WANTED = 8  # heartbeats whose permits are looked for: the newest ones of this process


class _Nonce(msgspec.Struct):
    nonce: str


class _Connection:
    """One kept-alive connection, reopened when the other side has dropped it."""

    def __init__(self, address: str) -> None:
        base = http_address(address, "http://127.0.0.1:8321")
        parts = urlsplit(base.url)
        self._address, self._authorization = base.shown, base.headers
        self._base = parts.path.rstrip("/")
        secure = parts.scheme == "https"
        self._kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._host, self._port = str(parts.hostname), parts.port or (443 if secure else 80)
        self._open: http.client.HTTPConnection | None = None
        self.number = ""

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        kind: str = "",
        timeout: float = TIMEOUT,
        signature: str = "",
    ) -> tuple[int, bytes, str]:
        """Status, body and signature; `number` is that of the answer. Raises `Unavailable` when there is no whole answer within `timeout` seconds."""
        headers = dict(self._authorization)
        if kind:
            headers["Content-Type"] = kind
        if signature:
            headers[HTTP_HEADER] = signature
        try:
            if self._open is None:
                self._open = self._kind(self._host, self._port, timeout=timeout)
            if self._open.sock is not None:
                self._open.sock.settimeout(timeout)
            self._open.request(method, self._base + path, body, headers)
            answer = self._open.getresponse()
            self.number = answer.getheader(NUMBER, "")
            return answer.status, answer.read(), answer.getheader(HTTP_HEADER, "")
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unavailable(f"{self._address} does not answer: {error or type(error).__name__}") from error

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


class HttpLink:
    """Sends to `<address>/v1/telemetry`; 202 means durable."""

    def __init__(self, address: str) -> None:
        self._target = address
        self._connection = _Connection(address)
        self.address = http_address(address).shown  # for messages

    def send(self, pilot: str, body: bytes, signature: str = "") -> None:
        """See `Link.send`."""
        self.post("/v1/telemetry", body, BATCH, signature)

    def get(self, path: str, wait: float = 0.0) -> bytes:
        """GET, which may be answered after `wait` seconds, and expect 2xx; empty when there is nothing. Raises as `post`."""
        status, answer, _ = self._connection.request("GET", path, timeout=TIMEOUT + wait)
        check(f"GET {self.address}{path}", status, answer)
        return answer

    def post(self, path: str, body: bytes, kind: str, signature: str = "") -> bytes:
        """POST and expect 2xx; returns the answer. Raises `Unavailable` on 429 and 5xx, `Refused` on any other answer."""
        status, answer, _ = self._connection.request("POST", path, body, kind, signature=signature)
        check(f"POST {self.address}{path}", status, answer)
        return answer

    def feed(self, pilot: str, what: What = "commands") -> HttpFeed | HttpPermits:
        """See `Link.feed`."""
        return HttpFeed(self._target, pilot) if what == "commands" else HttpPermits(self._target, pilot)

    def close(self) -> None:
        """See `Link.close`."""
        self._connection.close()


class HttpFeed:
    """Long poll of `<address>/v1/commands/<pilot>`."""

    def __init__(self, address: str, pilot: str) -> None:
        self._address = http_address(address).shown
        self._path = f"/v1/commands/{quote(pilot, safe='')}"
        self._connection = _Connection(address)
        self._complete = False
        self._seen = 0  # the number of the command heard last: one that is told again has a higher one

    @property
    def complete(self) -> bool:
        """True after the first answer: it carries the standing command or says that there is none."""
        return self._complete

    def poll(self, after: int, wait: float) -> list[SignedMessage]:
        """See `Feed.poll`. The first poll does not wait."""
        wait = wait if self._complete else 0.0
        letters = look(self._connection, f"{self._path}?after={after}&seen={self._seen}&wait={wait:g}", wait)
        if self._connection.number.isdecimal():
            self._seen = int(self._connection.number)
        self._complete = True
        return letters

    def want(self, nonce: str) -> None:
        """See `Feed.want`."""

    def close(self) -> None:
        """See `Feed.close`."""
        self._connection.close()


class HttpPermits:
    """Long poll of `<address>/v1/permits/<pilot>` for the permits of our own heartbeats, by their nonces: the newest permit of a
    pilot may be another machine's."""

    def __init__(self, address: str, pilot: str) -> None:
        self._path = f"/v1/permits/{quote(pilot, safe='')}"
        self._connection = _Connection(address)
        self._changed = threading.Condition()
        self._wanted: deque[str] = deque(maxlen=WANTED)

    @property
    def complete(self) -> bool:
        """Always: permits are read from now on."""
        return True

    def want(self, nonce: str) -> None:
        """See `Feed.want`. Any thread may say it."""
        with self._changed:
            self._wanted.append(nonce)
            self._changed.notify_all()

    def poll(self, after: int, wait: float) -> list[SignedMessage]:
        """See `Feed.poll`. Without a heartbeat to be answered nothing is asked."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._wanted), wait)
            asked = list(self._wanted)
        if not asked:
            return []
        query = "&".join(f"nonce={quote(nonce, safe='')}" for nonce in asked)
        letters = look(self._connection, f"{self._path}?{query}&wait={wait:g}", wait)
        if letters:
            self._answered(letters[0].body, asked)
        return letters

    def _answered(self, body: bytes, asked: list[str]) -> None:
        """A permit came: what was sent before its heartbeat is wanted no more."""
        try:
            nonce = msgspec.json.decode(body, type=_Nonce).nonce
        except (msgspec.MsgspecError, UnicodeDecodeError):
            nonce = asked[-1]  # nobody can tell which; the intake refuses it
        with self._changed:
            while nonce in self._wanted:
                self._wanted.popleft()

    def close(self) -> None:
        """See `Feed.close`."""
        self._connection.close()


def look(connection: _Connection, path: str, wait: float = 0.0) -> list[SignedMessage]:
    """The one letter behind `path`, or none."""
    status, answer, signature = connection.request("GET", path, timeout=TIMEOUT + wait)
    check(f"GET {path}", status, answer)
    return [SignedMessage(answer, signature)] if status == 200 else []


def check(what: str, status: int, answer: bytes) -> None:
    """Raise unless `status` is 2xx."""
    if 200 <= status < 300:
        return
    said = f"{what} was answered {status}: {answer[:200].decode(errors='replace')}"
    raise Unavailable(said) if status in (408, 425, 429) or status >= 500 else Refused(said)
