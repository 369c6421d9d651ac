"""C2SP tlog-checkpoint: the body of a signed tree head. https://c2sp.org/tlog-checkpoint

example.com/behind-the-sofa                          origin
20852163                                             size: leaves of the tree, decimal
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=         root: base64 of 32 bytes
"""

from __future__ import annotations

from typing import NamedTuple

from monitor.tlog.errors import BadFormat
from monitor.tlog.text import HASH_BYTES, MAX_INTEGER, check_origin, from_base64, from_decimal, to_base64

WHAT = "checkpoint"
MAX_EXTENSIONS = 64  # lines; the specification discourages them


class Checkpoint(NamedTuple):
    """A tree head: what a log states about its tree. Extension lines are opaque; ML-DSA-44 does not sign them.

    >>> print(Checkpoint("example.com/log", 0, bytes(32)).text, end="")
    example.com/log
    0
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The body that is signed, with its final newline.

        Raises:
            BadFormat: a field cannot be written.
        """
        check_origin(self.origin, WHAT, 1)
        if not 0 <= self.size <= MAX_INTEGER:
            raise BadFormat(WHAT, f"size {self.size}", "a size is from 0 to 2^63 - 1", 2)
        if len(self.root) != HASH_BYTES:
            raise BadFormat(WHAT, f"root of {len(self.root)} bytes", "a root has 32 bytes", 3)
        _check_extensions(self.extensions)
        return "".join(f"{line}\n" for line in (self.origin, self.size, to_base64(self.root), *self.extensions))


def parse(text: str) -> Checkpoint:
    """The checkpoint in the text of a note. `parse(checkpoint.text) == checkpoint`, and no other text gives it.

    Raises:
        BadFormat: with line and fix.
    """
    if not text.endswith("\n"):
        raise BadFormat(WHAT, "does not end with a newline", "end each line with a newline")
    lines = text[:-1].split("\n")
    if len(lines) < 3:
        raise BadFormat(WHAT, f"{len(lines)} lines", "write origin, size and root, one per line")
    origin, size, root, *extensions = lines
    check_origin(origin, WHAT, 1)
    _check_extensions(extensions)
    number = from_decimal(size, WHAT, 2)
    return Checkpoint(origin, number, from_base64(root, WHAT, 3, HASH_BYTES), tuple(extensions))


def _check_extensions(lines: tuple[str, ...] | list[str]) -> None:
    if len(lines) > MAX_EXTENSIONS:
        raise BadFormat(WHAT, f"{len(lines)} extension lines", f"the limit is {MAX_EXTENSIONS}", 4)
    for number, line in enumerate(lines, 4):
        if not line or any(character < " " for character in line):
            raise BadFormat(WHAT, "empty extension line or control character", "remove the line", number)
