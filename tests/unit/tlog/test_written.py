"""What this library wrote once: keys, messages, a proof under a policy, a request. It must verify for ever."""

from __future__ import annotations

from monitor.tlog import add_checkpoint, merkle, messages
from monitor.tlog.checkpoint import parse
from monitor.tlog.keys import parse_skey, parse_vkey
from monitor.tlog.policy import parse_policy
from monitor.tlog.proof import parse_proof
from tests.ledger.published import load

WRITTEN = load("written.json")
TREE = merkle.HashTree(merkle.leaf_hash(b"entry %d" % number) for number in range(300))
LOG, ED25519, ML_DSA_44 = (parse_vkey(text) for text in WRITTEN["vkeys"])


def test_keys_made_from_the_same_seeds_are_the_same() -> None:
    """Private keys give the public keys that policies and verifiers hold."""
    assert [parse_skey(text).verifier.vkey for text in WRITTEN["skeys"]] == WRITTEN["vkeys"]


def test_the_signed_messages_are_the_same_bytes() -> None:
    """Another byte in a message, and no old cosignature would verify."""
    text, time = WRITTEN["checkpoint"], WRITTEN["time"]
    assert messages.ed25519_message(text, time).hex() == WRITTEN["message_04_hex"]
    assert messages.ml_dsa_44_message(ML_DSA_44.name, text, time).hex() == WRITTEN["message_06_hex"]


def test_an_old_proof_verifies_under_its_policy() -> None:
    """Log, Ed25519 and ML-DSA-44 signatures and the inclusion proof of a file written earlier hold."""
    proof = parse_proof(WRITTEN["proof"].encode())
    found = proof.verify(TREE.node(0, proof.index), parse_policy(WRITTEN["policy"].encode()))
    assert found.witnesses == {"firm": WRITTEN["time"], "firm-pq": WRITTEN["time"]}
    assert proof.data.decode() == WRITTEN["proof"]


def test_an_old_request_is_read_and_its_proof_holds() -> None:
    """The request leads from 200 to 300 leaves."""
    request = add_checkpoint.parse_request(WRITTEN["request"].encode())
    head = request.checkpoint
    assert head == parse(WRITTEN["checkpoint"])
    old = merkle.tree_root(TREE, request.old_size)
    merkle.verify_consistency(request.old_size, old, head.size, head.root, request.proof)
    assert list(request.proof) == merkle.consistency_proof(TREE, 200, 300)
