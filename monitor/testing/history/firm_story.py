"""Acts on the files of firms in a history where a sandbox is founded: classes, annulments, and acts that are refused.
They are sent to every partition, as those on the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from monitor.charter.control import ControlBase
from monitor.firms.classes import firm_class
from monitor.firms.record import YEAR_MS, FirmRecord
from monitor.firms.rules import SHIPPED_RULES, FirmClass
from monitor.lifecycle.firm_acts import Annulment, Classification

FIRMS = ("firm-1", "firm-2")


class FirmStory:
    """The acts of one history, in order."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(f"firms/{seed}")
        self._seed, self._number = seed, 0
        self._accepted = dict.fromkeys(FIRMS, 0)

    def acts(self) -> Iterator[ControlBase]:
        """One act, sometimes twice, sometimes one that is refused."""
        rng = self._rng
        firm, kind = rng.choice(FIRMS), rng.randrange(6)
        if kind == 0:
            yield Annulment(**self._by("approver-1", firm), of="pilot-0001", decision=self._id(), reason="was wrong")
            self._accepted[firm] += 1
            return
        record = FirmRecord(
            firm=firm, pilots=rng.randrange(1, 5), operated_ms=rng.randrange(8) * YEAR_MS, observations=900,
            halts=rng.randrange(9), through=1_000_000_000_000 + self._number, subject=self._accepted[firm],
        )  # fmt: skip
        gives = firm_class(record, SHIPPED_RULES).gives
        if kind == 1:
            gives = rng.choice([one for one in FirmClass if one is not gives])
        author = "stranger" if kind == 2 else "officer"
        act = Classification(**self._by(author, firm), firm_class=gives, record=record, rules=SHIPPED_RULES)
        self._accepted[firm] += kind > 2
        yield act
        if rng.random() < 0.2:
            yield act

    def _id(self) -> str:
        return f"{self._rng.getrandbits(128):032x}"

    def _by(self, author: str, firm: str) -> dict[str, Any]:
        self._number += 1
        return {"id": f"firm-{self._seed}-{self._number}", "pilot": f"firm:{firm}", "author": author}
