"""An entry is proved by one file that anybody can check with the public keys alone."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from monitor.cli.ledger import ledger
from monitor.notary.authority_leaf import Leaf
from monitor.publication.log_key import AUTHORITY, log_name
from monitor.publication.pilot_logs import LEAF_PROOF
from monitor.publication.prove import check_stacked, split_proofs
from monitor.testing.records import decision
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.checkpoint_note import sign_checkpoint
from monitor.tlog.errors import BadFormat, PolicyRefused, TlogError
from monitor.tlog.keys import KeyType, Signer, Verifier
from monitor.tlog.merkle import leaf_hash
from monitor.tlog.note import parse_note
from monitor.tlog.policy import parse_policy
from monitor.tlog.proof import TlogProof, parse_proof
from tests.unit.publication.world import KEY, World, followed


def key_of(origin: str) -> Verifier:
    return KEY.verifier(origin.removeprefix(KEY.origin + "/"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(tmp_path_factory.mktemp("world"))
    made.enter(1, 300)
    made.enter(1, 1, "p-2")
    made.round()
    made.enter(2, 2, "p-2")
    made.round()
    return made


def proved(world: World, entry: str, pilot: str = "p-1") -> bytes:
    done = CliRunner().invoke(ledger, ["prove", pilot, "--entry", entry, "--dir", str(world.published)])
    assert done.exit_code == 0, done.output
    return done.stdout.encode()


@pytest.mark.parametrize("index", [0, 255, 256, 299])
def test_an_entry_is_proved_by_its_number(world: World, index: int) -> None:
    _, entries = followed(world.published, log_name("p-1"))
    assert check_stacked(proved(world, str(index)), None, key_of) == entries[index]
    assert check_stacked(proved(world, str(index)), entries[index], key_of) == entries[index]


def test_an_entry_is_proved_by_its_id_and_a_log_may_be_named_instead_of_its_pilot(world: World) -> None:
    assert proved(world, decision(258).id, log_name("p-1")) == proved(world, "257")


def test_the_second_proof_leads_to_the_newest_authority_checkpoint(world: World) -> None:
    """Also for a log that did not change since."""
    assert split_proofs(proved(world, "0"))[1].checkpoint == followed(world.published, AUTHORITY)[0]


def test_every_changed_byte_is_refused(world: World) -> None:
    """One changed byte anywhere: not the file, a broken path, or no signature."""
    good = proved(world, "0", "p-2")
    _, entries = followed(world.published, log_name("p-2"))
    for at in range(len(good)):
        bad = bytearray(good)
        bad[at] ^= 1
        try:
            found = check_stacked(bytes(bad), None, key_of)
        except TlogError:
            continue
        raise AssertionError((at, found == entries[0]))


def stacked(pilot_log: tuple[str, bytes], authority: str) -> bytes:
    """A file as a holder of the log key could make it: one entry in a log, its leaf in another, both signed."""
    origin, entry = pilot_log
    leaf = Leaf(origin, 1, leaf_hash(entry)).encode()
    parts = []
    for name, raw, extra in ((origin, entry, entry), (authority, leaf, None)):
        note = parse_note(sign_checkpoint(Checkpoint(name, 1, leaf_hash(raw)), [signer(name)]).data)
        parts.append(TlogProof(0, (), note, extra).data)
    return b"".join(parts)


def signer(origin: str) -> Signer:
    return Signer(origin, KeyType.ED25519, bytes(range(32)))


def key_of_any(origin: str) -> Verifier:
    return signer(origin).verifier


OF_P1, BASE = log_name("p-1"), KEY.origin
STACKED = {
    "the log of another pilot": (f"{BASE}/{log_name('p-2')}", f"{BASE}/authority", "an entry of the pilot p-1"),
    "the authority log of another sandbox": (f"{BASE}/{OF_P1}", "other.example/authority", "does not go with"),
    "a log below the sandbox": (f"{BASE}/{OF_P1}", f"{BASE}/x/authority", "does not go with"),
    "a pilot log as authority log": (f"{BASE}/{OF_P1}", f"{BASE}/{log_name('p-2')}", "does not go with"),
    "the authority log as pilot log": (f"{BASE}/authority", f"{BASE}/authority", "does not go with"),
}


@pytest.mark.parametrize("what", STACKED)
def test_two_proofs_go_together_only_for_the_pilot_and_the_sandbox_of_the_entry(world: World, what: str) -> None:
    """Every signature and path holds; what is refused is that one log is taken for another."""
    _, entries = followed(world.published, OF_P1)
    for name in (OF_P1, f"2027-{OF_P1}"):
        good = stacked((f"{BASE}/{name}", entries[0]), f"{BASE}/authority")
        assert check_stacked(good, None, key_of_any) == entries[0]
    log, authority, problem = STACKED[what]
    with pytest.raises(BadFormat, match=problem):
        check_stacked(stacked((log, entries[0]), authority), None, key_of_any)


def test_a_proof_without_the_cosignatures_of_the_policy_is_refused(world: World) -> None:
    """The keys of the logs alone do not exclude a split view; the policy of the authority log does."""
    witness = Signer("witness.example", KeyType.COSIGNATURE_ED25519, bytes(32))
    lines = (f"log {KEY.verifier(AUTHORITY).vkey}", f"witness w {witness.verifier.vkey}", "quorum w")
    policy = parse_policy("".join(f"{line}\n" for line in lines).encode())
    with pytest.raises(PolicyRefused):
        check_stacked(proved(world, "0"), None, key_of, policy)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["p-1", "--entry", "300"], "index"),
        (["p-1", "--entry", "no-such-id"], "no entry"),
        (["p-9", "--entry", "0"], "no log"),
        (["../authority", "--entry", "0"], "no log"),
    ],
)
def test_what_is_not_published_is_not_proved(world: World, arguments: list[str], text: str) -> None:
    done = CliRunner().invoke(ledger, ["prove", *arguments, "--dir", str(world.published)])
    assert done.exit_code == 1
    assert text in done.output


def test_each_log_publishes_the_proof_of_its_leaf(world: World) -> None:
    """It holds for the authority checkpoint of its round, and finds the leaf when it is missing."""
    path = world.published / log_name("p-1") / LEAF_PROOF
    proof = parse_proof(path.read_bytes())
    assert proof.checkpoint.size == 2
    before = proved(world, "5")
    kept = path.read_bytes()
    path.unlink()
    try:
        assert proved(world, "5") == before
    finally:
        path.write_bytes(kept)
