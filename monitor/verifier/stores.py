"""Where published files are read from: a directory, or an http(s) server. A missing file is `None`, anything else that
prevents reading is `Unreadable`: no verdict."""

from __future__ import annotations

import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

MAX_FILE = 64 << 20  # an entry bundle has at most 16 MiB
TIMEOUT_S = 30.0


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
        try:
            return (self._directory / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Unreadable(f"{self._directory / path}: {error.strerror}") from None

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


class UrlStore:
    """A web server that serves such a directory. Nothing can be listed: the authority log names the others."""

    def __init__(self, url: str) -> None:
        self.where = url.rstrip("/")

    def read(self, path: str) -> bytes | None:
        """See `Store`."""
        request = urllib.request.Request(f"{self.where}/{path}", headers={"User-Agent": "sandbox-monitor-verifier"})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                data: bytes = answer.read(MAX_FILE + 1)
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
