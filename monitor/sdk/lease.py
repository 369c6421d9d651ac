"""The lease of a permit: it starts when the heartbeat that the permit answers was sent. Pure.

The nonce of a heartbeat holds that time, authenticated with a secret that the pilot's processes on this machine share.
So each of them can compute the lease of any permit, and a nonce made by anybody else is detected.
"""

from __future__ import annotations

import hashlib
import hmac

from msgspec import Struct

from monitor.model.records import Permit
from monitor.sdk.refusals import MessageRejection

MAX_LEASE_MS = 600_000  # a longer lease in a permit is cut to this


class NonceSealer:
    """Makes and verifies nonces. `secret` is shared by the processes of one pilot on one machine."""

    def __init__(self, secret: bytes, pilot: str) -> None:
        self._secret = secret
        self._pilot = pilot.encode()

    def seal(self, sent: int, salt: bytes) -> str:
        """Return the nonce of a heartbeat sent at `sent` (ns, lease clock); `salt` makes nonces of one time distinct.

        >>> sealer = NonceSealer(b"k" * 32, "p")
        >>> sealer.open(sealer.seal(17, b"abcd"))
        17
        >>> sealer.open(sealer.seal(17, b"abcd").replace("11.", "12.")) is None
        True
        """
        text = f"{sent:x}.{salt.hex()}"
        return f"{text}.{self._mac(text)}"

    def open(self, nonce: str) -> int | None:
        """Return when the heartbeat of `nonce` was sent (ns, lease clock); None when the nonce is not authentic."""
        text, _, mac = nonce.rpartition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(text).encode()):
            return None
        return int(text.partition(".")[0], 16)

    def _mac(self, text: str) -> str:
        return hmac.new(self._secret, self._pilot + b"\n" + text.encode(), hashlib.sha256).hexdigest()[:32]


class Lease(Struct, frozen=True):
    """From when until when the newest permit holds, in ns of the lease clock; both 0 before the first permit.

    `stop` is what the monitor says about the end of the lease: True = stop work, False = work may go on, None = not
    stated yet.
    """

    sent: int = 0
    until: int = 0
    stop: bool | None = None

    def renewed(self, permit: Permit, sent: int | None, standing: int, halted: bool) -> Lease | MessageRejection:
        """Return the lease after `permit`, or why the permit is void.

        `sent` is the time in its nonce (None: not authentic), `standing` that of the newest command, `halted` whether
        that command is a halt.
        """
        if sent is None:
            return MessageRejection.OTHER_NONCE
        if permit.standing != standing or halted:
            return MessageRejection.OTHER_STANDING
        if sent <= self.sent:
            return MessageRejection.REPLAYED
        lease = max(0, min(permit.lease_ms, MAX_LEASE_MS)) * 1_000_000
        return Lease(sent=sent, until=sent + lease, stop=permit.stop)
