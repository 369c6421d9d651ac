"""What every request for a page passes where readers log in: who it is, what this reader sees, and the read log."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec import Struct

from monitor.console.access.proxy_login import LoginRefusal, LoginRefused, ProxyLogin
from monitor.console.access.read_log import Read, ReadLog
from monitor.console.access.roles import Reader
from monitor.console.access.settings import AccessFile
from monitor.logs import EventLogger
from monitor.translation import mark

log = EventLogger(__name__)
REFUSALS: dict[LoginRefusal, str] = {
    LoginRefusal.NOT_BY_PROXY: mark("This address is not for readers. Open the board through its login page."),
    LoginRefusal.REPEATED_HEADER: mark(
        "The login proxy passes on headers that a browser sent. Its operator must make it remove them."
    ),
    LoginRefusal.NO_USER: mark("You are not logged in. Log in, then open this page again."),
    LoginRefusal.NOT_LISTED: mark(
        "You are logged in, but have no role on this board. Ask its operator to add you to the access file."
    ),
}


REFUSALS_LOGGED = 60  # in a minute: requests without a reader must not push reads out of the log
REFUSED_PATH = 200  # characters of the address of one
MINUTE_MS = 60_000


def status_of(refused: LoginRefused) -> int:
    """The HTTP status of a refusal: 401 where a login is missing, 403 where the reader has no role."""
    return 403 if refused.reason == LoginRefusal.NOT_LISTED else 401


class BoardAccess(Struct, frozen=True):
    """How a process limits who may read its board. `read_log` is the file of the read log; `None`: reads are not
    logged."""

    settings: AccessFile
    secret: str
    read_log: Path | None = None


class Gate:
    """Admits readers and logs what they read."""

    def __init__(self, access: BoardAccess, clock: Callable[[], int]) -> None:
        """`clock` returns ms. Raises OSError where the read log cannot be opened, ValueError for a weak secret."""
        self._login = ProxyLogin(access.settings, access.secret)
        self._clock = clock
        self._log = None if access.read_log is None else ReadLog(access.read_log)
        self.log_failed = False
        self._minute, self._refused = 0, 0  # refusals in that minute

    def admit(self, path: str, headers: Iterable[tuple[str, str]]) -> Reader:
        """The reader of a request. Raises LoginRefused; that is logged as a read without a reader, at most
        `REFUSALS_LOGGED` in a minute."""
        try:
            return self._login.reader(tuple(headers))
        except LoginRefused as refused:
            self._refuse(Read(self._clock(), path[:REFUSED_PATH], status_of(refused), refusal=refused.reason))
            raise

    def logged(self, path: str, status: int, reader: Reader) -> None:
        """Log a page that is about to be sent."""
        self._add(Read(self._clock(), path, status, reader.name, reader.role))

    def close(self) -> None:
        """Close the read log."""
        if self._log is not None:
            self._log.close()

    def _refuse(self, read: Read) -> None:
        minute = read.at // MINUTE_MS
        if minute != self._minute:
            if self._refused > REFUSALS_LOGGED:
                log.warning("read_log.refusals_left_out", requests=self._refused - REFUSALS_LOGGED)
            self._minute, self._refused = minute, 0
        self._refused += 1
        if self._refused <= REFUSALS_LOGGED:
            self._add(read)

    def _add(self, read: Read) -> None:
        """A page is shown although the log cannot be written: people on call need it most when a disk is full. The
        board then says so on every page."""
        if self._log is None:
            return
        try:
            self._log.add(read)
            self.log_failed = False
        except OSError as error:
            if not self.log_failed:
                log.error("read_log.failed", error=error, detail="pages are shown, but reads are not logged")
            self.log_failed = True
