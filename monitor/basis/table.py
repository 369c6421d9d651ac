"""The table instruments x objectives over charters: how many rules rest on what, and how strong it is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from monitor.basis.catalogue import Catalogue
from monitor.basis.citations import RuleBasis


class Cell(Struct, frozen=True):
    """An instrument for an objective: how many `citations` (a rule that cites two clauses is two), from how many
    `charters`, how many by rules that may halt, and the highest APE among the clauses that are cited."""

    instrument: str
    objective: str
    citations: int
    charters: int
    halting: int
    ape: int


class BasisTable(Struct, frozen=True):
    """The cells that are not empty, in the order of the catalogue; `instruments` and `objectives` are all of it, so
    that what no rule rests on is seen. `uncited` are rules without a clause that may halt, `unknown` clauses that the
    catalogue does not have, `not_in_force` those that it has as repealed or as a draft; each as `charter: name`."""

    instruments: tuple[str, ...]
    objectives: tuple[str, ...]
    cells: tuple[Cell, ...]
    charters: int
    rules: int
    uncited: tuple[str, ...]
    unknown: tuple[str, ...]
    not_in_force: tuple[str, ...]

    def cell(self, instrument: str, objective: str) -> Cell | None:
        """One cell, `None` where nothing is cited."""
        return next((c for c in self.cells if (c.instrument, c.objective) == (instrument, objective)), None)


def basis_table(catalogue: Catalogue, charters: Iterable[tuple[str, Sequence[RuleBasis]]]) -> BasisTable:
    """The table over charters, each with its name and rules. The order of charters changes nothing but that of the
    lists."""
    found: dict[tuple[str, str], list[tuple[str, RuleBasis, int]]] = {}
    uncited, unknown, not_in_force, number, rules_seen = [], [], [], 0, 0
    for charter, rules in charters:
        number += 1
        rules_seen += len(rules)
        uncited += [f"{charter}: {rule.name}" for rule in rules if rule.may_halt and not rule.clauses]
        for rule in rules:
            for name in rule.clauses:
                clause = catalogue.clause(name)
                if clause is None:
                    unknown.append(f"{charter}: {name}")
                    continue
                if catalogue.status(clause) != "in_force":
                    not_in_force.append(f"{charter}: {name}")
                place = clause.instrument, clause.objective
                found.setdefault(place, []).append((charter, rule, catalogue.ape(clause)))
    instruments = tuple(one.id for one in catalogue.instruments)
    objectives = tuple(one.id for one in catalogue.objectives)
    cells = tuple(
        Cell(
            instrument,
            objective,
            len(cited),
            len({charter for charter, _, _ in cited}),
            sum(rule.may_halt for _, rule, _ in cited),
            max(ape for _, _, ape in cited),
        )
        for instrument in instruments
        for objective in objectives
        if (cited := found.get((instrument, objective)))
    )
    lists = (tuple(dict.fromkeys(one)) for one in (uncited, unknown, not_in_force))
    return BasisTable(instruments, objectives, cells, number, rules_seen, *lists)
