"""A context: one pilot, one moment, one cause. Everything that moves a pilot's standing goes through it and is put on record.

`monitor/decide/ladder.py` says what a move is; a case gives it an id, a number and its finding, and tells the service when a halt
begins or ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from msgspec import structs

from detectors.base import Count, Observation, Proportion, Score
from detectors.explain import explain
from monitor.charter.spec import DetectorSpec
from monitor.compile.plan import CompiledIndicator, Plan
from monitor.decide import ladder
from monitor.model.bounds import SOURCES
from monitor.model.events import Envelope
from monitor.model.records import Decision, Finding, Level, Outputs, Reason, command_of, digest
from monitor.state.acts_once import may_forget_ids
from monitor.state.halt_state import HaltState, StopKind, first_transmission
from monitor.state.pilot import Pilot
from monitor.state.standing import Stays

FindingSource: TypeAlias = Finding | Callable[[], Finding]  # what a move rests on; worked out only if there is a move


class DecisionContext:
    """`at` is when what follows could be decided (ms); `source` is the event that caused it, or the cause in words
    (`control:<id>`, `timer:<name>@<due>`); `signed` is the id of the key that signed it."""

    __slots__ = ("_source", "at", "epoch", "out", "pilot", "plan", "recorded", "signed", "tolerated")

    def __init__(
        self, pilot: Pilot, plan: Plan, at: int, source: Envelope | str, out: Outputs, epoch: int, signed: str = ""
    ) -> None:
        self.pilot = pilot
        self.plan = plan
        self.at = at
        self._source = source
        self.out = out
        self.epoch = epoch
        self.signed = signed
        self.recorded: tuple[str, ...] = ()  # ids of the decisions of this cause
        self.tolerated = False  # a crossing of a limit was: statistics start again when this cause is dealt with

    @property
    def cause(self) -> str:
        """What caused it, naming no topic, partition or offset; no two decisions of a pilot may share cause and rule.

        Once sources are forgotten, a number may come as new a second time. Then the standing of the first decision of this
        cause is added.
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
        """The cause as decision ids name it: an act whose id may have been used and forgotten is told apart by its standing."""
        if isinstance(self._source, str) and self._source.startswith("control:") and may_forget_ids(self.pilot.acts):
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
        """A finding joins, or rises, or is repeated."""
        self.apply(
            ladder.raise_finding(self.pilot.standing, key, level, reason, self.at, stays), finding, key=key, asked=level
        )

    def mark_quiet(self, key: str, finding: FindingSource) -> None:
        """One more quiet period of an active finding."""
        if key in self.pilot.standing.active:
            responses = self.plan.charter.responses
            self.apply(ladder.mark_quiet(self.pilot.standing, key, responses, self.at), finding, key=key)

    def clear(self, key: str, finding: FindingSource) -> None:
        """The ground of a finding is gone."""
        self.apply(ladder.clear(self.pilot.standing, key, self.at), finding, key=key)

    def flag(self, key: str, reason: Reason, finding: Finding | None = None) -> None:
        """A cause of not knowing begins."""
        self.apply(ladder.raise_flag(self.pilot.standing, key, reason, self.at), finding or Finding(rule=key))

    def unflag(self, key: str) -> None:
        """A cause of not knowing ends; with the last one goes the finding that the flag grew old."""
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
        """Adopt a standing; its move, if there is one, goes on record. `key` is the finding that it is about, `asked`
        the level that this finding asks for."""
        self.pilot.standing, move = outcome
        if move is not None:
            self.record(move, finding if isinstance(finding, Finding) else finding(), author, key=key, asked=asked)

    # ---- record

    def record(
        self, move: ladder.Move, finding: Finding, author: str = "", *, key: str = "", asked: Level | None = None
    ) -> None:
        """Put a move on record, and a command beside it when a halt begins or ends."""
        pilot = self.pilot
        standing = structs.replace(pilot.standing, counter=pilot.standing.counter + 1)
        rule = "/".join((move.reason, finding.indicator, finding.segment, finding.rule, move.level.word))
        name = digest(pilot.id, pilot.hash, self._identity, rule)
        if name in self.recorded:  # two findings of one rule that one cause cleared: readers drop a second equal id
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
        )
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
            self.out.commands.append(command)
        pilot.standing = standing

    def finding(
        self,
        watch: CompiledIndicator,
        segment: str,
        watcher: DetectorSpec,
        score: Score | None = None,
        observation: Observation | None = None,
        *,
        start: int | None = None,
        end: int | None = None,
        provisional: bool = False,
    ) -> Finding:
        """What a decision about this watcher rests on. Without its `observation` a score is of as many events as it observed."""
        spent = self.plan.alpha_spent(self.pilot.standing.restart)
        if score is None:
            return Finding(indicator=watch.name, segment=segment, rule=watcher.name, alpha_spent=spent)
        given = Count(score.observed, 0.0) if observation is None else observation
        words = explain(given, score, watcher.name, variance_mean=watch.spec.variance_mean)
        return Finding(
            indicator=watch.name,
            segment=segment,
            rule=watcher.name,
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
            **_counted(watch, observation),
        )


def _counted(watch: CompiledIndicator, observation: Observation | None) -> dict[str, Any]:
    """Events and what they came from, as they were observed; nothing where the exposure is not known yet (open
    periods)."""
    if isinstance(observation, Proportion):
        return {"events": observation.k, "exposure": observation.n}
    if isinstance(observation, Count) and observation.m > 0 and watch.spec.exposure is not None:
        return {"events": observation.k, "exposure": observation.m, "unit": watch.spec.exposure.unit}
    return {}


def _short(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.4g}")
