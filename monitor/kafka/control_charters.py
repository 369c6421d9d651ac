"""The charters on `control` by act and hash: what the notary enters when a decision puts one in force."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Collection

import msgspec

from monitor.charter.control import ControlBase
from monitor.charter.spec import Charter
from monitor.notary.charters import CharterKey, Charters
from monitor.projections.charter_record import charter_in

_decode = msgspec.json.Decoder(Charter).decode


class ControlCharters:
    """Give `take` every act of the log, and call `ended` at each of its ends; `find` waits until what it looks for can
    no longer be missing. Charters are kept compressed."""

    def __init__(self) -> None:
        self._kept: dict[CharterKey, bytes] = {}
        self._ends = 0
        self._moved = asyncio.Event()

    def take(self, act: ControlBase) -> None:
        """Remember the charter of an act, if it has one."""
        for key, charter in charter_in(act).items():
            self._kept[key] = zlib.compress(msgspec.json.encode(charter))

    def ended(self) -> None:
        """The end of the log was reached."""
        self._ends += 1
        self._moved.set()
        self._moved = asyncio.Event()

    async def find(self, wanted: Collection[CharterKey]) -> Charters:
        """The charters of these names that are on control. Acts stand there before the decision that they caused, so
        reading to the end of the log once more finds each that is kept. Waits while control cannot be read: without its
        charter, an entry would never be made."""
        ends = self._ends
        while any(key not in self._kept for key in wanted) and self._ends < ends + 2:
            await self._moved.wait()
        return {key: _decode(zlib.decompress(self._kept[key])) for key in wanted if key in self._kept}
