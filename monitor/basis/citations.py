"""Rule by rule what a charter and a sandbox cite: indicators, hard rules, clocks, acts, rules of the monitor. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct, UnsetType

from monitor.basis.cited import clock_clauses
from monitor.charter.clauses import CharterBasis, Clauses, LegalBasis
from monitor.charter.spec import LEVEL_OF_NAME, Charter
from monitor.lifecycle.names import Act
from monitor.lifecycle.sandbox import Sandbox
from monitor.model.records import Level

HALTING_ACTS = frozenset({Act.SUSPEND.value, Act.RECALL.value, Act.OVERRIDE.value})
"""Acts of people that may halt a pilot."""


class RuleKind(StrEnum):
    """What cites."""

    INDICATOR = "indicator"
    HARD_RULE = "hard_rule"
    CLOCK = "clock"
    ACT = "act"
    REASON = "reason"


class RuleBasis(Struct, frozen=True):
    """One rule and its clauses. `level` is the most that it may cause, "" where it moves no level by itself. `field` is
    where it stands in the charter, "" for a rule of the sandbox."""

    kind: RuleKind
    name: str
    level: str
    clauses: tuple[str, ...]
    field: str = ""

    @property
    def may_halt(self) -> bool:
        """Whether the rule may halt a service."""
        return self.level == Level.HALT.word


def charter_rules(charter: Charter) -> Iterator[RuleBasis]:
    """The rules of a charter, also those that cite nothing, in the order of the file."""
    for index, spec in enumerate(charter.indicators):
        levels = [LEVEL_OF_NAME[one.level] for one in spec.detectors]
        most = max(levels, default=Level.NORMAL)
        field = f"indicators[{index}]"
        yield RuleBasis(RuleKind.INDICATOR, spec.name, most.word if most else "", _given(spec.clauses), field)
    for index, rule in enumerate(charter.hard_rules):
        yield RuleBasis(RuleKind.HARD_RULE, rule.name, rule.level, _given(rule.clauses), f"hard_rules[{index}]")
    if not isinstance(charter.basis, UnsetType):
        yield from _of_basis(charter.basis, "basis")


def sandbox_rules(sandbox: Sandbox) -> Iterator[RuleBasis]:
    """The clocks of a sandbox, and the acts and rules of the monitor that its legal basis names. Acts that may halt are
    there also where they cite nothing."""
    for rule in sandbox.clocks.rules:
        words = "; ".join((rule.basis, *(one.basis for one in rule.shorter)))
        level = "" if rule.on_miss.value == "record" else rule.on_miss.value
        yield RuleBasis(RuleKind.CLOCK, rule.name, level, tuple(dict.fromkeys(clock_clauses(rule, words))))
    if not isinstance(sandbox.legal_basis, UnsetType):
        basis = sandbox.legal_basis
        yield from _of_basis(basis, "")
        for act in sorted(HALTING_ACTS - basis.acts.keys()):
            yield RuleBasis(RuleKind.ACT, act, Level.HALT.word, ())


def _of_basis(basis: CharterBasis | LegalBasis, field: str) -> Iterator[RuleBasis]:
    for name, clauses in basis.acts.items():
        level = Level.HALT.word if name in HALTING_ACTS else ""
        yield RuleBasis(RuleKind.ACT, name, level, clauses, field and f"{field}.acts.{name}")
    for name, clauses in basis.reasons.items():
        yield RuleBasis(RuleKind.REASON, name, "", clauses, field and f"{field}.reasons.{name}")


def _given(clauses: Clauses | UnsetType) -> Clauses:
    return () if isinstance(clauses, UnsetType) else clauses
