"""The fleet as the board shows it: outputs folded into one view per pilot. Pure, bounded, idempotent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from msgspec import UNSET, Struct, field

from monitor.charter.act_base import ControlBase
from monitor.charter.spec import Charter, charter_hash
from monitor.console.notices import Notices
from monitor.console.owner_liveness import OwnerLiveness
from monitor.console.sandbox_fold import SandboxFold
from monitor.firms.fold import FirmsFold
from monitor.lifecycle.arrows import APPLIED, NEVER_ADMITTED
from monitor.lifecycle.life import Lifecycle, life_from_words, life_of
from monitor.model.records import Closed, Decision, Evidence, Level, Outputs, Reason
from monitor.model.shadow_records import ShadowDecision, ShadowSummary
from monitor.model.subjects import SANDBOX, is_pilot
from monitor.notary.desk_facts import Desk
from monitor.projections.alpha_budget import AlphaRuns, used_of
from monitor.projections.clock_board import ClockFold
from monitor.projections.firm_acts import FirmActsFold
from monitor.projections.halt_story import HaltsFold
from monitor.projections.model_files import ModelFilesFold
from monitor.projections.open_commands import OpenCommand, after_attempt, after_decision, left_after
from monitor.projections.user_complaints import UserComplaintsFold
from monitor.projections.wording import sentence

CHARTERS = 8
CONFIGURATION_KEPT = 50  # acts on the sandbox
"""Charters of one pilot that are stored until a decision names one: the newest."""


class PilotView(Struct):
    """One pilot. `why` is the decision that brought it to its level, `unsigned` whether the act that put its charter in
    force had no signature, `firm_unsigned` whether the last act of the firm had none. Times in ms, `None` = never."""

    pilot: str
    participant: str = ""
    charter: str = ""  # digest in force
    plan: Charter | None = None
    level: Level = Level.NORMAL
    since: int | None = None
    why: Decision | None = None
    unknown: str = ""
    unknown_since: int | None = None
    alpha_spent: float | None = None  # what all thresholds so far may spend; see `alpha_used`
    runs: AlphaRuns = field(default_factory=AlphaRuns)
    used: tuple[tuple[str, int, int], float] | None = None  # cache of `alpha_used`: its key and the result
    standing: int = -1
    restart: int = 1
    exited: bool = False
    states: str = ""  # as `state_words`; "" where they follow from the level
    unsigned: bool = False
    firm_unsigned: bool = False
    command: OpenCommand | None = None
    last_evidence: int | None = None
    late_events: int = 0  # that came too late to count
    clocks: ClockFold = field(default_factory=ClockFold)  # legal deadlines
    responsible: tuple[str, ...] = ()  # authorities; empty where the sandbox computes none
    decisions: deque[Decision] = field(default_factory=deque)  # oldest first
    streams: dict[tuple[str, str], dict[tuple[int, bool], Evidence]] = {}
    shadow: ShadowSummary | None = None  # the newest summary of a shadow charter

    @property
    def life(self) -> Lifecycle:
        """The states of the pilot, without signatures."""
        if self.states:
            return life_from_words(self.states)
        return life_of(self.level is Level.HALT, False, self.exited)

    @property
    def applicant(self) -> bool:
        """Whether the pilot is not admitted."""
        return self.life.pilot in (*APPLIED, *NEVER_ADMITTED)

    def concerns(self, authority: str) -> bool:
        """Whether an authority is responsible for the pilot, or one of its stored decisions is addressed to it."""
        name = f"authority:{authority}"
        return authority in self.responsible or any(name in (one.addressed or ()) for one in self.decisions)

    @property
    def evidence(self) -> list[Evidence]:
        """Closed periods of all streams, in the order of their arrival."""
        return [record for stream in self.streams.values() for record in stream.values()]

    @property
    def alpha_used(self) -> float | None:
        """The alpha used; `None` while the charter is not known. Cached until a decision can change it."""
        if self.plan is None:
            return None
        key = (self.charter, self.runs.number, len(self.runs.crossed))
        if self.used is None or self.used[0] != key:
            self.used = (key, used_of(self.plan, self.runs))
        return self.used[1]

    def say(self, decision: Decision) -> str:
        """The decision as a sentence, in the units of its indicator."""
        name = decision.finding.indicator
        stream = self.streams.get((name, decision.finding.segment)) or {}
        kind = next((record.kind for record in stream.values()), "")
        specs = [spec for spec in self.plan.indicators if spec.name == name] if self.plan else []
        return sentence(decision, kind, bool(specs) and specs[0].direction == "below")


class FleetView:
    """A view of every pilot. Apply outputs in their order, and add charters as they are read.

    Memory is bounded: the last `periods` closed periods of each indicator and segment, at most `streams` of these, the
    last `decisions` decisions, for at most `most` pilots; `left_out` counts pilots beyond that. A repeated record
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
        self.open_mode = False  # set by the embedded monitor; not known on Kafka
        self.configuration: deque[Decision] = deque(maxlen=CONFIGURATION_KEPT)  # acts on the sandbox, oldest first
        self.firms = FirmsFold()  # the records of firms
        self.firm_acts = FirmActsFold()  # their classes
        self.models = ModelFilesFold()
        self.sandbox = SandboxFold()
        self.halts = HaltsFold()
        self.complaints = UserComplaintsFold()
        self.desk: Desk | None = None  # reads ledgers and their publication; set by the process that keeps them
        self._left_out: set[str] = set()
        self._charters: dict[str, dict[str, Charter]] = {}  # by pilot and digest, the newest last
        self._periods, self._streams, self._decisions, self._most = periods, streams, decisions, most

    @property
    def left_out(self) -> int:
        """Number of pilots that are not shown because the board is full (counted up to ten times `most`)."""
        return len(self._left_out)

    def learn(self, charter: Charter) -> None:
        """Add a charter, whether in force, refused or pending: a pilot takes its tier and limits once a decision names
        the hash of this charter."""
        digest = charter_hash(charter)
        if charter.pilot not in self._charters and len(self._charters) >= self._most:
            return
        known = self._charters.setdefault(charter.pilot, {})
        known[digest] = charter
        if len(known) > CHARTERS:
            del known[next(iter(known))]
        view = self.pilots.get(charter.pilot)
        if view is not None and view.charter in ("", digest):
            view.plan, view.charter, view.participant = charter, digest, charter.participant.id

    def act(self, act: ControlBase) -> None:
        """Add an act on `control`, in force or not: what it asks for is shown once a decision names it."""
        self.sandbox.act(act)

    def apply(self, outputs: Outputs) -> None:
        """Apply the outputs of one or more steps."""
        self.firms.add(outputs)
        for decision in outputs.decisions:
            if not is_pilot(decision.pilot):
                self.models.decide(decision)
                self.firm_acts.decide(decision)
                if decision.pilot == SANDBOX:
                    self._configured(decision)
                continue
            view = self._view(decision.pilot)
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
            view = self._view(record.pilot)
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
        return sorted(self.pilots.values(), key=lambda v: (v.exited, -v.level, not v.unknown, v.since or 0, v.pilot))

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

    def _view(self, pilot: str) -> PilotView | None:
        view = self.pilots.get(pilot)
        if view is None:
            if len(self.pilots) >= self._most:
                if len(self._left_out) < 10 * self._most:
                    self._left_out.add(pilot)
                return None
            view = self.pilots[pilot] = PilotView(pilot)
        return view

    def _decide(self, view: PilotView, decision: Decision) -> None:
        view.standing, view.restart = decision.standing, decision.restart
        self.halts.decide(decision)
        self.complaints.decide(decision)
        view.runs.add_decision(decision)
        view.participant = decision.participant
        if decision.charter != view.charter:
            view.charter = decision.charter
            view.plan = self._charters.get(view.pilot, {}).get(decision.charter)
        begins = decision.reason is Reason.ADMITTED and decision.level is Level.NORMAL  # not at its application
        if view.why is None or begins or decision.level != decision.was:
            view.since, view.why = decision.at, decision
        view.level = decision.level
        view.command = after_decision(view.command, decision)
        if decision.unknown != view.unknown:
            if not (decision.unknown and view.unknown):
                view.unknown_since = decision.at if decision.unknown else None
            view.unknown = decision.unknown
        if decision.finding.alpha_spent is not None:
            view.alpha_spent = decision.finding.alpha_spent
        view.exited = left_after(view.exited, decision)
        view.states = decision.states if isinstance(decision.states, str) else ""
        if decision.reason in (Reason.ADMITTED, Reason.AMENDED):
            view.unsigned = not decision.signed
        if decision.author and decision.author == decision.participant:
            view.firm_unsigned = not decision.signed
        if decision.responsible is not UNSET:
            view.responsible = decision.responsible
        view.clocks.add(decision)
        view.decisions.append(decision)
        if len(view.decisions) > self._decisions:
            view.decisions.popleft()

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
