"""The file of authority leaves: torn ends are cut, damage is refused, and a leaf has one form."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from monitor.errors import LedgerBroken
from monitor.files.durable import RealDisk
from monitor.notary.authority_leaf import Leaf, decode_leaf
from monitor.notary.format import frame, header
from monitor.publication.authority_leaves import NAME, REWRITTEN, AuthorityLeaves
from monitor.tlog.merkle import leaf_hash, root

ORIGIN = "sandbox.example/ledger/authority"


def opened(directory: Path, *roots_at: int, **after: int) -> AuthorityLeaves:
    return AuthorityLeaves(directory, ORIGIN, RealDisk(), roots_at=roots_at, after=after)


def leaves(first: int, last: int, origin: str = "a") -> list[Leaf]:
    return [Leaf(origin, size, bytes([size % 256]) * 32) for size in range(first, last + 1)]


def test_leaves_are_read_back_with_their_roots_and_sizes(tmp_path: Path) -> None:
    """Also across bundles of 256 leaves, and in parts of a bundle."""
    written = leaves(1, 600)
    file = opened(tmp_path)
    for start, end in ((0, 1), (1, 255), (255, 513), (513, 600)):
        file.append(written[start:end])
    hashes = [leaf_hash(leaf.encode()) for leaf in written]
    again = opened(tmp_path, 1, 256, 600, a=598)
    assert (again.size, again.root) == (600, root(hashes))
    assert again.roots == {size: root(hashes[:size]) for size in (1, 256, 600)}
    assert again.sizes == {"a": [599, 600]}
    assert (again.last, again.index) == ({"a": written[-1]}, {"a": 599})
    for start, end in ((0, 256), (0, 3), (255, 256), (256, 512), (300, 301), (512, 600), (5, 5)):
        assert again.read(start, end) == [leaf.encode() for leaf in written[start:end]]
        assert file.read(start, end) == again.read(start, end)


def test_an_incomplete_last_leaf_is_cut(tmp_path: Path) -> None:
    """It was never signed. What follows is appended where it began."""
    opened(tmp_path).append(leaves(1, 3))
    whole = (tmp_path / NAME).read_bytes()
    for cut in range(1, len(leaves(3, 3)[0].encode()) + 40):
        (tmp_path / NAME).write_bytes(whole[:-cut])
        file = opened(tmp_path)
        assert file.size == 2
        file.append(leaves(3, 3))
        assert (tmp_path / NAME).read_bytes() == whole


def test_leaves_that_were_never_signed_are_written_again_in_pieces(tmp_path: Path) -> None:
    """All of them where no checkpoint is known: the memory that it takes does not grow with the file."""
    made = opened(tmp_path)
    count = 40_000
    made.append(leaves(1, count))
    whole = (tmp_path / NAME).read_bytes()
    assert len(whole) > REWRITTEN
    written: list[tuple[int, bytes]] = []

    class Noted(RealDisk):
        def append(self, path: Path, at: int, data: bytes) -> None:
            written.append((at, data))
            super().append(path, at, data)

    last = len(whole) - len(frame(0, leaves(count, count)[0].encode()))
    for signed, begin in ((0, len(header(ORIGIN))), (count - 1, last)):
        written.clear()
        again = AuthorityLeaves(tmp_path, ORIGIN, Noted(), roots_at=[signed] if signed else [], after={})
        assert (again.size, again.root) == (count, made.root)
        assert written[0][0] == begin
        assert b"".join(data for _, data in written) == whole[begin:]
        assert max(len(data) for _, data in written) <= REWRITTEN
        assert (tmp_path / NAME).read_bytes() == whole


def test_a_changed_bit_is_refused(tmp_path: Path) -> None:
    opened(tmp_path).append(leaves(1, 3))
    whole = (tmp_path / NAME).read_bytes()
    rng = random.Random(1)
    for at in rng.sample(range(len(whole)), 100):
        changed = bytearray(whole)
        changed[at] ^= 1 << rng.randrange(8)
        (tmp_path / NAME).write_bytes(changed)
        with pytest.raises(LedgerBroken):
            opened(tmp_path)


def test_the_leaves_of_another_log_are_refused(tmp_path: Path) -> None:
    opened(tmp_path).append(leaves(1, 1))
    with pytest.raises(LedgerBroken, match="the log key is for other"):
        AuthorityLeaves(tmp_path, "other", RealDisk(), after={})


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{}", b"[]", b'{"origin":"a","root":"AA==","size":1}',
        b'{"root":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","origin":"a","size":1}',
        b'{"origin":"a","root":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","size":0}',
        b'{"origin":"a","root":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","size":true}',
        b'{"origin":1,"root":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","size":1}',
        b'{"origin":"a","root":7,"size":1}',
        b'{"origin":"a","root":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=","size":1}',
        b'{"origin":"a","root":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","size":1}',
        b'{"origin":"a","root":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","size":1,"x":1}',
    ],
)  # fmt: skip
def test_bytes_that_are_no_leaf_are_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (the message comes from JSON, base64 or the leaf)
        decode_leaf(raw)


def test_a_leaf_is_decoded_to_what_was_encoded() -> None:
    for leaf in (Leaf("a/b", 1, bytes(32)), Leaf("ü", 1 << 40, bytes(range(32)))):
        assert decode_leaf(leaf.encode()) == leaf
