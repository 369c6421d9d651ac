"""Commitments: the ledger holds a salted hash in the place of words that may name a person, so that erasing them breaks no root.

    commitment = SHA-256(02 || salt, 32 bytes || 2: n, n bytes of field || 4: n, n bytes of text)
    salt       = HMAC-SHA-256(key, 2: n, n bytes of id || 2: n, n bytes of field)

Integers are unsigned and big-endian, all text is UTF-8. 02 keeps a commitment apart from leaves (00) and nodes (01) of the
tree. Without its 32 bytes of salt a commitment tells nothing of the text, however few texts there could be. Standard library
only.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

FIELDS = ("author", "finding.detail")
"""What of a record people write about people."""
SALT = 32


class Words(NamedTuple):
    """A text that the ledger only commits to, with its salt (64 hex digits): who has both can show what the entry `id` said."""

    pilot: str
    id: str
    field: str
    salt: str
    text: str

    def commitment(self) -> str:
        """What the entry must say of it. Raises ValueError when the salt is no salt."""
        return commitment(bytes.fromhex(self.salt), self.field, self.text)


class WordsBroken(Exception):
    """A file of words is not what was written: file, line (from 1), problem."""


def salt(key: bytes, identity: str, field: str) -> bytes:
    """The salt of one field of one record: the same whenever the record is entered again under this key (32 bytes or more).

    >>> len(salt(bytes(32), "id", "author"))
    32
    """
    return hmac.digest(key, _prefixed(identity, 2) + _prefixed(field, 2), "sha256")


def commitment(salt: bytes, field: str, text: str) -> str:
    """64 hex digits. Raises ValueError when `salt` has not 32 bytes.

    >>> commitment(bytes(32), "author", "a") == commitment(bytes(32), "autho", "ra")
    False
    """
    if len(salt) != SALT:
        raise ValueError(f"a salt has {SALT} bytes, not {len(salt)}")
    return hashlib.sha256(b"\x02" + salt + _prefixed(field, 2) + _prefixed(text, 4)).hexdigest()


def line(words: Words) -> str:
    """A text as it is kept and handed on: one line of JSON, without salt and text when it was erased."""
    fields = words._asdict() if words.salt else {"field": words.field, "id": words.id, "pilot": words.pilot}
    return json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def lines(path: Path, raw: bytes) -> Iterator[Words]:
    """The lines of a file of words; of one that was erased salt and text are empty. Raises WordsBroken."""
    for number, text in enumerate(raw.splitlines(), 1):
        try:
            said = json.loads(text)
            fields = {name: said.get(name, "") for name in Words._fields}
            "".join(fields.values()).encode()
            if fields["salt"] and len(bytes.fromhex(fields["salt"])) != SALT:
                raise ValueError("the salt is none")
            yield Words(**fields)
        except (ValueError, AttributeError, TypeError) as error:
            raise WordsBroken(f"{path}:{number}: not a line of words: {error}") from None


def by_entry(words: Iterable[Words]) -> dict[str, list[Words]]:
    """The texts by the id of the entry that commits to them."""
    found: dict[str, list[Words]] = {}
    for one in words:
        found.setdefault(one.id, []).append(one)
    return found


def get(record: dict[str, Any], field: str) -> Any:
    """A field of `FIELDS` in a record, `None` when it is not there."""
    *parents, last = field.split(".")
    for name in parents:
        inner = record.get(name)
        record = inner if isinstance(inner, dict) else {}
    return record.get(last)


def put(record: dict[str, Any], field: str, value: Any) -> None:
    """Set a field that is there."""
    *parents, last = field.split(".")
    for name in parents:
        record = record[name]
    record[last] = value


def committed(value: Any) -> str | None:
    """The hash that stands in a field of an entry, empty for an empty text; `None` when it is neither."""
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
