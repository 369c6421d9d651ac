"""What every act on `control` has: its id, pilot, author and validity; and the types of its fields."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from monitor.model.events import Id

Words: TypeAlias = Annotated[str, Meta(min_length=1, max_length=2000)]
Number: TypeAlias = Annotated[float, Meta(ge=-1e15, le=1e15)]
Instant: TypeAlias = Annotated[datetime, Meta(tz=True)]  # RFC 3339 with an offset from UTC
Counter: TypeAlias = Annotated[int, Meta(ge=0, le=1 << 62)]
Date: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]  # YYYY-MM-DD, UTC


class ControlBase(Struct, frozen=True, kw_only=True, tag_field="type"):
    """`id` is chosen by the sender and makes a repeat idempotent; `author` is who acts.

    What makes an act valid once: `expected_standing` is the pilot's standing that the author saw, `not_before` and
    `not_after` bound when it may be received. Signed acts carry all three. See `monitor/state/acts_once.py`.
    """

    id: Id
    pilot: Id
    author: Id
    expected_standing: Counter | None = None
    not_before: Instant | None = None
    not_after: Instant | None = None
