"""What a firm signs when it asks the gateway: the whole request, for one server process and one moment. Pure.

The signature covers method, target (path with query), participant, session, time, nonce and the SHA-256 of the body.
The session is a random text of the process, so that a copy has no effect on another gateway or after a restart.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

FIRM_HEADER = "Sandbox-Firm"
SESSION_HEADER = "Sandbox-Session"
TIME_HEADER = "Sandbox-Time"
NONCE_HEADER = "Sandbox-Nonce"
REQUEST_HEADER = "Sandbox-Request-Signature"
HEADERS = (FIRM_HEADER, SESSION_HEADER, TIME_HEADER, NONCE_HEADER, REQUEST_HEADER)
NONCE_CHARACTERS = 32  # hexadecimal


class FirmRequest(NamedTuple):
    """A request as its signature covers it. `time` is in ms, of the gateway's clock."""

    firm: str
    method: str
    target: str
    session: str
    time: int
    nonce: str

    def signed_bytes(self, body: bytes) -> bytes:
        """What is signed, as the kind `request`. Fields cannot run into each other: none but the firm may hold a line
        break, and the firm is the last one.

        >>> FirmRequest("f", "GET", "/v1/acts/p", "s", 1, "n").signed_bytes(b"").splitlines()[:5]
        [b'GET', b'/v1/acts/p', b's', b'1', b'n']
        """
        digest = hashlib.sha256(body).hexdigest()
        fields = (self.method, self.target, self.session, str(self.time), self.nonce, digest, self.firm)
        return "\n".join(fields).encode("utf-8", "surrogatepass")
