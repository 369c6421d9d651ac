"""Charters on control are found by act and hash, and waited for until they can no longer be missing."""

from __future__ import annotations

import asyncio

from msgspec import structs

from monitor.charter.control import Admission
from monitor.charter.spec import Charter, charter_hash
from monitor.kafka.control_charters import ControlCharters
from monitor.simulation.fleet import Fleet


def charter(version: int = 1) -> Charter:
    fleet = Fleet(1, pilots=1, hours=24)
    return structs.replace(fleet.charter_for(fleet.pilots[0]), version=version)


def admission(given: Charter, name: str = "a-1") -> Admission:
    return Admission(id=name, pilot=given.pilot, author="ada", charter=given)


def test_a_charter_is_found_by_act_and_hash() -> None:
    """Of two acts with one id, that with the hash counts."""

    async def story() -> None:
        charters = ControlCharters()
        for given in (charter(1), charter(2)):
            charters.take(admission(given))
        key = "a-1", charter_hash(charter(2))
        assert await charters.find([key]) == {key: charter(2)}

    asyncio.run(story())


def test_a_charter_that_was_not_read_yet_is_waited_for() -> None:
    """It stands on control before its decision, so it comes before the end is reached once more."""

    async def story() -> None:
        charters = ControlCharters()
        key = "a-1", charter_hash(charter())
        found = asyncio.create_task(charters.find([key]))
        await asyncio.sleep(0)
        charters.ended()  # this reading may have begun before the act was written
        await asyncio.sleep(0)
        assert not found.done()
        charters.take(admission(charter()))
        charters.ended()
        assert await found == {key: charter()}

    asyncio.run(story())


def test_a_charter_that_is_on_control_no_more_holds_up_nothing() -> None:
    """Once the log was read to its end again, the decision is entered without it."""

    async def story() -> None:
        charters = ControlCharters()
        found = asyncio.create_task(charters.find([("a-1", "0" * 64)]))
        for _ in range(2):
            await asyncio.sleep(0)
            charters.ended()
        assert await found == {}
        assert await charters.find([]) == {}

    asyncio.run(story())
