"""Runs and batches: records that are read together give the same events as records read one by one."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.engine.batched import nondecreasing
from monitor.model.builders import Emitter
from monitor.model.events import encode
from monitor.model.records import Record
from monitor.validate.parse import LONG, validate
from monitor.validate.rejections import MAX_BYTES, MAX_DEPTH
from monitor.validate.runs import MAX_RUN, SHALLOW_BYTES, EventRun, as_batch, group_by_key, runs

NOW = 1_767_571_200_000
EMITTER = Emitter("service/1", "p")
GOOD = [encode(EMITTER.exposure(NOW, 1.0)) for _ in range(40)]
# As short as an event can be: a heartbeat with one letter in each field.
SMALL = (
    b'{"type":"sandbox.heartbeat","specversion":"1.0","id":"a","source":"s","subject":"p","time":"2026-01-05T00:00:00Z",'
    b'"sequence":"1","data":{"nonce":"n","serving":true}}'
)


def nested(depth: int, opens: bytes, closes: bytes, inside: bool) -> bytes:
    """The smallest event with an unknown field so deep, at the top or in `data`."""
    nest = b',"":' + opens * (depth - 1) + b"{}" + closes * (depth - 1)
    return SMALL[:-2] + nest + b"}}" if inside else SMALL[:-1] + nest + b"}"


NESTS = [
    nested(depth, opens, closes, inside)
    for depth in (MAX_DEPTH - 3, MAX_DEPTH - 2, MAX_DEPTH - 1, MAX_DEPTH, 500, 5000)
    for opens, closes in ((b'{"":', b"}"), (b"[", b"]"))
    for inside in (False, True)
]
ODD = [
    b"",
    b"{}",
    b"[]",
    b"[" + b",".join(GOOD[:3]) + b"]",
    b"[" + b",".join([*GOOD, *NESTS[:2]]) + b"]",
    b"[" + b",".join([*GOOD, NESTS[8]]) + b"]",
    b"[" + b",".join(GOOD[3:6]) + b",7]",
    GOOD[0] + b"\n" + GOOD[1],  # two values
    GOOD[2][:60] + b"}",  # and a half of one
    b"{" + GOOD[2][60:],
    GOOD[3] + b" ",
    SMALL[:-1] + b',"x":"' + b"[{" * 40 + b'"}',
    b'{"x":"' + b"x" * MAX_BYTES + b'"}',
]


def records(values: list[bytes]) -> list[Record]:
    return [Record(at, NOW + at, b"p", value) for at, value in enumerate(values)]


SEAM = SMALL.index(b'{"nonce"')  # where a value could be torn so that its second half begins like a value


@example([*GOOD[:4], GOOD[4] + b"\n" + SMALL[:SEAM], SMALL[SEAM:], *GOOD[5:9]])
@given(st.lists(st.sampled_from([*GOOD[:6], *GOOD[:6], *NESTS, *ODD]), min_size=1, max_size=40))
@settings(max_examples=300, deadline=None)
def test_a_run_holds_what_its_records_hold_one_by_one(values: list[bytes]) -> None:
    """Nesting at the bound and above, two values in a record and none, halves of a value in two: whichever records
    are read with it, a run gives the same result for a record as validating it alone; and events of a key keep their
    order."""
    given, at, order = records(values), 0, list[int]()
    while at < len(given):
        groups, stop = group_by_key(given, at)
        for group in groups:
            for run in runs(group):
                if not isinstance(run, EventRun):
                    order += [record.offset for record in run]
                    continue
                for record in dict.fromkeys(run.records):
                    found = validate(record, "t", 0, secret=b"")
                    mine = [i for i, r in enumerate(run.records) if r is record]
                    assert [run.events[i] for i in mine] == found.events
                    assert [run.places[i] for i in mine] == list(found.places)
                    assert not found.rejected
                    order.append(record.offset)
        order += [stop] if stop < len(given) else []
        at = stop + 1
    assert order == list(range(len(given)))


def test_a_nest_that_is_too_deep_does_not_fit_into_a_short_record() -> None:
    """Records that are short are not looked into, so the shortest that has to be rejected is longer; long ones are
    counted."""
    deep = [value for value in NESTS if validate(Record(0, NOW, b"p", value), "t", 0, secret=b"").rejected]
    assert min(len(value) for value in deep if b"[" not in value) > SHALLOW_BYTES
    assert max(len(value) for value in deep) > LONG
    assert len(GOOD[0]) <= SHALLOW_BYTES


@pytest.mark.parametrize("width", [4, 5, 12, 18])
@pytest.mark.parametrize("first", [1, 9_990, 99_990, 9_999_999_990])
def test_numbers_may_carry_over(width: int, first: int) -> None:
    """A batch goes on where the last four digits of its numbers begin anew, as long as they keep their width."""
    numbers = [f"{number:0{width}d}" for number in range(first, first + 20)]
    if len(numbers[0]) > width:
        pytest.skip("wider than the form")
    some = [Record(i, NOW, b"p", SMALL.replace(b'"1"', f'"{n}"'.encode())) for i, n in enumerate(numbers)]
    (group,), _ = group_by_key(some, 0)
    (run,) = runs(group)
    assert isinstance(run, EventRun)
    batch = as_batch(run, 0, len(some))
    assert (batch is not None) == (len({len(number) for number in numbers}) == 1)
    if batch is not None:
        assert (batch.first, batch.last) == (first, first + 19)


def test_a_run_is_halved_between_records_while_it_has_several() -> None:
    """A run of several records is split between records, and a record only when it is alone."""
    some = [Record(i, NOW, b"p", b"[" + b",".join(GOOD[i * 5 : i * 5 + 5]) + b"]") for i in range(4)]
    (run,) = runs(some)
    assert isinstance(run, EventRun)
    assert [run.middle(*piece) for piece in ((0, 20), (0, 10), (5, 20), (10, 15), (4, 11))] == [10, 5, 10, 12, 5]
    assert len(run.events) <= MAX_RUN


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9), st.integers(0, 9))
def test_times_of_reception_never_fall(received: list[int], least: int) -> None:
    """Each is the largest of all before it and of the bound."""
    assert nondecreasing(received, least) == [max(least, at) for at in accumulate(received, max)]
