"""Ids without personal data: the alphabet of every id, the forms of a pseudonym, and how firms make one. Pure.

Ids of events stand in decisions, in the ledger and in alerts, where nothing can be erased. So an id has an alphabet
that excludes free text and addresses. A charter with `identifiers: pseudonyms` also asks ids of complaints and
incidents to be pseudonyms by their form: a UUID (RFC 9562), a ULID, or a digest such as an HMAC (RFC 2104) in hex or
base64url.
"""

from __future__ import annotations

import hmac
import re
from hashlib import blake2b, sha256

# Printable ASCII without blanks, quotes and backslashes (free text), `@` (addresses), and what opens a tag or command.
ALPHABET = r"""[!#-;=?A-Z\[\]^_a-z{|}~]"""
_ID = re.compile(rf"{ALPHABET}*")
# JSON of well-formed ids needs none of these bytes, so a record without them needs no look at its fields.
_OUTSIDE = (b" ", b"\\", b"@", b"<", b">", b"`", b"\x7f")
_PSEUDONYM = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"  # UUID
    r"|[0-7][0-9A-HJKMNP-TV-Z]{25}"  # ULID
    r"|(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{24,128}"  # hex; a row of digits alone may be the number of a card
    r"|digest:[0-9a-f]{24}"  # what `shown` writes
    # base64url of 128 or 256 bits
    r"|(?=[^0-9]*[0-9])(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])(?:[0-9A-Za-z_-]{22}|[0-9A-Za-z_-]{43})"
)
DIGEST_BYTES = 12
FORM = "write a UUID, a ULID, or an HMAC in hex (24 digits or more) or base64url (22 or 43 characters)"


def is_id(text: str) -> bool:
    """Whether a text keeps to the alphabet of ids.

    >>> is_id("firm-1/pilot-7"), is_id("Erika Mustermann"), is_id("erika@example.org")
    (True, False, False)
    """
    return _ID.fullmatch(text) is not None


def only_ids(value: bytes) -> bool:
    """Whether no text in a JSON value can leave the alphabet of ids. False when uncertain."""
    return value.isascii() and not any(byte in value for byte in _OUTSIDE)


def is_pseudonym(text: str) -> bool:
    """Whether a text has the form of a pseudonym.

    >>> is_pseudonym("92e0230a18c00398da5ee65f27eac6d9"), is_pseudonym("erika.mustermann"), is_pseudonym("4111111111")
    (True, False, False)
    """
    return _PSEUDONYM.fullmatch(text) is not None


def pseudonym(key: bytes, text: str) -> str:
    """The pseudonym of a local id: HMAC-SHA-256 with the firm's key, 32 hex digits. Equal ids have equal pseudonyms,
    and only the holder of the key can tell which id it was.

    >>> pseudonym(b"k", "customer 17") == pseudonym(b"k", "customer 17"), is_pseudonym(pseudonym(b"k", "customer 17"))
    (True, True)
    """
    return hmac.new(key, text.encode(), sha256).hexdigest()[:32]


def shown(text: str, secret: bytes = b"") -> str:
    """An id as outputs may show it: itself if it is a pseudonym or empty, else a digest (keyed with `secret`, if any)
    that its sender can compute as well.

    >>> shown("92e0230a18c00398da5ee65f27eac6d9"), shown("Erika") == shown("Erika"), is_id(shown("Erika"))
    ('92e0230a18c00398da5ee65f27eac6d9', True, True)
    """
    if not text or is_pseudonym(text):
        return text
    return "digest:" + blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES, key=secret).hexdigest()
