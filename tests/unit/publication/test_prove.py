"""An entry is proved by one file that anybody can check with the public keys alone."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from monitor.cli.ledger import ledger
from monitor.publication.log_key import AUTHORITY, log_name
from monitor.publication.pilot_logs import LEAF_PROOF
from monitor.publication.prove import check_stacked, split_proofs
from monitor.testing.records import decision
from monitor.tlog.errors import TlogError
from monitor.tlog.keys import Verifier
from monitor.tlog.proof import parse_proof
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
