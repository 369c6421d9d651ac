"""What the HTTP door makes of a body: everything that can be stored is, and only the rest is refused."""

from __future__ import annotations

import pytest
from aiohttp import web

from monitor.embedded.ingress import BATCH, LINES, STRUCTURED, unpack
from monitor.validate.rejections import MAX_BYTES

EVENT = b'{"specversion":"1.0","id":"1"}'


def header(incoming: object, name: str = "content-type") -> bytes | None:
    return dict(incoming.headers).get(name)  # type: ignore[attr-defined]


def test_a_structured_event_is_one_record() -> None:
    """The body is kept byte for byte, with its content type."""
    (record,), events = unpack(STRUCTURED, None, {}, EVENT)
    assert (record.value, header(record), events) == (EVENT, STRUCTURED.encode(), 1)


def test_a_batch_stays_one_record() -> None:
    """Packing survives the door: a batch of three is one record that says so, counted as three."""
    body = b"[" + b",".join([EVENT] * 3) + b"]"
    (record,), events = unpack(BATCH, "utf-8", {}, body)
    assert (record.value, header(record), events) == (body, BATCH.encode(), 3)


@pytest.mark.parametrize("body", [b"[{}", b"{}", b"\xff\xfe", b"[1,]", b"null"])
def test_a_broken_batch_is_kept_for_the_machine_to_reject(body: bytes) -> None:
    """The door does not judge: broken JSON is stored, only its events cannot be counted."""
    (record,), events = unpack(BATCH, None, {}, body)
    assert (record.value, events) == (body, None)


def test_lines_are_separate_records() -> None:
    """One bad line must not take its neighbours with it; empty lines are none."""
    records, events = unpack(LINES, None, {}, EVENT + b"\n\r\n\nrubbish\r\n" + EVENT)
    assert [r.value for r in records] == [EVENT, b"rubbish", EVENT]
    assert {header(r) for r in records} == {STRUCTURED.encode()}
    assert events == 3


def test_binary_mode_becomes_the_kafka_bindings_headers() -> None:
    """`ce-` headers of HTTP arrive as `ce_`, percent-decoded, with the content type of the data."""
    headers = {"ce-specversion": "1.0", "ce-subject": "p%20%C3%A9", "content-type": "application/json", "host": "x"}
    (record,), events = unpack("application/json", None, headers, b"{}")
    assert dict(record.headers) == {
        "content-type": b"application/json",
        "ce_specversion": b"1.0",
        "ce_subject": "p \u00e9".encode(),
    }
    assert events == 1


@pytest.mark.parametrize(
    ("media", "charset", "body", "refusal"),
    [
        (STRUCTURED, None, b"", web.HTTPBadRequest),
        (LINES, None, b"\n \n", web.HTTPBadRequest),
        ("text/plain", None, EVENT, web.HTTPUnsupportedMediaType),
        ("", None, EVENT, web.HTTPUnsupportedMediaType),
        ("application/json", None, EVENT, web.HTTPUnsupportedMediaType),
        (STRUCTURED, "utf-16", EVENT, web.HTTPUnsupportedMediaType),
        (BATCH, None, b" " + b"x" * MAX_BYTES, web.HTTPRequestEntityTooLarge),
    ],
)
def test_only_what_cannot_be_stored_is_refused(
    media: str, charset: str | None, body: bytes, refusal: type[web.HTTPException]
) -> None:
    """Nothing in it, of no known kind, or larger than a record may be."""
    with pytest.raises(refusal):
        unpack(media, charset, {}, body)
