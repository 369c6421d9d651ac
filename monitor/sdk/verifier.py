"""Verifies commands and permits before they take effect: signature, schema, addressee, order.

Each rejection is counted under its word of `monitor.sdk.refusals.MessageRejection`; forged and unreadable messages are
also logged, at most once a minute each.
"""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import structs

from monitor.clock import wall_ms
from monitor.logs import EventLogger
from monitor.model.notice import Notice
from monitor.model.records import Command, Permit
from monitor.model.signing import Trusted
from monitor.sdk.authority import Authority, Unproved
from monitor.sdk.command_order import order
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
    """Return the public keys that `trust` names, None when it is None or "none".

    `trust` is `ed25519:<base64>`, the 32 bytes of one key, the path of a file with one key per line, or several texts.
    Raises ValueError when it names no key or a malformed one, OSError when the file cannot be read.
    """
    if trust is None or trust == "none":
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
    """Verifies the messages of one pilot. Thread-safe. `now` is the wall clock (ms)."""

    def __init__(self, pilot: str, authority: Authority, nonces: NonceSealer, now: Callable[[], int] = wall_ms) -> None:
        self.pilot = pilot
        self.authority = authority
        self._nonces = nonces
        self._now = now
        self._lock = threading.Lock()
        self._counts: Counter[MessageRejection] = Counter()
        self._logged: dict[str, float] = {}

    @property
    def counts(self) -> dict[str, int]:
        """Messages rejected so far, by word."""
        with self._lock:
            return {word.value: count for word, count in self._counts.items()}

    def command(self, message: SignedMessage, state: CommandState) -> CommandState | MessageRejection:
        """Return the state after the command of a message if it is newer, else why it changes nothing (counted)."""
        proved = self.authority.judge("command", message)
        if isinstance(proved, Unproved) and self.authority.strict:
            return self._log(proved.reason, "command", proved.detail)
        command = self._decoded(message, "command", Command)
        if isinstance(command, MessageRejection):
            return command
        if isinstance(proved, Unproved):
            if not command.halts:
                return self._log(proved.reason, "command", proved.detail)
            self._log_unproved_halt(command, proved)
        fitting = self._fitting(command)
        if isinstance(fitting, MessageRejection):
            return fitting
        after = order(state, fitting, proved=proved is True, now=self._now())
        if after is MessageRejection.STANDING_JUMP:
            jump = f"standing {command.standing} after {state.number}, and no key proves it"
            return self._log(after, "command", jump)
        return self._count(after) if isinstance(after, MessageRejection) else after

    def _log_unproved_halt(self, command: Command, why: Unproved) -> None:
        """A halt that the pinned key did not sign is obeyed, counted and logged."""
        self._count(why.reason)
        if self._due("halt"):
            LOG.critical(
                "halt.not_proved",
                stage="validate",
                pilot=self.pilot,
                reason=why.reason,
                command=command.id,
                standing=command.standing,
                error=why.detail,
                detail="obeyed all the same; ask the authority whether it sent this halt",
            )

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
        permit = self._proved_permit(message)
        return None if isinstance(permit, MessageRejection) else permit.notice or Notice()

    def permit(self, message: SignedMessage, lease: Lease, state: CommandState) -> Lease | None:
        """Return the lease after the permit of a message; None when the permit is void (counted)."""
        permit = self._proved_permit(message)
        if isinstance(permit, MessageRejection):
            return None
        renewed = lease.renewed(permit, self._nonces.open(permit.nonce), state.number, state.halted)
        if isinstance(renewed, MessageRejection):
            self._count(renewed)
            return None
        return renewed

    def _proved_permit(self, message: SignedMessage) -> Permit | MessageRejection:
        proved = self.authority.judge("permit", message)
        if isinstance(proved, Unproved):
            return self._log(proved.reason, "permit", proved.detail)
        return self._decoded(message, "permit", Permit)

    def _decoded(
        self, message: SignedMessage, kind: Literal["command", "permit"], struct: type[T]
    ) -> T | MessageRejection:
        try:
            decoded: Any = msgspec.json.decode(message.body, type=struct)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return self._log(MessageRejection.UNREADABLE, kind, str(error))
        if decoded.pilot != self.pilot:
            return self._count(MessageRejection.OTHER_PILOT)
        return decoded  # type: ignore[no-any-return]

    def _log(self, word: MessageRejection, kind: str, error: str) -> MessageRejection:
        """Count and log: the first time at once, then at most every `LOG_EVERY_S`."""
        if self._due(word):
            LOG.critical("message.rejected", stage="validate", pilot=self.pilot, kind=kind, reason=word, error=error)
        return self._count(word)

    def _due(self, what: str) -> bool:
        if time.monotonic() - self._logged.get(what, -LOG_EVERY_S) < LOG_EVERY_S:
            return False
        self._logged[what] = time.monotonic()
        return True

    def _count(self, word: MessageRejection) -> MessageRejection:
        with self._lock:
            self._counts[word] += 1
        return word
