"""The permit's lease: it runs from the moment the heartbeat that it answers was sent. Pure.

A heartbeat's nonce carries that moment, sealed with a secret of the processes that serve the pilot on this machine. So
whichever of them reads the answer knows when the heartbeat was sent, and nobody else can make up a nonce.
"""

from __future__ import annotations

import hashlib
import hmac

from msgspec import Struct

from monitor.model.records import Permit

LONGEST_MS = 600_000  # a permit that claims more is cut to it: a lease is short, or it is none


class NonceSealer:
    """Makes nonces and opens them again. `secret` is shared by the processes of one pilot on one machine."""

    def __init__(self, secret: bytes, pilot: str) -> None:
        self._secret = secret
        self._pilot = pilot.encode()

    def nonce(self, sent: int, salt: bytes) -> str:
        """The nonce of a heartbeat sent at `sent` (ns of the lease's clock); `salt` tells two of one moment apart.

        >>> seal = NonceSealer(b"k" * 32, "p")
        >>> seal.opened(seal.nonce(17, b"abcd"))
        17
        >>> seal.opened(seal.nonce(17, b"abcd").replace("11.", "12.")) is None
        True
        """
        text = f"{sent:x}.{salt.hex()}"
        return f"{text}.{self._mac(text)}"

    def opened(self, nonce: str) -> int | None:
        """When the heartbeat of `nonce` was sent; None when it was not one of ours."""
        text, _, mac = nonce.rpartition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(text).encode()):
            return None
        return int(text.partition(".")[0], 16)

    def _mac(self, text: str) -> str:
        return hmac.new(self._secret, self._pilot + b"\n" + text.encode(), hashlib.sha256).hexdigest()[:32]


class Lease(Struct, frozen=True):
    """`sent` and `until` in ns of the lease's clock, both 0 before the first permit. `stop`: what the monitor says that the
    end of the lease means for this pilot, None before it has said so."""

    sent: int = 0
    until: int = 0
    stop: bool | None = None

    def meet(self, permit: Permit, sent: int | None, standing: int, halted: bool) -> Lease | str:
        """The lease after `permit`, or one word saying why it is void.

        `sent` is what the seal opened its nonce to, `standing` that of the highest command met, `halted` whether that is
        a halt.
        """
        if sent is None:
            return "other_nonce"
        if permit.standing != standing or halted:
            return "other_standing"
        if sent <= self.sent:
            return "replayed"
        lease = max(0, min(permit.lease_ms, LONGEST_MS)) * 1_000_000
        return Lease(sent=sent, until=sent + lease, stop=permit.stop)
