"""Signed notes, keys and signed checkpoints."""

from __future__ import annotations

import pytest

from monitor.tlog.checkpoint import Checkpoint, parse
from monitor.tlog.checkpoint_note import open_checkpoint, sign_checkpoint
from monitor.tlog.errors import BadFormat, SignatureFault, SignatureRefused
from monitor.tlog.keys import KeyType, Signer, Verifier, parse_skey, parse_vkey, signature_time
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


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (NEUMANN_VKEY, "does not begin with PRIVATE"),
        (NEUMANN_SKEY.replace("c74f20a3", "c74f20a4"), "key id"),
        (NEUMANN_SKEY.replace("Peter", "Pete r"), "key name"),
        (NEUMANN_SKEY[:-4], "bytes instead of 32"),
        (NEUMANN_SKEY[:-1], "base64"),
        (NEUMANN_SKEY + "=", "base64"),
        (NEUMANN_SKEY.replace("+AYE", "+/YE"), "unknown type"),
        ("PRIVATE+KEY+PeterNeumann", "no key"),
        ("PRIVATE+KEY+PeterNeumann+c74f20a3+", "unknown type"),
    ],
)
def test_a_damaged_private_key_is_refused_without_being_shown(text: str, problem: str) -> None:
    """The message says what is wrong, and repeats nothing of the key."""
    with pytest.raises(BadFormat, match=problem) as caught:
        parse_skey(text)
    assert "EKFALVFGyNhPJEMzD1QIDr" not in str(caught.value)


def test_a_wrong_public_key_names_its_line() -> None:
    """Where a key stands in a file, the message has the line, whatever part of the key is wrong."""
    for text in ("a b+c74f20a3+AAAA", "name", "name+c74f20a3+AA", NEUMANN_VKEY.replace("c7", "C7"), NEUMANN_VKEY + "="):
        with pytest.raises(BadFormat) as caught:
            parse_vkey(text, line=3)
        assert caught.value.line == 3


@pytest.mark.parametrize("signer", [WITNESS, QUANTUM], ids=["Ed25519", "ML-DSA-44"])
def test_a_time_that_no_cosignature_can_have_is_refused(signer: Signer) -> None:
    """A time above 2^63 - 1, or a signature that is cut, is a wrong signature, not another kind of error."""
    good = signer.sign(HEAD.text, 1)
    for bad in ((2**63).to_bytes(8, "big") + good[8:], good[:-1], good[:7], b"", good + b"\0"):
        with pytest.raises(SignatureRefused) as caught:
            signer.verifier.verify(HEAD.text, bad)
        assert caught.value.fault is SignatureFault.WRONG
    with pytest.raises(SignatureRefused):
        signature_time(good[:7])


def test_a_key_that_carries_a_time_signs_with_one_and_others_without() -> None:
    """A missing time, or one that would not be signed, is an error of the caller."""
    for signer, time in ((LOG, 1), (WITNESS, None), (QUANTUM, None)):
        with pytest.raises(ValueError, match="time"):
            signer.sign(HEAD.text, time)
    with pytest.raises(BadFormat, match="newline"):
        sign_note("no newline", [LOG])
    with pytest.raises(ValueError, match="signers"):
        sign_note(HEAD.text, [])


def test_the_first_signature_of_a_key_is_kept() -> None:
    """Adding cosignatures to a note twice changes nothing; the order stays."""
    note = sign_checkpoint(HEAD, [LOG, WITNESS], time=1)
    later = sign_checkpoint(HEAD, [WITNESS, QUANTUM], time=2).signatures
    merged = note.adding(later)
    assert merged.signatures == (*note.signatures, later[1])
    assert merged.adding(later) == merged


def test_keys_are_equal_by_name_type_and_bytes() -> None:
    """The same bytes under another name or type are another key."""
    key = WITNESS.verifier
    assert parse_vkey(key.vkey) == key
    assert len({key, Verifier("other", key.kind, key.public), Verifier(key.name, KeyType.ED25519, key.public)}) == 3
    assert key != key.vkey
    assert "w" * 8 not in repr(WITNESS)


GOOD = sign_note("one\n\ntwo\n", [LOG]).data


@pytest.mark.parametrize(
    ("old", "new", "problem", "line"),
    [
        (b"two\n\n", b"two\n", "no signature line", 3),  # the empty line in the text then separates
        (b"\n\n", b"\n", "no empty line", None),
        (b"=\n", b"=", "end with a newline", None),
        ("— ".encode(), b"- ", "no signature line", 5),
        ("— ".encode(), "—".encode(), "no signature line", 5),
        (b"log ", b"log", "no signature line", 5),
        (b"log ", b"log  ", "base64", 5),
        (b"log ", b"log+ ", "key name", 5),
        (b"log ", "lo\u2003g ".encode(), "key name", 5),
        (b"one", b"o\te", "control character", 1),
        (b"two", b"t\ro", "control character", 3),
        (b"two", b"t\xffo", "UTF-8", 3),
        (b"=\n", b"=\n\n", "no signature", None),
    ],
)
def test_a_malformed_note_names_line_and_problem(old: bytes, new: bytes, problem: str, line: int | None) -> None:
    """Each rule of the format has its message, with the line where it is broken."""
    data = GOOD.replace(old, new) if old == b"\n\n" else GOOD.replace(old, new, 1)
    with pytest.raises(BadFormat, match=problem) as caught:
        parse_note(data)
    assert caught.value.line == line
