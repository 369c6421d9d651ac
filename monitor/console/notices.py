"""What the operator of the monitor must see on the board: skipped records, crash loops, decisions that are not in a
ledger. Bounded. Pure."""

from __future__ import annotations

from msgspec import Struct

KINDS = 64  # pairs of topic and reason, or pilots, that are shown; further ones are left out


class SkippedRecords(Struct):
    """Records of one topic that were skipped for one reason, and where the last of them is."""

    topic: str
    reason: str
    records: int
    partition: int
    offset: int


class CrashLoop(Struct, frozen=True):
    """Owners of a partition ended `claims` times in a row before they wrote a step. The next records to be stepped are
    those at `positions` (topic -> offset); of the topics in `deleted`, the log begins at a later offset."""

    partition: int
    claims: int
    positions: dict[str, int]
    deleted: dict[str, int] = {}


class Notices:
    """All notices of one board. `not_entered` counts decisions by pilot that its ledger does not hold. `shared_topics`:
    all participants share the topics of telemetry, commands and permits. `reads_not_logged`: the read log of the board
    cannot be written."""

    def __init__(self) -> None:
        self.skipped: dict[tuple[str, str], SkippedRecords] = {}
        self.crash_loops: dict[int, CrashLoop] = {}
        self.not_entered: dict[str, int] = {}
        self.shared_topics = False
        self.reads_not_logged = False

    def skip(self, topic: str, partition: int, offset: int, reason: str) -> None:
        """A record was skipped."""
        found = self.skipped.get((topic, reason))
        if found is not None:
            found.records, found.partition, found.offset = found.records + 1, partition, offset
        elif len(self.skipped) < KINDS:
            self.skipped[topic, reason] = SkippedRecords(topic, reason, 1, partition, offset)

    def not_in_ledger(self, pilot: str, decisions: int) -> None:
        """So many decisions of the pilot are not in its ledger; 0 ends the notice."""
        if not decisions:
            self.not_entered.pop(pilot, None)
        elif pilot in self.not_entered or len(self.not_entered) < KINDS:
            self.not_entered[pilot] = decisions
