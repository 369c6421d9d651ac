"""Makes the time stamp of the tampering set, with openssl's authority. Its bytes differ each time, so it is made once.

python -m tests.ledger.tampering_stamp && python -m tests.ledger.tampering
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from monitor.publication.log_key import AUTHORITY
from monitor.stamps.client import StampClient
from monitor.stamps.store import files_of
from monitor.testing.timestamp_authority import TimestampAuthority
from tests.ledger.tampering import STAMP, honest_store


def main() -> None:
    """Write the files."""
    STAMP.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        authority = TimestampAuthority(Path(name) / "authority")
        try:
            client = StampClient(authority.url, [authority.root])
            note = honest_store()[0].files[f"{AUTHORITY}/checkpoint"]
            files = files_of(client.stamp(note))
            authority.publish_lists(authority.signer, x509.ReasonFlags.key_compromise)
            lists = [authority.revocation_list(path) or b"" for path in ("/root.crl", "/issuing.crl")]
        finally:
            authority.stop()
    for name in ("token.tsr", "chain.pem", "revocation.pem"):
        (STAMP / name).write_bytes(files[name])
    revoked = [x509.load_der_x509_crl(raw).public_bytes(Encoding.PEM) for raw in lists if raw]
    (STAMP / "revoked.pem").write_bytes(b"".join(revoked))
    (STAMP / "root.pem").write_bytes(authority.root.public_bytes(Encoding.PEM))


if __name__ == "__main__":
    main()
