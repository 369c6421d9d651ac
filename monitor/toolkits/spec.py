"""What a toolkit consists of: the fields of `toolkit.yaml`, and the parts that are read together with it. Pure."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from monitor.charter.spec import Charter, ToolkitRef
from monitor.model.events import Id

Sentence: TypeAlias = Annotated[str, Meta(min_length=1, max_length=1000)]
Names: TypeAlias = Annotated[tuple[Id, ...], Meta(max_length=32)]


class Hazard(Struct, frozen=True, forbid_unknown_fields=True):
    """A row of the hazard register. `indicators`, `rules` and `scenarios` of the charter see it: at least one of them,
    by name. `not_seen` says what none of them sees."""

    id: Id
    hazard: Sentence
    cause: Sentence
    harmed: Sentence
    not_seen: Sentence
    indicators: Names = ()
    rules: Names = ()
    scenarios: Names = ()


class ScenarioNote(Struct, frozen=True, forbid_unknown_fields=True):
    """How a scenario of the charter's `evaluation` is run: on which data, and what each measure is."""

    name: Id
    data: Sentence
    measures: Annotated[dict[Id, Sentence], Meta(min_length=1, max_length=16)]


class CalmYear(Struct, frozen=True, forbid_unknown_fields=True):
    """The most findings that a year of a pilot at half of its limits leads to, by level; it is never halted. A test
    with a simulated pilot holds it for what is shipped."""

    escalations: Annotated[int, Meta(ge=0, le=365)]
    watches: Annotated[int, Meta(ge=0, le=365)]


class Toolkit(Struct, frozen=True, forbid_unknown_fields=True):
    """`toolkit.yaml`. `id` is the name of its folder; `version` rises with every published change; `sector` is that of
    its charter; `publisher` and `sources` say who wrote it, and from what; `calm_year` how often people are disturbed
    without a reason."""

    schema: Literal["sandbox-toolkit/1"]
    id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    version: Annotated[int, Meta(ge=1, le=1_000_000)]
    title: Annotated[str, Meta(min_length=1, max_length=100)]
    sector: Id
    scope: Sentence
    publisher: Annotated[str, Meta(min_length=1, max_length=200)]
    sources: Annotated[tuple[Sentence, ...], Meta(min_length=1, max_length=32)]
    calm_year: CalmYear
    hazards: Annotated[tuple[Hazard, ...], Meta(min_length=1, max_length=64)]
    scenarios: Annotated[tuple[ScenarioNote, ...], Meta(max_length=32)] = ()


class LoadedToolkit(Struct, frozen=True):
    """A toolkit whose parts agree: the fields of `toolkit.yaml`, the charter template as text and as a charter, the
    sections of the playbook by heading, and the digest of the three files."""

    about: Toolkit
    charter: Charter
    charter_text: str
    playbook: dict[str, str]
    digest: str

    @property
    def ref(self) -> ToolkitRef:
        """How a charter or a configuration names this version."""
        return ToolkitRef(self.about.id, self.about.version, self.digest)
