"""Canonical base64 and decimals: each value has exactly one spelling, so signed text cannot be varied unnoticed."""

from __future__ import annotations

import binascii
from base64 import b64encode

from monitor.tlog.errors import BadFormat

MAX_INTEGER = 2**63 - 1  # what every implementation can hold; a larger size or time is refused
HASH_BYTES = 32
# Code points with the property White_Space (Unicode 15), listed so that no result depends on the version of Python.
WHITE_SPACE = frozenset("\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000") | {
    chr(point) for point in range(0x2000, 0x200B)
}
MAX_NAME_BYTES = 255  # the length that an ML-DSA-44 cosignature can carry


def to_base64(data: bytes) -> str:
    """Standard base64 with padding (RFC 4648, section 4)."""
    return b64encode(data).decode("ascii")


def from_base64(text: str, what: str, line: int | None = None, length: int | None = None) -> bytes:
    """The bytes of canonical base64.

    Raises:
        BadFormat: other characters, missing padding, set bits after the end, or not `length` bytes.

    >>> from_base64("AAE=", "hash")
    b'\\x00\\x01'
    """
    try:
        data = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (ValueError, UnicodeEncodeError):
        data = None
    if data is None or to_base64(data) != text:
        raise BadFormat(what, f"no canonical base64: {short(text)}", "use RFC 4648, section 4, with padding", line)
    if length is not None and len(data) != length:
        raise BadFormat(what, f"{len(data)} bytes instead of {length}", f"encode exactly {length} bytes", line)
    return data


def from_decimal(text: str, what: str, line: int | None = None) -> int:
    """An integer from 0 to 2^63 - 1, in ASCII digits without leading zeros.

    Raises:
        BadFormat: anything else.

    >>> from_decimal("20852163", "size")
    20852163
    """
    if not (text.isascii() and text.isdigit()) or (text[0] == "0" and text != "0"):
        raise BadFormat(what, f"no decimal number: {short(text)}", "write ASCII digits without leading zeros", line)
    if len(text) > 19 or int(text) > MAX_INTEGER:
        raise BadFormat(what, f"number too large: {short(text)}", "the limit is 2^63 - 1", line)
    return int(text)


def decode_utf8(data: bytes, what: str, limit: int) -> str:
    """Text of at most `limit` bytes.

    Raises:
        BadFormat: too long, no UTF-8, or an ASCII control character other than newline.
    """
    if len(data) > limit:
        raise BadFormat(what, f"{len(data)} bytes", f"the limit is {limit}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadFormat(what, "no UTF-8", "encode the text in UTF-8", line) from None
    for character in CONTROLS:
        if character in text:
            line = text[: text.index(character)].count("\n") + 1
            raise BadFormat(what, f"control character {character!r}", "newline is the only one allowed", line)
    return text


CONTROLS = tuple(chr(point) for point in range(0x20) if point != 0x0A)


def check_name(name: str, what: str, line: int | None = None) -> None:
    """Hold the name of a key to signed-note: non-empty, no Unicode space, no plus; at most 255 bytes of UTF-8.

    Raises:
        BadFormat: it breaks one of these rules.
    """
    fix = "a key name has 1 to 255 bytes of UTF-8, without spaces, plus signs and control characters"
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        raise BadFormat(what, f"key name is no Unicode text: {short(name)}", fix, line) from None
    if not 1 <= size <= MAX_NAME_BYTES:
        raise BadFormat(what, f"key name of {size} bytes", fix, line)
    if any(character == "+" or character < " " or character in WHITE_SPACE for character in name):
        raise BadFormat(what, f"bad key name {short(name)}", fix, line)


def check_origin(origin: str, what: str, line: int | None = None) -> None:
    """Hold an origin to 1 to 255 bytes of UTF-8 without newline and control characters.

    Raises:
        BadFormat: it breaks one of these rules.
    """
    fix = "an origin has 1 to 255 bytes of UTF-8 in one line"
    try:
        size = len(origin.encode("utf-8"))
    except UnicodeEncodeError:
        raise BadFormat(what, f"origin is no Unicode text: {short(origin)}", fix, line) from None
    if not 1 <= size <= MAX_NAME_BYTES or any(character < " " for character in origin):
        raise BadFormat(what, f"bad origin {short(origin)} of {size} bytes", fix, line)


def printable(name: str) -> str:
    """A name for a message: as it is, or in quotes with escapes if a terminal could take a part of it as a command.

    >>> printable("witness.example")
    'witness.example'
    """
    return name if name.isprintable() else repr(name)


def short(text: str) -> str:
    """The text in quotes for a message, at most 60 characters of it."""
    return repr(text if len(text) <= 60 else text[:60] + "...")
