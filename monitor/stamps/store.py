"""Time stamps on disk. One directory per log:

    stamps/<size>.json               the checkpoint as it was stamped, the token, and which files below belong to it
    stamps/certificates/<sha256>.der a certificate of a chain
    stamps/revocation/<sha256>.crl   a revocation list

Certificates and lists are shared by the stamps, because a list can be large and changes once an hour at most. A stamp's
own file is written last, so a stamp that can be seen is whole.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography import x509

from monitor.files.durable import replace_file
from monitor.stamps.chain import UNREADABLE
from monitor.stamps.client import Stamped
from monitor.stamps.problems import Problem, StampProblem
from monitor.stamps.verify import Verdict, verify

CERTIFICATES, LISTS = ("certificates", "der"), ("revocation", "crl")


class StoredStamp(NamedTuple):
    """A stamp as it is stored. `certificates` and `lists` are SHA-256 in hex."""

    size: int
    authority: str
    message: bytes
    token: bytes
    certificates: tuple[str, ...]
    lists: tuple[str, ...]


class StampStore:
    """The stamps in `directory` (created when needed)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def add(self, size: int, authority: str, stamped: Stamped) -> Path:
        """Store a stamp on the checkpoint of `size` entries. Durable when this returns the file. Raises OSError."""
        names = {}
        for (folder, suffix), blobs in ((CERTIFICATES, stamped.certificates), (LISTS, stamped.lists)):
            names[folder] = [self._add_blob(self.directory / folder, suffix, raw) for raw in blobs]
        fields = {
            "size": size,
            "authority": authority,
            "checkpoint": stamped.message.decode(),
            "token": base64.b64encode(stamped.token).decode(),
            **names,
        }
        path = self.directory / f"{size}.json"
        replace_file(path, json.dumps(fields, indent=1, ensure_ascii=False).encode() + b"\n", mode=0o644)
        return path

    def sizes(self) -> list[int]:
        """The sizes of the stamped checkpoints, rising."""
        return sorted(int(path.stem) for path in self.directory.glob("*.json") if path.stem.isdecimal())

    def read(self, size: int) -> StoredStamp:
        """The stamp on the checkpoint of this size. Raises OSError, or ValueError when the file is damaged."""
        fields = json.loads((self.directory / f"{size}.json").read_bytes())
        try:
            token = base64.b64decode(fields["token"], validate=True)
            message = fields["checkpoint"].encode()
            certificates, lists = tuple(map(str, fields[CERTIFICATES[0]])), tuple(map(str, fields[LISTS[0]]))
            return StoredStamp(int(fields["size"]), str(fields["authority"]), message, token, certificates, lists)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{self.directory / f'{size}.json'} is damaged: {error!r}") from error

    def verify(
        self,
        size: int,
        roots: Sequence[x509.Certificate],
        more_lists: Sequence[x509.CertificateRevocationList] = (),
    ) -> tuple[StoredStamp, Verdict]:
        """Verify a stored stamp against trusted roots, with its stored lists and those that the caller has since.

        A certificate or list whose file is missing or damaged counts as not there, and the verdict names what is
        missing then. Raises as `read`.
        """
        stamp = self.read(size)
        certificates = [c for c in map(_certificate, self._blobs(CERTIFICATES, stamp.certificates)) if c is not None]
        lists = [found for found in map(_list, self._blobs(LISTS, stamp.lists)) if found is not None]
        verdict = verify(
            stamp.message, stamp.token, roots=roots, certificates=certificates, lists=[*lists, *more_lists]
        )
        if stamp.size != size:
            other = Problem(StampProblem.OTHER_MESSAGE, f"the stamp of size {size} says size {stamp.size}")
            verdict = verdict._replace(problems=(*verdict.problems, other))
        return stamp, verdict

    def _add_blob(self, folder: Path, suffix: str, raw: bytes) -> str:
        name = hashlib.sha256(raw).hexdigest()
        path = folder / f"{name}.{suffix}"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            replace_file(path, raw, mode=0o644)
        return name

    def _blobs(self, kind: tuple[str, str], names: Sequence[str]) -> Iterator[bytes]:
        folder, suffix = kind
        for name in names:
            try:
                raw = (self.directory / folder / f"{name}.{suffix}").read_bytes() if name.isalnum() else b""
            except OSError:
                continue
            if hashlib.sha256(raw).hexdigest() == name:
                yield raw


def _certificate(raw: bytes) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(raw)
    except UNREADABLE:
        return None


def _list(raw: bytes) -> x509.CertificateRevocationList | None:
    try:
        return x509.load_der_x509_crl(raw)
    except UNREADABLE:
        return None
