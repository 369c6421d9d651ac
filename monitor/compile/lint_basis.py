"""The legal basis of a charter: unknown and repealed clauses, rules that may halt on no clause or weak ones. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UnsetType

from monitor.basis.catalogue import WEAK_BELOW, Catalogue
from monitor.basis.citations import RuleBasis, RuleKind, charter_rules, sandbox_rules
from monitor.charter.spec import Charter
from monitor.charter.values import Flaw
from monitor.lifecycle.basis_names import nearest_name
from monitor.lifecycle.sandbox import Sandbox

LISTED = 6  # rules that one warning names


def basis_warnings(
    charter: Charter, catalogue: Catalogue | None, sandbox: Sandbox | None = None, weak_below: int | None = None
) -> Iterator[Flaw]:
    """What `charter check` warns of: rules that may halt and cite nothing or only weak clauses, and clauses that the
    catalogue does not have, or has as repealed or as a draft. A clause is weak whose APE is below `weak_below` (else
    that of the sandbox, else `WEAK_BELOW`), and so is one that is not in force. Without a catalogue only what cites
    nothing is known."""
    rules = list(charter_rules(charter))
    halting = [rule for rule in rules if rule.may_halt]
    if not any(rule.clauses for rule in rules):
        if halting:
            names = ", ".join(rule.name for rule in halting[:LISTED]) + (" ..." if len(halting) > LISTED else "")
            problem = f"no rule cites its legal basis, and {len(halting)} may halt: {names}"
            yield Flaw("basis", problem, "add `clauses: [...]` to each (`sandbox-monitor basis list`)")
        return
    if sandbox is not None and not isinstance(sandbox.legal_basis, UnsetType):
        rules += sandbox_rules(sandbox)
    bar = _bar(sandbox) if weak_below is None else weak_below
    for rule in rules:
        if rule.may_halt and not rule.clauses:
            yield Flaw(_field(rule), "may halt and cites no clause", "add the clauses that it rests on")
        if catalogue is not None:
            yield from clause_flaws(rule, catalogue)
            yield from _weak(rule, catalogue, bar)


def _bar(sandbox: Sandbox | None) -> int:
    if sandbox is None or isinstance(sandbox.legal_basis, UnsetType):
        return WEAK_BELOW
    given = sandbox.legal_basis.weak_below
    return WEAK_BELOW if isinstance(given, UnsetType) else given


def clause_flaws(rule: RuleBasis, catalogue: Catalogue) -> Iterator[Flaw]:
    """The clauses of a rule that the catalogue does not have, or has as repealed; as a draft, where it may halt."""
    for number, name in enumerate(rule.clauses):
        clause, field = catalogue.clause(name), f"{_field(rule)}[{number}]"
        if clause is None:
            fix = nearest_name(name, (one.id for one in catalogue.clauses))
            yield Flaw(field, f"catalogue {catalogue.id} version {catalogue.version} has no clause {name}", fix)
        elif catalogue.status(clause) == "repealed":
            successor = clause.replaced_by or catalogue.instrument(clause).replaced_by
            yield Flaw(field, f"{name} is repealed", f"cite {successor}" if successor else "cite what is in force")
        elif catalogue.status(clause) == "draft" and rule.may_halt:
            yield Flaw(field, f"{name} is a draft and does not bind", "cite a clause that is in force as well")


def _weak(rule: RuleBasis, catalogue: Catalogue, bar: int) -> Iterator[Flaw]:
    if not rule.may_halt or not rule.clauses:
        return
    known = [clause for name in rule.clauses if (clause := catalogue.clause(name)) is not None]
    in_force = [clause for clause in known if catalogue.status(clause) == "in_force"]
    best = max(in_force, key=catalogue.ape, default=None)
    if best is None and known:
        yield Flaw(_field(rule), "may halt and cites no clause in force", "cite one")
    elif best is not None and catalogue.ape(best) < bar:
        problem = (
            f"may halt and cites only weak clauses: the strongest is {best.id} with APE {catalogue.ape(best)} of 50"
        )
        yield Flaw(_field(rule), f"{problem}, below {bar}", "cite a stronger clause, or let the rule escalate")


def _field(rule: RuleBasis) -> str:
    if not rule.field:
        return f"sandbox.{'clocks' if rule.kind is RuleKind.CLOCK else f'legal_basis.{rule.kind}s'}.{rule.name}"
    return rule.field if rule.kind in (RuleKind.ACT, RuleKind.REASON) else f"{rule.field}.clauses"
