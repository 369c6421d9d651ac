"""Where published files are read from: a directory, or an http(s) server. A missing file is `None`, anything else that
prevents reading is `Unreadable`: no verdict."""

from __future__ import annotations

import os
import stat
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

MAX_FILE = 64 << 20  # an entry bundle has at most 16 MiB
TIMEOUT_S = 30.0  # without any byte
TOTAL_S = 300.0  # for one file


class Unreadable(Exception):
    """A file could not be read; whether it is there is unknown."""


class Withheld(Unreadable):
    """A server does not show this file to this reader (401, 403)."""


class Store(Protocol):
    """The files of a publication. `where` names it in reports."""

    where: str

    def read(self, path: str) -> bytes | None:
        """The bytes of the file at this relative path, `None` if there is none. Raises Unreadable."""

    def logs(self) -> list[str]:
        """Names of the log directories that can be listed; empty where nothing can be listed."""

    def stamps(self) -> list[int]:
        """Sizes of the checkpoints of the authority log with a time stamp, rising, as far as they can be listed."""


class DirectoryStore:
    """A directory."""

    def __init__(self, directory: Path) -> None:
        self.where = str(directory)
        self._directory = directory

    def read(self, path: str) -> bytes | None:
        """See `Store`."""
        return read_file(self._directory / path, MAX_FILE)

    def logs(self) -> list[str]:
        """See `Store`."""
        try:
            return sorted(path.parent.name for path in self._directory.glob("*/checkpoint"))
        except OSError as error:
            raise Unreadable(f"{self._directory}: {error.strerror}") from None

    def stamps(self) -> list[int]:
        """See `Store`."""
        names = [path.parent.name for path in self._directory.glob("authority/stamp/*/token.tsr")]
        return sorted(int(name) for name in names if name.isascii() and name.isdecimal() and len(name) < 20)


def read_file(path: Path, limit: int) -> bytes | None:
    """The bytes of a regular file of at most `limit` bytes, `None` if there is none. Raises Unreadable, also for a pipe
    or a device: a copy that somebody else made may hold links to them."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable(f"{path}: not a regular file")
            data = file.read(min(status.st_size, limit) + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > limit:
        raise Unreadable(f"{path}: more than {limit} bytes")
    return data


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to HTTP only, and never from HTTPS to HTTP."""

    def redirect_request(self, req: urllib.request.Request, *args: Any) -> urllib.request.Request | None:
        """The next request; `None` refuses."""
        scheme = urlsplit(args[-1]).scheme
        return super().redirect_request(req, *args) if scheme in ("https", req.type) else None


_OPENER = urllib.request.build_opener(_Redirects)


def _fetched(request: urllib.request.Request) -> bytes:
    with _OPENER.open(request, timeout=TIMEOUT_S) as answer:
        data: bytes = answer.read(MAX_FILE + 1)
    return data


def _within(seconds: float, fetch: Callable[[], bytes]) -> bytes:
    """What `fetch` returns or raises. Raises TimeoutError after this time: a server that sends one byte now and then
    keeps to the time limit of each reading for ever."""
    done: list[bytes | Exception] = []

    def run() -> None:
        try:
            done.append(fetch())
        except Exception as error:
            done.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not done:
        raise TimeoutError(f"not complete after {seconds:g} s")
    if isinstance(done[0], Exception):
        raise done[0]
    return done[0]


class UrlStore:
    """A web server that serves such a directory. Nothing can be listed: the authority log names the others."""

    def __init__(self, url: str) -> None:
        self.where = url.rstrip("/")

    def read(self, path: str) -> bytes | None:
        """See `Store`."""
        request = urllib.request.Request(f"{self.where}/{path}", headers={"User-Agent": "sandbox-monitor-verifier"})
        try:
            data = _within(TOTAL_S, lambda: _fetched(request))
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (404, 410):
                return None
            kind = Withheld if error.code in (401, 403) else Unreadable
            raise kind(f"{self.where}/{path}: HTTP status {error.code}") from None
        except (OSError, HTTPException, ValueError) as error:
            raise Unreadable(f"{self.where}/{path}: {getattr(error, 'reason', None) or error}") from None
        if len(data) > MAX_FILE:
            raise Unreadable(f"{self.where}/{path}: more than {MAX_FILE} bytes")
        return data

    def logs(self) -> list[str]:
        """See `Store`."""
        return []

    def stamps(self) -> list[int]:
        """See `Store`."""
        return []


def is_url(name: str) -> bool:
    """Whether an input is an http(s) URL."""
    return urlsplit(name).scheme in ("http", "https")


def open_store(name: str) -> Store:
    """The store at a path or URL."""
    return UrlStore(name) if is_url(name) else DirectoryStore(Path(name))
