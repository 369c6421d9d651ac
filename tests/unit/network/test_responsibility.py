"""Which authorities are responsible for a pilot: computed from the configuration, recorded, and followed."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, structs

from monitor.charter.spec import Authority, Charter
from monitor.deadlines.shipped import example_table
from monitor.lifecycle.first import first_sandbox
from monitor.lifecycle.sandbox import Sandbox, SandboxAuthority
from monitor.lifecycle.sandbox_acts import (
    PutAuthority,
    PutResponsibility,
    RemoveAuthority,
    SeveralChanges,
    changed,
    configuration_digest,
)
from monitor.lifecycle.sandbox_check import flaws
from monitor.model.events import Harm, Severity
from monitor.model.records import Decision, Level, Reason
from monitor.network.addressees import ids_of
from monitor.network.responsibility import (
    MOST_RESPONSIBLE,
    all_responsible,
    covers,
    level_above,
    places,
    responsible,
)
from monitor.state.snapshots import restore, snapshot
from tests.unit.lifecycle.founded import OTHER, OWN, SANDBOX, Founded

NORTH = SandboxAuthority("north", "provincial", region="North")
SOUTH = SandboxAuthority("south", "provincial", region="South")
TRANSPORT = SandboxAuthority("transport", "sectoral", sectors=("Logistics", "driving"))
HEALTH = SandboxAuthority("health", "sectoral", sectors=("health",))
CAPITAL = SandboxAuthority("capital", "central")
ALL = (CAPITAL, NORTH, SOUTH, TRANSPORT, HEALTH)
ZURICH = unicodedata.normalize("NFD", "Zürich")


def sandbox(*authorities: SandboxAuthority) -> Sandbox:
    return structs.replace(SANDBOX, authorities=authorities)


def charter(named: str = "unknown", **fields: Any) -> Charter:
    return structs.replace(OWN, authorities=(Authority(named),), **fields)


ROWS = [
    ("region and sector overlap: both are responsible", ALL, {}, ("north", "transport")),
    ("a named authority comes first", ALL, {"named": "capital"}, ("capital", "north", "transport")),
    ("a central authority where no other covers the place", ALL, {"region": "east", "sector": "x"}, ("capital",)),
    ("one that is named though it covers another place", ALL, {"named": "south"}, ("south", "north", "transport")),
    ("without an authority that covers the place, none", (SOUTH, HEALTH), {}, ()),
    ("case is not told apart", (NORTH,), {"region": "NORTH"}, ("north",)),
    ("nor invisible characters", (NORTH,), {"region": "No\u200brth "}, ("north",)),
    (
        "nor Unicode forms",
        (SandboxAuthority("z", "provincial", region="Zürich"),),
        {"region": ZURICH, "sector": ""},
        ("z",),
    ),
    ("a charter without region has no provincial authority", (NORTH, CAPITAL), {"region": ""}, ("capital",)),
    ("an authority without region and sectors covers all", (SandboxAuthority("a", "provincial"),), {}, ("a",)),
]


@pytest.mark.parametrize(("rule", "authorities", "place", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_responsibility_follows_from_level_region_and_sectors(
    rule: str, authorities: tuple[SandboxAuthority, ...], place: dict[str, str], expected: tuple[str, ...]
) -> None:
    assert responsible(sandbox(*authorities), charter(**place)) == expected


def test_the_level_above_is_central_and_covers_the_place_if_one_does() -> None:
    near = SandboxAuthority("near", "central", sectors=("logistics",))
    far = SandboxAuthority("far", "central", sectors=("health",))
    assert level_above(sandbox(near, far, NORTH), charter(), ("north",)) == ("near",)
    assert level_above(sandbox(far, NORTH), charter(), ("north",)) == ("far",)
    assert level_above(sandbox(near, NORTH), charter(), ("near", "north")) == ()


names = st.sampled_from(["", "a", "A", "b", "c"])
authorities = st.lists(
    st.builds(
        SandboxAuthority,
        id=st.sampled_from("pqrstuvwxyz"),
        level=st.sampled_from(["central", "provincial", "sectoral"]),
        region=names,
        sectors=st.lists(names.filter(bool), max_size=2).map(tuple),
    ),
    max_size=8,
    unique_by=lambda one: one.id,
)


@settings(deadline=None)
@given(authorities, names, names, st.sampled_from("pqrstuvwxyz"), st.randoms())
def test_every_authority_that_covers_a_place_is_found_in_any_order(
    those: list[SandboxAuthority], region: str, sector: str, named: str, random: Any
) -> None:
    """The result does not depend on the order of the configuration, has no repeats, holds every named authority, and
    is empty only where none covers the place."""
    plan = charter(named, region=region, sector=sector)
    found = responsible(sandbox(*those), plan)
    shuffled = list(those)
    random.shuffle(shuffled)
    assert responsible(sandbox(*shuffled), plan) == found
    assert len(set(found)) == len(found)
    near = {one.id for one in those if covers(one, region, sector)}
    assert set(found) <= near | {named}
    assert (not found) == (not near and named not in {one.id for one in those})
    below = {one.id for one in those if one.level != "central" and one.id in near}
    assert below <= set(found)


def test_at_most_so_many_are_responsible_and_a_charter_under_which_there_are_more_is_refused() -> None:
    many = tuple(SandboxAuthority(f"a{n:03d}", "provincial") for n in range(256 - 2))
    world = Founded(structs.replace(SANDBOX, authorities=(*SANDBOX.authorities, *many)), admit=None)
    assert list(flaws(world.state.sandbox)) == []  # type: ignore[arg-type]
    assert len(all_responsible(world.state.sandbox, OWN)) == 256  # type: ignore[arg-type]
    assert len(responsible(world.state.sandbox, OWN)) == MOST_RESPONSIBLE  # type: ignore[arg-type]
    world.agreed(OWN)
    assert not world.machine.applicants
    refusals = [one for one in world.rejected if one.field == "charter.authorities"]
    assert "256 authorities are responsible" in refusals[0].detail
    assert "narrow their regions" in refusals[0].detail


# ---- recorded


def last(world: Founded, reason: Reason) -> Decision:
    return next(one for one in reversed(world.decisions) if one.reason is reason)


def test_admission_and_amendment_record_who_is_responsible() -> None:
    world = Founded(structs.replace(SANDBOX, authorities=(*SANDBOX.authorities, NORTH, SOUTH)))
    assert last(world, Reason.ADMITTED).responsible == ("authority", "north", OTHER)
    assert world.pilot.responsible == ("authority", "north", OTHER)
    world.amended(structs.replace(OWN, version=2, region="south"))
    assert last(world, Reason.AMENDED).responsible == ("authority", OTHER, "south")
    assert ids_of("authority", last(world, Reason.AMENDED).addressed or ()) == ("authority", OTHER, "south")
    quiet = [one for one in world.decisions if one.pilot == "p" and one.responsible is UNSET]
    assert quiet
    assert all(one.addressed for one in world.decisions)


def test_the_state_remembers_who_is_responsible() -> None:
    world = Founded()
    restored, _ = restore(snapshot(world.pilot))
    assert restored.responsible == world.pilot.responsible != ()


def test_an_application_is_addressed_to_the_authorities_that_will_be_responsible() -> None:
    world = Founded(structs.replace(SANDBOX, authorities=(*SANDBOX.authorities, NORTH)))
    submitted = last(world, Reason.APPLICATION_SUBMITTED)
    assert submitted.responsible == ("authority", "north", OTHER)
    assert submitted.addressed == (
        "authority:authority", "authority:north", f"authority:{OTHER}", "firm:firm", "role:officer",
    )  # fmt: skip


def test_a_sandbox_that_does_not_compute_records_nothing_of_it() -> None:
    older = structs.replace(SANDBOX, responsibility=UNSET)
    world = Founded(older)
    assert world.pilot.responsible == ()
    assert all(one.responsible is UNSET and one.addressed is UNSET for one in world.decisions)
    assert places(older) is None


def test_the_first_configuration_computes() -> None:
    assert first_sandbox("s", "a", {}, example_table()).responsibility == "computed"


# ---- followed


def test_another_authority_takes_a_region_over_and_the_pilot_follows() -> None:
    world = Founded(structs.replace(SANDBOX, authorities=(*SANDBOX.authorities, NORTH)))
    before = world.pilot.standing.counter
    renamed = structs.replace(NORTH, id="north-2")
    world.change(SeveralChanges((PutAuthority(renamed), RemoveAuthority("north"))))
    found = last(world, Reason.RESPONSIBILITY_CHANGED)
    assert found.standing == before + 1
    assert found.responsible == world.pilot.responsible == ("authority", "north-2", OTHER)
    assert found.finding.content == {"added": ("north-2",), "removed": ("north",)}
    assert found.cause == f"sandbox:version@{world.state.sandbox.version}"  # type: ignore[union-attr]
    assert "authority:north-2" in (found.addressed or ())


def test_a_name_or_a_contact_changes_no_responsibility() -> None:
    world = Founded(structs.replace(SANDBOX, authorities=(*SANDBOX.authorities, NORTH)))
    before = world.pilot.standing.counter
    world.change(PutAuthority(structs.replace(NORTH, name="The North", contacts=("mailto:a@north.example",))))
    assert world.pilot.standing.counter == before


def test_a_pilot_for_which_no_authority_is_responsible_escalates_until_one_is() -> None:
    """The charter names an authority that a later change removes, and no other one covers its place."""
    world = Founded(structs.replace(SANDBOX, authorities=(*SANDBOX.authorities, HEALTH)))
    world.pilot.charter = structs.replace(world.pilot.charter, authorities=(Authority("gone"),))
    world.change(PutAuthority(SandboxAuthority(OTHER, "provincial", region="far")))
    world.change(PutAuthority(SandboxAuthority("authority", "central", region="far")))
    finding = last(world, Reason.NO_AUTHORITY)
    assert (finding.level, world.pilot.responsible) == (Level.ESCALATE, ())
    assert finding.addressed == ("authority:authority", "firm:firm", "role:officer"), "the central authority learns"
    world.change(PutAuthority(SandboxAuthority(OTHER, "provincial")))
    assert world.pilot.responsible == (OTHER,)
    assert world.pilot.standing.level is Level.NORMAL


def test_responsibility_is_switched_on_and_off_by_a_change() -> None:
    world = Founded(structs.replace(SANDBOX, responsibility=UNSET))
    world.change(PutResponsibility(computed=True))
    assert last(world, Reason.RESPONSIBILITY_CHANGED).responsible == world.pilot.responsible == ("authority", OTHER)
    count = len(world.decisions)
    world.change(PutResponsibility(computed=False))
    assert world.pilot.responsible == ()
    assert all(one.addressed is UNSET for one in world.decisions[count:] if one.reason is Reason.CONFIGURATION_CHANGED)


def test_a_pilot_of_before_the_founding_has_responsible_authorities_from_then_on() -> None:
    world = Founded(before=OWN)
    assert last(world, Reason.RESPONSIBILITY_CHANGED).responsible == ("authority", OTHER)


def test_an_evicted_pilot_follows_as_a_resident_one_does() -> None:
    def responsible_after(evict: bool) -> list[Decision]:
        world = Founded(structs.replace(SANDBOX, authorities=(*SANDBOX.authorities, NORTH)))
        if evict:
            world.machine.pilots.most = 0
            world.machine.pilots.evict_excess()
        world.change(PutAuthority(structs.replace(NORTH, region="far")))
        return [one for one in world.decisions if one.reason is Reason.RESPONSIBILITY_CHANGED]

    found = responsible_after(evict=False)
    assert found
    assert responsible_after(evict=True) == found


def test_an_older_configuration_keeps_its_digest() -> None:
    older = structs.replace(SANDBOX, responsibility=UNSET)
    newer = changed(older, PutResponsibility(computed=True))
    assert configuration_digest(structs.replace(newer, version=1, responsibility=UNSET)) == configuration_digest(older)


def test_a_finding_is_addressed_to_firm_and_responsible_authorities() -> None:
    world = Founded(structs.replace(SANDBOX, authorities=(*SANDBOX.authorities, NORTH)))
    world.say(world.service.incident(world.at, Severity.SERIOUS_INCIDENT, Harm.PROPERTY, "i-1"))
    found = last(world, Reason.HARD_RULE)
    assert ids_of("authority", found.addressed or ()) == ("authority", "north", OTHER)
    assert ids_of("firm", found.addressed or ()) == ("firm",)
