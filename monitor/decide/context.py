"""The context of a decision: one pilot, one moment, one cause. Every change of a pilot's standing is recorded through
it.

`monitor/decide/ladder.py` computes moves; the context gives each an id, a number and its finding, and emits the command
when a halt begins or ends. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeAlias

from msgspec import UNSET, UnsetType, structs

from detectors.base import Count, Observation, Proportion, Score
from detectors.explain import explain
from monitor.basis.cited import cited
from monitor.charter.spec import DetectorSpec
from monitor.compile.plan import CompiledIndicator, Plan
from monitor.deadlines.rules import ClockTable
from monitor.decide import ladder
from monitor.lifecycle import life
from monitor.lifecycle.arrows import Arrow
from monitor.lifecycle.names import Event, Fact, Outcome, Trigger
from monitor.lifecycle.sandbox import Sandbox
from monitor.model.assessment import Assessment
from monitor.model.bounds import SOURCES
from monitor.model.events import Envelope
from monitor.model.records import Command, Decision, Finding, Level, Outputs, Permit, Reason, command_of, digest
from monitor.network.addressees import addressees
from monitor.network.responsibility import responsible
from monitor.state.acts_once import may_forget_ids
from monitor.state.halt_state import HaltState, StopKind, first_transmission
from monitor.state.pilot import PilotState
from monitor.state.standing import Stays
from monitor.state.users import NO_USERS

PUTS_IN_FORCE = frozenset({Reason.ADMITTED, Reason.AMENDED, Reason.GRADUATED})  # a charter
FindingSource: TypeAlias = Finding | Callable[[], Finding]  # the evidence of a move; computed only if there is a move


class DecisionContext:
    """`at` is the time at which the decision could be made (ms); `source` is the event that caused it, or the cause in
    words (`control:<id>`, `timer:<name>@<due>`); `signed` is the id of the key that signed the act, empty for none,
    and `act` its name (`monitor/lifecycle/names.py Act`). What is emitted goes to `out`. `sandbox` is the configuration
    in force, `None` without one; `network` is the same where responsibility is computed from it, else `None`. `table`
    has the legal deadlines in force, `None` without a sandbox;
    `received` (ms) is when the log received the cause, also where it is read after a later time. `assessed` are the
    numbers that an assessment or an exit was computed from."""

    __slots__ = (
        "_source",
        "act",
        "assessed",
        "at",
        "document",
        "epoch",
        "network",
        "out",
        "pilot",
        "plan",
        "received",
        "recorded",
        "responsible",
        "sandbox",
        "signed",
        "table",
        "tolerated",
    )

    def __init__(
        self, pilot: PilotState, plan: Plan, at: int, source: Envelope | str, out: Outputs, epoch: int, signed: str = ""
    ) -> None:
        self.pilot = pilot
        self.plan = plan
        self.at = at
        self._source = source
        self.out = out
        self.epoch = epoch
        self.signed = signed
        self.recorded: tuple[str, ...] = ()  # ids of the decisions of this cause
        self.act = ""
        self.sandbox: Sandbox | None = None
        self.table: ClockTable | None = None
        self.document: dict[str, Any] | UnsetType = UNSET  # of the next decision: a charter that comes into force
        self.received = at
        self.network: Sandbox | None = None
        self.assessed: Assessment | UnsetType = UNSET
        self.responsible: tuple[str, ...] | UnsetType = UNSET  # of the next decision: computed anew
        self.tolerated = False  # whether a limit crossing was tolerated: statistics then restart after this cause

    @property
    def cause(self) -> str:
        """The cause, without topic, partition or offset. No two decisions of a pilot share cause and rule.

        Once the table of sources is full, a forgotten source may use a number a second time. Then the standing of the
        first decision of this cause is appended.
        """
        s = self._source
        if isinstance(s, str):
            return s
        name = f"event:{s.source}#{int(s.sequence)}"
        if len(self.pilot.sources) < SOURCES:
            return name
        return f"{name}@{self._first_standing}"

    @property
    def _identity(self) -> str:
        """The cause as it enters decision ids. The id of an act may have been used and forgotten, so from then on the
        standing of its first decision is appended."""
        if (
            isinstance(self._source, str)
            and self._source.startswith("control:")
            and (may_forget_ids(self.pilot.acts) or self.pilot.users is not NO_USERS)
        ):
            return f"{self._source}@{self._first_standing}"
        return self.cause

    @property
    def _first_standing(self) -> int:
        """The standing of the first decision of this cause."""
        return self.pilot.standing.counter + 1 - len(self.recorded)

    # ---- decide

    def raise_finding(
        self, key: str, level: Level, reason: Reason, finding: FindingSource, stays: Stays = "until_quiet"
    ) -> None:
        """Activate a finding at `level`, raise it to `level`, or record one more event of it."""
        self.apply(
            ladder.raise_finding(self.pilot.standing, key, level, reason, self.at, stays), finding, key=key, asked=level
        )

    def mark_quiet(self, key: str, finding: FindingSource) -> None:
        """Count one more quiet period of an active finding; the last one that the charter asks for clears it."""
        if key in self.pilot.standing.active:
            responses = self.plan.charter.responses
            self.apply(ladder.mark_quiet(self.pilot.standing, key, responses, self.at), finding, key=key)

    def clear(self, key: str, finding: FindingSource) -> None:
        """Clear a finding whose cause no longer holds."""
        self.apply(ladder.clear(self.pilot.standing, key, self.at), finding, key=key)

    def flag(self, key: str, reason: Reason, finding: Finding | None = None) -> None:
        """Set the unknown flag for the cause `key`."""
        self.apply(ladder.raise_flag(self.pilot.standing, key, reason, self.at), finding or Finding(rule=key))

    def unflag(self, key: str) -> None:
        """Remove the cause `key` of the unknown flag; removing the last one also clears the `unknown` finding."""
        if key not in self.pilot.standing.unknown:
            return
        self.apply(ladder.clear_flag(self.pilot.standing, key), Finding(rule=key))
        if not self.pilot.standing.unknown:
            self.clear("unknown", Finding(rule="unknown"))

    def apply(
        self,
        outcome: ladder.Transition,
        finding: FindingSource,
        author: str = "",
        *,
        key: str = "",
        asked: Level | None = None,
    ) -> None:
        """Adopt a standing and record its move, if there is one. `key` is the finding that it is about, `asked` the
        level that this finding asks for, `author` who acted."""
        halted = self.pilot.standing.halted
        self.pilot.standing, move = outcome
        if self.pilot.standing.halted and not halted:
            self.advance(Event.HALT_DECIDED)
        if move is not None:
            self.record(move, finding if isinstance(finding, Finding) else finding(), author, key=key, asked=asked)

    # ---- the life of the pilot

    def advance(
        self, trigger: Trigger, facts: Collection[Fact] = (), outcome: Outcome | None = None
    ) -> tuple[Arrow, ...]:
        """Move the pilot along the table of arrows. Returns the arrows taken; raises ControlRefused that names what is
        missing, and nothing has changed then. `facts` are those that hold, `outcome` that of an exit."""
        moved = life.advance(self.pilot.life, trigger, facts, outcome)
        self.pilot.life = moved.life
        return moved.arrows

    # ---- record

    def record(
        self, move: ladder.Move, finding: Finding, author: str = "", *, key: str = "", asked: Level | None = None
    ) -> None:
        """Emit the decision of a move, and the command that follows from it when a halt or drill begins or ends."""
        pilot = self.pilot
        standing = structs.replace(pilot.standing, counter=pilot.standing.counter + 1)
        rule = "/".join((move.reason, finding.indicator, finding.segment, finding.rule, move.level.word))
        name = digest(pilot.id, pilot.hash, self._identity, rule)
        if name in self.recorded:  # one cause cleared two findings of one rule; readers drop a repeated id
            name = digest(pilot.id, pilot.hash, self._identity, rule, len(self.recorded))
        decision = Decision(
            id=name,
            pilot=pilot.id,
            participant=pilot.charter.participant.id,
            charter=pilot.hash,
            kind=move.kind,
            level=move.level,
            was=move.was,
            reason=move.reason,
            at=self.at,
            standing=standing.counter,
            epoch=self.epoch,
            cause=self.cause,
            finding=finding,
            first_out=move.first_out,
            unknown=standing.flag,
            author=author,
            signed=self.signed,
            restart=standing.restart,
            finding_key=key,
            finding_level=asked,
            states=self._states(),
            document=self.document,
            clauses=cited(move.reason, finding, self.act if author else "", pilot.charter, self.sandbox),
        )
        if self.network is not None:
            decision = self._addressed(decision, self.network)
        self.document = UNSET
        if max(decision.level, decision.was, asked or Level.NORMAL) >= Level.ESCALATE:
            halts = pilot.review.halts + (decision.was < Level.HALT == decision.level)
            pilot.review = structs.replace(pilot.review, loud=self.at, halts=halts)
            if pilot.stay.paused:
                pilot.stay = structs.replace(pilot.stay, paused=0)
        self.out.decisions.append(decision)
        self.recorded = (*self.recorded, name)
        command = command_of(decision, standing.newest_release)
        if command is not None:
            order = HaltState()
            if command.action == "halt":
                kind: StopKind = (
                    "dry_run" if command.dry_run else "halt" if decision.level == Level.HALT else "full_stop"
                )
                order = HaltState(kind, self.at, "commanded", self.at + self.plan.acknowledge_ms)
            standing = structs.replace(
                standing,
                command=command.id,
                ordered=command.standing,
                halt_state=order,
                retransmission=first_transmission(command, self.at),
                lifted=command.lifted,
            )
            self.emit(command)
        pilot.standing = standing

    def _addressed(self, decision: Decision, network: Sandbox) -> Decision:
        """The decision with its addressees; one that puts a charter in force also names the responsible authorities."""
        pilot, found = self.pilot, self.responsible
        if decision.reason in PUTS_IN_FORCE:
            found = responsible(network, pilot.charter)
        if found is not UNSET:
            pilot.responsible = found
        self.responsible = UNSET
        addressed = addressees(decision, network, pilot.charter, pilot.responsible)
        return structs.replace(decision, responsible=found, addressed=addressed)

    def _states(self) -> str | UnsetType:
        """The states of the pilot, where they do not follow from its standing."""
        pilot = self.pilot
        usual = life.life_of(pilot.standing.halted, pilot.leaving, pilot.exited)
        return UNSET if pilot.life == usual else life.state_words(pilot.life)

    def emit(self, output: Command | Permit) -> None:
        """Emit a command or a permit, for the pilot's participant."""
        if isinstance(output, Command):
            self.out.commands.append(output)
        else:
            self.out.permits.append(output)
        self.out.participants[self.pilot.id] = self.pilot.charter.participant.id

    def finding(
        self,
        indicator: CompiledIndicator,
        segment: str,
        detector_spec: DetectorSpec,
        score: Score | None = None,
        observation: Observation | None = None,
        *,
        start: int | None = None,
        end: int | None = None,
        provisional: bool = False,
    ) -> Finding:
        """What a decision about this detector rests on. Without an `observation` the score is of as many events as it
        observed. `start` and `end` bound the period (ms)."""
        spent = self.plan.alpha_spent(self.pilot.standing.restart)
        if score is None:
            return Finding(indicator=indicator.name, segment=segment, rule=detector_spec.name, alpha_spent=spent)
        given = Count(score.observed, 0.0) if observation is None else observation
        words = explain(given, score, detector_spec.name, variance_mean=indicator.spec.variance_mean)
        return Finding(
            indicator=indicator.name,
            segment=segment,
            rule=detector_spec.name,
            statistic=score.statistic,
            bar=score.threshold,
            observed=score.observed,
            expected=score.expected,
            alpha=score.alpha,
            alpha_spent=spent,
            period_start=start,
            period_end=end,
            provisional=provisional,
            ratio=_short(words.ratio),
            ratio_low=_short(words.low),
            ratio_high=_short(words.high),
            explanation=words.sentence,
            **_counted(indicator, observation),
        )


def _counted(indicator: CompiledIndicator, observation: Observation | None) -> dict[str, Any]:
    """Events and their exposure as observed; empty where the exposure is not known yet (open periods)."""
    if isinstance(observation, Proportion):
        return {"events": observation.k, "exposure": observation.n}
    if isinstance(observation, Count) and observation.m > 0 and indicator.spec.exposure is not None:
        return {"events": observation.k, "exposure": observation.m, "unit": indicator.spec.exposure.unit}
    return {}


def _short(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.4g}")
