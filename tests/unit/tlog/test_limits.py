"""Every limit of a format: what is at it is read, what is one above it is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from monitor.tlog import add_checkpoint, checkpoint
from monitor.tlog.add_checkpoint import AddCheckpoint
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.checkpoint_note import sign_checkpoint
from monitor.tlog.errors import BadFormat
from monitor.tlog.keys import KeyType, Signer, Verifier, parse_vkey
from monitor.tlog.note import MAX_NOTE_BYTES, Signature, SignedNote, parse_note, sign_note
from monitor.tlog.policy import MAX_POLICY_BYTES, parse_policy
from monitor.tlog.proof import TlogProof, parse_proof
from monitor.tlog.text import from_decimal
from monitor.tlog.tiles import Tile, encode_bundle, parse_tile_path

LOG = Signer("example.com/log", KeyType.ED25519, b"l" * 32)
PUBLIC = LOG.verifier.public
HEAD = Checkpoint("o", 2**63 - 1, bytes(32))
NOTE = sign_checkpoint(HEAD, [LOG])
HASH = bytes(32)
TOP = 2**63 - 1
KEYS = [Signer("w", KeyType.COSIGNATURE_ED25519, number.to_bytes(32, "big")).verifier.vkey for number in range(257)]


def lines(count: int, size: int = 64) -> SignedNote:
    """A note with so many signatures of so many bytes."""
    return SignedNote("text\n", tuple(Signature(f"k{number}", b"abcd", b"s" * size) for number in range(count)))


def policy(keyword: Callable[[int], str], count: int) -> bytes:
    """A policy with so many lines."""
    return ("".join(keyword(number) for number in range(count)) + "quorum none\n").encode()


def witness(number: int) -> str:
    return f"witness w{number} {KEYS[number]}\n"


def groups(count: int) -> bytes:
    """A chain of groups."""
    chain = "".join(f"group g{n + 1} any g{n}\n" for n in range(count - 1))
    return f"witness w {KEYS[0]}\ngroup g0 any w\n{chain}quorum none\n".encode()


def long_note(size: int) -> bytes:
    tail = b"\n\n" + lines(1).signatures[0].line.encode()
    return b"t" * (size - len(tail)) + tail


# At the limit, and one above it.
LIMITS: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
    "name": (
        lambda: Verifier("é" * 127 + "e", KeyType.ED25519, PUBLIC),
        lambda: Verifier("é" * 128, KeyType.ED25519, PUBLIC),
    ),
    "empty name": (lambda: Verifier("n", KeyType.ED25519, PUBLIC), lambda: Verifier("", KeyType.ED25519, PUBLIC)),
    "key bytes": (
        lambda: Verifier("n", KeyType.ED25519, PUBLIC),
        lambda: Verifier("n", KeyType.ED25519, PUBLIC + b"1"),
    ),
    "seed": (lambda: Signer("n", KeyType.ED25519, HASH), lambda: Signer("n", KeyType.ED25519, HASH + b"1")),
    "origin": (
        lambda: checkpoint.parse(HEAD._replace(origin="o" * 255).text),
        lambda: checkpoint.parse("o" * 256 + HEAD.text[1:]),
    ),
    "origin to write": (lambda: HEAD._replace(origin="o" * 255).text, lambda: HEAD._replace(origin="o" * 256).text),
    "size": (lambda: from_decimal(str(TOP), "size"), lambda: from_decimal(str(TOP + 1), "size")),
    "size to write": (lambda: HEAD.text, lambda: HEAD._replace(size=TOP + 1).text),
    "negative size": (lambda: HEAD._replace(size=0).text, lambda: HEAD._replace(size=-1).text),
    "root to write": (lambda: HEAD.text, lambda: HEAD._replace(root=HASH + b"1").text),
    "extension lines": (
        lambda: checkpoint.parse(HEAD.text + "x\n" * 64),
        lambda: checkpoint.parse(HEAD.text + "x\n" * 65),
    ),
    "extensions to write": (
        lambda: HEAD._replace(extensions=("x",) * 64).text,
        lambda: HEAD._replace(extensions=("x",) * 65).text,
    ),
    "signatures": (lambda: parse_note(lines(100).data), lambda: parse_note(lines(101).data)),
    "signature": (lambda: parse_note(lines(1, 8188).data), lambda: parse_note(lines(1, 8189).data)),
    "no signature": (lambda: parse_note(lines(1, 1).data), lambda: parse_note(lines(1, 0).data)),
    "note": (lambda: parse_note(long_note(MAX_NOTE_BYTES)), lambda: parse_note(long_note(MAX_NOTE_BYTES + 1))),
    "text to sign": (
        lambda: sign_note("t" * (MAX_NOTE_BYTES // 2 - 1) + "\n", [LOG]),
        lambda: sign_note("t" * (MAX_NOTE_BYTES // 2) + "\n", [LOG]),
    ),
    "time": (
        lambda: Signer("w", KeyType.COSIGNATURE_ED25519, HASH).sign(HEAD.text, TOP),
        lambda: Signer("w", KeyType.COSIGNATURE_ED25519, HASH).sign(HEAD.text, TOP + 1),
    ),
    "vkey": (lambda: parse_vkey(KEYS[0]), lambda: parse_vkey("n" * 5000 + KEYS[0])),
    "policy": (
        lambda: parse_policy(b"#" * (MAX_POLICY_BYTES - 13) + b"\nquorum none\n"),
        lambda: parse_policy(b"#" * (MAX_POLICY_BYTES - 12) + b"\nquorum none\n"),
    ),
    "witnesses": (lambda: parse_policy(policy(witness, 256)), lambda: parse_policy(policy(witness, 257))),
    "groups": (lambda: parse_policy(groups(256)), lambda: parse_policy(groups(257))),
    "hashes of a proof": (
        lambda: parse_proof(TlogProof(0, (HASH,) * 63, NOTE).data),
        lambda: parse_proof(TlogProof(0, (HASH,) * 63, NOTE).data.replace(b"\n\n", b"\n" + b"A" * 43 + b"=\n\n", 1)),
    ),
    "hashes to write": (lambda: TlogProof(0, (HASH,) * 63, NOTE).data, lambda: TlogProof(0, (HASH,) * 64, NOTE).data),
    "extra data": (
        lambda: parse_proof(TlogProof(0, (), NOTE, b"x" * 48_000).data),
        lambda: parse_proof(TlogProof(0, (), NOTE, b"x" * 48_000).data.replace(b"eHh4", b"eHh4eHh4", 1)),
    ),
    "extra data to write": (
        lambda: TlogProof(0, (), NOTE, b"x" * 48_000).data,
        lambda: TlogProof(0, (), NOTE, b"x" * 48_001).data,
    ),
    "empty extra data": (lambda: TlogProof(0, (), NOTE, b"x").data, lambda: TlogProof(0, (), NOTE, b"").data),
    "index of a proof": (
        lambda: parse_proof(TlogProof(TOP - 1, (), NOTE).data),
        lambda: parse_proof(TlogProof(TOP, (), NOTE).data),
    ),
    "hashes of a request": (
        lambda: add_checkpoint.parse_request(AddCheckpoint(1, (HASH,) * 63, NOTE).data),
        lambda: add_checkpoint.parse_request(
            AddCheckpoint(1, (HASH,) * 63, NOTE).data.replace(b"old 1\n", b"old 1\n" + b"A" * 43 + b"=\n")
        ),
    ),
    "hashes of a request to write": (
        lambda: AddCheckpoint(1, (HASH,) * 63, NOTE).data,
        lambda: AddCheckpoint(1, (HASH,) * 64, NOTE).data,
    ),
    "old size to write": (lambda: AddCheckpoint(TOP, (), NOTE).data, lambda: AddCheckpoint(TOP + 1, (), NOTE).data),
    "negative old size": (lambda: AddCheckpoint(0, (), NOTE).data, lambda: AddCheckpoint(-1, (), NOTE).data),
    "width of a tile": (lambda: parse_tile_path("tile/0/000.p/255"), lambda: parse_tile_path("tile/0/000.p/256")),
    "width to write": (lambda: Tile(0, 0, 256).path, lambda: Tile(0, 0, 257).path),
    "width 0": (lambda: Tile(0, 0, 1).path, lambda: Tile(0, 0, 0).path),
    "level of a tile": (lambda: parse_tile_path("tile/63/000"), lambda: parse_tile_path("tile/64/000")),
    "negative level": (lambda: Tile(0, 0).path, lambda: Tile(-1, 0).path),
    "index of a tile": (
        lambda: parse_tile_path(Tile(0, TOP).path),
        lambda: parse_tile_path("tile/0/x009/x223/x372/x036/x854/x775/808"),
    ),
    "entries of a bundle": (lambda: encode_bundle([b""] * 256), lambda: encode_bundle([b""] * 257)),
    "answer of a witness": (
        lambda: add_checkpoint.parse_conflict(b"9223372036854775807\n"),
        lambda: add_checkpoint.parse_conflict(b"9223372036854775808\n"),
    ),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_is_where_it_is_documented(limit: str) -> None:
    """What is at the limit is accepted, what is one above it is refused with a message that says what is allowed."""
    at, above = LIMITS[limit]
    at()
    with pytest.raises(BadFormat) as caught:
        above()
    assert caught.value.fix
