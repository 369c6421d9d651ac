"""What comes from the monitor is judged here before anything believes it: who signed it, whom it is for, how old it is.

Every refusal is counted under one word: `forged`, `unreadable`, `other_pilot`, `lower_standing`, `other_nonce`,
`other_standing`, `replayed`. `repeated` counts the standing command heard again, which is how the monitor asks again for
an acknowledgement.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import structs

from monitor.errors import Forged
from monitor.model.notice import Notice
from monitor.model.records import Command, Permit
from monitor.model.signing import Trusted
from monitor.sdk.lease import Lease, NonceSealer
from monitor.sdk.link import SignedMessage
from monitor.sdk.standing import Standing

LOG = logging.getLogger("monitor.sdk")
Trust: TypeAlias = str | bytes | Path | Iterable[str] | None
T = TypeVar("T")
LONGEST = 3_400  # bytes of a command: the board has room for two
APART = 60.0  # seconds between two lines of the log about letters of one kind


def trusted(trust: Trust) -> Trusted | None:
    """Public keys from `ed25519:<base64>` text, the 32 bytes of one key, the path of a file with one key a line, or several
    texts; None when there is no `trust`. Raises ValueError when a key is none, OSError when the file cannot be read."""
    if trust is None:
        return None
    if isinstance(trust, bytes) and len(trust) == 32:
        from base64 import b64encode

        return Trusted(["ed25519:" + b64encode(trust).decode()])
    if isinstance(trust, bytes):
        trust = trust.decode()
    if isinstance(trust, str) and not trust.startswith("ed25519:"):
        trust = Path(trust)
    if isinstance(trust, Path):
        trust = trust.read_text()
    lines = trust.splitlines() if isinstance(trust, str) else list(trust)
    keys = Trusted([line for line in lines if line.strip() and not line.startswith("#")])
    if not keys:
        raise ValueError("trust names no key; give ed25519:<base64> as the authority published it")
    return keys


class MessageVerifier:
    """Judges the letters of one pilot. Safe for several threads."""

    def __init__(self, pilot: str, keys: Trusted | None, seal: NonceSealer) -> None:
        self._pilot = pilot
        self._keys = keys
        self._seal = seal
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._told: dict[str, float] = {}

    @property
    def counts(self) -> dict[str, int]:
        """Letters refused so far, by word."""
        with self._lock:
            return dict(self._counts)

    def command(self, letter: SignedMessage, standing: Standing) -> Command | None:
        """The command of a letter when it is ours and new; None when it changes nothing (and is counted)."""
        command = self._opened(letter, "command", Command)
        if command is None:
            return None
        if command.standing == standing.number and standing.command is not None and command.id == standing.command.id:
            self._count("repeated")
            return None
        if command.standing <= standing.number:
            self._count("lower_standing")
            return None
        return self._fitting(command)

    def _fitting(self, command: Command) -> Command | None:
        """The command, without its ground where that does not fit on the board; None (and counted) when it is still too
        long."""
        for fitting in (command, structs.replace(command, ground=None)):
            if len(msgspec.json.encode(fitting)) <= LONGEST:
                return fitting
        self._raise("unreadable", "command", ValueError(f"it has more than {LONGEST} bytes"))
        return None

    def notice(self, letter: SignedMessage) -> Notice | None:
        """What the permit of a letter says of this pilot's telemetry, from any service's heartbeat; None when its
        signature is not valid (and counted)."""
        permit = self._opened(letter, "permit", Permit)
        return None if permit is None else permit.notice or Notice()

    def permit(self, letter: SignedMessage, lease: Lease, standing: int, halted: bool) -> Lease | None:
        """The lease after the permit of a letter; None when it is void (and is counted)."""
        permit = self._opened(letter, "permit", Permit)
        if permit is None:
            return None
        met = lease.meet(permit, self._seal.opened(permit.nonce), standing, halted)
        if isinstance(met, str):
            self._count(met)
            return None
        return met

    def _opened(self, letter: SignedMessage, kind: Literal["command", "permit"], what: type[T]) -> T | None:
        try:
            if self._keys is not None:
                self._keys.verify(kind, letter.body, letter.signature)
            opened: Any = msgspec.json.decode(letter.body, type=what)
        except Forged as error:
            self._raise("forged", kind, error)
            return None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._raise("unreadable", kind, error)
            return None
        if opened.pilot != self._pilot:
            self._count("other_pilot")
            return None
        return opened  # type: ignore[no-any-return]

    def _raise(self, word: str, kind: str, error: Exception) -> None:
        """Count, and tell people: at once, then at most every minute."""
        self._count(word)
        if time.monotonic() - self._told.get(word, -APART) >= APART:
            self._told[word] = time.monotonic()
            LOG.critical("pilot %s: a %s was not believed (%s): %s", self._pilot, kind, word, error)

    def _count(self, word: str) -> None:
        with self._lock:
            self._counts[word] += 1
