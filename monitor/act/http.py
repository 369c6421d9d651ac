"""One HTTP request of an actor; every response is a success, `Unavailable` or `Refused`."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from email.message import Message
from typing import IO

from monitor.access.address import http_address
from monitor.errors import Refused, Unavailable

TIMEOUT_SECONDS = 5.0
LONGEST = 1 << 20  # bytes of an answer that are read
_LATER = frozenset({408, 425, 429})


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    # Following one would turn the POST into a GET and report success for a message that was not received.
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


def judge(status: int, said: str, address: str) -> None:
    """Raise what an HTTP `status` means: 2xx nothing, 408, 425, 429 and 5xx `Unavailable`, all else `Refused`."""
    if 200 <= status < 300:
        return
    kind = Unavailable if status >= 500 or status in _LATER else Refused
    raise kind(f"{address} answered {status}: {said[:200]}")


def post(address: str, body: bytes, content_type: str = "application/json") -> str | None:
    """POST `body` to `address`, with the credentials that it holds; returns the answer's `Date` header. Raises
    `Unavailable` or `Refused`, which never show them; blocks for at most about `TIMEOUT_SECONDS`."""
    return _ask(address, body, {"Content-Type": content_type})[0]


def get(address: str, query: str = "", longest: int = LONGEST) -> tuple[str | None, bytes]:
    """The `Date` header and the body (up to `longest` bytes) that `address` answers to a `query`. Raises and blocks as
    `post`."""
    return _ask(address, None, {}, query, longest)


def _ask(
    address: str, body: bytes | None, headers: dict[str, str], query: str = "", longest: int = LONGEST
) -> tuple[str | None, bytes]:
    target = http_address(address)
    method = "GET" if body is None else "POST"
    request = urllib.request.Request(target.url + query, body, {**headers, **target.headers}, method=method)
    address = target.shown
    try:
        with _opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            return answer.headers.get("Date"), answer.read(longest)
    except urllib.error.HTTPError as error:
        with error:
            judge(error.code, error.read(400).decode(errors="replace"), address)
            raise Refused(f"{address} answered {error.code}") from error  # unreachable: an error is no 2xx
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{address} does not answer: {error}") from error
