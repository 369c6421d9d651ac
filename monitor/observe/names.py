"""Personal data under `identifiers: pseudonyms`: texts that may be names are replaced by digests before anything is
counted, decided or recorded. Pure.

Kept are pseudonyms, texts that the charter lists (models, segments, units), and sources as the SDK makes them. The
digest is the same on every machine, so that the firm finds its own text again by computing it (`pseudonyms.shown`).
"""

from __future__ import annotations

import functools
import re
from typing import Any

from msgspec import structs

from monitor.compile.plan import Plan
from monitor.model.event_ids import PERSONAL, not_a_pseudonym
from monitor.model.events import EVENT_TYPES, Envelope
from monitor.model.pseudonyms import shown
from monitor.validate.runs import EventBatch

_INCARNATION = re.compile(r"/[0-9]{13}-[0-9a-f]{6}")  # what the SDK adds to a source at each start
_TEXTS = ("model", "was", "segment", "category", "unit", "boundary", "measure", "kind")


def _texts(kind: type[Envelope]) -> tuple[str, ...]:
    data = {field.name: field.type for field in structs.fields(kind)}["data"]
    return tuple(f.name for f in structs.fields(data) if f.name in _TEXTS and not isinstance(f.type, type))


TEXTS = {kind: _texts(kind) for kind in EVENT_TYPES.values()}  # fields of `data` that the charter may list


def without_names(plan: Plan, event: Any) -> Any:
    """An event with digests in place of the texts that may be names."""
    data = {}
    for name in TEXTS[type(event)]:
        text = getattr(event.data, name)
        if text not in plan.listed and (other := shown(text)) != text:
            data[name] = other
    if not_a_pseudonym(event):
        name = PERSONAL[type(event)]
        data[name] = shown(getattr(event.data, name))
    source = shown_source(plan, event.subject, event.source)
    if source == event.source and not data:
        return event
    return structs.replace(event, source=source, data=structs.replace(event.data, **data))


def may_hold_names(plan: Plan, batch: EventBatch) -> bool:
    """Whether `without_names` might change an event of this batch."""
    pilot = batch.events[0].subject
    if shown_source(plan, pilot, batch.source) != batch.source:
        return True
    for kind, payloads in batch.data.items():
        for name in TEXTS[kind]:
            if not {getattr(payload, name) for payload in payloads} <= plan.listed:
                return True
        if kind in PERSONAL and any(not_a_pseudonym(event) for event in batch.by_type[kind]):
            return True
    return False


@functools.lru_cache(maxsize=4096)
def shown_source(plan: Plan, pilot: str, source: str) -> str:
    """A source as records may show it: itself if the SDK made it for this pilot or it is a pseudonym, else a digest."""
    stem = f"{plan.charter.participant.id}/{pilot}"
    if source == stem or (source.startswith(stem) and _INCARNATION.fullmatch(source[len(stem) :])):
        return source
    return shown(source)
