"""Acts that a firm or an officer sends with content that does not fit: they are refused and change nothing."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

import msgspec
import pytest
from msgspec import structs

from monitor.charter.control import Admission, Agreement, Amendment, ControlBase, Submission
from monitor.charter.exit_acts import Graduation, Withdrawal
from monitor.charter.spec import Authority, Charter, Exit, Participant, charter_hash
from monitor.lifecycle.names import Outcome, State
from monitor.lifecycle.sandbox import Person, Role, SandboxAuthority
from monitor.lifecycle.sandbox_check import flaws
from monitor.model.records import Record
from monitor.model.signing import HEADER, PREFIX
from tests.unit.lifecycle.applied import application
from tests.unit.lifecycle.founded import FIRST, KEYS, OTHER, OWN, PUBLIC, SANDBOX, Founded

LONG = Exit(conditions=tuple(f"condition {number} in words" * 4 for number in range(1000)))
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def refused(world: Founded) -> tuple[str, str]:
    """Field and reason of the last rejection."""
    last = world.rejected[-1]
    return last.field, last.detail.partition(":")[0]


def with_number(act: ControlBase, number: int) -> bytes:
    """The JSON of an act whose charter has a parameter that no double holds."""
    body: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(act))
    body["charter"]["indicators"][0]["detectors"][0]["params"] = {"ratios": number}
    return msgspec.json.encode(body)


@pytest.mark.parametrize("author", ["firm", "officer"])
@pytest.mark.parametrize("kind", [Admission, Amendment])
def test_a_charter_without_a_canonical_form_is_refused_from_every_author(kind: type[Admission], author: str) -> None:
    """An admitted pilot: the worker must not raise while it compares the hash with that of the charter in force."""
    world = Founded()
    act = kind(**world.by(author), charter=structs.replace(OWN, version=2))
    body = with_number(act, (1 << 53) + 1)
    headers = ((HEADER, KEYS[author].sign("control", body).encode()),)
    out = world.step(Record(0, world.at, b"p", body, headers))
    assert not out.decisions
    assert len(out.rejected) == 1


def test_a_refused_admission_makes_no_pilot() -> None:
    """A charter that no entry of the ledger can hold: the application stays, and no pilot runs without a decision."""
    world = Founded(admit=None)
    world.agreed(OWN)
    waiting = world.machine.applicants["p"]
    own = structs.replace(OWN, exit=LONG)
    held = structs.replace(
        waiting, life=structs.replace(waiting.life, signed_by_firm=charter_hash(own), signed_by_authority="")
    )
    world.machine.applicants["p"] = held  # type: ignore[index]  # as one of a log from before the check of submissions
    assert not world.put(Admission(**world.by("officer"), charter=own)).decisions
    assert refused(world) == ("charter", "bad_charter")
    assert "p" not in world.machine.pilots
    assert world.machine.applicants["p"].life == held.life


def test_an_application_whose_admission_no_entry_could_hold_is_refused() -> None:
    """The firm learns it with its application, not after both sides have signed."""
    world, own = Founded(admit=None), structs.replace(OWN, exit=LONG)
    assert not world.put(Submission(**world.by("firm"), application=application(own), charter=own)).decisions
    assert refused(world) == ("charter", "bad_charter")


def test_a_refused_graduation_leaves_the_pilot_as_it_was() -> None:
    """It stays outside of the sandbox, under the charter it had."""
    world = Founded()
    assert world.put(Withdrawal(**world.by("officer"), reason="x")).decisions
    pilot = world.pilot
    pilot.life = structs.replace(pilot.life, pilot=State.WITHHELD, outcome=Outcome.SCALE)
    before = pilot.hash, pilot.standing, pilot.life
    thinner = structs.replace(OWN, version=2, exit=LONG)
    assert not world.put(Graduation(**world.by("officer"), months=3, charter=thinner)).decisions
    assert refused(world) == ("charter", "bad_charter")
    assert pilot.exited
    assert (pilot.hash, pilot.standing, pilot.life) == before


def test_two_people_do_not_share_a_key_that_is_written_in_two_ways() -> None:
    """Base64 of 32 bytes has two unused bits, so four texts are one key."""
    text = b64encode(b64decode(PUBLIC["approver-1"].removeprefix(PREFIX))).decode()
    other = f"{text[:-2]}{BASE64[BASE64.index(text[-2]) + 1]}="
    assert b64decode(other) == b64decode(text)
    people = tuple(
        structs.replace(one, keys=(PREFIX + other,)) if one.id == "approver-2" else one for one in SANDBOX.people
    )
    assert [flaw.problem[:10] for flaw in flaws(structs.replace(SANDBOX, people=people))] == ["is also pe"]


def applied(charter: Charter, author: str, key: str) -> tuple[str, str]:
    """Why an application for this charter is refused."""
    world = Founded(admit=None)
    act = Submission(**world.by(author), application=application(charter), charter=charter)
    assert not world.put(act, key).decisions
    return refused(world)


def test_a_firm_has_no_key_and_no_name_of_a_person_of_the_sandbox() -> None:
    """Else the firm would evaluate itself, or the author of an act would not be known."""
    keys = structs.replace(OWN, participant=Participant("firm", keys=(PUBLIC["firm"], PUBLIC["evaluator"])))
    assert applied(keys, "firm", "firm") == ("charter.participant.keys", "bad_charter")
    name = structs.replace(OWN, participant=Participant("officer", keys=(PUBLIC["firm"],)))
    assert applied(name, "officer", "firm") == ("charter.participant.id", "bad_charter")


def test_an_amendment_names_responsible_authorities_as_an_application_does() -> None:
    """Else firm and officer could move a pilot to an authority of another region, whose people then release it."""
    far = SandboxAuthority(OTHER, "provincial", region="south")
    second = Person("second", (Role.APPROVER,), OTHER, (KEYS["stranger"].public,))
    people = (*SANDBOX.people, second)
    world = Founded(structs.replace(SANDBOX, authorities=(*FIRST.authorities, far), people=people))
    moved = structs.replace(OWN, version=2, authorities=(Authority(OTHER),))
    assert not world.amended(moved).decisions
    assert refused(world) == ("charter.authorities[0].id", "not_responsible")
    assert world.put(Agreement(**world.by("firm"), charter=charter_hash(OWN))).decisions
