"""Ids of events: which fields are ids, and what becomes of an event whose ids are not well formed. Pure.

Such an event is rejected. A report of an incident and an acknowledgement take effect all the same, with digests in
place of those ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import structs

from monitor.model.events import (
    ClaimClosed,
    ClaimFiled,
    CommandAcknowledged,
    ComplaintFiled,
    ComplaintResolved,
    ComplaintWithdrawn,
    Envelope,
    Event,
    Heartbeat,
    IncidentReported,
    IncidentUpdated,
)
from monitor.model.pseudonyms import is_id, is_pseudonym, only_ids, pseudonym, shown

# A mistake in an id must neither hide a death nor delay the confirmation of a stop.
TAKE_EFFECT = (IncidentReported, IncidentUpdated, CommandAcknowledged)
PERSONAL: dict[type[Envelope], str] = {  # ids that may lead to a person
    ComplaintFiled: "complaint",
    ComplaintResolved: "complaint",
    ComplaintWithdrawn: "complaint",
    ClaimFiled: "claim",
    ClaimClosed: "claim",
    IncidentReported: "incident",
    IncidentUpdated: "incident",
    CommandAcknowledged: "last_decision",
}
_DATA_IDS: dict[type[Envelope], tuple[str, ...]] = {
    **{kind: (name,) for kind, name in PERSONAL.items()},
    Heartbeat: ("nonce",),
    CommandAcknowledged: ("command", "last_decision"),
}


def ids_well_formed(value: bytes, events: Sequence[Event]) -> bool:
    """Whether all ids of the events of a value keep to the alphabet of ids."""
    if only_ids(value):
        return True
    envelopes = "".join([event.id + event.source for event in events])
    data = "".join([text for event in events if type(event) in _DATA_IDS for _, text in _data_ids(event)])
    return is_id(envelopes) and is_id(data)


def malformed_id(event: Envelope) -> str:
    """The first field whose id leaves the alphabet; "" when there is none."""
    return next((name for name, text in _ids(event) if not is_id(text)), "")


def with_digests(event: Any) -> Any:
    """An event with a digest in place of each id that leaves the alphabet."""
    wrong = {name: shown(text) for name, text in _ids(event) if not is_id(text)}
    data = {name.removeprefix("data."): text for name, text in wrong.items() if name.startswith("data.")}
    rest = {name: text for name, text in wrong.items() if not name.startswith("data.")}
    return structs.replace(event, data=structs.replace(event.data, **data), **rest)


def not_a_pseudonym(event: Any) -> str:
    """The field whose id has not the form of a pseudonym, where one is asked for; "" when there is none."""
    name = PERSONAL.get(type(event))
    if name is None:
        return ""
    text = getattr(event.data, name)
    return f"data.{name}" if text and not is_pseudonym(text) else ""


def with_pseudonym(event: Any, key: bytes) -> Any:
    """An event with a pseudonym, made with `key`, in place of an id that may lead to a person."""
    field = not_a_pseudonym(event).removeprefix("data.")
    if not field:
        return event
    return structs.replace(
        event, data=structs.replace(event.data, **{field: pseudonym(key, getattr(event.data, field))})
    )


def _ids(event: Any) -> list[tuple[str, str]]:
    return [("id", event.id), ("source", event.source), *_data_ids(event)]


def _data_ids(event: Any) -> list[tuple[str, str]]:
    return [(f"data.{name}", getattr(event.data, name)) for name in _DATA_IDS.get(type(event), ())]
