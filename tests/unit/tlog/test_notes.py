"""Signed notes, keys and signed checkpoints."""

from __future__ import annotations

import pytest

from monitor.tlog.checkpoint import Checkpoint, parse
from monitor.tlog.checkpoint_note import open_checkpoint, sign_checkpoint
from monitor.tlog.errors import BadFormat, SignatureFault, SignatureRefused
from monitor.tlog.keys import KeyType, Signer, parse_skey, parse_vkey
from monitor.tlog.note import parse_note, sign_note, verify_note

# The example of Go's golang.org/x/mod/sumdb/note.
NEUMANN_SKEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
NEUMANN_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NEUMANN_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
HEAD = Checkpoint("example.com/log", 7, bytes(range(32)))
LOG = Signer("example.com/log", KeyType.ED25519, b"l" * 32)
WITNESS = Signer("witness.example/1", KeyType.COSIGNATURE_ED25519, b"w" * 32)
QUANTUM = Signer("witness.example/1", KeyType.COSIGNATURE_ML_DSA_44, b"q" * 32)


def test_the_published_example_is_reproduced() -> None:
    """Key, key id, signature and note of Go's package are ours byte by byte."""
    signer = parse_skey(NEUMANN_SKEY)
    assert (signer.verifier.vkey, signer.skey) == (NEUMANN_VKEY, NEUMANN_SKEY)
    note = sign_note(NEUMANN_TEXT, [signer])
    assert note.data.decode() == f"{NEUMANN_TEXT}\n{NEUMANN_LINE}"
    assert verify_note(parse_note(note.data), [parse_vkey(NEUMANN_VKEY)])[0].time is None


def test_three_kinds_of_key_sign_one_checkpoint() -> None:
    """A log, an Ed25519 cosigner and an ML-DSA-44 cosigner sign the same checkpoint, and each signature is verified."""
    data = sign_checkpoint(HEAD, [LOG, WITNESS, QUANTUM], time=1_679_315_147).data
    opened = open_checkpoint(data, HEAD.origin, [LOG.verifier], [WITNESS.verifier, QUANTUM.verifier])
    assert opened.checkpoint == HEAD == parse(HEAD.text)
    assert opened.note.data == data
    assert [each.time for each in opened.verified] == [None, 1_679_315_147, 1_679_315_147]
    assert all(parse_vkey(each.verifier.vkey) == each.verifier for each in opened.verified)
    assert all(parse_skey(signer.skey).verifier == signer.verifier for signer in (LOG, WITNESS, QUANTUM))


@pytest.mark.parametrize("signer", [LOG, WITNESS, QUANTUM], ids=lambda signer: signer.verifier.kind.name)
def test_a_wrong_signature_by_a_known_key_refuses_the_note(signer: Signer) -> None:
    """One flipped bit in any signature is noticed although another signature holds."""
    note = sign_checkpoint(HEAD, [LOG, signer], time=1)
    bad = note.signatures[-1]
    broken = bad._replace(signature=bad.signature[:-1] + bytes([bad.signature[-1] ^ 1]))
    changed = note._replace(signatures=(note.signatures[0], broken))
    with pytest.raises(SignatureRefused) as caught:
        open_checkpoint(changed.data, HEAD.origin, [LOG.verifier], [signer.verifier])
    assert caught.value.fault is SignatureFault.WRONG


def test_the_log_itself_must_have_signed() -> None:
    """A checkpoint that only a witness signed is refused, and so is one of another origin."""
    note = sign_checkpoint(HEAD, [WITNESS], time=1)
    with pytest.raises(SignatureRefused) as caught:
        open_checkpoint(note.data, HEAD.origin, [LOG.verifier], [WITNESS.verifier])
    assert caught.value.fault is SignatureFault.NO_LOG_KEY
    with pytest.raises(SignatureRefused) as caught:
        open_checkpoint(sign_checkpoint(HEAD, [LOG]).data, "example.com/other", [LOG.verifier])
    assert caught.value.fault is SignatureFault.ORIGIN


def test_signatures_by_unknown_keys_are_ignored() -> None:
    """A verifier that does not know the other keys accepts the note by the one that it knows."""
    data = sign_checkpoint(HEAD, [QUANTUM, WITNESS, LOG], time=1).data
    assert [each.verifier for each in open_checkpoint(data, HEAD.origin, [LOG.verifier]).verified] == [LOG.verifier]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", None),
        ("a\n1\n", None),
        ("\n1\n" + "A" * 43 + "=\n", 1),
        ("a\n01\n" + "A" * 43 + "=\n", 2),
        ("a\n-1\n" + "A" * 43 + "=\n", 2),
        ("a\n9223372036854775808\n" + "A" * 43 + "=\n", 2),
        ("a\n1\n" + "A" * 42 + "B=\n", 3),  # bits set after the end
        ("a\n1\n" + "A" * 40 + "\n", 3),
        ("a\n1\n" + "A" * 43 + "=\n\n", 4),
        ("a\n1\n" + "A" * 43 + "=", None),
    ],
)
def test_a_checkpoint_has_one_spelling(text: str, line: int | None) -> None:
    """What is not canonical is refused with the line that is wrong."""
    with pytest.raises(BadFormat) as caught:
        parse(text)
    assert caught.value.line == line
