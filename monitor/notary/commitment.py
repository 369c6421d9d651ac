"""Commitments: the ledger holds a salted hash instead of text that may name a person, so erasing text changes no root.

    commitment = SHA-256(02 || salt, 32 bytes || 2: n, n bytes of field || 4: n, n bytes of text)
    salt       = HMAC-SHA-256(key, 2: n, n bytes of id || 2: n, n bytes of field)

Integers are unsigned and big-endian, all text is UTF-8. The byte 02 separates commitments from leaves (00) and nodes
(01) of the tree. Without the 32 bytes of salt a commitment reveals nothing about the text, even if there are few
possible texts. Standard library only.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

FIELDS = ("author", "finding.detail")
"""Fields of a record in which people write about people."""
WITHHELD = "withheld."
"""Begins the field name of a part of a charter that an entry withholds; the path in the charter follows."""
SALT = 32


class Plaintext(NamedTuple):
    """A text that the ledger only commits to, with its salt (64 hex digits). Both together prove what entry `id`
    said."""

    pilot: str
    id: str
    field: str
    salt: str
    text: str

    def commitment(self) -> str:
        """The commitment that the entry must hold. Raises ValueError when the salt is not 32 bytes of hex."""
        return commitment(bytes.fromhex(self.salt), self.field, self.text)


class PlaintextBroken(Exception):
    """A file of plaintexts is damaged: file, line (from 1), problem."""


def salt(key: bytes, identity: str, field: str) -> bytes:
    """The salt (32 bytes) of one field of one record; deterministic under this key (at least 32 bytes).

    >>> len(salt(bytes(32), "id", "author"))
    32
    """
    return hmac.digest(key, _prefixed(identity, 2) + _prefixed(field, 2), "sha256")


def commitment(salt: bytes, field: str, text: str) -> str:
    """The commitment as 64 hex digits. Raises ValueError unless `salt` has 32 bytes.

    >>> commitment(bytes(32), "author", "a") == commitment(bytes(32), "autho", "ra")
    False
    """
    if len(salt) != SALT:
        raise ValueError(f"a salt has {SALT} bytes, not {len(salt)}")
    return hashlib.sha256(b"\x02" + salt + _prefixed(field, 2) + _prefixed(text, 4)).hexdigest()


def line(text: Plaintext) -> str:
    """One line of JSON, as stored and disclosed; without salt and text when it was erased."""
    fields = text._asdict() if text.salt else {"field": text.field, "id": text.id, "pilot": text.pilot}
    return json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def lines(path: Path, raw: bytes) -> Iterator[Plaintext]:
    """The lines of a plaintext file; an erased one has empty salt and text. Raises PlaintextBroken."""
    for number, text in enumerate(raw.splitlines(), 1):
        try:
            said = json.loads(text)
            fields = {name: said.get(name, "") for name in Plaintext._fields}
            "".join(fields.values()).encode()
            if fields["salt"] and len(bytes.fromhex(fields["salt"])) != SALT:
                raise ValueError(f"a salt has {SALT} bytes")
            yield Plaintext(**fields)
        except (ValueError, AttributeError, TypeError, RecursionError) as error:
            raise PlaintextBroken(f"{path}:{number}: not a line of plaintext: {error}") from None


def by_entry(plaintexts: Iterable[Plaintext]) -> dict[str, list[Plaintext]]:
    """The texts by the id of the entry that commits to them."""
    found: dict[str, list[Plaintext]] = {}
    for one in plaintexts:
        found.setdefault(one.id, []).append(one)
    return found


def get(record: dict[str, Any], field: str) -> Any:
    """The value of a dotted field in a record, `None` when it is missing."""
    if field.startswith(WITHHELD):
        inner = record.get(WITHHELD[:-1])
        return inner.get(field.removeprefix(WITHHELD)) if isinstance(inner, dict) else None
    *parents, last = field.split(".")
    for name in parents:
        inner = record.get(name)
        record = inner if isinstance(inner, dict) else {}
    return record.get(last)


def put(record: dict[str, Any], field: str, value: Any) -> None:
    """Set a dotted field that exists."""
    *parents, last = field.split(".")
    for name in parents:
        record = record[name]
    record[last] = value


def committed(value: Any) -> str | None:
    """The commitment in a field of an entry, "" for an empty text, `None` when the value is neither."""
    if value == "":
        return ""
    if isinstance(value, dict) and list(value) == ["commitment"]:
        text = value["commitment"]
        if isinstance(text, str) and len(text) == 64 and set(text) <= set("0123456789abcdef"):
            return text
    return None


def _prefixed(text: str, size: int) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(size, "big") + raw
