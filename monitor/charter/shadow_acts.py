"""Acts that start and stop a shadow charter: a candidate that runs next to the charter in force and never acts."""

from __future__ import annotations

from typing import TypeAlias

from monitor.charter.act_base import ControlBase, Instant, Words
from monitor.charter.spec import Charter, SpanText


class ShadowStart(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.shadow_start"):
    """An officer starts a shadow charter on the pilot: `charter` is stepped with the telemetry of the pilot until
    `until`, and compared with the charter in force every `every`. It must be one that an amendment could put in
    force, or the charter in force itself."""

    charter: Charter
    until: Instant
    reason: Words
    every: SpanText = "1d"


class ShadowStop(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.shadow_stop"):
    """An officer stops the shadow charter of the pilot."""

    reason: Words


ShadowAct: TypeAlias = ShadowStart | ShadowStop
