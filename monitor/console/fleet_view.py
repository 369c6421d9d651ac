"""The fleet as the board shows it: outputs folded into one view per pilot. Pure, bounded, idempotent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from msgspec import UNSET

from monitor.charter.act_base import ControlBase
from monitor.charter.spec import Charter, charter_hash
from monitor.console.fleet_index import FleetIndex
from monitor.console.notices import Notices
from monitor.console.owner_liveness import OwnerLiveness
from monitor.console.pilot_view import PilotView as PilotView
from monitor.console.places import Attention, attention_by, give_way
from monitor.console.sandbox_fold import SandboxFold
from monitor.firms.fold import FirmsFold
from monitor.model.records import Closed, Decision, Evidence, Level, Outputs, Reason
from monitor.model.shadow_records import ShadowDecision, ShadowSummary
from monitor.model.subjects import SANDBOX, is_pilot
from monitor.notary.desk_facts import Desk
from monitor.projections.firm_acts import FirmActsFold
from monitor.projections.halt_story import HaltsFold
from monitor.projections.model_files import ModelFilesFold
from monitor.projections.open_commands import after_attempt, after_decision, left_after
from monitor.projections.problem_fold import ProblemFold
from monitor.projections.user_complaints import UserComplaintsFold

CHARTERS = 8
CONFIGURATION_KEPT = 50  # acts on the sandbox
"""Charters of one pilot that are stored until a decision names one: the newest."""


class FleetView:
    """A view of every pilot. Apply outputs in their order, and add charters as they are read.

    Memory is bounded: the last `periods` closed periods of each indicator and segment, at most `streams` of these, the
    last `decisions` decisions, for at most `most` pilots, those that need attention (`places.py`); `left_out` counts
    pilots beyond that. A repeated record
    changes nothing. `ledger` returns size and root of a pilot's ledger. `liveness` is when the owner of each partition
    was last seen, and `notices` what the operator must see; the caller updates both.
    """

    def __init__(
        self,
        *,
        periods: int = 400,
        streams: int = 32,
        decisions: int = 200,
        most: int = 5000,
        ledger: Callable[[str], tuple[int, str] | None] = lambda pilot: None,
    ) -> None:
        self.pilots: dict[str, PilotView] = {}
        self.liveness = OwnerLiveness()
        self.notices = Notices()
        self.ledger = ledger
        self.through: int | None = None
        self.version = 0  # rises with everything that is applied or learnt
        self.open_mode = False  # set by the embedded monitor; not known on Kafka
        self.configuration: deque[Decision] = deque(maxlen=CONFIGURATION_KEPT)  # acts on the sandbox, oldest first
        self.firms = FirmsFold()  # the records of firms
        self.firm_acts = FirmActsFold()  # their classes
        self.models = ModelFilesFold()
        self.sandbox = SandboxFold()
        self.halts = HaltsFold()
        self.complaints = UserComplaintsFold()
        self.problems = ProblemFold()  # telemetry and acts without effect
        self.desk: Desk | None = None  # reads ledgers and their publication; set by the process that keeps them
        self._index: FleetIndex | None = None
        self._left_out: set[str] = set()
        self._charters: dict[str, dict[str, Charter]] = {}  # by pilot and digest, the newest last
        self._periods, self._streams, self._decisions, self._most = periods, streams, decisions, most

    @property
    def left_out(self) -> int:
        """Number of pilots that are not shown because the board is full (counted up to ten times `most`)."""
        return len(self._left_out)

    def learn(self, charter: Charter) -> None:
        """Add a charter, whether in force, refused or pending: a pilot takes its tier and limits once a decision names
        the hash of this charter. Before that it takes those of the same firm only: on Kafka, charters come from acts
        that anybody may have sent."""
        self.version += 1
        digest, view = charter_hash(charter), self.pilots.get(charter.pilot)
        if charter.pilot not in self._charters and len(self._charters) >= 2 * self._most:
            # Of a pilot without a place the oldest: at least half of them have none.
            del self._charters[next(name for name in self._charters if name not in self.pilots)]
        known = self._charters.setdefault(charter.pilot, {})
        known[digest] = charter
        if len(known) > CHARTERS:
            foreign = (name for name, one in known.items() if view is None or one.participant.id != view.participant)
            del known[next(foreign, next(iter(known)))]
        if view is None:
            return
        if digest == view.charter or (not view.charter and charter.participant.id == view.participant):
            view.plan, view.charter, view.participant = charter, digest, charter.participant.id

    def act(self, act: ControlBase) -> None:
        """Add an act on `control`, in force or not: what it asks for is shown once a decision names it."""
        self.sandbox.act(act)

    def apply(self, outputs: Outputs) -> None:
        """Apply the outputs of one or more steps."""
        self.version += 1
        self.firms.add(outputs)
        for rejected in outputs.rejected:
            self.problems.take(rejected)
        for decision in outputs.decisions:
            if not is_pilot(decision.pilot):
                self.models.decide(decision)
                self.firm_acts.decide(decision)
                if decision.pilot == SANDBOX:
                    self._configured(decision)
                continue
            view = self.pilots.get(decision.pilot) or self._place(decision.pilot, decision)
            if view is not None and decision.standing > view.standing:
                self._decide(view, decision)
        for command in outputs.commands:
            self.halts.attempt(command)
            known = self.pilots.get(command.pilot)
            if known is not None:
                known.command = after_attempt(known.command, command)
        for record in outputs.evidence:
            if isinstance(record, Closed):
                self.through = max(record.through, self.through or 0)
                continue
            view = self.pilots.get(record.pilot) or self._place(record.pilot)
            if view is not None:
                self._observe(view, record)
        self.compare(outputs.shadows)

    def compare(self, shadows: Iterable[ShadowDecision | ShadowSummary]) -> None:
        """Show the newest summary of each pilot. A pilot that the board does not know is left out."""
        for one in shadows:
            view = self.pilots.get(one.pilot)
            if view is not None and isinstance(one, ShadowSummary):
                view.shadow = one

    def fleet(self) -> list[PilotView]:
        """All pilots, worst first: by level, then unknown, then the longest at its level; those that left come last."""
        return list(self._indexed().fleet)

    def of_firm(self, firm: str) -> list[PilotView]:
        """The pilots of a firm, worst first."""
        return list(self._indexed().by_firm.get(firm, ()))

    def of_authority(self, authority: str) -> list[PilotView]:
        """The pilots for which an authority is responsible, worst first."""
        return list(self._indexed().by_authority.get(authority, ()))

    def firm_names(self) -> frozenset[str]:
        """The firms that have a pilot."""
        return frozenset(self._indexed().by_firm)

    def authority_names(self) -> frozenset[str]:
        """The authorities that are responsible for a pilot."""
        return frozenset(self._indexed().by_authority)

    def _indexed(self) -> FleetIndex:
        """The index of the pilots that are there now. A copy of the board that shows fewer pilots makes its own."""
        index = self._index
        if index is None or index.of is not self.pilots or index.version != self.version:
            index = self._index = FleetIndex(self.pilots, self.version)
        return index

    def open_commands(self) -> list[PilotView]:
        """Pilots with an open command, oldest command first."""
        found = [v for v in self.pilots.values() if v.command is not None and v.command.open and not v.exited]
        return sorted(found, key=lambda v: (v.command.at if v.command else 0, v.pilot))

    def unsigned(self) -> int:
        """The number of pilots in the sandbox whose charter was put in force by an unsigned act."""
        return sum(view.unsigned for view in self.pilots.values() if not view.exited)

    def unsigned_firms(self) -> int:
        """The number of firms with a pilot in the sandbox on which the firm's last act was not signed."""
        return len({view.participant for view in self.pilots.values() if view.firm_unsigned and not view.exited})

    def _configured(self, decision: Decision) -> None:
        if not self.configuration or decision.standing > self.configuration[-1].standing:
            self.configuration.append(decision)
            self.sandbox.decide(decision)

    def _place(self, pilot: str, decision: Decision | None = None) -> PilotView | None:
        """A place for a pilot that has none; `None` where the board is full of pilots that need as much attention as
        its `decision` asks for. Evidence alone takes no place of another."""
        if len(self.pilots) >= self._most:
            needs = Attention.LEFT if decision is None else attention_by(decision)
            for one in give_way(self.pilots.values(), needs, max(1, self._most // 50)):
                del self.pilots[one.pilot]
                self._leave_out(one.pilot)
        if len(self.pilots) >= self._most:
            self._leave_out(pilot)
            return None
        self._left_out.discard(pilot)
        view = self.pilots[pilot] = PilotView(pilot)
        return view

    def _leave_out(self, pilot: str) -> None:
        self.halts.forget(pilot)
        self.complaints.forget(pilot)
        if len(self._left_out) < 10 * self._most:
            self._left_out.add(pilot)

    def _decide(self, view: PilotView, decision: Decision) -> None:
        view.standing, view.restart = decision.standing, decision.restart
        self.halts.decide(decision)
        self.complaints.decide(decision)
        self.problems.take(decision)
        view.runs.add_decision(decision)
        view.participant = decision.participant
        if decision.charter != view.charter:
            view.charter = decision.charter
            view.plan = self._charters.get(view.pilot, {}).get(decision.charter)
        state, left = view.life.pilot, view.exited
        view.level = decision.level
        view.exited = left_after(view.exited, decision)
        view.states = decision.states if isinstance(decision.states, str) else ""
        begins = decision.reason is Reason.ADMITTED and decision.level is Level.NORMAL  # not at its application
        # A step of its life is why a pilot is where it is, unless a finding holds it at its level; once it has left,
        # that it left.
        moved = view.life.pilot is not state and (decision.level is Level.NORMAL or view.exited) and not left
        moved = moved and decision.reason is not Reason.CYCLE_STARTED
        if view.why is None or begins or moved or decision.level != decision.was:
            view.since, view.why = decision.at, decision
        view.command = after_decision(view.command, decision)
        if decision.unknown != view.unknown:
            if not (decision.unknown and view.unknown):
                view.unknown_since = decision.at if decision.unknown else None
            view.unknown = decision.unknown
        if decision.finding.alpha_spent is not None:
            view.alpha_spent = decision.finding.alpha_spent
        if decision.reason in (Reason.ADMITTED, Reason.AMENDED):
            view.unsigned = not decision.signed
        if decision.author and decision.author == decision.participant:
            view.firm_unsigned = not decision.signed
        if decision.responsible is not UNSET:
            view.responsible = decision.responsible
        view.clocks.add(decision)
        view.keep(decision, self._decisions)

    def _observe(self, view: PilotView, record: Evidence) -> None:
        if record.dropped:
            view.late_events = max(view.late_events, record.dropped)
            return
        key = (record.indicator, record.segment)
        stream = view.streams.get(key)
        if stream is None:
            if len(view.streams) >= self._streams:
                return
            stream = view.streams[key] = {}
        view.participant = view.participant or record.participant
        view.last_evidence = max(record.end, view.last_evidence or 0)
        stream[record.start, record.late] = record
        view.runs.add_evidence(record, view.plan)
        if len(stream) > self._periods:
            del stream[min(stream)]
