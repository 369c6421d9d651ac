"""A publication with real witnesses, policies and time stamps: who must sign for what to become visible."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from monitor.errors import Refused
from monitor.projections.metrics import Metrics
from monitor.publication.log_key import AUTHORITY, log_name
from monitor.publication.outside import Outside, connected
from monitor.publication.publisher import PublicationSettings, Publisher
from monitor.stamps.store import StampStore, verify_files
from monitor.testing.ports import free_port
from monitor.testing.running_witness import RunningWitness
from monitor.testing.timestamp_authority import TimestampAuthority
from monitor.testing.wait import Until
from monitor.tlog.keys import KeyType, Signer
from monitor.tlog.note import parse_note
from monitor.tlog.policy import Policy, parse_policy
from tests.unit.publication.world import KEY, World, checked

OURS = Signer("authority.example", KeyType.COSIGNATURE_ED25519, bytes([1]) * 32)
FIRM = Signer("acme.example/witness", KeyType.COSIGNATURE_ED25519, bytes([2]) * 32)
WORLD = Signer("witness.example", KeyType.COSIGNATURE_ML_DSA_44, bytes([3]) * 32)
soon = Until(120.0)


def of_pilot(pilot: str, firm: str) -> Policy:
    """Both sides cosign the log of a pilot."""
    lines = (
        f"log {KEY.verifier(log_name(pilot)).vkey}",
        f"witness authority-{pilot} {OURS.verifier.vkey}",
        f"witness firm-{pilot} {FIRM.verifier.vkey} {firm}",
        f"group both all authority-{pilot} firm-{pilot}",
        "quorum both",
    )
    return parse_policy("".join(f"{line}\n" for line in lines).encode())


def of_authority(url: str) -> Policy:
    """An outside witness cosigns the authority log."""
    lines = (f"log {KEY.verifier(AUTHORITY).vkey}", f"witness world {WORLD.verifier.vkey} {url}", "quorum world")
    return parse_policy("".join(f"{line}\n" for line in lines).encode())


def logs(*names: str) -> dict[str, list[object]]:
    return {KEY.origin_of(name): [KEY.verifier(name)] for name in names}


@pytest.fixture
def firm(tmp_path: Path) -> Iterator[RunningWitness]:
    """The witness of the firm, which follows the log of its pilot alone."""
    with RunningWitness(tmp_path / "firm", logs(log_name("p-1")), [FIRM]) as found:  # type: ignore[arg-type]
        yield found


@pytest.fixture
def world_witness(tmp_path: Path) -> Iterator[RunningWitness]:
    """The outside witness of the authority log."""
    with RunningWitness(tmp_path / "world", logs(AUTHORITY), [WORLD]) as found:  # type: ignore[arg-type]
        yield found


def published_with(world: World, outside: Outside, metrics: Metrics | None = None) -> PublicationSettings:
    if outside.signers:
        directory = world.ledgers.with_name("own-witness")
        outside = structs.replace(outside, witness_dir=directory, witness_new=not directory.exists())
    settings = PublicationSettings(directory=world.published, key=KEY, second=world.second, outside=outside)
    settings = connected(settings, world.ledgers, metrics or Metrics())
    if outside.policies:  # on a busy machine an answer may take longer than publication usually waits
        settings.cosigner._within_s = 30.0  # type: ignore[attr-defined]
    world.publisher = Publisher(world.ledgers, lambda: world.notary.logs, settings)
    return settings


def test_both_levels_are_cosigned_by_those_whom_their_policies_name(
    tmp_path: Path, firm: RunningWitness, world_witness: RunningWitness
) -> None:
    """Firm and authority sign the pilot log, the world signs the authority log; each policy accepts what is visible."""
    world = World(tmp_path / "w")
    policies = (of_pilot("p-1", firm.url), of_authority(world_witness.url))
    published_with(world, Outside(policies=policies, signers=(OURS,)))
    for last in (3, 7, 300):
        world.enter(1, last)
        world.round()
        assert checked(world.published, ["p-1"])["p-1"] == last
        for policy, log in zip(policies, (log_name("p-1"), AUTHORITY), strict=True):
            accepted = policy.satisfied(parse_note((world.published / log / "checkpoint").read_bytes()))
            assert accepted, accepted.problem
    assert firm.answers.count("cosigned") == 3  # type: ignore[arg-type]


def test_a_firm_that_is_down_holds_back_its_own_log_alone(tmp_path: Path, firm: RunningWitness) -> None:
    """The policy of p-2 is not satisfied: its checkpoint waits, p-1 and the authority log go on, and metrics say so."""
    world, metrics = World(tmp_path / "w"), Metrics()
    down = of_pilot("p-2", f"http://127.0.0.1:{free_port()}")
    settings = published_with(world, Outside(policies=(of_pilot("p-1", firm.url), down), signers=(OURS,)), metrics)
    settings.cosigner._within_s = 2.0  # type: ignore[attr-defined]
    for pilot in ("p-1", "p-2"):
        world.enter(1, 3, pilot)
    done = world.round()
    assert (done.size, done.logs) == (2, 1)
    assert checked(world.published, ["p-1", "p-2"]) == {AUTHORITY: 2, "p-1": 3}
    lacking = f'quorum_lacking_since_timestamp_seconds{{log="{KEY.origin_of(log_name("p-2"))}"}}'
    assert lacking in metrics.exposition().decode()


def test_without_its_quorum_the_authority_log_stays_as_it_was(tmp_path: Path, world_witness: RunningWitness) -> None:
    """Nothing new is visible until the outside witness is back; then the same checkpoint appears."""
    world = World(tmp_path / "w")
    published_with(world, Outside(policies=(of_authority(world_witness.url),)))
    world.enter(1, 2)
    world.round()
    world_witness.stop()
    world.enter(3, 5)
    with pytest.raises(Refused, match="not satisfied"):
        world.round()
    assert checked(world.published, ["p-1"]) == {AUTHORITY: 1, "p-1": 2}
    with RunningWitness(tmp_path / "world", logs(AUTHORITY), [WORLD]) as again:  # type: ignore[arg-type]
        published_with(world, Outside(policies=(of_authority(again.url),)))
        world.round()
    assert checked(world.published, ["p-1"]) == {AUTHORITY: 2, "p-1": 5}


def test_a_stamp_comes_with_the_checkpoint_and_outlives_the_published_folder(tmp_path: Path) -> None:
    """Publication does not wait for the stamp; a folder that is made anew gets the stamps back."""
    authority = TimestampAuthority(tmp_path / "tsa")
    world = World(tmp_path / "w")
    outside = Outside(stamp_url=authority.url, stamp_roots=[authority.root])
    settings = published_with(world, outside)
    world.enter(1, 2)
    world.round()
    store = StampStore(world.published / AUTHORITY / "stamp")
    soon(lambda: store.sizes() == [1])
    files = store.read(1)
    assert files["checkpoint"] == (world.published / AUTHORITY / "checkpoint").read_bytes()
    assert verify_files(files, [authority.root]).proved
    settings.stamper.close()
    authority.stop()
    shutil.rmtree(world.published)
    settings = published_with(world, outside)
    world.round()
    soon(lambda: store.sizes() == [1])
    settings.stamper.close()
    assert store.read(1) == files


def test_what_was_published_last_before_a_stop_is_stamped_after_the_restart(tmp_path: Path) -> None:
    """The process ended before the stamp was due: the next one stamps the visible checkpoint, without a new entry."""
    authority = TimestampAuthority(tmp_path / "tsa")
    world = World(tmp_path / "w")
    world.enter(1, 2)
    world.round()
    settings = published_with(world, Outside(stamp_url=authority.url, stamp_roots=[authority.root]))
    store = StampStore(world.published / AUTHORITY / "stamp")
    soon(lambda: store.sizes() == [1])
    settings.stamper.close()
    authority.stop()


def test_stamps_never_hold_up_a_round(tmp_path: Path) -> None:
    """An authority that does not answer: the checkpoint is visible, and what waits for a stamp is reported."""
    world, metrics = World(tmp_path / "w"), Metrics()
    authority = TimestampAuthority(tmp_path / "tsa")
    authority.refusing = True
    outside = Outside(stamp_url=authority.url, stamp_roots=[authority.root])
    settings = published_with(world, outside, metrics)
    world.enter(1, 2)
    world.round()
    assert checked(world.published, ["p-1"]) == {AUTHORITY: 1, "p-1": 2}
    soon(lambda: 'stamp_failures_total{reason="unavailable"} 1.0' in metrics.exposition().decode())
    waiting = [line for line in metrics.exposition().decode().splitlines() if "_unstamped_since_" in line][-1]
    assert float(waiting.split()[-1]) > 0
    settings.stamper.close()
    authority.stop()


def test_settings_that_need_each_other_are_named(tmp_path: Path) -> None:
    """A time-stamping authority without a root to trust is refused at the start."""
    world = World(tmp_path / "w")
    with pytest.raises(Refused, match="no root certificate"):
        published_with(world, Outside(stamp_url="http://127.0.0.1:1"))
    assert structs.asdict(Outside())["policies"] == ()


def test_a_witness_key_in_this_process_needs_its_memory(tmp_path: Path) -> None:
    """Without a directory of what it cosigned, the key would sign anything: the start is refused and names the fix.
    The directory is unlocked again when the publication ends."""
    world = World(tmp_path / "w")
    outside = Outside(policies=(of_pilot("p-1", f"http://127.0.0.1:{free_port()}"),), signers=(OURS,))
    settings = PublicationSettings(directory=world.published, key=KEY, outside=outside)
    with pytest.raises(Refused, match="--witness-dir"):
        connected(settings, world.ledgers, Metrics())
    outside = structs.replace(outside, witness_dir=tmp_path / "own")
    with pytest.raises(Refused, match="--witness-new"):
        connected(structs.replace(settings, outside=outside), world.ledgers, Metrics())
    for new in (True, False):
        kept = structs.replace(settings, outside=structs.replace(outside, witness_new=new))
        Publisher(world.ledgers, lambda: world.notary.logs, connected(kept, world.ledgers, Metrics())).close()
