"""Posts each decision as JSON to one address, as a case-handling system of an authority would take it."""

from __future__ import annotations

import msgspec

from monitor.act.http import post
from monitor.model.records import Decision


class Webhook:
    """`address` is the URL that takes decisions; the other side tells repeats apart by `id`."""

    def __init__(self, address: str) -> None:
        self._address = address

    def act(self, decision: Decision) -> None:
        """Post one decision. Raises `Unavailable` or `Refused`."""
        post(self._address, msgspec.json.encode(decision))
