"""Verifies commands and permits before they take effect: signature, schema, addressee, order.

Each rejection is counted under its word of `monitor.sdk.refusals.MessageRejection`; forged and unreadable messages are
also logged, at most once a minute each.
"""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import structs

from monitor.errors import Forged
from monitor.logs import EventLogger
from monitor.model.notice import Notice
from monitor.model.records import Command, Permit
from monitor.model.signing import Trusted
from monitor.sdk.command_state import CommandState
from monitor.sdk.lease import Lease, NonceSealer
from monitor.sdk.link import SignedMessage
from monitor.sdk.refusals import MessageRejection

LOG = EventLogger("monitor.sdk")
Trust: TypeAlias = str | bytes | Path | Iterable[str] | None
T = TypeVar("T")
MAX_COMMAND_BYTES = 3_400  # the shared state has room for two
LOG_EVERY_S = 60.0  # between two log lines about rejections of one kind


def trusted(trust: Trust) -> Trusted | None:
    """Return the public keys that `trust` names, None when it is None.

    `trust` is `ed25519:<base64>`, the 32 bytes of one key, the path of a file with one key per line, or several texts.
    Raises ValueError when it names no key or a malformed one, OSError when the file cannot be read.
    """
    if trust is None:
        return None
    if isinstance(trust, bytes) and len(trust) == 32:
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
    """Verifies the messages of one pilot. Thread-safe. Without `keys` signatures are not checked."""

    def __init__(self, pilot: str, keys: Trusted | None, nonces: NonceSealer) -> None:
        self.pilot = pilot
        self._keys = keys
        self._nonces = nonces
        self._lock = threading.Lock()
        self._counts: Counter[MessageRejection] = Counter()
        self._logged: dict[MessageRejection, float] = {}

    @property
    def counts(self) -> dict[str, int]:
        """Messages rejected so far, by word."""
        with self._lock:
            return {word.value: count for word, count in self._counts.items()}

    def command(self, message: SignedMessage, state: CommandState) -> Command | MessageRejection:
        """Return the command of a message if it is newer than `state`, else why it changes nothing (counted)."""
        command = self._decoded(message, "command", Command)
        if isinstance(command, MessageRejection):
            return command
        if command.standing == state.number and state.command is not None and command.id == state.command.id:
            return self._count(MessageRejection.REPEATED)
        if command.standing <= state.number:
            return self._count(MessageRejection.LOWER_STANDING)
        return self._fitting(command)

    def _fitting(self, command: Command) -> Command | MessageRejection:
        """The command, without its ground where only that fits into the shared state."""
        for fitting in (command, structs.replace(command, ground=None)):
            if len(msgspec.json.encode(fitting)) <= MAX_COMMAND_BYTES:
                return fitting
        return self._log(MessageRejection.UNREADABLE, "command", f"it has more than {MAX_COMMAND_BYTES} bytes")

    def notice(self, message: SignedMessage) -> Notice | None:
        """Return what the permit of a message says about the pilot's telemetry; None when it is rejected (counted).

        The permit may answer a heartbeat of any machine: neither nonce nor standing is checked.
        """
        permit = self._decoded(message, "permit", Permit)
        return None if isinstance(permit, MessageRejection) else permit.notice or Notice()

    def permit(self, message: SignedMessage, lease: Lease, state: CommandState) -> Lease | None:
        """Return the lease after the permit of a message; None when the permit is void (counted)."""
        permit = self._decoded(message, "permit", Permit)
        if isinstance(permit, MessageRejection):
            return None
        renewed = lease.renewed(permit, self._nonces.open(permit.nonce), state.number, state.halted)
        if isinstance(renewed, MessageRejection):
            self._count(renewed)
            return None
        return renewed

    def _decoded(
        self, message: SignedMessage, kind: Literal["command", "permit"], struct: type[T]
    ) -> T | MessageRejection:
        try:
            if self._keys is not None:
                self._keys.verify(kind, message.body, message.signature)
            decoded: Any = msgspec.json.decode(message.body, type=struct)
        except Forged as error:
            return self._log(MessageRejection.FORGED, kind, str(error))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return self._log(MessageRejection.UNREADABLE, kind, str(error))
        if decoded.pilot != self.pilot:
            return self._count(MessageRejection.OTHER_PILOT)
        return decoded  # type: ignore[no-any-return]

    def _log(self, word: MessageRejection, kind: str, error: str) -> MessageRejection:
        """Count and log: the first time at once, then at most every `LOG_EVERY_S`."""
        if time.monotonic() - self._logged.get(word, -LOG_EVERY_S) >= LOG_EVERY_S:
            self._logged[word] = time.monotonic()
            LOG.critical("message.rejected", stage="validate", pilot=self.pilot, kind=kind, reason=word, error=error)
        return self._count(word)

    def _count(self, word: MessageRejection) -> MessageRejection:
        with self._lock:
            self._counts[word] += 1
        return word
