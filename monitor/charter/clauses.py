"""Citations of a legal basis: ids of clauses of a catalogue (`monitor/basis`), and what a charter cites. Pure."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

CLAUSES_PER_RULE = 8  # that one rule cites
ClauseId: TypeAlias = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,47}$")]
Clauses: TypeAlias = Annotated[tuple[ClauseId, ...], Meta(min_length=1, max_length=CLAUSES_PER_RULE)]
ActOrReason: TypeAlias = Annotated[str, Meta(min_length=1, max_length=48)]
CitedBy: TypeAlias = Annotated[dict[ActOrReason, Clauses], Meta(max_length=128)]


class CharterBasis(Struct, frozen=True, forbid_unknown_fields=True):
    """What the rules that a charter does not write itself rest on: `acts` (of people, by the name of the act) and
    `reasons` (rules of the monitor, by the reason of their decisions). Indicators and hard rules cite in their field
    `clauses`. `catalogue` names the catalogue of all these ids."""

    catalogue: Annotated[str, Meta(max_length=64)] = ""
    acts: CitedBy = {}
    reasons: CitedBy = {}


class LegalBasis(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The catalogue of clauses that is in force in a sandbox, and what acts and the rules of the monitor rest on in
    every pilot. The content of the catalogue is a file; `digest` says which (`monitor/basis/catalogue.py`). Rules that
    may halt should cite a clause whose APE is at least `weak_below`."""

    id: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]
    version: Annotated[int, Meta(ge=1, le=1 << 53)]
    digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    weak_below: Annotated[int, Meta(ge=2, le=50)] | UnsetType = UNSET
    acts: CitedBy = {}
    reasons: CitedBy = {}
