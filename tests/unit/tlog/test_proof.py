"""Proof files, and the bodies of add-checkpoint."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.tlog import add_checkpoint, cosignature
from monitor.tlog.add_checkpoint import AddCheckpoint
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.checkpoint_note import sign_checkpoint
from monitor.tlog.errors import BadFormat, PolicyRefused, ProofRefused, SignatureRefused
from monitor.tlog.keys import KeyType, Signer
from monitor.tlog.merkle import HashTree, consistency_proof, inclusion_proof, leaf_hash
from monitor.tlog.messages import Subtree
from monitor.tlog.policy import parse_policy
from monitor.tlog.proof import TlogProof, parse_proof

LOG = Signer("example.com/log", KeyType.ED25519, b"l" * 32)
WITNESS = Signer("witness.example", KeyType.COSIGNATURE_ED25519, b"w" * 32)
QUANTUM = Signer("quantum.example", KeyType.COSIGNATURE_ML_DSA_44, b"q" * 32)
TREE = HashTree(leaf_hash(b"%d" % number) for number in range(7))
HEAD = Checkpoint(LOG.name, 7, TREE.root())
POLICY = parse_policy(
    f"log {LOG.verifier.vkey}\nwitness w {WITNESS.verifier.vkey}\nquorum w\n".encode(),
)


def proof(extra: bytes | None = None) -> TlogProof:
    note = sign_checkpoint(HEAD, [LOG, WITNESS], time=5)
    return TlogProof(3, tuple(inclusion_proof(TREE, 3, 7)), note, extra)


@pytest.mark.parametrize("extra", [None, b"any bytes\n\n\0"])
def test_a_proof_is_verified_offline(extra: bytes | None) -> None:
    """A proof file, the entry and the policy suffice; the file has one spelling."""
    data = proof(extra).data
    found = parse_proof(data)
    assert (found, found.data) == (proof(extra), data)
    assert found.verify(leaf_hash(b"3"), POLICY).witnesses == {"w": 5}
    for leaf, index in ((b"4", 3), (b"3", 2), (b"3", 4)):
        with pytest.raises(ProofRefused):
            replace(found, index=index).verify(leaf_hash(leaf), POLICY)
    alone = replace(found, note=found.note._replace(signatures=found.note.signatures[:1]))
    with pytest.raises(PolicyRefused):
        alone.verify(leaf_hash(b"3"), POLICY)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (b"@v1", b"@v2", 1),
        (b"index 3", b"index 03", 2),
        (b"index 3", b"index 7", 2),
        (b"index 3", b"extra \nindex 3", 2),
        (b"index 3", b"index 3\nAAAA", 3),
        (b"\n\n", b"\n", 6),  # the origin is then read as a hash
        (b"index 3", b"index 3\n" + b"A" * 43 + b"=" + (b"\n" + b"A" * 43 + b"=") * 63, 3),
    ],
)
def test_a_wrong_proof_names_its_line(old: bytes, new: bytes, line: int) -> None:
    """No second spelling; at most 63 hashes; an index inside of the tree."""
    with pytest.raises(BadFormat) as caught:
        parse_proof(proof().data.replace(old, new, 1))
    assert caught.value.line == line


def test_a_request_to_cosign_goes_both_ways() -> None:
    """The body of add-checkpoint, its answers, and the refusal of other spellings."""
    request = AddCheckpoint(3, tuple(consistency_proof(TREE, 3, 7)), sign_checkpoint(HEAD, [LOG]))
    assert add_checkpoint.parse_request(request.data) == request
    assert request.data.startswith(b"old 3\n")
    assert AddCheckpoint(0, (), request.note).data.startswith(b"old 0\n\n" + LOG.name.encode())
    for old, new in ((b"old 3", b"old 03"), (b"old 3", b"old -3"), (b"old 3", b"old  3"), (b"old 3", b"Old 3")):
        with pytest.raises(BadFormat):
            add_checkpoint.parse_request(request.data.replace(old, new))
    with pytest.raises(BadFormat):
        add_checkpoint.parse_request(b"old 3\n" + b"A" * 43 + b"=\n")
    lines = [cosignature.cosign(HEAD, 9, signer) for signer in (WITNESS, QUANTUM)]
    assert list(add_checkpoint.parse_cosignatures(add_checkpoint.cosignatures(lines))) == lines
    assert add_checkpoint.parse_conflict(add_checkpoint.conflict(20852163)) == 20852163
    for answer in (b"", b"1", b"01\n", b"1\n\n", b"1 \n", b"9" * 30 + b"\n"):
        with pytest.raises(BadFormat):
            add_checkpoint.parse_conflict(answer)


@pytest.mark.parametrize("signer", [WITNESS, QUANTUM], ids=["Ed25519", "ML-DSA-44"])
def test_a_cosignature_binds_the_checkpoint_and_the_time(signer: Signer) -> None:
    """Another size, root, origin or time is refused; Ed25519 binds extension lines too, ML-DSA-44 does not."""
    line = cosignature.cosign(HEAD, 9, signer)
    note = sign_checkpoint(HEAD, [LOG]).adding([line])
    assert cosignature.verify(note, signer.verifier) == cosignature.time_of(line) == 9
    others = [
        HEAD._replace(size=8), HEAD._replace(root=bytes(32)), HEAD._replace(origin="example.com/other"),
    ]  # fmt: skip
    for other in others:
        with pytest.raises(SignatureRefused):
            cosignature.verify(note._replace(text=other.text), signer.verifier)
    later = line._replace(signature=(10).to_bytes(8, "big") + line.signature[8:])
    with pytest.raises(SignatureRefused):
        cosignature.verify(sign_checkpoint(HEAD, [LOG]).adding([later]), signer.verifier)
    extended = note._replace(text=HEAD._replace(extensions=("more",)).text)
    if signer is QUANTUM:
        assert cosignature.verify(extended, signer.verifier) == 9
    else:
        with pytest.raises(SignatureRefused):
            cosignature.verify(extended, signer.verifier)


def test_an_ml_dsa_key_signs_subtrees() -> None:
    """A range of leaves is signed with time 0; the whole tree is the same statement as the checkpoint."""
    part = Subtree(LOG.name, 4, 6, TREE.node(1, 2))
    signature = cosignature.cosign_subtree(part, QUANTUM)
    assert cosignature.verify_subtree(part, signature, QUANTUM.verifier) == 0
    with pytest.raises(SignatureRefused):
        cosignature.verify_subtree(part._replace(end=7), signature, QUANTUM.verifier)
    with pytest.raises(BadFormat):
        cosignature.cosign_subtree(part, QUANTUM, time=1)
    whole = cosignature.cosign(HEAD, 9, QUANTUM).signature
    assert cosignature.verify_subtree(cosignature.subtree_of(HEAD.text), whole, QUANTUM.verifier) == 9
    for bad in (signature[:-1], signature + b"\0", b"", (1).to_bytes(8, "big") + signature[8:]):
        with pytest.raises(SignatureRefused):
            cosignature.verify_subtree(part, bad, QUANTUM.verifier)
    with pytest.raises(ValueError, match="ML_DSA"):
        cosignature.cosign_subtree(part, WITNESS)
    with pytest.raises(ValueError, match="ML_DSA"):
        cosignature.verify_subtree(part, signature, WITNESS.verifier)


def test_a_cosignature_is_by_a_key_that_carries_a_time() -> None:
    """The signature of the log itself is no cosignature, and a witness that did not sign is named."""
    note = sign_checkpoint(HEAD, [LOG, WITNESS], time=5)
    with pytest.raises(SignatureRefused):
        cosignature.verify(note, LOG.verifier)
    with pytest.raises(SignatureRefused, match=r"quantum\.example"):
        cosignature.verify(note, QUANTUM.verifier)
    with pytest.raises(ValueError, match="time"):
        cosignature.cosign(HEAD, 5, LOG)
    twice = note.signatures + sign_checkpoint(HEAD, [WITNESS], time=9).signatures
    assert cosignature.verify(note._replace(signatures=twice), WITNESS.verifier) == 9
