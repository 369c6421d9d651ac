"""A witness cosigns what extends the checkpoint it cosigned last, and answers everything else as tlog-witness says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.errors import Refused
from monitor.testing.grown_log import GrownLog, request
from monitor.tlog.add_checkpoint import MAX_REQUEST_BYTES
from monitor.tlog.checkpoint import parse as parse_checkpoint
from monitor.tlog.keys import KeyType, Signer
from monitor.tlog.note import SignedNote, parse_note, parse_signatures, verify_note
from monitor.witness.answers import AddAnswer, Response
from monitor.witness.evidence import MOST_KEPT
from monitor.witness.state import WitnessState
from monitor.witness.witness import Witness

ORIGIN = "sandbox.example/authority"
KEYS = [
    Signer("witness.example/w1", KeyType.COSIGNATURE_ED25519, bytes([7]) * 32),
    Signer("witness.example/w2", KeyType.COSIGNATURE_ML_DSA_44, bytes([8]) * 32),
]
LOG = GrownLog(ORIGIN, 40)
NOW = 1_800_000_000


class Clock:
    """A clock that the test sets, in milliseconds."""

    def __init__(self) -> None:
        self.ms = NOW * 1000

    def __call__(self) -> int:
        return self.ms


STILL = Clock()


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Witness]:
    """Starts the witness of this directory, again where one runs."""
    running: list[WitnessState] = []

    def begin(keys: list[Signer] = KEYS[:1], clock: Callable[[], int] = STILL, log: GrownLog = LOG) -> Witness:
        for state in running:
            state.close()
        state = WitnessState(tmp_path / "w", [key.verifier for key in keys], create=not (tmp_path / "w").exists())
        running.append(state)
        return Witness(state, {log.origin: [log.signer.verifier]}, keys, clock=clock)

    return begin


def cosigned(response: Response, note: bytes, keys: list[Signer] = KEYS[:1]) -> list[int | None]:
    """The times of the cosignatures of an answer, after they were verified against the note."""
    assert response.answer is AddAnswer.COSIGNED, response
    signed = SignedNote(parse_note(note).text, parse_signatures(response.body.decode()))
    verified = verify_note(signed, [key.verifier for key in keys])
    assert len(verified) == len(keys)
    return [each.time for each in verified]


def test_a_checkpoint_that_extends_the_last_one_is_cosigned_by_every_key(start: Callable[..., Witness]) -> None:
    """200: one line per key, each a valid cosignature with the time of the clock."""
    witness = start(KEYS)
    for old, size in ((0, 0), (0, 3), (3, 3), (3, 17), (17, 40)):
        assert cosigned(witness.add(LOG.request(old, size)), LOG.note(size), KEYS) == [NOW, NOW]


def proof_changed(old: int, size: int) -> bytes:
    proof = LOG.proof(old, size)
    return request(old, [bytes(32), *proof[1:]], LOG.note(size))


FORK = LOG.forked(5, 40)
STRANGER = GrownLog(ORIGIN, 40, seed=9)
OTHER = GrownLog("sandbox.example/other", 5)
NOTE = LOG.note(20)
MATRIX: list[tuple[str, bytes, AddAnswer, bytes]] = [
    ("nothing", b"", AddAnswer.MALFORMED, b""),
    ("no old size", NOTE, AddAnswer.MALFORMED, b""),
    ("no empty line", b"old 10\n" + NOTE.replace(b"\n\n", b"\n"), AddAnswer.MALFORMED, b""),
    ("an old size with a leading zero", b"old 010\n\n" + NOTE, AddAnswer.MALFORMED, b""),
    ("a negative old size", b"old -1\n\n" + NOTE, AddAnswer.MALFORMED, b""),
    ("an old size above 2^63 - 1", b"old 9223372036854775808\n\n" + NOTE, AddAnswer.MALFORMED, b""),
    ("two spaces", b"old  10\n\n" + NOTE, AddAnswer.MALFORMED, b""),
    ("a hash that is no base64", b"old 10\nxyz\n\n" + NOTE, AddAnswer.MALFORMED, b""),
    ("a hash of 31 bytes", b"old 10\n" + b"A" * 42 + b"==\n\n" + NOTE, AddAnswer.MALFORMED, b""),
    ("64 hashes", b"old 10\n" + (b"A" * 43 + b"=\n") * 64 + b"\n" + NOTE, AddAnswer.MALFORMED, b""),
    ("carriage returns", LOG.request(10, 20).replace(b"\n", b"\r\n"), AddAnswer.MALFORMED, b""),
    ("no final newline", LOG.request(10, 20)[:-1], AddAnswer.MALFORMED, b""),
    ("bytes that are no UTF-8", b"old 10\n\n\xff" + NOTE, AddAnswer.MALFORMED, b""),
    ("more than the largest request", LOG.request(10, 20) + b"x" * MAX_REQUEST_BYTES, AddAnswer.MALFORMED, b""),
    ("a note that is no checkpoint", b"old 10\n\n" + NOTE.replace(b"\n20\n", b"\nXX\n"), AddAnswer.MALFORMED, b""),
    ("an old size above the checkpoint's", request(21, [], NOTE), AddAnswer.MALFORMED, b""),
    ("another origin", OTHER.request(0, 5), AddAnswer.UNKNOWN_LOG, b""),
    ("a signature by a key of the same name that is not known", STRANGER.request(10, 20), AddAnswer.NOT_SIGNED, b""),
    ("a signature over another text", b"old 10\n\n" + NOTE.replace(b"\n20\n", b"\n21\n"), AddAnswer.NOT_SIGNED, b""),
    ("an old size of 0", LOG.request(0, 20), AddAnswer.OLD_SIZE, b"10\n"),
    ("an old size below the last one", LOG.request(9, 20), AddAnswer.OLD_SIZE, b"10\n"),
    ("an old size above the last one", LOG.request(11, 20), AddAnswer.OLD_SIZE, b"10\n"),
    ("a smaller checkpoint", LOG.request(5, 9), AddAnswer.OLD_SIZE, b"10\n"),
    ("another root for the last size", request(10, [], FORK.note(10)), AddAnswer.FORK, b"10\n"),
    ("a wrong hash in the proof", proof_changed(10, 20), AddAnswer.BAD_PROOF, b""),
    ("no proof", request(10, [], NOTE), AddAnswer.BAD_PROOF, b""),
    ("a proof for the same size", request(10, [bytes(32)], LOG.note(10)), AddAnswer.BAD_PROOF, b""),
    ("a fork with its own proof", FORK.request(10, 20), AddAnswer.BAD_PROOF, b""),
]


@pytest.mark.parametrize(("what", "body", "answer", "size"), MATRIX, ids=[row[0] for row in MATRIX])
def test_what_is_refused_and_changes_nothing(
    start: Callable[..., Witness], what: str, body: bytes, answer: AddAnswer, size: bytes
) -> None:
    """Each kind of bad request has its answer, and the next good request is cosigned as if it had not come."""
    witness = start()
    cosigned(witness.add(LOG.request(0, 10)), LOG.note(10))
    response = witness.add(body)
    assert response.answer is answer, f"{what}: {response}"
    if answer.status == 409:
        assert (response.body, response.content_type) == (size, "text/x.tlog.size")
    cosigned(witness.add(LOG.request(10, 20)), NOTE)


def test_no_changed_byte_of_a_request_is_cosigned(start: Callable[..., Witness]) -> None:
    """Each byte of a good request, changed in one bit, cut off and doubled: refused, and the good one is cosigned."""
    witness, good = start(), LOG.request(10, 20)
    cosigned(witness.add(LOG.request(0, 10)), LOG.note(10))
    for at in range(len(good)):
        for bad in (
            good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1 :],
            good[:at],
            good[:at] + good[at - 1 :],
        ):
            if bad != good:
                assert witness.add(bad).answer is not AddAnswer.COSIGNED, bad
    cosigned(witness.add(good), NOTE)


def test_a_proof_from_nothing_must_be_empty(start: Callable[..., Witness]) -> None:
    """422: hashes with old size 0, for a witness that has cosigned nothing."""
    assert start().add(request(0, [bytes(32)], NOTE)).answer is AddAnswer.BAD_PROOF


def test_the_statuses_are_those_of_the_specification() -> None:
    """200, 400, 403, 404, 409 and 422 as tlog-witness assigns them; 503 while the disk fails."""
    assert {answer.value: answer.status for answer in AddAnswer} == {
        "cosigned": 200, "malformed": 400, "not_signed": 403, "unknown_log": 404, "old_size": 409, "fork": 409,
        "bad_proof": 422, "not_stored": 503,
    }  # fmt: skip


def test_signatures_by_unknown_keys_are_ignored_and_not_stored(start: Callable[..., Witness]) -> None:
    """A second signature line, by a key that the witness does not know, changes nothing."""
    witness = start()
    note = LOG.note(10, [LOG.signer, Signer("somebody", KeyType.ED25519, bytes([5]) * 32)])
    cosigned(witness.add(request(0, [], note)), note)
    assert b"somebody" not in (witness.latest(ORIGIN) or b"")


def test_a_restart_continues_from_what_was_cosigned(start: Callable[..., Witness]) -> None:
    """The state is on the disk: after a restart the same old size is refused and the same fork is refused."""
    cosigned(start().add(LOG.request(0, 20)), NOTE)
    again = start()
    assert again.add(LOG.request(0, 30)).body == b"20\n"
    assert again.add(request(20, [], LOG.forked(3, 20).note(20))).answer is AddAnswer.FORK
    cosigned(again.add(LOG.request(20, 30)), LOG.note(30))


def test_the_time_of_cosignatures_never_falls(start: Callable[..., Witness]) -> None:
    """A clock that was set back does not make a larger tree look older than a smaller one, also after a restart."""
    clock = Clock()
    assert cosigned(start(clock=clock).add(LOG.request(0, 10)), LOG.note(10)) == [NOW]
    clock.ms -= 3_600_000
    assert cosigned(start(clock=clock).add(LOG.request(10, 20)), NOTE) == [NOW]


def test_a_fork_is_kept_with_what_was_cosigned(start: Callable[..., Witness], tmp_path: Path) -> None:
    """The two signed checkpoints of one size with different roots are in one file, once, whatever the old size was."""
    witness, fork = start(), LOG.forked(3, 20).note(20)
    witness.add(LOG.request(0, 20))
    for old in (20, 20, 7):
        assert witness.add(request(old, [], fork)).answer.status == 409
    (file,) = (tmp_path / "w" / "evidence").glob("*/fork-*.json")
    kept = json.loads(file.read_text())
    refused, ours = parse_note(kept["refused"].encode()), parse_note(kept["cosigned"].encode())
    verify_note(refused, [LOG.signer.verifier])
    verify_note(ours, [LOG.signer.verifier])
    assert refused.text.split("\n")[:2] == ours.text.split("\n")[:2]
    assert refused.text != ours.text


def test_a_checkpoint_without_proof_is_evidence_until_it_is_cosigned(
    start: Callable[..., Witness], tmp_path: Path
) -> None:
    """Anyone can send a true checkpoint with a wrong proof: its file goes when the true proof arrives."""
    witness = start()
    witness.add(LOG.request(0, 10))
    witness.add(proof_changed(10, 20))
    witness.add(FORK.request(10, 20))
    assert len(list((tmp_path / "w" / "evidence").glob("*/unproven-*.json"))) == 2
    witness.add(LOG.request(10, 20))
    (left,) = (tmp_path / "w" / "evidence").glob("*/unproven-*.json")
    assert json.loads(left.read_text())["refused"] == FORK.note(20).decode()


def test_the_checkpoint_cosigned_last_with_a_wrong_proof_is_no_evidence(
    start: Callable[..., Witness], tmp_path: Path
) -> None:
    """Anybody can send it again so, and it would stay for as long as the log does not change."""
    witness = start()
    witness.add(LOG.request(0, 10))
    assert witness.add(request(10, [bytes(32)], LOG.note(10))).answer is AddAnswer.BAD_PROOF
    assert not list((tmp_path / "w" / "evidence").rglob("*.json"))


def test_the_evidence_of_a_log_is_bounded(start: Callable[..., Witness], tmp_path: Path) -> None:
    """However many forks a log signs, the first ones are kept and the disk is not filled."""
    witness = start()
    witness.add(LOG.request(0, 10))
    for branch in range(MOST_KEPT + 5):
        forked = GrownLog(ORIGIN, 10, f"branch {branch} ")
        assert witness.add(request(10, [], forked.note(10))).answer is AddAnswer.FORK
    assert len(list((tmp_path / "w" / "evidence").glob("*/*.json"))) == MOST_KEPT


def test_what_cannot_be_stored_is_not_cosigned(start: Callable[..., Witness], tmp_path: Path) -> None:
    """503 while the disk fails; afterwards the witness goes on from what it had."""
    witness = start()
    witness.add(LOG.request(0, 10))
    logs, away = tmp_path / "w" / "logs", tmp_path / "away"
    logs.rename(away)
    assert witness.add(LOG.request(10, 20)).answer is AddAnswer.NOT_STORED
    away.rename(logs)
    cosigned(witness.add(LOG.request(10, 20)), NOTE)


def test_a_witness_that_lost_its_state_does_not_start(tmp_path: Path) -> None:
    """A missing directory, a damaged file, another key or a second process: refused with the fix."""
    keys = [KEYS[0].verifier]
    with pytest.raises(Refused, match="could cosign a fork"):
        WitnessState(tmp_path / "w", keys)
    state = WitnessState(tmp_path / "w", keys, create=True)
    with pytest.raises(Refused, match="leave out --new"):
        WitnessState(tmp_path / "w", keys, create=True)
    with pytest.raises(Refused, match="another witness runs"):
        WitnessState(tmp_path / "w", keys)
    Witness(state, {ORIGIN: [LOG.signer.verifier]}, KEYS[:1]).add(LOG.request(0, 20))
    state.close()
    with pytest.raises(Refused, match="belongs to another key"):
        WitnessState(tmp_path / "w", [KEYS[1].verifier])
    (file,) = (tmp_path / "w" / "logs").iterdir()
    file.write_bytes(file.read_bytes()[:-100])
    state = WitnessState(tmp_path / "w", keys)
    with pytest.raises(Refused, match="damaged"):
        Witness(state, {ORIGIN: [LOG.signer.verifier]}, KEYS[:1])
    state.close()


def test_concurrent_requests_never_give_contradicting_cosignatures(start: Callable[..., Witness]) -> None:
    """Of many threads that send checkpoints of two branches, those cosigned form one growing log."""
    witness, branches = start(), (LOG, FORK)
    answers: list[tuple[int, GrownLog, Response]] = []

    def send(branch: GrownLog, seed: int) -> None:
        for step in range(40):
            size = (seed * 7 + step * 11) % 40 + 1
            latest = witness.latest(ORIGIN)
            old = parse_checkpoint(parse_note(latest).text).size if latest else 0
            if size >= old:
                answers.append((size, branch, witness.add(branch.request(old, size))))

    threads = [threading.Thread(target=send, args=(branches[n % 2], n)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    good = [(size, branch) for size, branch, response in answers if response.answer is AddAnswer.COSIGNED]
    assert good
    assert len({id(branch) for size, branch in good if size > 5}) == 1, "the branches differ from entry 5 on"
    assert {response.answer for *_, response in answers} <= {
        AddAnswer.COSIGNED, AddAnswer.OLD_SIZE, AddAnswer.FORK, AddAnswer.BAD_PROOF
    }  # fmt: skip
