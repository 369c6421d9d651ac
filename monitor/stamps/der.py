"""Puts the certificates of a time-stamp response into the order of DER.

CMS (RFC 5652) lets a token carry its certificates in any order, and `openssl ts` and other authorities write the signer
first. `rfc3161-client` reads strict DER, where a SET OF is sorted by its encoded elements. The certificates are outside
of what is signed, so their order changes nothing that the token proves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

SEQUENCE, CONTEXT_0 = 0x30, 0xA0


class _Element(NamedTuple):
    tag: int
    start: int  # of the tag
    content: int
    end: int


def with_sorted_certificates(response: bytes) -> bytes:
    """The response with its certificates sorted; unchanged where it has none. Raises ValueError when it is not DER."""
    token = _children(response, _only(response, 0, len(response), SEQUENCE))[1]
    content = _children(response, token)[1]
    signed = _only(response, content.content, content.end, SEQUENCE)
    for part in _children(response, signed):
        if part.tag == CONTEXT_0:
            found = sorted(response[child.start : child.end] for child in _children(response, part))
            return response[: part.content] + b"".join(found) + response[part.end :]
    return response


def _only(data: bytes, start: int, end: int, tag: int) -> _Element:
    found = _element(data, start, end)
    if found.tag != tag or found.end != end:
        raise ValueError(f"not one element of tag {tag:#x} at byte {start}")
    return found


def _children(data: bytes, parent: _Element) -> list[_Element]:
    found = list(_elements(data, parent.content, parent.end))
    if len(found) < 2 and parent.tag == SEQUENCE:
        raise ValueError(f"the sequence at byte {parent.start} is too short")
    return found


def _elements(data: bytes, start: int, end: int) -> Iterator[_Element]:
    while start < end:
        found = _element(data, start, end)
        yield found
        start = found.end


def _element(data: bytes, start: int, end: int) -> _Element:
    """The element at `start`, of one tag byte and a definite length, that ends by `end`."""
    if start + 2 > end:
        raise ValueError(f"cut short at byte {start}")
    length, content = data[start + 1], start + 2
    if length >= 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4 or content + size > end:
            raise ValueError(f"no definite length at byte {start}")
        length, content = int.from_bytes(data[content : content + size], "big"), content + size
    if content + length > end:
        raise ValueError(f"cut short at byte {start}")
    return _Element(data[start], start, content, content + length)
