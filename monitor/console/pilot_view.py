"""One pilot as the board shows it, folded from its outputs by `fleet_view.py`."""

from __future__ import annotations

import functools
from collections import Counter, deque
from collections.abc import Iterable

from msgspec import UNSET, Struct, field

from monitor.charter.spec import Charter
from monitor.lifecycle.arrows import APPLIED, NEVER_ADMITTED
from monitor.lifecycle.life import Lifecycle, life_from_words, life_of
from monitor.model.records import Decision, Evidence, Level, Reason
from monitor.model.shadow_records import ShadowSummary
from monitor.projections.alpha_budget import AlphaRuns, used_of
from monitor.projections.clock_board import ClockFold
from monitor.projections.measures import counts_at_least
from monitor.projections.open_commands import OpenCommand
from monitor.projections.open_items import OpenItems
from monitor.projections.pilot_status import PilotStatus
from monitor.projections.wording import sentence

_GUIDANCE = (Reason.GUIDANCE_ASKED, Reason.GUIDANCE_GIVEN)
_life_in = functools.lru_cache(maxsize=1_024)(life_from_words)  # there are few combinations of states


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
    status: PilotStatus | None = None  # cache of `today_view.status_of`
    # Pages that list many pilots read no decision of them, only what follows:
    items: OpenItems = field(default_factory=OpenItems)
    guidance: Decision | None = None  # the last request for guidance, or the answer
    addressed: Counter[str] = field(default_factory=Counter)  # stored decisions by whom they are addressed to
    registered: Counter[str] = field(default_factory=Counter)  # those that register a model, by its digest

    def keep(self, decision: Decision, most: int) -> None:
        """Store the next decision, and forget the oldest beyond `most`."""
        self.decisions.append(decision)
        self.items.take(decision)
        if decision.reason in _GUIDANCE:
            self.guidance = decision
        self.addressed.update(decision.addressed or ())
        if (model := _registers(decision)) is not None:
            self.registered[model] += 1
        if len(self.decisions) > most:
            oldest = self.decisions.popleft()
            _discount(self.addressed, oldest.addressed or ())
            if (model := _registers(oldest)) is not None:
                _discount(self.registered, (model,))

    @property
    def life(self) -> Lifecycle:
        """The states of the pilot, without signatures."""
        if self.states:
            return _life_in(self.states)
        return life_of(self.level is Level.HALT, False, self.exited)

    @property
    def applicant(self) -> bool:
        """Whether the pilot is not admitted."""
        return self.life.pilot in (*APPLIED, *NEVER_ADMITTED)

    def concerns(self, authority: str) -> bool:
        """Whether an authority is responsible for the pilot, or one of its stored decisions is addressed to it."""
        return authority in self.responsible or f"authority:{authority}" in self.addressed

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
        return sentence(decision, kind, counts_at_least(specs[0] if specs else None))


def _registers(decision: Decision) -> str | None:
    """The digest of the model that a decision registers."""
    content = decision.finding.content
    if decision.reason is not Reason.CHANGE_REGISTERED or content is UNSET:
        return None
    return str(content.get("model") or "") or None


def _discount(counted: Counter[str], names: Iterable[str]) -> None:
    for name in names:
        counted[name] -= 1
        if not counted[name]:
            del counted[name]
