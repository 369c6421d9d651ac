"""Who is responsible and addressed is replayed as it was decided: whole partitions, and the history of one pilot."""

from __future__ import annotations

import pytest
from msgspec import UNSET, structs

from monitor.charter.control import Override
from monitor.lifecycle.sandbox import SandboxAuthority
from monitor.lifecycle.sandbox_acts import PutAuthority, PutResponsibility, RemoveAuthority, SeveralChanges
from monitor.model.records import Reason
from tests.unit.engine.test_history_authority import Recorded, replayed
from tests.unit.lifecycle.founded import OTHER, OWN, SANDBOX

NORTH = SandboxAuthority("north", "provincial", region="north", contacts=("secret@north.example",))


def story(partition: int) -> Recorded:
    """Authorities are renamed, moved and removed while a pilot runs; responsibility is switched off and on again."""
    world = Recorded(structs.replace(SANDBOX, authorities=(*SANDBOX.authorities, NORTH)), partition)
    world.put(Override(**world.by("officer"), level="escalate", reason="x"))
    world.change(SeveralChanges((PutAuthority(structs.replace(NORTH, id="north-2")), RemoveAuthority("north"))))
    world.change(PutAuthority(structs.replace(NORTH, id="north-2", name="new name", contacts=("other@north.example",))))
    world.put(Override(**world.by("officer"), level="watch", reason="y"))
    world.change(PutAuthority(structs.replace(NORTH, id="north-2", region="far")))
    world.change(PutResponsibility(computed=False))
    world.put(Override(**world.by("officer"), level="escalate", reason="z"))
    world.change(PutResponsibility(computed=True))
    world.amended(structs.replace(OWN, version=2, region="far"))
    return world


@pytest.mark.parametrize("partition", [0, 3])
def test_a_replay_names_the_same_authorities_and_addressees(partition: int) -> None:
    """In the partition that decides on changes of the configuration, and in one that steps copies of them."""
    world = story(partition)
    mine = [structs.replace(one, epoch=0) for one in world.decisions if one.pilot == "p"]
    named = [one.responsible for one in mine if one.reason in (Reason.ADMITTED, Reason.RESPONSIBILITY_CHANGED)]
    assert named == [
        ("authority", "north", OTHER), ("authority", "north-2", OTHER), ("authority", OTHER), ("authority", OTHER),
    ]  # fmt: skip
    assert mine[-1].responsible == ("authority", "north-2", OTHER)
    assert [one.reason for one in mine if one.addressed is UNSET] == [Reason.OVERRIDDEN]
    assert replayed(world.tell(), "p", partition) == mine
    assert replayed(world.of("p", partition), "p", partition) == mine
