"""Time stamps on disk, one directory per stamped checkpoint, named by its size:

    <size>/checkpoint       the signed note as it was stamped, with its cosignatures
    <size>/token.tsr        the authority's response (RFC 3161, DER)
    <size>/chain.pem        the certificates from the signer to the root
    <size>/revocation.pem   the revocation lists of these certificates; missing where none could be fetched

`openssl ts -verify -data checkpoint -in token.tsr -CAfile root.pem -untrusted chain.pem` verifies one. A directory
appears with its name only when all of its files are durable. A revocation list can be large and is the same for many
stamps, so a file that equals that of the stamp before is a hard link to it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from monitor.files.durable import append_synced, sync_directory
from monitor.stamps.client import Stamped
from monitor.stamps.pem import certificates_in, lists_in
from monitor.stamps.problems import Problem, StampProblem
from monitor.stamps.verify import Verdict, verify

CHECKPOINT, TOKEN, CHAIN, REVOCATION = "checkpoint", "token.tsr", "chain.pem", "revocation.pem"


def files_of(stamped: Stamped) -> dict[str, bytes]:
    """The files of a stamp: name -> content."""
    chain = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in stamped.verdict.chain)
    found = {CHECKPOINT: stamped.message, TOKEN: stamped.token, CHAIN: chain}
    lists = b"".join(x509.load_der_x509_crl(raw).public_bytes(Encoding.PEM) for raw in stamped.lists)
    return found | ({REVOCATION: lists} if lists else {})


def verify_files(
    files: Mapping[str, bytes],
    roots: Sequence[x509.Certificate],
    more_lists: Sequence[x509.CertificateRevocationList] = (),
) -> Verdict:
    """Verify a stamp from its files, with its revocation lists and those that the caller has since.

    A file that is missing or damaged counts as not there, and the verdict names what is missing then.
    """
    if TOKEN not in files or CHECKPOINT not in files:
        missing = CHECKPOINT if TOKEN in files else TOKEN
        return Verdict(None, "", (), (Problem(StampProblem.UNREADABLE, f"the file {missing} is missing"),))
    lists = lists_in(files.get(REVOCATION, b""))
    return verify(
        files[CHECKPOINT],
        files[TOKEN],
        roots=roots,
        certificates=certificates_in(files.get(CHAIN, b"")),
        lists=[*lists, *more_lists],
    )


class StampStore:
    """The stamps in `directory`, which is created with the first one."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def sizes(self) -> list[int]:
        """The sizes of the stamped checkpoints, rising."""
        if not self.directory.is_dir():
            return []
        return sorted(int(path.name) for path in self.directory.iterdir() if path.name.isdecimal())

    def read(self, size: int) -> dict[str, bytes]:
        """The files of a stamp. Raises OSError when there is no such stamp."""
        return {path.name: path.read_bytes() for path in sorted((self.directory / str(size)).iterdir())}

    def add(self, size: int, files: Mapping[str, bytes]) -> None:
        """Store a stamp; one of the same size stays as it is. Durable when this returns. Raises OSError."""
        place, fresh = self.directory / str(size), self.directory / f".{size}.new"
        if place.exists():
            return
        before = self.directory / str(max((found for found in self.sizes() if found < size), default=size))
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True, mode=0o755)
        for name, data in files.items():
            same = before / name
            if same.exists() and same.read_bytes() == data:
                os.link(same, fresh / name)
            else:
                append_synced(fresh / name, data)
        sync_directory(fresh)
        fresh.rename(place)
        sync_directory(self.directory)

    def complete(self, other: StampStore) -> None:
        """Give `other` the stamps that it has not. Raises OSError."""
        for size in sorted(set(self.sizes()) - set(other.sizes())):
            other.add(size, self.read(size))
