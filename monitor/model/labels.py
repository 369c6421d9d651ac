"""Labels: the texts by which a charter selects what counts (unit, measure, kind, segment, currency), normalised on both
sides.

Blanks around a label are dropped and it is compared in Unicode's normalisation form C, in charters and in events alike.
Labels are case-sensitive; for an unknown label that differs in case only, the known one is suggested. No event is
rejected for its label: that would hide an incident from the hard rules. No charter may list a label with characters
that cannot be seen. Pure.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeAlias

from msgspec import structs

from monitor.model.events import EVENT_TYPES, Envelope

FIELDS = ("unit", "measure", "kind", "segment", "currency")
Label: TypeAlias = str | tuple[str, ...]  # of an event: the values of its fields in `LABELLED`; one value stands alone


def _labelled() -> dict[type[Envelope], tuple[str, ...]]:
    payloads = {kind: {f.name: f.type for f in structs.fields(kind)}["data"] for kind in EVENT_TYPES.values()}
    found = {kind: tuple(f for f in FIELDS if f in data.__struct_fields__) for kind, data in payloads.items()}
    return {kind: fields for kind, fields in found.items() if fields}


LABELLED = _labelled()  # the fields of `data` that are labels, by event type
LABEL_OF: dict[type[Envelope], Callable[[Any], Label]] = {kind: attrgetter(*names) for kind, names in LABELLED.items()}


@functools.lru_cache(maxsize=4096)
def tidy(text: str) -> str:
    """A label as it is compared.

    >>> tidy("Zu\\u0308rich ") == "Zürich"
    True
    """
    return text.strip() if text.isascii() else unicodedata.normalize("NFC", text.strip())


def tidied(event: Any) -> Any:
    """An event with its labels as they are compared."""
    data, changed = event.data, {}
    for name in LABELLED.get(type(event), ()):
        text = getattr(data, name)
        tidy_text = tidy(text)
        if tidy_text != text:
            changed[name] = tidy_text
    return structs.replace(event, data=structs.replace(data, **changed)) if changed else event


def alike(text: str) -> str:
    """A key that is equal for labels that differ only in case, or in characters that cannot be seen."""
    seen = "".join(c for c in text if unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFC", seen.casefold()).strip()
