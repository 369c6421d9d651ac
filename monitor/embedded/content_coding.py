"""Decodes the content coding of a request body, up to a size. A body that cannot be decoded gives a 4xx response with
the fix, never 500."""

from __future__ import annotations

import zlib

from aiohttp import web

from monitor.charter.values import escaped

GZIP, DEFLATE = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS
MEMBERS = 64  # of one gzip body: each costs a copy of what follows it
_WINDOWS = {"gzip": GZIP, "x-gzip": GZIP, "deflate": DEFLATE}


def decoded(coding: str, body: bytes, largest: int) -> bytes:
    """`body` without its `Content-Encoding`, at most `largest` bytes of it.

    Raises web.HTTPUnsupportedMediaType (415) for a coding that is not read, web.HTTPBadRequest (400) for bytes that are
    not in it or are cut off, web.HTTPRequestEntityTooLarge (413).
    """
    name = coding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in _WINDOWS:
        raise web.HTTPUnsupportedMediaType(
            text=f"content encoding {escaped(name[:40])} is not read; send gzip, deflate or none"
        )
    window = _WINDOWS[name]
    if window == DEFLATE and not _has_zlib_header(body):
        window = -zlib.MAX_WBITS  # many senders leave the header of RFC 1950 out
    parts: list[bytes] = []
    size = 0
    try:
        while body:  # a gzip file may have several members
            if len(parts) == MEMBERS:
                raise web.HTTPBadRequest(text=f"the body has more than {MEMBERS} {name} members; send one")
            member = zlib.decompressobj(window)
            parts.append(member.decompress(body, largest - size + 1))
            size += len(parts[-1])
            if size > largest:
                raise web.HTTPRequestEntityTooLarge(largest, size)
            if not member.eof:
                raise web.HTTPBadRequest(text=f"the body ends before its {name} does; send the whole of it")
            body = member.unused_data
    except zlib.error as error:
        raise web.HTTPBadRequest(text=f"the body is not {name}, as Content-Encoding says: {error}") from None
    return b"".join(parts)


def _has_zlib_header(body: bytes) -> bool:
    return len(body) > 1 and body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0
