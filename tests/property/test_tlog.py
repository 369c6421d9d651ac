"""Random input to `monitor.tlog`: parsers raise nothing but their error, and what they read has one spelling."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.tlog import add_checkpoint, checkpoint, merkle, note
from monitor.tlog.add_checkpoint import AddCheckpoint
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.checkpoint_note import open_checkpoint, sign_checkpoint
from monitor.tlog.errors import BadFormat, ProofFault, TlogError
from monitor.tlog.keys import KeyType, Signer, parse_skey, parse_vkey
from monitor.tlog.merkle import HashTree, consistency_proof, inclusion_proof, leaf_hash
from monitor.tlog.note import parse_note, sign_note
from monitor.tlog.policy import parse_policy
from monitor.tlog.proof import TlogProof, parse_proof
from monitor.tlog.text import WHITE_SPACE
from monitor.tlog.tiles import (
    Tile,
    TileHashes,
    encode_bundle,
    grow,
    parse_bundle,
    parse_tile_path,
    split_tile,
    tiles_of,
)
from tests.strength import examples

LOG = Signer("example.com/log", KeyType.ED25519, b"l" * 32)
WITNESS = Signer("witness.example", KeyType.COSIGNATURE_ED25519, b"w" * 32)
TREE = HashTree(leaf_hash(b"%d" % number) for number in range(300))
HEAD = Checkpoint(LOG.name, 300, TREE.root())
NOTE = sign_checkpoint(HEAD, [LOG, WITNESS], time=5)
POLICY = f"log {LOG.verifier.vkey}\nwitness w {WITNESS.verifier.vkey}\ngroup g any w\nquorum g\n".encode()


def text_parser(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    """A parser of text as one of bytes, so that any bytes reach it."""
    return lambda data: parse(data.decode("utf-8", "surrogateescape"))


# Each parser with valid input to start from.
PARSERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "note": (parse_note, NOTE.data),
    "signatures": (text_parser(note.parse_signatures), add_checkpoint.cosignatures(NOTE.signatures)),
    "checkpoint": (text_parser(checkpoint.parse), HEAD.text.encode()),
    "vkey": (text_parser(parse_vkey), WITNESS.verifier.vkey.encode()),
    "skey": (text_parser(parse_skey), WITNESS.skey.encode()),
    "policy": (parse_policy, POLICY),
    "proof": (parse_proof, TlogProof(9, tuple(inclusion_proof(TREE, 9, 300)), NOTE, b"extra").data),
    "request": (add_checkpoint.parse_request, AddCheckpoint(9, tuple(consistency_proof(TREE, 9, 300)), NOTE).data),
    "answer": (add_checkpoint.parse_cosignatures, add_checkpoint.cosignatures(NOTE.signatures)),
    "conflict": (add_checkpoint.parse_conflict, b"20852163\n"),
    "path": (text_parser(parse_tile_path), b"tile/0/x001/234.p/5"),
    "bundle": (lambda data: parse_bundle(data, 2), encode_bundle([b"one", b"three"])),
    "tile": (lambda data: split_tile(data, 2), TREE.node(0, 0) * 2),
    "open": (lambda data: open_checkpoint(data, LOG.name, [LOG.verifier], [WITNESS.verifier]), NOTE.data),
    "verify": (lambda data: parse_proof(data).verify(TREE.node(0, 9), parse_policy(POLICY)),
               TlogProof(9, tuple(inclusion_proof(TREE, 9, 300)), NOTE).data),
}  # fmt: skip


@pytest.mark.parametrize("name", PARSERS)
@given(st.data())
@settings(max_examples=examples(60, 2000), deadline=None)
def test_a_parser_raises_nothing_but_its_error(name: str, data: st.DataObject) -> None:
    """Random bytes, and valid input with random pieces cut out, exchanged and repeated."""
    parse, valid = PARSERS[name]
    parse(valid)
    given = data.draw(
        st.binary(max_size=300)
        | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
        | st.tuples(st.integers(0, len(valid)), st.integers(0, len(valid)), st.binary(max_size=20)).map(
            lambda cut: valid[: cut[0]] + cut[2] + valid[cut[1] :]
        )
    )
    allowed = TlogError if name in ("open", "verify") else BadFormat
    with contextlib.suppress(allowed):
        parse(given)


@pytest.mark.parametrize("name", ["note", "policy", "proof", "request", "answer", "conflict"])
@pytest.mark.parametrize(
    "piece", [b"\n", b"A", b"\xe2\x80\x94 a AAAAAAAA\n", b"# a\n", b"\0", b"\xff", b" ", b"old 1\n\n"]
)
def test_long_input_is_refused_without_being_read(name: str, piece: bytes) -> None:
    """Every parser has a limit of bytes; what is above it is refused, and the message stays short."""
    parse, _ = PARSERS[name]
    with pytest.raises(BadFormat) as caught:
        parse(piece * (4_000_000 // len(piece)))
    assert len(str(caught.value)) < 500


NAMES = st.text(min_size=1, max_size=40).filter(
    lambda name: (
        not any(each in WHITE_SPACE or each < " " or each == "+" for each in name)
        and len(name.encode("utf-8", "replace")) < 200
    )
)


@given(
    NAMES.filter(lambda name: not any("\ud800" <= each <= "\udfff" for each in name)),
    st.sampled_from([KeyType.ED25519, KeyType.COSIGNATURE_ED25519, KeyType.COSIGNATURE_ML_DSA_44]),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**63 - 1),
    st.integers(0, 2**63 - 1),
)
@settings(max_examples=examples(50, 1000), deadline=None)
def test_keys_and_signed_checkpoints_go_both_ways(name: str, kind: KeyType, seed: bytes, size: int, time: int) -> None:
    """Any name, seed, size and time that can be written is read back equal, and verifies."""
    signer = Signer(name, kind, seed)
    assert parse_skey(signer.skey).verifier == parse_vkey(signer.verifier.vkey) == signer.verifier
    head = Checkpoint(name, size, seed)
    signed = sign_checkpoint(head, [LOG, signer], time)
    opened = open_checkpoint(signed.data, name, [LOG.verifier], [signer.verifier])
    assert (opened.checkpoint, opened.note, opened.note.data) == (head, signed, signed.data)
    assert len(opened.verified) == 2


@given(st.text(max_size=200))
@settings(max_examples=examples(100, 2000), deadline=None)
def test_any_text_of_a_note_is_read_back_or_cannot_be_signed(text: str) -> None:
    """A note either refuses its text, or gives it back; empty lines and Unicode line ends in it do no harm."""
    try:
        signed = sign_note(text + "\n", [LOG])
    except BadFormat:
        return
    assert parse_note(signed.data) == signed


@given(st.integers(1, 700), st.data())
@settings(max_examples=examples(40, 400), deadline=None)
def test_growing_in_any_steps_gives_the_same_tiles_roots_and_proofs(size: int, data: st.DataObject) -> None:
    """Tree in memory, frontier, root level by level and tiles agree, however the leaves are divided into appends."""
    leaves = [leaf_hash(number.to_bytes(2, "big")) for number in range(size)]
    cuts = sorted(data.draw(st.lists(st.integers(0, size), max_size=6)))
    tree, frontier, tiles = HashTree(), merkle.Frontier(), dict[Tile, bytes]()
    for start, end in zip([0, *cuts], [*cuts, size], strict=True):
        tiles |= dict(grow(start, leaves[start:end], tiles.__getitem__))
        for leaf in leaves[start:end]:
            tree.append(leaf)
            frontier.push(leaf)
    source = TileHashes(tiles.__getitem__, size)
    root = merkle.root(leaves)
    assert root == tree.root() == frontier.root() == merkle.tree_root(source, size)
    assert merkle.Frontier.of(source, size).nodes == frontier.nodes
    assert set(tiles_of(size)) <= set(tiles)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    inclusion, consistency = inclusion_proof(source, index, size), consistency_proof(source, old, size)
    assert (inclusion, consistency) == (inclusion_proof(tree, index, size), consistency_proof(tree, old, size))
    merkle.verify_inclusion(leaves[index], index, size, inclusion, root)
    merkle.verify_consistency(old, merkle.root(leaves[:old]), size, root, consistency)


@given(st.integers(2, 2**63 - 1), st.data())
@settings(max_examples=examples(100, 2000), deadline=None)
def test_proofs_of_huge_trees_have_the_length_of_the_definition(size: int, data: st.DataObject) -> None:
    """In trees of any size up to 2^63 - 1, a proof with one hash more or less is refused."""

    class Made:
        """A source of random nodes, equal for equal places."""

        def node(self, level: int, index: int) -> bytes:
            return random.Random(level * 2**64 + index).randbytes(32)

    source = Made()
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    root, old_root = merkle.tree_root(source, size), merkle.tree_root(source, old)
    for proof, check in (
        (inclusion_proof(source, index, size),
         lambda hashes: merkle.root_from_inclusion(source.node(0, index), index, size, hashes)),
        (consistency_proof(source, old, size),
         lambda hashes: merkle.verify_consistency(old, old_root, size, root, hashes)),
    ):  # fmt: skip
        assert len(proof) <= 64
        for wrong in ([*proof, root], proof[:-1]):
            if wrong != proof:
                with pytest.raises(merkle.ProofRefused) as caught:
                    check(wrong)
                assert caught.value.fault is ProofFault.LENGTH
