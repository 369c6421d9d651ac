"""Laws of the fold: a run of ordinary events taken at once leaves what one by one leaves, to the byte."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.machine import Machine
from monitor.model import Outputs, Record
from monitor.telemetry import Envelope, encode
from monitor.testing.simulator import Fleet

STORIES = ["step", "silence", "late", "gaps", "duplicates", "busy", "calm"]
encoded = msgspec.msgpack.encode


class OneByOne(Machine):
    """A machine to which no event is ordinary."""

    def _run(self, events: Sequence[Envelope], first: int, received: int, owner: str | None, out: Outputs) -> int:
        return first


def said(machine: Machine, acts: list[Record], batches: list[list[Record]], end: int) -> list[bytes]:
    """Everything a machine puts out, when it wants to be woken, and its state at the end."""
    rows: list[bytes] = []
    for act in acts:
        out = machine.control(act)
        rows.append(encoded([out.decisions, out.commands]))
    for batch in batches:
        out = machine.telemetry("telemetry", batch)
        rows.append(encoded([out.rejected, out.decisions, out.commands, out.evidence, machine.notify_at]))
    out = machine.time(end)
    rows.append(encoded([out.decisions, out.commands, out.evidence]))
    return [*rows, encoded(sorted(machine.snapshots(machine.pilots).items()))]


@pytest.mark.parametrize("volume", [100, 20_000])
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 5), pack=st.integers(1, 150), spoil=st.integers(5, 60))
def test_at_once_and_one_by_one_are_the_same(volume: int, seed: int, pack: int, spoil: int) -> None:
    """Packed as one likes, with caps broken, models unknown and sources new in between: the same outputs, the same bytes."""
    fleet = Fleet(
        seed, pilots=len(STORIES), scenarios=STORIES, hours=12 if volume < 1000 else 2, onset=1, volume=volume
    )
    acts = [Record(i, fleet.start, a.pilot.encode(), msgspec.json.encode(a)) for i, a in enumerate(fleet.admissions())]
    waiting: dict[str, list[bytes]] = {}
    records: list[Record] = []
    for i, (at, event) in enumerate(fleet):
        value = encode(event)
        if i % spoil == 0:
            value = value.replace(
                *(
                    (b'"amount":', b'"amount":1e4,"x":'),
                    (b'"model":"m1"', b'"model":"m7"'),
                    (b'"source":"', b'"source":"z'),
                )[i // spoil % 3]
            )
        run = waiting.setdefault(event.subject, [])
        run.append(value)
        if len(run) >= pack:
            records.append(Record(len(records), at, event.subject.encode(), b"[" + b",".join(run) + b"]"))
            run.clear()
    batches = [records[i : i + 20] for i in range(0, len(records), 20)]
    end = fleet.end + 7 * 3_600_000
    assert said(Machine(), acts, batches, end) == said(OneByOne(), acts, batches, end)
