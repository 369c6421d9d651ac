"""The link over HTTP: POST of CloudEvents batches, long poll for commands; standard library only."""

from __future__ import annotations

import http.client
import time
from urllib.parse import quote, urlsplit

from monitor.errors import Refused, Unavailable
from monitor.sdk.link import BATCH, Letter, What
from monitor.signing import HTTP_HEADER

TIMEOUT = 10.0  # seconds for an answer, on top of a long poll's own
QUICK, SLOW = 0.1, 1.0  # seconds between two looks for a permit: soon after one came, and when none has come for long


class _Connection:
    """One kept-alive connection, reopened when the other side has dropped it."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._address = address
        self._base = parts.path.rstrip("/")
        secure = parts.scheme == "https"
        self._kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._host, self._port = str(parts.hostname), parts.port or (443 if secure else 80)
        self._open: http.client.HTTPConnection | None = None

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        kind: str = "",
        timeout: float = TIMEOUT,
        signature: str = "",
    ) -> tuple[int, bytes, str]:
        """Status, body and signature. Raises `Unavailable` when there is no whole answer within `timeout` seconds."""
        headers = {"Content-Type": kind} if kind else {}
        if signature:
            headers[HTTP_HEADER] = signature
        try:
            if self._open is None:
                self._open = self._kind(self._host, self._port, timeout=timeout)
            if self._open.sock is not None:
                self._open.sock.settimeout(timeout)
            self._open.request(method, self._base + path, body, headers)
            answer = self._open.getresponse()
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
        self.address = address.rstrip("/")
        self._connection = _Connection(self.address)

    def send(self, pilot: str, body: bytes) -> None:
        """See `Link.send`."""
        self.post("/v1/telemetry", body, BATCH)

    def post(self, path: str, body: bytes, kind: str, signature: str = "") -> None:
        """POST and expect 2xx. Raises `Unavailable` on 429 and 5xx, `Refused` on any other answer."""
        status, answer, _ = self._connection.request("POST", path, body, kind, signature=signature)
        check(f"POST {self.address}{path}", status, answer)

    def feed(self, pilot: str, what: What = "commands") -> HttpFeed | HttpPermits:
        """See `Link.feed`."""
        return HttpFeed(self.address, pilot) if what == "commands" else HttpPermits(self.address, pilot)

    def close(self) -> None:
        """See `Link.close`."""
        self._connection.close()


class HttpFeed:
    """Long poll of `<address>/v1/commands/<pilot>`."""

    def __init__(self, address: str, pilot: str) -> None:
        self._address = address
        self._path = f"/v1/commands/{quote(pilot, safe='')}"
        self._connection = _Connection(address)
        self._complete = False

    @property
    def complete(self) -> bool:
        """True after the first answer: it carries the standing command or says that there is none."""
        return self._complete

    def poll(self, after: int, wait: float) -> list[Letter]:
        """See `Feed.poll`. The first poll does not wait."""
        wait = wait if self._complete else 0.0
        letters = look(self._connection, f"{self._path}?after={after}&wait={wait:g}", wait)
        self._complete = True
        return letters

    def close(self) -> None:
        """See `Feed.close`."""
        self._connection.close()


class HttpPermits:
    """Looks at `<address>/v1/permits/<pilot>` again and again; each permit is told once."""

    def __init__(self, address: str, pilot: str) -> None:
        self._path = f"/v1/permits/{quote(pilot, safe='')}?after=-1&wait=0"
        self._connection = _Connection(address)
        self._last: list[Letter] = []
        self._pause = QUICK

    @property
    def complete(self) -> bool:
        """Always: permits are read from now on."""
        return True

    def poll(self, after: int, wait: float) -> list[Letter]:
        """See `Feed.poll`."""
        end = time.monotonic() + wait
        while True:
            letters = look(self._connection, self._path)
            if letters != self._last:
                self._last, self._pause = letters, QUICK
                return letters
            left = end - time.monotonic()
            if left <= 0:
                return []
            time.sleep(min(self._pause, left))
            self._pause = min(SLOW, self._pause * 1.5)

    def close(self) -> None:
        """See `Feed.close`."""
        self._connection.close()


def look(connection: _Connection, path: str, wait: float = 0.0) -> list[Letter]:
    """The one letter behind `path`, or none."""
    status, answer, signature = connection.request("GET", path, timeout=TIMEOUT + wait)
    check(f"GET {path}", status, answer)
    return [Letter(answer, signature)] if status == 200 else []


def check(what: str, status: int, answer: bytes) -> None:
    """Raise unless `status` is 2xx."""
    if 200 <= status < 300:
        return
    said = f"{what} was answered {status}: {answer[:200].decode(errors='replace')}"
    raise Unavailable(said) if status in (408, 425, 429) or status >= 500 else Refused(said)
