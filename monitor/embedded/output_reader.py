"""Reads committed outputs in order from a cursor, so that a crash loses none.

Notary, actors, metrics and board are such readers. They act only on what the store has already made durable.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from monitor.embedded.store import OUTPUTS, Output, Store
from monitor.model.records import Closed, Command, Decision, Evidence, Outputs, Permit, Rejected
from monitor.model.shadow_records import ShadowDecision, ShadowSummary

_rejected = msgspec.json.Decoder(Rejected).decode
_decision = msgspec.json.Decoder(Decision).decode
_command = msgspec.json.Decoder(Command).decode
_permit = msgspec.json.Decoder(Permit).decode
_evidence = msgspec.json.Decoder(Evidence).decode
_closed = msgspec.json.Decoder(Closed).decode
_shadow_decision = msgspec.json.Decoder(ShadowDecision).decode
_shadow_summary = msgspec.json.Decoder(ShadowSummary).decode


class OutputReader:
    """Outputs of `kinds` after number `at`; `at` advances with each `read`. The caller saves it."""

    def __init__(self, store: Store, kinds: Sequence[Output] = OUTPUTS, at: int = 0) -> None:
        self.at = at
        self._store, self._kinds = store, kinds

    async def read(self) -> Outputs | None:
        """The next outputs (possibly none of these kinds); `None` at the end."""
        rows, end = await self._store.outputs_after(self._kinds, self.at)
        if end <= self.at:
            return None
        self.at = end
        return Outputs(
            rejected=[_rejected(raw) for raw in rows.get("rejected", ())],
            decisions=[_decision(raw) for raw in rows.get("decisions", ())],
            commands=[_command(raw) for raw in rows.get("commands", ())],
            permits=[_permit(raw) for raw in rows.get("permits", ())],
            evidence=[evidence_of(raw) for raw in rows.get("evidence", ())],
            shadows=[shadow_of(raw) for raw in rows.get("shadows", ())],
        )


def shadow_of(raw: bytes) -> ShadowDecision | ShadowSummary:
    """The value of a row of `shadows`."""
    try:
        return _shadow_summary(raw)
    except msgspec.ValidationError:
        return _shadow_decision(raw)


def evidence_of(raw: bytes) -> Evidence | Closed:
    """The value of a row of `evidence`."""
    try:
        return _evidence(raw)
    except msgspec.ValidationError:
        return _closed(raw)
