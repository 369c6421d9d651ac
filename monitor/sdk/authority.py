"""Whose commands and permits a service believes: keys that it was given, a key pinned at first contact, or anybody's.

Without `trust=`, the first key that signs a valid command or permit is stored in the file `authority.key` in the spool
directory of the pilot and trusted from then on, also after a restart. A message that this key did not sign then
renews no permit and releases nothing. A halt is obeyed all the same: the pinned key may be a forger's, or the
authority's may have changed, and neither may make a halt less likely to be obeyed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from monitor.errors import Forged
from monitor.files.durable import create_file
from monitor.logs import EventLogger
from monitor.model.refusals import Forgery
from monitor.model.signing import SignedKind, Trusted
from monitor.sdk.link import SignedMessage
from monitor.sdk.refusals import MessageRejection

LOG = EventLogger("monitor.sdk")
FILE = "authority.key"


class Unproved(NamedTuple):
    """Why no trusted key proves a message."""

    reason: MessageRejection
    detail: str


class Authority:
    """The keys of one pilot's authority. Thread-safe. `file` is where a key is pinned; None: none is."""

    def __init__(self, pilot: str, given: Trusted | None, file: Path | None = None) -> None:
        self._pilot, self._given, self._file = pilot, given, file
        self._lock = threading.Lock()
        self._pinned: Trusted | None = self._read()

    @property
    def strict(self) -> bool:
        """Whether nothing is believed without a signature of a given key, halts included."""
        return self._given is not None

    @property
    def mode(self) -> Literal["given", "pinned", "open"]:
        """Where the trusted keys come from; "open" without any."""
        return "given" if self._given else "pinned" if self._pinned else "open"

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of the keys that are trusted now, sorted; empty: anybody is believed."""
        keys = self._given or self._pinned
        return tuple(sorted(keys.ids)) if keys else ()

    def judge(self, kind: SignedKind, message: SignedMessage) -> bool | Unproved:
        """Whether a trusted key signed a message; why not, where a key is trusted. False: no key is trusted yet, and
        nothing is proved. Pins the key of the first message that names and proves one."""
        keys = self._given or self._pinned or self._pin(kind, message)
        if keys is None:
            return False
        try:
            keys.verify(kind, message.body, message.signature)
        except Forged as error:
            if self._given is not None or error.reason != Forgery.UNKNOWN_KEY:
                return Unproved(MessageRejection.FORGED, str(error))
            fix = f"; if the authority changed its key, give the new one as trust=, or delete {self._file} to pin it"
            return Unproved(MessageRejection.KEY_CHANGED, str(error) + fix)
        return True

    def _read(self) -> Trusted | None:
        if self._file is None:
            return None
        try:
            return Trusted(_lines(self._file.read_text().splitlines()))
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError, ValueError) as error:
            raise ValueError(
                f"{self._file} holds the key pinned at first contact, and cannot be read: {error}; restore it, "
                "or delete it to pin the key of the next contact"
            ) from error

    def _pin(self, kind: SignedKind, message: SignedMessage) -> Trusted | None:
        """Trust the key that a message names from now on, if it did sign it."""
        if self._file is None or not message.key or not message.signature:
            return None
        with self._lock:
            if self._pinned is None:
                self._pinned = self._read()  # another process of this machine may have pinned one
            if self._pinned is not None:
                return self._pinned
            try:
                keys = Trusted([message.key])
                key = keys.verify(kind, message.body, message.signature)
                create_file(self._file, f"{message.key.strip()}\n".encode())
            except FileExistsError:
                keys = self._read() or keys
            except (Forged, ValueError):
                return None
            except OSError as error:  # trusted until the process ends
                LOG.error("authority.not_pinned", stage="validate", pilot=self._pilot, file=self._file, error=error)
            else:
                LOG.warning(
                    "authority.pinned",
                    stage="validate",
                    pilot=self._pilot,
                    key=key,
                    file=self._file,
                    detail="trusted on first use; compare it with the key that the authority published, and give it "
                    "as trust=",
                )
            self._pinned = keys
            return keys


def _lines(lines: Iterable[str]) -> list[str]:
    found = [line for line in lines if line.strip() and not line.startswith("#")]
    if not found:
        raise ValueError("it names no key")
    return found
