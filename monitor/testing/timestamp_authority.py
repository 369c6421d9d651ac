"""A time-stamping authority (RFC 3161) on the loopback interface: the tokens are made by `openssl ts`, offline.

    python -m monitor.testing.timestamp_authority NEW_DIRECTORY

runs one for a trial and prints the options for `notary` or `serve`; its stamps prove nothing to anybody else.

Three certificates: a root, an issuing authority and the signer. Both authorities publish revocation lists, whose
addresses are in the certificates.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)
PEM = serialization.Encoding.PEM
QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"
_CONFIG = """
[tsa]
default_tsa = test
[test]
serial = {directory}/serial
crypto_device = builtin
signer_cert = {directory}/signer.pem
certs = {directory}/included.pem
signer_key = {directory}/signer.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
clock_precision_digits = 0
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


class TimestampAuthority:
    """Answers at `url` from the constructor until `stop`. `directory` is created.

    `complete` False leaves the issuing authority's certificate out of the tokens; a negative `signer_lifetime` makes
    a signer whose certificate has expired.
    """

    def __init__(self, directory: Path, *, complete: bool = True, signer_lifetime: timedelta = 30 * DAY) -> None:
        self.directory, self.requests = directory, 0
        self.refusing = False  # answer 503
        directory.mkdir(parents=True, exist_ok=True)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"authority": self}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("root", "issuing", "signer")}
        self.root = self._certificate("root", "root")
        self.issuing = self._certificate("issuing", "root")
        self.signer = self._certificate("signer", "issuing", signer_lifetime)
        self.root_file = directory / "root.pem"
        self._write(complete)
        self._lists: dict[str, bytes] = {}
        self.publish_lists()
        self._lock = threading.Lock()  # `openssl ts` counts serial numbers in a file
        threading.Thread(target=self._server.serve_forever, daemon=True, name="timestamp-authority").start()

    def stop(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()

    def publish_lists(
        self,
        revoked: x509.Certificate | None = None,
        reason: x509.ReasonFlags | None = None,
        at: datetime | None = None,
        lifetime: timedelta = 7 * DAY,
    ) -> None:
        """Sign both revocation lists anew. `revoked` is revoked since `at` (now) for `reason` (not stated)."""
        now = datetime.now(UTC)
        for name, issuer in (("root", self.root), ("issuing", self.issuing)):
            begin = min(now, now + lifetime) - timedelta(minutes=1)
            made = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject).last_update(begin)
            made = made.next_update(now + lifetime)
            if revoked is not None and revoked.issuer == issuer.subject:
                entry = x509.RevokedCertificateBuilder().serial_number(revoked.serial_number)
                entry = entry.revocation_date(at or now)
                if reason is not None:
                    entry = entry.add_extension(x509.CRLReason(reason), critical=False)
                made = made.add_revoked_certificate(entry.build())
            self._lists[f"/{name}.crl"] = made.sign(self._keys[name], hashes.SHA256()).public_bytes(
                serialization.Encoding.DER
            )

    def withdraw_lists(self) -> None:
        """Answer 404 for the revocation lists."""
        self._lists.clear()

    def revocation_list(self, name: str) -> bytes | None:
        """The DER of the list at a path such as `/root.crl`."""
        return self._lists.get(name)

    def stamp(self, query: bytes) -> bytes:
        """The response to a request. Raises subprocess.CalledProcessError."""
        with self._lock:
            self.requests += 1
            (self.directory / "query.tsq").write_bytes(query)
            command = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query.tsq", "-out", "reply.tsr"]
            subprocess.run(command, cwd=self.directory, check=True, capture_output=True)
            return (self.directory / "reply.tsr").read_bytes()

    def _write(self, complete: bool) -> None:
        self.root_file.write_bytes(self.root.public_bytes(PEM))
        (self.directory / "signer.pem").write_bytes(self.signer.public_bytes(PEM))
        included = self.issuing if complete else self.signer
        (self.directory / "included.pem").write_bytes(included.public_bytes(PEM))
        secret = self._keys["signer"].private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self.directory / "signer.key").touch(mode=0o600)
        (self.directory / "signer.key").write_bytes(secret)
        (self.directory / "serial").write_text("01\n")
        (self.directory / "tsa.cnf").write_text(_CONFIG.format(directory=self.directory.resolve()))

    def _certificate(self, name: str, issuer: str, lifetime: timedelta = 30 * DAY) -> x509.Certificate:
        now, key = datetime.now(UTC), self._keys[name]
        made = x509.CertificateBuilder().subject_name(_name(name)).issuer_name(_name(issuer))
        made = made.public_key(key.public_key()).serial_number(x509.random_serial_number())
        begin = min(now, now + lifetime) - timedelta(hours=1)
        made = made.not_valid_before(begin).not_valid_after(now + lifetime)
        authority = name != "signer"
        made = made.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        if not authority:
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
            made = made.add_extension(usage, critical=True)
        if name != issuer:
            address = x509.UniformResourceIdentifier(f"{self.url}/{issuer}.crl")
            point = x509.DistributionPoint([address], None, None, None)
            made = made.add_extension(x509.CRLDistributionPoints([point]), critical=False)
        return made.sign(self._keys[issuer], hashes.SHA256())


class _Handler(BaseHTTPRequestHandler):
    authority: TimestampAuthority
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.authority.refusing or self.headers.get("Content-Type") != QUERY:
            self._answer(503 if self.authority.refusing else 415, b"", "text/plain")
            return
        self._answer(200, self.authority.stamp(body), REPLY)

    def do_GET(self) -> None:
        found = self.authority.revocation_list(self.path)
        self._answer(404 if found is None else 200, found or b"", "application/pkix-crl")

    def _answer(self, status: int, body: bytes, media: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def main(directory: Path) -> None:
    """Run an authority with new keys in a new directory until Ctrl-C. Raises FileExistsError."""
    directory.mkdir(parents=True)
    authority = TimestampAuthority(directory)
    print(f"--stamp-url {authority.url} --stamp-root {authority.root_file.resolve()}", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        authority.stop()


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"sandbox test stamps {name}")])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
