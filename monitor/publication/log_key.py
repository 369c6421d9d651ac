"""The key that signs the checkpoints of all logs of one sandbox, and the origins of these logs.

One Ed25519 key signs every log; the name of the key in a signature, and so its key id, is the origin of the log. A
signature covers the whole text, whose first line is the origin (tlog-checkpoint), so that no signature of one log can
stand in for another; and the key of a new pilot's log is known before the pilot exists: anyone who has the public key
of the authority log can write down that of every pilot log (`verifier`). A key per log would have to be made and backed
up at each admission, by the same process on the same disk, and would protect nothing more.

The key file holds one line, the private key as signed-note text (`PRIVATE+KEY+ORIGIN+ID+BASE64`); its name is the
origin of the sandbox, to which `/authority` or `/LEDGER` is appended.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from monitor.errors import Refused
from monitor.files.durable import create_file
from monitor.notary.format import LogName
from monitor.notary.store import file_name
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.checkpoint_note import open_checkpoint, sign_checkpoint
from monitor.tlog.errors import TlogError
from monitor.tlog.keys import KeyType, Signer, Verifier, parse_skey
from monitor.tlog.text import from_base64

AUTHORITY = "authority"
MAX_ORIGIN = 200


class LogKey:
    """Signs the logs of the sandbox `origin`. `seed` are 32 secret bytes. Raises BadFormat for an origin that cannot be
    a key name."""

    def __init__(self, origin: str, seed: bytes) -> None:
        self.origin, self._seed = origin, seed
        self._whole = Signer(origin, KeyType.ED25519, seed)

    @property
    def text(self) -> str:
        """The content of the key file: a secret."""
        return self._whole.skey + "\n"

    @property
    def authority(self) -> str:
        """The origin of the authority log."""
        return self.origin_of(AUTHORITY)

    def origin_of(self, log: str) -> str:
        """The origin of a log; `log` is the name of its directory."""
        return f"{self.origin}/{log}"

    def verifier(self, log: str) -> Verifier:
        """The public key of a log, under its origin."""
        return Verifier(self.origin_of(log), KeyType.ED25519, self._whole.verifier.public)

    def sign(self, log: str, size: int, root: bytes) -> bytes:
        """The signed checkpoint. The same size and root give the same bytes."""
        signer = Signer(self.origin_of(log), KeyType.ED25519, self._seed)
        return sign_checkpoint(Checkpoint(signer.name, size, root), [signer]).data

    def opened(self, log: str, note: bytes) -> Checkpoint:
        """The checkpoint in a note that this key signed for the log. Raises TlogError."""
        return open_checkpoint(note, self.origin_of(log), [self.verifier(log)]).checkpoint


def log_name(name: LogName | str) -> str:
    """The name of the directory of a log of a pilot (of its id: the first shard of its decisions): that of its ledger
    file without `.ledger`.

    >>> log_name("acme/scoring")
    'acme-scoring-40cd4f64e1625b65'
    """
    return Path(file_name(name)).stem


def is_log_of(log: str, pilot: str) -> bool:
    """Whether a log has the name of one of this pilot's: its decisions, another kind of entries, or a later year.

    >>> is_log_of("evidence-2027-acme-scoring-40cd4f64e1625b65", "acme/scoring")
    True
    >>> is_log_of("acme-scoring-40cd4f64e1625b65", "acme")
    False
    """
    return f"-{log}".endswith(f"-{log_name(pilot)}")


def new_log_key(path: Path, origin: str) -> LogKey:
    """Create the key file at `path`, durable when this returns. Raises Refused when it exists or the origin is not
    usable."""
    if len(origin) > MAX_ORIGIN or origin.endswith("/"):
        raise Refused(f"origin {origin!r}: give at most {MAX_ORIGIN} characters without a slash at the end")
    try:
        key = LogKey(origin, secrets.token_bytes(32))
    except TlogError as error:
        raise Refused(f"origin: {error}; give a URL without scheme, as sandbox.example.org/ledger") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        create_file(path, key.text.encode())
    except FileExistsError:
        raise Refused(f"{path} exists already; a key is never overwritten") from None
    return key


def read_log_key(path: Path) -> LogKey:
    """The key in the file at `path`. Raises Refused when it is missing, damaged or readable by others."""
    make = "make it with `sandbox-monitor keys new-log`"
    try:
        mode = path.stat().st_mode
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"{path} is not the key of a log, but binary; give the key of the logs, or {make}") from error
    except OSError as error:
        raise Refused(f"{path} cannot be read as a log key: {error.strerror}; {make}") from error
    if mode & 0o077:
        raise Refused(f"{path} can be read by others than its owner; run chmod 600 on it")
    try:
        signer = parse_skey(text.strip())
        if signer.verifier.kind is not KeyType.ED25519:
            raise Refused(f"{path}: a log signs with an Ed25519 key of type 0x01; {make}")
        # PRIVATE+KEY+NAME+ID+BASE64: base64 may contain a plus, a name may not.
        return LogKey(signer.name, from_base64(text.strip().split("+", 4)[4], "skey")[1:])
    except TlogError as error:
        raise Refused(f"{path} is not a log key: {error}; restore it from a backup, or {make}") from error
