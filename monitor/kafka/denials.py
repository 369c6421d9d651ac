"""Operations that the brokers' authorizer denied, read from its log (`kafka.authorizer.logger`) while it grows.

Kafka counts them nowhere: the log is where an authority sees that a firm tries what it has no grant for.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

LONGEST_LINE = 64 * 1024  # bytes; a longer one is read in parts, none of which is a denial
EVERY_S = 1.0
USERS = 1_000  # users with a separate count; a further one counts as `other`
_DENIED = re.compile(
    r"Principal = User:(?P<user>.*) is Denied operation = (?P<operation>\S+) from host = (?P<host>\S+) "
    r"on resource = (?P<kind>\w+):\w+:(?P<name>.*?) for request = (?P<request>\w+)"
)


class Denial(Struct, frozen=True):
    """One denied operation: `user` tried `operation` on the resource `name` of that `kind` by a `request`."""

    user: str
    operation: str
    kind: str
    name: str
    request: str


def parse_denial(line: str) -> Denial | None:
    """The denied operation that a line of the authorizer's log tells of; None for any other line."""
    found = _DENIED.search(line)
    if found is None:
        return None
    return Denial(found["user"], found["operation"], found["kind"], found["name"], found["request"])


class DenialLog:
    """Follows a log file from its beginning, also when it is renamed and begun anew."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._inode: int | None = None
        self._at = 0
        self._users: set[str] = set()

    def new(self) -> list[Denial]:
        """Denials since the last call; [] where the file does not exist (yet)."""
        try:
            with self._file.open("rb") as log:
                stat = os.fstat(log.fileno())
                if stat.st_ino != self._inode or stat.st_size < self._at:
                    self._inode, self._at = stat.st_ino, 0
                log.seek(self._at)
                return self._parse(log.readline)
        except FileNotFoundError:
            return []

    def _parse(self, readline: Callable[[int], bytes]) -> list[Denial]:
        found: list[Denial] = []
        while line := readline(LONGEST_LINE):
            if not line.endswith(b"\n") and len(line) < LONGEST_LINE:
                break  # it is still being written
            self._at += len(line)
            denial = parse_denial(line.decode(errors="replace"))
            if denial is not None:
                found.append(denial)
        return found

    def known_user(self, user: str) -> str:
        """`user`, or `other` once there are too many: a name is a label of a metric."""
        if user not in self._users and len(self._users) >= USERS:
            return "other"
        self._users.add(user)
        return user


def count_denials(
    log: DenialLog, count: Callable[[str, str, str], None], beat: Callable[[], None], over: threading.Event
) -> None:
    """Call `count` with user, operation and kind of resource of every denial, until `over`. Looks every `EVERY_S`, and
    calls `beat` each time."""
    while True:
        beat()
        for denial in log.new():
            count(log.known_user(denial.user), denial.operation, denial.kind)
        if over.wait(EVERY_S):
            return
