"""A leaf of the authority log: one checkpoint of a pilot log. What publishes it and what verifies it read it here.

{"origin":"ORIGIN OF THE PILOT LOG","root":"BASE64 OF 32 BYTES","size":NUMBER}          canonical JSON (RFC 8785)
"""

from __future__ import annotations

from typing import NamedTuple

from monitor.model.canonical import canonical, parse_canonical
from monitor.tlog.errors import BadFormat
from monitor.tlog.text import HASH_BYTES, from_base64, to_base64


class Leaf(NamedTuple):
    """A checkpoint of a pilot log: its origin, number of entries and root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def encode(self) -> bytes:
        """The bytes of the leaf.

        >>> Leaf("o", 1, bytes(32)).encode()
        b'{"origin":"o","root":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","size":1}'
        """
        return canonical({"origin": self.origin, "root": to_base64(self.root), "size": self.size})


def decode_leaf(raw: bytes) -> Leaf:
    """The leaf of these bytes. Raises ValueError when they are none."""
    value = parse_canonical(raw)
    if not isinstance(value, dict) or set(value) != {"origin", "root", "size"}:
        raise ValueError("a leaf of the authority log has the members origin, root and size")
    origin, size, root = value["origin"], value["size"], value["root"]
    if not isinstance(origin, str) or type(size) is not int or size < 1 or not isinstance(root, str):
        raise ValueError("a leaf has the origin as text, a size above 0, and a root in base64")
    try:
        return Leaf(origin, size, from_base64(root, "root", length=HASH_BYTES))
    except BadFormat as error:
        raise ValueError(str(error)) from None
