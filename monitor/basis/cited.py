"""The clauses that a decision rests on, from what its rule, clock or act cites. Pure.

A decision about an indicator or a hard rule has the clauses that the charter cites there, one about a legal deadline
those of the clock table, and an act those of charter and sandbox. The clock table and the sandbox count only where the
configuration names a catalogue in force (`Sandbox.legal_basis`): without one an id says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET, UnsetType

from monitor.charter.clauses import CharterBasis, Clauses, LegalBasis
from monitor.charter.spec import LEVEL_OF_NAME, Charter
from monitor.deadlines.rules import ClockRule, ClockTable
from monitor.lifecycle.sandbox import Sandbox
from monitor.model.clock_record import ClockRecord
from monitor.model.records import Finding, Reason

CITED = 16  # clauses that one decision names, at most


def cited(
    reason: Reason, finding: Finding, act: str, charter: Charter | None, sandbox: Sandbox | None
) -> tuple[str, ...] | UnsetType:
    """The ids of the clauses, each once, those of the charter first; `UNSET` where nothing is cited. `act` is the name
    of the act that the decision records, "" for none."""
    found: list[str] = []
    if charter is not None:
        for clauses in _of_charter(reason, finding, act, charter):
            found += clauses
    if sandbox is not None and not isinstance(sandbox.legal_basis, UnsetType):
        if not isinstance(finding.clock, UnsetType):
            found += _of_clock(finding.clock, sandbox.clocks)
        for clauses in _of_basis(sandbox.legal_basis, reason, act):
            found += clauses
    return tuple(dict.fromkeys(found))[:CITED] if found else UNSET


def clock_clauses(rule: ClockRule, basis: str) -> tuple[str, ...]:
    """What a clock of `rule` cites, with the shorter periods that are part of its `basis` in words."""
    shorter = [one.clauses for one in rule.shorter if one.basis and one.basis in basis]
    return tuple(clause for clauses in (rule.clauses, *shorter) for clause in _given(clauses))


def _of_charter(reason: Reason, finding: Finding, act: str, charter: Charter) -> Iterator[Clauses]:
    if finding.indicator:
        yield from (_given(spec.clauses) for spec in charter.indicators if spec.name == finding.indicator)
    elif reason is Reason.HARD_RULE:
        yield from (_given(rule.clauses) for rule in charter.hard_rules if rule.name == finding.rule)
    elif reason in (Reason.UNREGISTERED_MODEL, Reason.MISSING_MODEL):
        rules = [rule for rule in charter.hard_rules if rule.unregistered_model]
        gravest = max((LEVEL_OF_NAME[rule.level] for rule in rules), default=None)
        yield from (_given(rule.clauses) for rule in rules if LEVEL_OF_NAME[rule.level] == gravest)
    if not isinstance(charter.basis, UnsetType):
        yield from _of_basis(charter.basis, reason, act)


def _of_basis(basis: CharterBasis | LegalBasis, reason: Reason, act: str) -> Iterator[Clauses]:
    if act in basis.acts:
        yield basis.acts[act]
    if reason in basis.reasons:
        yield basis.reasons[reason]


def _of_clock(clock: ClockRecord, table: ClockTable) -> tuple[str, ...]:
    rule = table.rule(clock.rule)
    return () if rule is None else clock_clauses(rule, clock.basis)


def _given(clauses: Clauses | UnsetType) -> Clauses:
    return () if isinstance(clauses, UnsetType) else clauses
