"""The policy decides: which witnesses are asked, and whether a checkpoint may become visible."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from monitor.errors import Refused
from monitor.publication.hooks import Cosigner
from monitor.testing.grown_log import GrownLog
from monitor.testing.ports import free_port
from monitor.testing.running_witness import RunningWitness
from monitor.tlog.keys import KeyType, Signer
from monitor.tlog.note import SignedNote, parse_note, parse_signatures, verify_note
from monitor.tlog.policy import parse_policy
from monitor.witness.answers import AddAnswer
from monitor.witness.client import Outcome
from monitor.witness.cosigner import CosignerCounts, PolicyCosigner, read_policy
from monitor.witness.own import OwnWitness
from monitor.witness.state import WitnessState
from monitor.witness.witness import Witness
from tests.unit.witness.test_witness_http import Answers, answering

LOG = GrownLog("sandbox.example/acme-scoring", 30)
LOGS = {LOG.origin: [LOG.signer.verifier]}
AUTHORITY = Signer("authority.example", KeyType.COSIGNATURE_ED25519, bytes([1]) * 32)
FIRM = Signer("acme.example/witness", KeyType.COSIGNATURE_ED25519, bytes([2]) * 32)
FIRM_PQ = Signer("acme.example/witness", KeyType.COSIGNATURE_ML_DSA_44, bytes([3]) * 32)


@pytest.fixture
def firm(tmp_path: Path) -> Iterator[RunningWitness]:
    """The witness of the firm, with both of its keys."""
    with RunningWitness(tmp_path / "firm", LOGS, [FIRM, FIRM_PQ]) as found:
        yield found


def policy(firm_url: str, quorum: str, firm_key: Signer = FIRM) -> bytes:
    lines = [
        f"log {LOG.vkey}",
        f"witness authority {AUTHORITY.verifier.vkey}",
        f"witness firm {firm_key.verifier.vkey} {firm_url}",
        "group both all authority firm",
        f"quorum {quorum}",
    ]
    return "".join(f"{line}\n" for line in lines).encode()


@pytest.fixture
def cosigner(tmp_path: Path) -> Iterator[Callable[..., PolicyCosigner]]:
    """Makes cosigners that hold the key of the authority; each has its own memory."""
    made: list[PolicyCosigner] = []

    def make(text: bytes, found: list[tuple[str, Outcome]] | None = None, within_s: float = 30.0) -> PolicyCosigner:
        seen: list[tuple[str, Outcome]] = [] if found is None else found
        counts = CosignerCounts(lambda witness, outcome: seen.append((witness, outcome)))
        own = own_witness(tmp_path / f"own-{len(made)}", text)
        made.append(PolicyCosigner([parse_policy(text)], own, within_s=within_s, counts=counts))
        return made[-1]

    yield make
    for one in made:
        one.close()


def own_witness(directory: Path, text: bytes, signers: Sequence[Signer] = (AUTHORITY,), new: bool = True) -> OwnWitness:
    state = WitnessState(directory, [signer.verifier for signer in signers], create=new)
    return OwnWitness(signers, state, [parse_policy(text)])


def cosign(by: Cosigner, size: int, log: GrownLog = LOG) -> list[str]:
    """Names of those who cosigned; every line is verified."""
    note = log.note(size)
    lines = by.cosign(log.origin, note, lambda old: log.proof(old, size))
    assert all(line.endswith(b"\n") for line in lines)
    if not lines:
        return []
    signed = SignedNote(parse_note(note).text, parse_signatures(b"".join(lines).decode()))
    return [each.verifier.name for each in verify_note(signed, [s.verifier for s in (AUTHORITY, FIRM, FIRM_PQ)])]


def test_both_sides_cosign_a_pilot_log(firm: RunningWitness, cosigner: Callable[..., PolicyCosigner]) -> None:
    """`group both all authority firm`: the key of the authority is here, the firm is asked."""
    by = cosigner(policy(firm.url, "both"))
    for size in (3, 20, 20):
        assert cosign(by, size) == [AUTHORITY.name, FIRM.name]


def test_a_policy_may_ask_for_the_post_quantum_key(
    firm: RunningWitness, cosigner: Callable[..., PolicyCosigner]
) -> None:
    """Ed25519 and ML-DSA-44 side by side: the key in the policy is the one that counts."""
    assert cosign(cosigner(policy(firm.url, "both", FIRM_PQ)), 3) == [AUTHORITY.name, FIRM.name]


def test_a_quorum_that_is_not_reached_refuses_and_names_who_is_missing(tmp_path: Path) -> None:
    """The firm is down: the checkpoint may not become visible, and since when is reported until it can."""
    since: list[int | None] = []
    url = f"http://127.0.0.1:{free_port()}"
    counts = CosignerCounts(lacking=lambda origin, at: since.append(at))
    text = policy(url, "both")
    by = PolicyCosigner([parse_policy(text)], own_witness(tmp_path / "own", text), within_s=0.3, counts=counts)
    for _ in range(2):
        with pytest.raises(Refused, match=r"not satisfied.*firm"):
            cosign(by, 3)
    assert since[0] is not None
    assert since[0] == since[1], "the first time stays"


def test_quorum_none_publishes_with_what_came(firm: RunningWitness, cosigner: Callable[..., PolicyCosigner]) -> None:
    """The policy does not need the firm: its cosignature is taken when it comes, and nothing waits for it for ever."""
    down = f"http://127.0.0.1:{free_port()}"
    assert cosign(cosigner(policy(down, "none"), within_s=0.3), 3) == [AUTHORITY.name]
    assert cosign(cosigner(policy(firm.url, "none")), 3) == [AUTHORITY.name, FIRM.name]


def test_the_outcome_of_each_witness_is_counted(firm: RunningWitness, cosigner: Callable[..., PolicyCosigner]) -> None:
    """A fork at the firm's witness is not a firm that is down."""
    found: list[tuple[str, Outcome]] = []
    by = cosigner(policy(firm.url, "none"), found)
    cosign(by, 20)
    cosign(by, 25, LOG.forked(3, 25))
    assert found == [(name, what) for what in (Outcome.COSIGNED, Outcome.FORK) for name in (AUTHORITY.name, FIRM.name)]


def test_a_witness_that_hangs_is_left_behind_and_not_asked_again_at_once(
    cosigner: Callable[..., PolicyCosigner],
) -> None:
    """It costs its time once; while its request hangs, the next checkpoints do not wait for it."""
    released, found = threading.Event(), list[tuple[str, Outcome]]()
    with answering(lambda handler, _: (released.wait(600), None)[1]) as url:
        by = cosigner(policy(url, "none"), found, within_s=0.3)
        for size in (3, 4, 5):
            assert cosign(by, size) == [AUTHORITY.name]
        released.set()
    of_firm = [what for name, what in found if name == FIRM.name]
    assert of_firm == [Outcome.UNAVAILABLE, Outcome.SKIPPED, Outcome.SKIPPED]


def test_a_witness_that_drips_its_answer_does_not_hold_publication(cosigner: Callable[..., PolicyCosigner]) -> None:
    """One byte at a time resets every time-out of a socket: the checkpoint waits no longer for it."""
    released = threading.Event()

    def drip(handler: Answers, _: bytes) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not released.wait(0.05):
            try:
                handler.wfile.write(b"x")
            except OSError:
                return

    with answering(drip) as url:
        assert cosign(cosigner(policy(url, "none"), within_s=0.3), 3) == [AUTHORITY.name]
        released.set()


def test_a_log_without_a_policy_has_no_cosignatures(
    firm: RunningWitness, cosigner: Callable[..., PolicyCosigner]
) -> None:
    """It is published as it is, and the verifier says so."""
    assert cosign(cosigner(policy(firm.url, "both")), 2, GrownLog("other", 2)) == []


def test_policies_that_cannot_be_used_are_refused_at_the_start(tmp_path: Path) -> None:
    """One log in two policies, a key here that no policy names, and a file that is no policy."""
    one = parse_policy(policy("http://127.0.0.1:1", "both"))
    with pytest.raises(Refused, match="two policies name"):
        PolicyCosigner([one, one])
    with pytest.raises(Refused, match="no policy names the witness key"):
        own_witness(tmp_path / "own", one.data, [FIRM_PQ])
    bad = tmp_path / "policy"
    bad.write_bytes(b"quorum missing\n")
    with pytest.raises(Refused, match=r"policy: policy, line 1: unknown quorum"):
        read_policy(bad)


ALONE = "".join(
    f"{line}\n" for line in (f"log {LOG.vkey}", f"witness authority {AUTHORITY.verifier.vkey}", "quorum authority")
).encode()


def test_a_key_held_here_never_cosigns_two_roots_of_one_size_nor_a_smaller_size(tmp_path: Path) -> None:
    """Its cosignature says "extends all that I cosigned before", also where the log key signed the fork, and also
    after a restart: what it cosigned is on the disk before the cosignature leaves."""
    found: list[tuple[str, Outcome]] = []
    counts = CosignerCounts(lambda witness, outcome: found.append((witness, outcome)))
    for new in (True, False):
        by = PolicyCosigner([parse_policy(ALONE)], own_witness(tmp_path / "own", ALONE, new=new), counts=counts)
        assert cosign(by, 7) == [AUTHORITY.name]
        for fork, size in ((LOG.forked(3, 9), 7), (LOG.forked(3, 9), 9), (LOG, 3)):
            with pytest.raises(Refused, match="not satisfied"):
                cosign(by, size, fork)
        by.close()
    assert [what for _, what in found] == 2 * [Outcome.COSIGNED, Outcome.FORK, Outcome.FORK, Outcome.AHEAD]
    assert list((tmp_path / "own" / "evidence").rglob("fork-*.json")), "the fork is kept as evidence"
    by = PolicyCosigner([parse_policy(ALONE)], own_witness(tmp_path / "own", ALONE, new=False))
    assert cosign(by, 20) == [AUTHORITY.name]
    by.close()


def test_a_key_held_here_without_its_memory_is_refused_at_the_start(tmp_path: Path) -> None:
    """A lost directory is not an empty one: only the first start of a key creates it."""
    with pytest.raises(Refused, match="not the directory of a witness"):
        own_witness(tmp_path / "lost", ALONE, new=False)


def test_a_cosignature_from_the_future_by_a_key_held_here_does_not_count(tmp_path: Path) -> None:
    """The clock was years ahead once, so its times stay ahead: the checkpoint is refused instead of published so."""
    state = WitnessState(tmp_path / "own", [AUTHORITY.verifier], create=True)
    ahead = Witness(state, LOGS, [AUTHORITY], clock=lambda: 4_000_000_000_000)
    assert ahead.add(LOG.request(0, 3)).answer is AddAnswer.COSIGNED
    by = PolicyCosigner([parse_policy(ALONE)], OwnWitness([AUTHORITY], state, [parse_policy(ALONE)]))
    with pytest.raises(Refused, match="not satisfied"):
        cosign(by, 5)
    by.close()


def test_a_witness_that_cosigned_is_not_asked_again_for_the_same_checkpoint(tmp_path: Path) -> None:
    """The quorum lacks another one: each retry asks only those who have not cosigned yet."""
    with RunningWitness(tmp_path / "firm", LOGS, [FIRM]) as firm:
        down = f"http://127.0.0.1:{free_port()}"
        text = policy(firm.url, "all3").replace(
            b"quorum", f"witness third {FIRM_PQ.verifier.vkey} {down}\ngroup all3 all both third\nquorum".encode()
        )
        by = PolicyCosigner([parse_policy(text)], own_witness(tmp_path / "own", text), within_s=30.0)
        for _ in range(3):
            with pytest.raises(Refused, match="not satisfied"):
                cosign(by, 3)
        assert [answer.value for answer in firm.answers] == ["cosigned"]
        by.close()


def test_a_witness_that_refused_a_checkpoint_is_not_asked_again_at_once_for_the_same_one(tmp_path: Path) -> None:
    """It does not know the log, which a retry does not change; the key held here refuses a fork in the same way. Of the
    next checkpoint both are asked."""
    with RunningWitness(tmp_path / "firm", {"other.example": [LOG.signer.verifier]}, [FIRM]) as firm:
        text, found = policy(firm.url, "both"), list[tuple[str, Outcome]]()
        counts = CosignerCounts(lambda witness, outcome: found.append((witness, outcome)))
        by = PolicyCosigner([parse_policy(text)], own_witness(tmp_path / "own", text), within_s=30.0, counts=counts)
        for size, log in ((3, LOG), (3, LOG), (3, LOG), (9, LOG), (9, LOG.forked(5, 9)), (9, LOG.forked(5, 9))):
            with pytest.raises(Refused, match="not satisfied"):
                cosign(by, size, log)
        assert [answer.value for answer in firm.answers] == 3 * ["unknown_log"]
        of_firm = [what for name, what in found if name == FIRM.name]
        skipped, unknown = Outcome.SKIPPED, Outcome.UNKNOWN_LOG
        assert of_firm == [unknown, skipped, skipped, unknown, unknown, skipped]
        assert [what for name, what in found if name == AUTHORITY.name] == [*2 * [Outcome.COSIGNED], Outcome.FORK]
        by.close()
