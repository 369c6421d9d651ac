"""A reader of what was put out: committed outputs in order, from a cursor of its own, so that a crash loses nothing.

Notary, actors, metrics and board are such readers. They act only on what the store has already made durable.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from monitor.embedded.store import OUTPUTS, Output, Store
from monitor.model.records import Closed, Command, Decision, Evidence, Outputs, Permit, Rejected

_rejected = msgspec.json.Decoder(Rejected).decode
_decision = msgspec.json.Decoder(Decision).decode
_command = msgspec.json.Decoder(Command).decode
_permit = msgspec.json.Decoder(Permit).decode
_evidence = msgspec.json.Decoder(Evidence).decode
_closed = msgspec.json.Decoder(Closed).decode


class Reader:
    """Outputs of `kinds` after number `at`; `at` moves on with each `read`. Keeping it is up to whoever reads."""

    def __init__(self, store: Store, kinds: Sequence[Output] = OUTPUTS, at: int = 0) -> None:
        self.at = at
        self._store, self._kinds = store, kinds

    async def read(self) -> Outputs | None:
        """The next outputs, perhaps none of these kinds among them; `None` when the end is reached."""
        rows, end = await self._store.put_out(self._kinds, self.at)
        if end <= self.at:
            return None
        self.at = end
        return Outputs(
            rejected=[_rejected(raw) for raw in rows.get("rejected", ())],
            decisions=[_decision(raw) for raw in rows.get("decisions", ())],
            commands=[_command(raw) for raw in rows.get("commands", ())],
            permits=[_permit(raw) for raw in rows.get("permits", ())],
            evidence=[_evidence_of(raw) for raw in rows.get("evidence", ())],
        )


def _evidence_of(raw: bytes) -> Evidence | Closed:
    try:
        return _evidence(raw)
    except msgspec.ValidationError:
        return _closed(raw)
