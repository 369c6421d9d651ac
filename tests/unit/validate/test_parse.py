"""Validate: each kind of bad input has its own reason, its field and its place, and stops nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from monitor.asyncapi import example
from monitor.charter.control import Withdrawal
from monitor.model.events import EVENT_TYPES, encode
from monitor.model.records import Record, Rejected
from monitor.validate.parse import Validated, validate, validate_control
from monitor.validate.rejections import MAX_BYTES, MAX_EVENTS, SENTENCES, Rejecter, RejectionReason

RECEIVED = int(datetime(2026, 3, 1, 10, 1, tzinfo=UTC).timestamp() * 1000)
BATCH = (("content-type", b"application/cloudevents-batch+json"),)
SINGLE = (("content-type", b"application/cloudevents+json; charset=utf-8"),)
INCIDENT = example("sandbox.incident.reported")


def read(
    value: bytes | None, *, key: bytes | None = b"pilot-17", headers: Any = (), received: int = RECEIVED
) -> Validated:
    return validate(Record(41, received, key, value, headers), "sandbox.telemetry", 3, secret=b"k")


def made(**changes: Any) -> bytes:
    """An incident report with top-level fields changed, or left out where the change is `...`."""
    return msgspec.json.encode({k: v for k, v in {**INCIDENT, **changes}.items() if v is not ...})


def data(**changes: Any) -> bytes:
    return made(data={k: v for k, v in {**INCIDENT["data"], **changes}.items() if v is not ...})


GOOD = made()

BAD: list[tuple[str, bytes | None, str, str]] = [
    ("a null value", None, "", "empty_value"),
    ("no bytes at all", b"", "", "empty_value"),
    ("five megabytes", b"[" + b" " * 5_000_000 + b"]", "", "too_large"),
    ("bytes that are no text", b"\xff\xfe\x00", "", "not_utf8"),
    ("a latin-1 id", GOOD.replace(b"e-4", b"e-\xe9"), "", "not_utf8"),
    ("half a record", GOOD[:-20], "", "not_json"),
    ("a byte order mark and nothing behind it", b"\xef\xbb\xbf", "", "empty_value"),
    ("UTF-16", GOOD.decode().encode("utf-16"), "", "not_utf8"),
    ("UTF-16 without a byte order mark", GOOD.decode().encode("utf-16-be"), "", "not_utf8"),
    ("the second 60 in the middle of a day", made(time="2026-02-28T12:00:60Z"), "time", "bad_time"),
    ("half a surrogate pair", GOOD.replace(b"e-4", b"\\ud800"), "", "not_json"),
    ("a word", b'"hello"', "", "not_an_object"),
    ("JSON null", b"null", "", "not_an_object"),
    ("NaN", GOOD.replace(b'"i-7"', b"NaN"), "data.incident", "not_finite"),
    ("minus infinity in a field of no meaning", GOOD[:-1] + b',"x":-Infinity}', "", "not_finite"),
    (
        "a number beyond every float",
        msgspec.json.encode(example("sandbox.gain.reported")).replace(b"0.18", b"1e400"),
        "data.share",
        "out_of_range",
    ),
    (
        "a number of four hundred digits",
        msgspec.json.encode(example("sandbox.outcomes.tallied")).replace(b"480", b"9" * 400),
        "data.tn",
        "out_of_range",
    ),
    (
        "a negative count",
        msgspec.json.encode(example("sandbox.outcomes.tallied")).replace(b"480", b"-1"),
        "data.tn",
        "out_of_range",
    ),
    (
        "a fraction of a count",
        msgspec.json.encode(example("sandbox.outcomes.tallied")).replace(b"480", b"1.5"),
        "data.tn",
        "wrong_type",
    ),
    ("no type", made(type=...), "type", "missing_field"),
    ("no incident", data(incident=...), "data.incident", "missing_field"),
    ("a type from elsewhere", made(type="com.example.x"), "type", "unknown_type"),
    ("a type that is a number", made(type=3), "type", "wrong_type"),
    ("an unknown severity", data(severity="awful"), "data.severity", "unknown_value"),
    ("CloudEvents 2.0", made(specversion="2.0"), "specversion", "unknown_value"),
    ("data that is a list", made(data=[1]), "data", "wrong_type"),
    ("a sequence that is a number", made(sequence=4), "sequence", "wrong_type"),
    ("a sequence of letters", made(sequence="abc"), "sequence", "wrong_form"),
    ("an empty id", made(id=""), "id", "out_of_range"),
    ("an id of a page", made(id="x" * 201), "id", "out_of_range"),
    ("a time without offset", made(time="2026-03-01T10:00:00"), "time", "bad_time"),
    ("the year 10000", made(time="10000-01-01T00:00:00Z"), "time", "bad_time"),
    ("the year 9999", made(time="9999-12-31T23:59:59-12:00"), "time", "time_in_future"),
    ("the year 1", made(time="0001-01-01T00:00:00+12:00"), "time", "time_before_2000"),
    ("a clock never set", made(time="1970-01-01T00:00:05Z"), "time", "time_before_2000"),
    ("six minutes ahead", made(time="2026-03-01T10:07:00Z"), "time", "time_in_future"),
    ("another pilot than the key", made(subject="pilot-18"), "subject", "key_mismatch"),
    ("a nest of objects", GOOD[:-1] + b',"x":' + b'{"a":' * 2000 + b"1" + b"}" * 2001, "", "too_deep"),
    ("brackets that never close", b"[" * 100_000, "", "not_json"),
    ("a million commas", b"[" + b"0," * 500_000 + b"0]", "", "too_many_events"),
    ("two values in one record", b"[" + GOOD + b"] []", "", "not_json"),
]


@pytest.mark.parametrize(("value", "field", "reason"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_input_is_rejected_with_its_field_and_reason(value: bytes | None, field: str, reason: str) -> None:
    """One record of rubbish is one rejection that says what and where."""
    events, _, rejected = read(value)
    assert events == []
    assert [(r.field, r.reason) for r in rejected] == [(field, reason)]
    assert rejected[0].detail
    assert (rejected[0].topic, rejected[0].partition, rejected[0].offset, rejected[0].received) == (
        "sandbox.telemetry",
        3,
        41,
        RECEIVED,
    )


@pytest.mark.parametrize(
    ("value", "fix"),
    [
        (made(type="com.example.x"), "sandbox.exposure.tallied"),
        (data(severity="awful"), "near_miss, hazard, incident, serious_incident"),
        (data(harm="awful"), "fundamental_rights"),
        (made(specversion="2.0"), "1.0"),
        (made(sequence="abc"), "1 to 18 digits"),
        (made(time="1970-01-01T00:00:05Z"), "set it"),
        (made(time="2026-03-01T10:07:00Z"), "clock"),
        (made(time="2026-02-28T12:00:00+01"), "write it as 2026-01-31T12:00:00Z"),
        (made(time="Sat, 28 Feb 2026 12:00:00 GMT"), "write it as 2026-01-31T12:00:00Z"),
        (made(time="2026-02-28T12:00:00+01:00[Europe/Berlin]"), "write it as 2026-01-31T12:00:00Z"),
        (made(time="2026-02-28T12:00:00"), "with an offset such as +01:00"),
        (made(time=1772280000), "write it as a text: 2026-01-31T12:00:00Z"),
        (made(sequence=17), '"00000000000000000001"'),
        (made(data=..., data_base64="e30="), "send the payload as a JSON object in `data`"),
        (made(data="{}"), "a JSON object, not a text"),
        (data(segment=None), "leave the field out"),
        (data(incident=17), "in quotes"),
        (msgspec.json.encode(example("sandbox.outcomes.tallied")).replace(b"480", b"480.0"), "without a decimal point"),
        (msgspec.json.encode(example("sandbox.outcomes.tallied")).replace(b"480", b'"1,480"'), "without quotes"),
        (GOOD.decode().encode("utf-16"), "UTF-8 without a byte order mark"),
    ],
)
def test_a_rejection_says_what_to_write_instead(value: bytes, fix: str) -> None:
    """Where only certain words or one form is allowed, the detail gives them, and never the value itself."""
    (rejected,) = read(value)[2]
    assert fix in rejected.detail
    assert "awful" not in rejected.detail


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (GOOD, ()),
        (GOOD, SINGLE),
        (b"[" + GOOD + b"]", ()),
        (b" [" + GOOD + b"]", BATCH),
        (
            msgspec.json.encode(INCIDENT["data"]),
            tuple((f"ce_{k}", str(v).encode()) for k, v in INCIDENT.items() if k != "data"),
        ),
    ],
    ids=["plain", "single", "array", "batch", "binary"],
)
def test_a_byte_order_mark_hides_no_event(value: bytes, headers: Any) -> None:
    """A record that begins with the UTF-8 mark says the same as one without it, in every content mode."""
    marked = read(b"\xef\xbb\xbf" + value, headers=headers)
    assert marked.rejected == []
    assert marked.events == read(value, headers=headers).events != []


def test_a_byte_order_mark_hides_no_act() -> None:
    """The same of a control record."""
    act = b'{"type":"sandbox.control.exit","id":"a","pilot":"pilot-17","author":"x","reason":"done"}'
    plain, marked = (
        validate_control(Record(1, RECEIVED, None, mark + act, ()), "c", 0, secret=b"k")
        for mark in (b"", b"\xef\xbb\xbf")
    )
    assert isinstance(plain, Withdrawal)
    assert plain == marked


@pytest.mark.parametrize(
    ("time", "at"),
    [
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)),
        ("2016-12-31T23:59:60.5Z", datetime(2016, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)),
        ("2017-01-01T05:29:60+05:30", datetime(2016, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)),
    ],
)
def test_a_leap_second_is_the_last_millisecond_before_it(time: str, at: datetime) -> None:
    """RFC 3339 has it, clocks that count milliseconds have not."""
    (event,), _, rejected = read(made(time=time))
    assert (event.time, rejected) == (at, [])


def test_a_batch_that_is_announced_as_one_event_is_told_its_content_type() -> None:
    """The rejection of the usual first mistake names the content type to send."""
    (rejected,) = read(b"[" + GOOD + b"]", headers=SINGLE)[2]
    assert (rejected.reason, "application/cloudevents-batch+json" in rejected.detail) == ("not_an_object", True)


@pytest.mark.parametrize(
    "row", [r for r in BAD if r[1] and r[1][:1] == b"{" and r[1][-1:] == b"}"], ids=lambda r: str(r[0])
)
def test_one_bad_event_of_a_batch_is_rejected_alone(row: tuple[str, bytes, str, str]) -> None:
    """Whatever is wrong with the second of three events, the first and the third are read, and the place is 1."""
    _, value, field, reason = row
    events, places, rejected = read(b"[" + GOOD + b" , " + value + b",\n" + GOOD + b"]", headers=BATCH)
    assert (len(events), list(places)) == (2, [0, 2])
    assert [(r.index, r.field, r.reason) for r in rejected] == [(1, field, reason)]


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_every_type_is_read_in_every_content_mode(kind: str) -> None:
    """Structured, batch and binary records of one event give the same event."""
    event = example(kind)
    value = msgspec.json.encode(event)
    binary = tuple((f"ce_{k}", v.encode()) for k, v in event.items() if k != "data")
    readings = [
        read(value),
        read(b" \n" + value, headers=SINGLE),
        read(b"\t[" + value + b"]"),
        read(b"[" + value + b"]", headers=BATCH),
        read(msgspec.json.encode(event["data"]), headers=binary),
        read(msgspec.json.encode(event["data"]), headers=(*binary, ("content-type", b"application/json"))),
    ]
    for events, places, rejected in readings:
        assert (list(places), rejected) == ([0], [])
        assert msgspec.json.decode(encode(events[0]))["data"].items() >= event["data"].items()
    assert len({repr(r.events) for r in readings}) == 1


BINARY = tuple((f"ce_{k}", v.encode()) for k, v in INCIDENT.items() if k != "data")


@pytest.mark.parametrize(
    ("value", "headers", "field", "reason"),
    [
        (b'{"incident":"i","severity":"incident"},"subject":"other"', BINARY, "data", "not_json"),
        (b'{"incident":NaN,"severity":"incident"}', BINARY, "data.incident", "not_finite"),
        (b"[" * 3000, BINARY, "data", "too_deep"),
        (b"{}", (*BINARY, ("ce_source", b"\xff")), "source", "not_utf8"),
        (b'{"share":0.1}', (("ce_type", b"sandbox.gain.reported"),), "specversion", "missing_field"),
        (None, BINARY, "", "empty_value"),
        (GOOD, (*BINARY, ("content-type", b"text/plain")), "content-type", "unknown_content_type"),
        (GOOD, (("content-type", b"application/cloudevents+avro"),), "content-type", "unknown_content_type"),
        (GOOD, BATCH, "", "not_an_array"),
        (b"[" + GOOD + b"]", SINGLE, "", "not_an_object"),
    ],
)
def test_headers_decide_how_a_value_is_read(value: bytes | None, headers: Any, field: str, reason: str) -> None:
    """A value that is not what its headers say is rejected, and binary data cannot write attributes."""
    events, _, rejected = read(value, headers=headers)
    assert (events, [(r.field, r.reason) for r in rejected]) == ([], [(field, reason)])


@pytest.mark.parametrize(
    ("filed", "field", "reason"),
    [
        ("1999-12-31T23:59:59Z", "data.filed", "time_before_2000"),
        ("2026-03-01T10:00:01Z", "data.filed", "closed_before_filed"),
        ("2027-01-01T00:00:00Z", "data.filed", "time_in_future"),
    ],
)
def test_a_complaint_is_not_closed_before_it_was_filed(filed: str, field: str, reason: str) -> None:
    """The repeated time of filing is checked like every time."""
    event = example("sandbox.complaint.resolved")
    event["data"]["filed"] = filed
    assert [(r.field, r.reason) for r in read(msgspec.json.encode(event)).rejected] == [(field, reason)]


def test_unknown_fields_are_ignored_and_of_a_doubled_key_the_last_wins() -> None:
    """Foreign fields, brackets in texts and repeated keys do no harm."""
    events, _, rejected = read(GOOD[:-1] + b',"extra":{"a":[1,{"b":"]}\\"["}]},"id":"last"}')
    assert (events[0].id, rejected) == ("last", [])


@pytest.mark.parametrize("depth", [1, 30, 62, 63, 64, 900])
@pytest.mark.parametrize("wrap", [lambda e: e, lambda e: b"[" + e + b"]"], ids=["single", "batch"])
def test_depth_is_bounded_by_us_and_not_by_the_stack(depth: int, wrap: Callable[[bytes], bytes]) -> None:
    """Sixty-four levels pass and sixty-five do not, in a batch or alone, with or without a neighbour that is bad."""
    event = GOOD[:-1] + b',"x":' + b"[" * depth + b"]" * depth + b"}"
    events, _, rejected = read(wrap(event))
    assert ([r.reason for r in rejected], len(events)) == (([], 1) if depth <= 63 else (["too_deep"], 0))
    with_a_bad_one = read(b"[" + event + b",1]")
    assert len(with_a_bad_one.events) == len(events)


def test_a_batch_may_be_empty_or_full_but_not_fuller() -> None:
    """No event is no rejection; the bound counts events."""
    assert read(b"[]", headers=BATCH) == ([], range(0), [])
    small = msgspec.json.encode(example("sandbox.gain.reported"))
    assert len(small) * MAX_EVENTS > MAX_BYTES  # so the bound on bytes strikes first for good events
    (full,) = read(b"[" + b",".join([b"0"] * MAX_EVENTS) + b"]").rejected
    assert full.count == MAX_EVENTS
    assert [r.reason for r in read(b"[" + b",".join([b"0"] * (MAX_EVENTS + 1)) + b"]").rejected] == ["too_many_events"]


def test_a_rejection_repeats_no_value_and_its_digest_is_keyed() -> None:
    """What was in the field is nowhere in the rejection, and its digest needs the key."""
    secret_value = "Erika Mustermann"
    for value in (data(severity=secret_value), made(type=secret_value), data(incident=[secret_value])):
        (rejected,) = read(value).rejected
        assert secret_value not in repr(rejected)
    record = Record(0, RECEIVED, None, value)
    digests = {Rejecter(record, "t", 0, key)(RejectionReason.NOT_JSON).digest for key in (b"one", b"two")}
    assert len(digests) == 2
    assert {len(d) for d in digests} == {32}


def test_a_rejection_names_the_pilot_as_far_as_it_can_be_known() -> None:
    """The subject of the event, else the key, else nothing."""
    assert read(made(subject="pilot-18")).rejected[0].pilot == "pilot-18"
    assert read(b"rubbish").rejected[0].pilot == "pilot-17"
    assert read(b"rubbish", key=b"\xff").rejected[0].pilot == ""
    assert read(b"rubbish", key=None).rejected[0].pilot == ""


def test_without_a_key_there_is_nothing_to_mismatch() -> None:
    """Files and HTTP bodies have no key."""
    assert len(read(GOOD, key=None).events) == 1
    assert read(GOOD, key=b"\xff").rejected[0].reason == "key_mismatch"


@pytest.mark.parametrize("received", [-(10**18), 0, 10**18])
def test_any_reception_time_is_survived(received: int) -> None:
    """A broken broker clock rejects or accepts, and never raises."""
    events, _, rejected = read(GOOD, received=received)
    assert len(events) + len(rejected) == 1


def test_every_reason_has_a_sentence() -> None:
    """The closed list and its sentences are the same list."""
    assert set(SENTENCES) == set(RejectionReason)
    assert all(sentence.endswith(".") for sentence in SENTENCES.values())


@pytest.mark.parametrize(
    ("value", "key", "field", "reason"),
    [
        (b'{"type":"sandbox.control.approval","id":"1","pilot":"p","author":"a"}', b"q", "pilot", "key_mismatch"),
        (b'{"type":"sandbox.control.approval","id":"1","pilot":"p"}', b"p", "author", "missing_field"),
        (b'{"type":"sandbox.control.pardon","id":"1","pilot":"p","author":"a"}', b"p", "type", "unknown_type"),
        (b"\xff", b"p", "", "not_utf8"),
        (b"[" * 5000, b"p", "", "too_deep"),
        (None, b"p", "", "empty_value"),
    ],
)
def test_control_is_validated_like_telemetry(value: bytes | None, key: bytes, field: str, reason: str) -> None:
    """A bad act of a regulator is rejected with field and reason too."""
    found = validate_control(Record(0, RECEIVED, key, value), "sandbox.control", 0, secret=b"k")
    assert isinstance(found, Rejected)
    assert (found.field, found.reason) == (field, reason)
    if reason == "unknown_type":
        assert "the type of an act" in found.detail


def test_a_bad_act_by_http_is_told_to_its_pilot() -> None:
    """By HTTP a record has no key: the rejection names the pilot, so that its author can find it."""
    value = (
        b'{"type":"sandbox.control.shelving","id":"1","pilot":"p","author":"a","finding":"f","reason":"r","span":"3y"}'
    )
    found = validate_control(Record(0, RECEIVED, None, value), "sandbox.control", 0, secret=b"k")
    assert isinstance(found, Rejected)
    assert (found.pilot, found.field, found.reason) == ("p", "span", "wrong_form")
    assert "such as 8h" in found.detail


def test_a_good_act_is_read() -> None:
    """An approval comes out as itself."""
    value = b'{"type":"sandbox.control.approval","id":"1","pilot":"p","author":"a"}'
    act = validate_control(Record(0, RECEIVED, b"p", value), "sandbox.control", 0, secret=b"k")
    assert not isinstance(act, Rejected)
    assert act.author == "a"
