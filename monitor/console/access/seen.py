"""The board as one reader sees it. Pure.

A reader who sees everything gets the board itself. Any other gets a copy without the pilots, firms, model files and
ledgers that the role does not see: pages are made from the copy, so a page cannot show what is not in it.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Sequence

from monitor.console.access.roles import Reader, Role
from monitor.console.fleet_view import FleetView, PilotView
from monitor.console.models_view import used_by
from monitor.console.notices import Notices
from monitor.firms.fold import FirmsFold
from monitor.model.subjects import FIRM, model_subject
from monitor.notary.desk_facts import CheckFact, CheckpointFact, Desk, HeldEntry, HeldLedger, ProofFact
from monitor.notary.format import LogName
from monitor.projections.firm_acts import FirmActsFold
from monitor.projections.halt_story import HaltsFold
from monitor.projections.model_files import ModelFilesFold
from monitor.projections.user_complaints import UserComplaintsFold

SHARED = frozenset({
    "liveness", "ledger", "through", "open_mode", "sandbox", "_charters", "_periods", "_streams", "_decisions", "_most",
    "version",
})  # fmt: skip
"""Parts of the board that are the same for every reader: no page shows a pilot, firm or model from them alone."""


def seen_by(board: FleetView, reader: Reader) -> FleetView:
    """The part of the board that the reader sees. Never changes `board`."""
    if reader.sees_all:
        return board
    seen = copy.copy(board)
    seen.pilots = {name: view for name, view in board.pilots.items() if _sees(reader, view)}
    firms = {view.participant for view in seen.pilots.values()}
    if reader.role is Role.FIRM:
        firms = set(reader.of)
    seen.firms = FirmsFold()
    seen.firms.firms = {name: one for name, one in board.firms.firms.items() if name in firms}
    seen.firm_acts = FirmActsFold()
    seen.firm_acts.firms = {name: one for name, one in board.firm_acts.firms.items() if name in firms}
    seen.halts = HaltsFold()
    seen.halts.newest = {name: one for name, one in board.halts.newest.items() if name in seen.pilots}
    seen.halts.finished.extend(one for one in board.halts.finished if one.decision.pilot in seen.pilots)
    seen.complaints = UserComplaintsFold()
    seen.complaints.waiting = {name: one for name, one in board.complaints.waiting.items() if name in seen.pilots}
    seen.problems = board.problems.only(seen.pilots)
    seen.models = ModelFilesFold()
    used = used_by(view for view in seen.pilots.values() if reader.role is not Role.FIRM or not view.applicant)
    seen.models.models = {name: file for name, file in board.models.models.items() if not file.digests.isdisjoint(used)}
    seen.configuration = deque(maxlen=board.configuration.maxlen)
    seen.notices = Notices()
    seen.notices.shared_topics = board.notices.shared_topics
    seen.notices.reads_not_logged = board.notices.reads_not_logged
    seen._left_out, seen._index = set(), None
    seen.desk = None if board.desk is None else SeenDesk(board.desk, _subjects(seen))
    return seen


def _sees(reader: Reader, view: PilotView) -> bool:
    named = () if view.plan is None else (one.id for one in view.plan.authorities)
    return reader.sees_pilot(view.participant, frozenset(view.responsible or named))


def _subjects(seen: FleetView) -> frozenset[str]:
    models = (model_subject(file.model) for file in seen.models.models.values())
    return frozenset((*seen.pilots, *models, *(FIRM + name for name in seen.firms.firms)))


class SeenDesk:
    """A desk that knows some subjects only. A ledger of another one is not there."""

    def __init__(self, desk: Desk, subjects: frozenset[str]) -> None:
        self._desk, self._subjects = desk, subjects
        self.directory, self.published = desk.directory, desk.published

    def ledgers(self) -> Sequence[HeldLedger]:
        return [one for one in self._desk.ledgers() if one.name.subject in self._subjects]

    def visible(self, name: LogName) -> int | None:
        return self._desk.visible(name) if self._knows(name) else None

    def entries(self, name: LogName, first: int, count: int) -> Sequence[HeldEntry]:
        return self._desk.entries(name, first, count) if self._knows(name) else ()

    def find(self, name: LogName, identity: str) -> int | None:
        return self._desk.find(name, identity) if self._knows(name) else None

    def checkpoint(self, name: LogName | None) -> CheckpointFact | None:
        return self._desk.checkpoint(name) if name is None or self._knows(name) else None

    def proof(self, name: LogName, number: int) -> ProofFact | None:
        return self._desk.proof(name, number) if self._knows(name) else None

    def verify(self, name: LogName, number: int) -> Sequence[CheckFact]:
        return self._desk.verify(name, number) if self._knows(name) else ()

    def _knows(self, name: LogName) -> bool:
        return name.subject in self._subjects
