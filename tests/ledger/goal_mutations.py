"""Goals `mutations_*`: no changed byte of a proof, a root, a note, an index or a policy's answer is accepted.

`mutations_inclusion` and `mutations_consistency` change every byte of leaf, index, hashes and roots to each of its 255
other values, and drop, repeat and exchange hashes. `mutations_file` does the same to every byte of a whole proof file
under a policy that needs the log and a witness, and `mutations_request` to a request of add-checkpoint together with
the checks that a witness makes. Sizes are not changed on their own: a proof alone does not bind them, the signature of
the checkpoint does, and in the files they are part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from monitor.tlog import add_checkpoint, merkle
from monitor.tlog.add_checkpoint import AddCheckpoint
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.checkpoint_note import sign_checkpoint
from monitor.tlog.errors import TlogError
from monitor.tlog.keys import KeyType, Signer
from monitor.tlog.note import verify_note
from monitor.tlog.policy import Policy, parse_policy
from monitor.tlog.proof import TlogProof, parse_proof
from tests.ledger.goal import QUICK, Goal, none_of

SIZES = (1, 2, 5) if QUICK else range(1, 13)  # 3 of 5 is a growth whose old root is not in the proof
LOG = Signer("example.com/log", KeyType.ED25519, b"l" * 32)
ED25519 = Signer("witness.example/ed", KeyType.COSIGNATURE_ED25519, b"w" * 32)
ML_DSA_44 = Signer("witness.example/ml", KeyType.COSIGNATURE_ML_DSA_44, b"q" * 32)
TREE = merkle.HashTree(merkle.leaf_hash(b"entry %d" % number) for number in range(300))
ALL_VALUES = range(1, 256)
EACH_BIT = [1 << bit for bit in range(8)]


def run() -> Iterator[Goal]:
    """All goals about changed bytes; the number behind the slash is how many changes were tried."""
    yield _count("mutations_inclusion", _inclusion())
    yield _count("mutations_consistency", _consistency())
    yield _count("mutations_file", _file([ED25519], EACH_BIT if QUICK else ALL_VALUES))
    yield _count("mutations_request", _request(EACH_BIT if QUICK else ALL_VALUES))
    if not QUICK:
        yield _count("mutations_file_ml_dsa_44", _file([ED25519, ML_DSA_44], EACH_BIT))


def _count(name: str, outcomes: Iterator[bool]) -> Goal:
    """The goal that nothing is accepted; each outcome is whether one change was."""
    tried = accepted = 0
    for outcome in outcomes:
        tried += 1
        accepted += outcome
    return none_of(name, accepted, tried)


def accepts(check: Callable[[], object]) -> bool:
    """Whether a check passes. Whatever else than an error of the library it raises is an error of the test."""
    try:
        check()
    except TlogError:
        return False
    return True


def changed(data: bytes, flips: Sequence[int]) -> Iterator[bytes]:
    """The data with one byte changed, for every byte and every way to change it."""
    for at in range(len(data)):
        for flip in flips:
            yield data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]


def other_lists(hashes: list[bytes]) -> Iterator[list[bytes]]:
    """The hashes with one dropped, repeated, cut or lengthened, one more, and two neighbors exchanged."""
    yield [*hashes, merkle.EMPTY_ROOT]
    for at, each in enumerate(hashes):
        yield hashes[:at] + hashes[at + 1 :]
        yield [*hashes[: at + 1], *hashes[at:]]
        yield [*hashes[:at], each[:-1], *hashes[at + 1 :]]
        yield [*hashes[:at], each + b"\0", *hashes[at + 1 :]]
        if at:
            yield [*hashes[: at - 1], each, hashes[at - 1], *hashes[at + 1 :]]


def _one_changed(hashes: list[bytes]) -> Iterator[list[bytes]]:
    for at, each in enumerate(hashes):
        for other in changed(each, ALL_VALUES):
            yield [*hashes[:at], other, *hashes[at + 1 :]]


def _inclusion() -> Iterator[bool]:
    for size in SIZES:
        root = merkle.tree_root(TREE, size)
        for index in range(size):
            leaf, proof = TREE.node(0, index), merkle.inclusion_proof(TREE, index, size)

            def verify(
                leaf: bytes = leaf,
                index: int = index,
                proof: list[bytes] = proof,
                root: bytes = root,
                size: int = size,
            ) -> None:
                merkle.verify_inclusion(leaf, index, size, proof, root)

            assert accepts(verify)
            for other in changed(leaf, ALL_VALUES):
                yield accepts(partial(verify, leaf=other))
            for other in changed(root, ALL_VALUES):
                yield accepts(partial(verify, root=other))
            for other in changed(index.to_bytes(8, "big"), ALL_VALUES):
                number = int.from_bytes(other, "big")
                yield accepts(partial(verify, index=number))
            for hashes in (*_one_changed(proof), *other_lists(proof)):
                yield accepts(partial(verify, proof=hashes))


def _consistency() -> Iterator[bool]:
    for size in SIZES:
        root = merkle.tree_root(TREE, size)
        for old in range(size + 1):
            old_root, proof = merkle.tree_root(TREE, old), merkle.consistency_proof(TREE, old, size)

            def verify(
                old_root: bytes = old_root,
                root: bytes = root,
                proof: list[bytes] = proof,
                old: int = old,
                size: int = size,
            ) -> None:
                merkle.verify_consistency(old, old_root, size, root, proof)

            assert accepts(verify)
            for other in changed(old_root, ALL_VALUES):
                yield accepts(partial(verify, old_root=other))
            if old:  # from nothing, every tree is consistent
                for other in changed(root, ALL_VALUES):
                    yield accepts(partial(verify, root=other))
            for hashes in (*_one_changed(proof), *other_lists(proof)):
                yield accepts(partial(verify, proof=hashes))


def _head(size: int) -> Checkpoint:
    return Checkpoint(LOG.name, size, merkle.tree_root(TREE, size))


def _policy(witnesses: list[Signer]) -> Policy:
    names = [f"w{number}" for number in range(len(witnesses))]
    lines = [f"witness {name} {signer.verifier.vkey}" for name, signer in zip(names, witnesses, strict=True)]
    text = "\n".join([f"log {LOG.verifier.vkey}", *lines, f"group g all {' '.join(names)}", "quorum g", ""])
    return parse_policy(text.encode())


def _file(witnesses: list[Signer], flips: Sequence[int]) -> Iterator[bool]:
    """A whole proof file; there is no byte in it that does not matter."""
    index, size = 137, 300
    note = sign_checkpoint(_head(size), [LOG, *witnesses], time=1_700_000_000)
    data = TlogProof(index, tuple(merkle.inclusion_proof(TREE, index, size)), note).data
    policy, leaf = _policy(witnesses), TREE.node(0, index)

    def check(file: bytes) -> None:
        parse_proof(file).verify(leaf, policy)

    assert accepts(partial(check, data))
    for other in changed(data, flips):
        yield accepts(partial(check, other))
    for at in range(len(data)):  # a byte missing, a byte twice
        for other in (data[:at] + data[at + 1 :], data[:at] + data[at : at + 1] + data[at:]):
            if other != data:
                yield accepts(partial(check, other))


def _request(flips: Sequence[int]) -> Iterator[bool]:
    """A request to cosign, checked as a witness does that has the checkpoint of 99 leaves."""
    old, size = _head(99), 300
    proof = tuple(merkle.consistency_proof(TREE, old.size, size))
    data = AddCheckpoint(old.size, proof, sign_checkpoint(_head(size), [LOG])).data

    def check(body: bytes) -> None:
        request = add_checkpoint.parse_request(body)
        verify_note(request.note, [LOG.verifier])
        head = request.checkpoint
        merkle.verify_consistency(request.old_size, old.root, head.size, head.root, request.proof)

    assert accepts(partial(check, data))
    for other in changed(data, flips):
        yield accepts(partial(check, other))
