"""Policies: what a file says, which files are refused, and which notes are accepted."""

from __future__ import annotations

import hashlib

import pytest

from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.checkpoint_note import sign_checkpoint
from monitor.tlog.errors import BadFormat, PolicyFault, PolicyRefused, SignatureRefused
from monitor.tlog.keys import KeyType, Signer
from monitor.tlog.note import SignedNote, sign_note
from monitor.tlog.policy import Policy, parse_policy

LOG = Signer("example.com/log", KeyType.ED25519, b"l" * 32)
LOG2 = Signer("example.com/log", KeyType.COSIGNATURE_ML_DSA_44, b"m" * 32)
WITNESSES = {
    name: Signer(f"witness.example/{name}", KeyType.COSIGNATURE_ED25519, name.encode() * 16)
    for name in ("X1", "X2", "X3", "Y1", "Y2", "Y3")
}
QUANTUM = Signer("witness.example/Q", KeyType.COSIGNATURE_ML_DSA_44, b"q" * 32)
HEAD = Checkpoint("example.com/log", 7, bytes(range(32)))
KEYS = "".join(f"witness {name} {signer.verifier.vkey}\n" for name, signer in WITNESSES.items())
TWO_LEVELS = f"""log {LOG.verifier.vkey}
{KEYS}
group X-witnesses 2 X1 X2 X3
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def policy(text: str) -> Policy:
    return parse_policy(text.encode())


def signed_by(*names: str) -> SignedNote:
    return sign_checkpoint(HEAD, [LOG, *(WITNESSES[name] for name in names)], time=5)


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (["X1", "X2", "Y1"], None),
        (["X1", "X2", "X3", "Y1", "Y2", "Y3"], None),
        (["X2", "X3", "Y3"], None),
        (["X1", "X2"], ("Y1", "Y2", "Y3")),
        (["X1", "Y1"], ("X2", "X3")),
        ([], ("X1", "X2", "X3", "Y1", "Y2", "Y3")),
    ],
)
def test_a_quorum_of_two_levels(names: list[str], missing: tuple[str, ...] | None) -> None:
    """The example of the specification: two of the X and one of the Y witnesses; a refusal names who is missing."""
    found = policy(TWO_LEVELS).satisfied(signed_by(*names))
    assert bool(found) == (missing is None)
    assert found.missing == (missing or ())
    assert found.witnesses == dict.fromkeys(names, 5)
    if missing:
        assert isinstance(found.refusal, PolicyRefused)
        assert found.refusal.fault is PolicyFault.QUORUM
        assert all(name in found.problem for name in missing)
        with pytest.raises(PolicyRefused):
            policy(TWO_LEVELS).open(signed_by(*names))
    else:
        assert policy(TWO_LEVELS).open(signed_by(*names))[0] == HEAD


def test_every_subset_of_witnesses_is_judged_by_the_definition() -> None:
    """All 64 sets of cosigners: accepted if and only if two X and one Y are among them."""
    parsed, names = policy(TWO_LEVELS), list(WITNESSES)
    for mask in range(64):
        signed = [name for bit, name in enumerate(names) if mask >> bit & 1]
        expected = sum(name[0] == "X" for name in signed) >= 2 and any(name[0] == "Y" for name in signed)
        assert ("X-and-Y" in parsed.reached(signed)) is expected


def test_the_log_must_have_signed_with_a_key_of_its_origin() -> None:
    """All witnesses together do not replace the log, and a key of another origin does not count."""
    note = sign_checkpoint(HEAD, WITNESSES.values(), time=5)
    found = policy(TWO_LEVELS).satisfied(note)
    assert isinstance(found.refusal, PolicyRefused)
    assert found.refusal.fault is PolicyFault.NO_LOG
    other = sign_checkpoint(HEAD._replace(origin="example.com/other"), [LOG, *WITNESSES.values()], time=5)
    assert not policy(TWO_LEVELS).satisfied(other)
    stranger = policy(TWO_LEVELS).satisfied(sign_checkpoint(HEAD, [LOG2], time=5))
    assert isinstance(stranger.refusal, PolicyRefused)
    assert stranger.refusal.fault is PolicyFault.NO_LOG


def test_a_log_key_may_be_known_from_elsewhere() -> None:
    """A policy without logs accepts a checkpoint under a key that the reader gives; its name must be the origin."""
    found = policy(f"{KEYS}quorum X1\n").satisfied(signed_by("X1"), [LOG.verifier])
    assert found.log == LOG.verifier
    assert not policy(f"{KEYS}quorum X1\n").satisfied(signed_by("X1"))
    stranger = Signer("example.com/stranger", KeyType.ED25519, b"s" * 32)
    signed = sign_checkpoint(HEAD, [stranger, WITNESSES["X1"]], time=5)
    assert not policy(f"{KEYS}quorum X1\n").satisfied(signed, [stranger.verifier])


def test_a_text_that_is_no_checkpoint_is_not_accepted() -> None:
    """Whatever signed it; the answer says what is wrong with the text."""
    found = policy(TWO_LEVELS).satisfied(sign_note("no checkpoint\n", [LOG]))
    assert isinstance(found.refusal, BadFormat)
    assert found.checkpoint is None
    with pytest.raises(BadFormat):
        policy(TWO_LEVELS).open(sign_note("no checkpoint\n", [LOG]))


def test_repeated_lines_of_one_witness_count_once() -> None:
    """A cosignature that is listed twice, or made twice, is one vote."""
    note = signed_by("X1")
    again = sign_checkpoint(HEAD, [WITNESSES["X1"]], time=9).signatures
    repeated = SignedNote(note.text, (*note.signatures, *note.signatures, *again))
    found = policy(f"log {LOG.verifier.vkey}\n{KEYS}group g 2 X1 X2\nquorum g\n").satisfied(repeated)
    assert found.missing == ("X2",)


def test_one_wrong_cosignature_refuses_the_note() -> None:
    """A wrong signature by a known witness refuses the note even where the quorum does not need that witness."""
    note = signed_by("X1", "Y1")
    wrong = note.signatures[-1]._replace(signature=bytes(72))
    parsed = policy(f"log {LOG.verifier.vkey}\n{KEYS}quorum X1\n")
    assert parsed.satisfied(note)
    found = parsed.satisfied(SignedNote(note.text, (*note.signatures[:-1], wrong)))
    assert isinstance(found.refusal, SignatureRefused)


def test_two_kinds_of_key_stand_side_by_side() -> None:
    """The policy says whether Ed25519, ML-DSA-44 or both are needed."""
    keys = (
        f"log {LOG.verifier.vkey} https://example.com\nlog {LOG2.verifier.vkey}\n"
        f"witness old {WITNESSES['X1'].verifier.vkey}\nwitness new {QUANTUM.verifier.vkey} https://witness.example\n"
    )
    note = sign_checkpoint(HEAD, [LOG2, WITNESSES["X1"]], time=5)
    assert policy(keys + "quorum old\n").satisfied(note).log == LOG2.verifier
    assert policy(keys + "group either any old new\nquorum either\n").satisfied(note)
    assert policy(keys + "group both all old new\nquorum both\n").satisfied(note).missing == ("new",)
    assert policy(keys + "quorum new\n").witnesses[1].url == "https://witness.example"


def test_a_policy_without_witnesses_says_so() -> None:
    """`quorum none` accepts the log alone and is told from other policies; its hash is that of the file."""
    text = f"# comment\n\n \tlog\t{LOG.verifier.vkey}  \n quorum none\n"
    found = policy(text)
    assert not found.needs_witnesses
    assert found.satisfied(signed_by())
    assert found.sha256 == hashlib.sha256(text.encode()).hexdigest()


A, B = (WITNESSES[name].verifier.vkey for name in ("X1", "X2"))
RENAMED = Signer("other.example", KeyType.COSIGNATURE_ED25519, b"X1" * 16).verifier.vkey
WRONG = {
    "no quorum": (f"witness a {A}\n", None),
    "two quorums": (f"witness a {A}\nquorum a\nquorum a\n", 3),
    "no final newline": (f"witness a {A}\nquorum a", 2),
    "quorum before its witness": (f"quorum a\nwitness a {A}\n", 1),
    "unknown member": (f"witness a {A}\ngroup g any a b\nquorum g\n", 2),
    "group of itself": (f"witness a {A}\ngroup g any a g\nquorum g\n", 2),
    "none as a member": (f"witness a {A}\ngroup g any a none\nquorum g\n", 2),
    "none as a name": (f"witness none {A}\nquorum none\n", 1),
    "name taken": (f"witness a {A}\nwitness a {B}\nquorum a\n", 2),
    "one key, two names": (f"witness a {A}\nwitness b {RENAMED}\nquorum a\n", 2),
    "one log twice": (f"log {LOG.verifier.vkey}\nlog {LOG.verifier.vkey}\nquorum none\n", 2),
    "member of two groups": (f"witness a {A}\nwitness b {B}\ngroup g any a\ngroup h any a b\nquorum h\n", 4),
    "member twice": (f"witness a {A}\ngroup g 2 a a\nquorum g\n", 2),
    "threshold 0": (f"witness a {A}\ngroup g 0 a\nquorum g\n", 2),
    "threshold above members": (f"witness a {A}\ngroup g 2 a\nquorum g\n", 2),
    "threshold 01": (f"witness a {A}\ngroup g 01 a\nquorum g\n", 2),
    "no members": (f"witness a {A}\ngroup g all\nquorum a\n", 2),
    "key of a log as witness": (f"witness a {LOG.verifier.vkey}\nquorum a\n", 1),
    "key of a witness as log": (f"log {A}\nquorum none\n", 1),
    "unknown keyword": (f"witness a {A}\nWitness b {B}\nquorum a\n", 2),
    "carriage return": (f"witness a {A}\r\nquorum a\r\n", 1),
    "comment at the end of a line": (f"witness a {A}\nquorum a # comment\n", 2),
    "wrong key id": (f"witness a {A.replace('+', '+0', 1)}\nquorum a\n", 1),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_policy_names_its_line(case: str) -> None:
    """What would be read in two ways, or would make a quorum weaker than it looks, is refused with its line."""
    text, line = WRONG[case]
    with pytest.raises(BadFormat) as caught:
        policy(text)
    assert caught.value.line == line
    assert caught.value.fix


@pytest.mark.parametrize("byte", [0x00, 0x0B, 0x0D, 0x1B, 0x7F])
def test_control_characters_are_refused_in_comments_too(byte: int) -> None:
    """What another parser could take for the end of a line may not stand anywhere."""
    with pytest.raises(BadFormat, match=f"0x{byte:02x}") as caught:
        parse_policy(f"witness a {A}\n".encode() + b"# x" + bytes([byte]) + b"quorum none\nquorum a\n")
    assert caught.value.line == 2


def test_names_are_compared_byte_by_byte() -> None:
    """Bytes that are no UTF-8 are allowed in names; two names are equal if their bytes are."""
    text = b"witness \xff\xfe " + A.encode() + b"\nwitness K\xe2\x84\xaa " + B.encode() + b"\nquorum \xff\xfe\n"
    found = parse_policy(text)
    assert found.quorum == found.witnesses[0].name
    with pytest.raises(BadFormat):
        parse_policy(text.replace(b"quorum \xff\xfe", b"quorum \xff\xff"))


def test_two_keys_of_one_name_and_id_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key id has 32 bits, so a second key can be made for a name and id; listed, it would break the first one."""
    first, second = (Signer("w.example", KeyType.COSIGNATURE_ED25519, seed * 32) for seed in (b"1", b"2"))
    text = f"witness a {first.verifier.vkey}\nwitness b {second.verifier.vkey}\nquorum a\n"
    assert len(policy(text).witnesses) == 2

    class Truncated:
        """A hash of which all results begin alike: 2^32 keys need not be tried here."""

        def __init__(self, data: bytes) -> None:
            self.data = data

        def digest(self) -> bytes:
            return bytes(32)

    monkeypatch.setattr("monitor.tlog.keys.hashlib.sha256", Truncated)
    same = text.replace(first.verifier.key_id.hex(), "00000000").replace(second.verifier.key_id.hex(), "00000000")
    with pytest.raises(BadFormat, match="name and id") as caught:
        policy(same)
    assert caught.value.line == 2


def test_messages_carry_no_terminal_commands() -> None:
    """A name with control characters of a terminal, or bytes that are no UTF-8, is printed with escapes."""
    names = (b"\xc2\x9b2J", b"\xff")
    for name in names:
        found = parse_policy(b"log %s\nwitness %s %s\nquorum %s\n" % (
            LOG.verifier.vkey.encode(), name, A.encode(), name,
        ))  # fmt: skip
        problem = found.satisfied(sign_checkpoint(HEAD, [LOG])).problem
        assert problem.isprintable()
        problem.encode()
