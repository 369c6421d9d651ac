"""A catalogue of clauses, the legal basis of rules: instruments, clauses, and the scores of their efficacy. Pure.

A clause is scored as studies of policy instruments do that quantify documents: the authority of the document times the
sum of the strength of its aim and of its measures. APE = DA x (AS + MI), from 2 to 50:

- DA, degree of authority of the instrument, 1 (a notice or a call) to 5 (a law of a parliament);
- AS, strength of the aim: 1 (named), 3 (a duty in general terms), 5 (a duty with who, what and by when);
- MI, strength of the measures: 1 (none named), 3 (named), 5 (named, and enforceable by the supervisor).

Each score has its reason, so that another reader can score again and compare. A score says how far a rule may lean on a
clause; it says nothing about whether the clause applies to a case.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from monitor.charter.clauses import ClauseId
from monitor.model.canonical import canonical

INSTRUMENTS = 256
CLAUSES = 2048
OBJECTIVES = 64
LEAST_APE, MOST_APE = 2, 50
WEAK_BELOW = 18
"""A clause below it is weak: what DA 3 with AS 3 and MI 3, the middle of each scale, gives. No rule should halt a
service on weaker clauses alone."""

Text: TypeAlias = Annotated[str, Meta(min_length=1, max_length=300)]
Why: TypeAlias = Annotated[str, Meta(min_length=3, max_length=500)]
Name: TypeAlias = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,47}$")]
Day: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
Status: TypeAlias = Literal["in_force", "draft", "repealed"]
InstrumentLevel: TypeAlias = Literal[
    "law", "regulation", "rules", "normative_document", "standard", "guidance", "agreement"
]


class Authority(Struct, frozen=True, forbid_unknown_fields=True):
    """DA: 1 to 5, and why."""

    score: Annotated[int, Meta(ge=1, le=5)]
    reason: Why


class Strength(Struct, frozen=True, forbid_unknown_fields=True):
    """AS or MI: 1, 3 or 5, and why."""

    score: Literal[1, 3, 5]
    reason: Why


class Objective(Struct, frozen=True, forbid_unknown_fields=True):
    """What clauses are for: a column of the table instruments x objectives."""

    id: Name
    title: Text
    title_zh: Annotated[str, Meta(max_length=300)] = ""


class Instrument(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A document that has clauses: a law, a regulation, rules of a ministry. `title_original` is the title in its own
    language, `issued` and `in_force` are days, `replaced_by` names what to cite where it is repealed."""

    id: Name
    title: Text
    issuer: Text
    level: InstrumentLevel
    da: Authority
    title_original: Annotated[str, Meta(max_length=300)] = ""
    number: Annotated[str, Meta(max_length=200)] = ""
    issued: Day | UnsetType = UNSET
    in_force: Day | UnsetType = UNSET
    status: Status = "in_force"
    replaced_by: Annotated[str, Meta(max_length=48)] = ""
    note: Annotated[str, Meta(max_length=1000)] = ""


class Clause(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"as_": "as"}):
    """One clause: `place` is the article or section, `says` what it asks for in our words. `as` and `mi` are scored
    here; `da` only where it differs from that of the instrument, and so with `status`."""

    id: ClauseId
    title: Text
    instrument: Name
    place: Text
    objective: Name
    says: Annotated[str, Meta(min_length=3, max_length=1000)]
    as_: Strength
    mi: Strength
    da: Authority | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    replaced_by: Annotated[str, Meta(max_length=48)] = ""


class Catalogue(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """A version of a catalogue. `note` says who scored, and how."""

    schema: Literal["sandbox-basis/1"]
    id: Name
    version: Annotated[int, Meta(ge=1, le=1 << 53)]
    title: Text
    note: Annotated[str, Meta(max_length=2000)] = ""
    objectives: Annotated[tuple[Objective, ...], Meta(min_length=1, max_length=OBJECTIVES)]
    instruments: Annotated[tuple[Instrument, ...], Meta(min_length=1, max_length=INSTRUMENTS)]
    clauses: Annotated[tuple[Clause, ...], Meta(min_length=1, max_length=CLAUSES)]

    def clause(self, name: str) -> Clause | None:
        """The clause of this id, or `None`."""
        return self._by_id.get(name)

    def instrument(self, clause: Clause) -> Instrument:
        """The instrument of a clause of this catalogue."""
        return next(one for one in self.instruments if one.id == clause.instrument)

    def da(self, clause: Clause) -> Authority:
        """The degree of authority that counts for a clause."""
        return self.instrument(clause).da if isinstance(clause.da, UnsetType) else clause.da

    def ape(self, clause: Clause) -> int:
        """APE = DA x (AS + MI) of a clause, from 2 to 50."""
        return self.da(clause).score * (clause.as_.score + clause.mi.score)

    def status(self, clause: Clause) -> Status:
        """Whether a clause is in force; one of an instrument that is not, is not."""
        of_instrument = self.instrument(clause).status
        own = of_instrument if isinstance(clause.status, UnsetType) else clause.status
        return own if of_instrument == "in_force" else of_instrument

    @property
    def _by_id(self) -> dict[str, Clause]:
        found: dict[str, Clause] | None = self.__dict__.get("_index")
        if found is None:
            found = self.__dict__["_index"] = {clause.id: clause for clause in self.clauses}
        return found


def catalogue_digest(catalogue: Catalogue) -> str:
    """SHA-256 (hex) of the canonical form: every field, sorted. Comments, order of fields and formatting of the file do
    not matter; the order of clauses does."""
    return hashlib.sha256(canonical(msgspec.to_builtins(catalogue, str_keys=True))).hexdigest()
