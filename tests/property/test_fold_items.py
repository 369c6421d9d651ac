"""The fast path equals the slow path for shares of items and claims, however records are packed and cut."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from monitor.charter.control import Admission
from monitor.charter.spec import Charter, DetectorSpec
from monitor.engine.machine import Machine
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, encode
from monitor.model.records import Record
from tests.property.test_fold import SlowPath, recorded
from tests.strength import examples
from tests.unit.engine.test_machine import HOUR, T0, charter
from tests.unit.indicators.test_items_and_claims import HARMFUL, LABELLED, RIGHTS, TAKEDOWN

DAY = 24 * HOUR
ESCALATE = (DetectorSpec("limit_e_process", "escalate"),)
COMPLAINTS = structs.replace(
    TAKEDOWN, name="promises", kind="complaint_over_promise", params={"promise": "3d"}, detectors=ESCALATE
)
LATE = structs.replace(LABELLED, name="late", kind="late_share", params={}, direction="above", limit=0.05, weight=0.0,
                       detectors=(DetectorSpec("cusum", "watch"),))  # fmt: skip


def made() -> Charter:
    """Every new kind, with and without segments, next to kinds that are placed by due time and by reception."""
    weights = (LABELLED, HARMFUL, TAKEDOWN, RIGHTS, COMPLAINTS)
    specs = [structs.replace(one, weight=0.2, detectors=ESCALATE) for one in weights]
    by_group = structs.replace(
        specs[2], name="by-group", segments=("north", "south"), weight=0.0, detectors=(DetectorSpec("cusum", "watch"),)
    )
    specs[3] = structs.replace(specs[3], params={"claim": ["copyright", "portrait"]})
    return charter(*specs, by_group, LATE)


def events(rng: Random) -> list[tuple[int, Envelope]]:
    """Ten days of a service: tallies and claims of known and unknown kinds, closed in time, late, or never; some sent
    late."""
    emit, found = Emitter("svc/1", "p"), list[tuple[int, Any, tuple[Any, ...]]]()
    for day in range(10):
        start = T0 + day * DAY
        for hour in range(0, 24, 2):
            at = start + hour * HOUR + rng.randrange(HOUR)
            found.append((at, emit.exposure, (at, 100.0, "outputs")))
            measure = rng.choice(["labelled", "labelled", "harmful", "other"])
            segment = rng.choice(["hate", "violence", "", "elsewhere"])
            sent = at + (3 * DAY if rng.random() < 0.05 else 0)
            found.append((sent, emit.items, (at, rng.choice([0, 9]), rng.choice([0, 1, 50]), measure, segment)))
            kind = rng.choice(["takedown", "takedown", "copyright", "portrait"])
            name, group = f"r-{day}-{hour}", rng.choice(["north", "south", ""])
            found.append((at, emit.claim, (at, name, kind, group)))
            found.append((at, emit.complaint, (at, name)))
            if rng.random() < 0.8:
                closed = at + rng.choice([HOUR, DAY, 4 * DAY])
                found.append((closed, emit.claim_closed, (closed, name, at, kind, group, rng.random() < 0.2)))
                found.append((closed, emit.complaint_resolved, (closed, name, at)))
            found.append((at + 1, emit.heartbeat, (at + 1,)))
    found.sort(key=lambda row: row[0])
    return [(at, make(*arguments)) for at, make, arguments in found]


def script(seed: int, pack: int) -> list[tuple[str, Any]]:
    """Steps of a partition: the admission, then records of up to `pack` events."""
    rng = Random(f"items/{seed}/{pack}")
    admission = Admission(id="adm", pilot="p", author="anna", charter=made())
    steps: list[tuple[str, Any]] = [("control", Record(0, T0, b"p", msgspec.json.encode(admission)))]
    waiting: list[bytes] = []
    for offset, (at, event) in enumerate(events(rng)):
        waiting.append(encode(event))
        if len(waiting) >= rng.randint(1, pack):
            value = waiting[0] if len(waiting) == 1 else b"[" + b",".join(waiting) + b"]"
            steps.append(("telemetry", Record(offset, at, b"p", value)))
            waiting = []
        if rng.random() < 0.02:
            steps.append(("time", at))
    return [*steps, ("time", T0 + 20 * DAY)]


@pytest.mark.parametrize("pack", [1, 5, 40])
@settings(max_examples=examples(4, 12), deadline=None)
@given(seed=st.integers(0, 30), cuts=st.lists(st.integers(1, 200), min_size=1, max_size=10))
def test_the_fast_path_equals_the_slow_path(pack: int, seed: int, cuts: list[int]) -> None:
    """The same outputs and the same state bytes."""
    steps = script(seed, pack)
    assert recorded(Machine(journalled=False), steps, cuts) == recorded(SlowPath(journalled=False), steps, [1000])


def test_the_scripts_take_the_fast_path() -> None:
    """Else the comparison would show nothing."""
    machine = Machine(journalled=False)
    recorded(machine, script(1, 40), [200])
    assert machine.fast_path_events > 0.3 * machine.events
