"""A time that never was is `None` in memory and the number of older versions in a snapshot."""

from __future__ import annotations

import msgspec

from monitor.charter.control import Admission, Override
from monitor.engine.machine import Machine
from monitor.model.builders import Emitter
from monitor.model.events import encode
from monitor.model.records import Record
from monitor.state.pilot import PilotState
from monitor.state.snapshots import restore, snapshot
from tests.unit.engine.test_machine import T0, charter


def begun() -> Machine:
    """A machine with one admitted pilot whose first event has sequence number 7, so its exposure offset is not
    known."""
    machine = Machine(journalled=False)
    body = msgspec.json.encode(Admission(id="a", pilot="p", author="anna", charter=charter()))
    machine.control(Record(0, T0, b"p", body))
    service = Emitter("s/1", "p", first=7)
    machine.telemetry("telemetry", [Record(0, T0 + 1, b"p", encode(service.heartbeat(T0 + 1)))])
    return machine


def read_again(machine: Machine) -> PilotState:
    """The pilot from the bytes of its snapshot."""
    return restore(snapshot(machine.pilots["p"]))[0]


def test_what_never_happened_is_none_in_memory_and_a_number_in_the_bytes() -> None:
    """Before any halt, outage, conflict and tolerance; the bytes hold 0, or -1 where 0 is an ordinary value."""
    machine = begun()
    for pilot in (machine.pilots["p"], read_again(machine)):
        state, window = pilot.standing.halt_state, pilot.window
        assert (state.due, pilot.tolerated, pilot.outage, pilot.conflicted, pilot.uncounted.last) == (None,) * 5
        assert (pilot.gap, pilot.late_dropped) == (None, None)
        assert (window.opened, window.through, window.due, window.rectified) == (None,) * 4
        assert [source.offset for source in pilot.sources.values()] == [None]
    fields = msgspec.msgpack.decode(snapshot(machine.pilots["p"]))
    assert None not in [*fields[3][11], *fields[-4]]  # the halt's state, the rectification window
    assert fields[8]["s/1"][4] == -1.0
    assert fields[-2][1] == -1


def test_a_commanded_halt_keeps_its_numbers() -> None:
    """What is due, and what each incarnation has shown, is the same before and after a snapshot."""
    machine = begun()
    act = Override(id="h", pilot="p", author="anna", level="halt", reason="test")
    machine.control(Record(1, T0 + 2, b"p", msgspec.json.encode(act)))
    beat = Emitter("s/1", "p", first=8).heartbeat(T0 + 3)
    machine.telemetry("telemetry", [Record(1, T0 + 3, b"p", encode(beat))])
    pilot = machine.pilots["p"]
    assert pilot.standing.halt_state.due is not None
    assert [(shown.number, shown.last) for shown in pilot.standing.halt_state.evidence.values()] == [(None, 8)]
    assert read_again(machine).standing == pilot.standing
    assert snapshot(read_again(machine)) == snapshot(pilot)
