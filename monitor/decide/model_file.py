"""The file of a model: which rows of the table of acts its acts are, what an entry must refer to, and what is recorded
of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.charter.model_acts import (
    DataCompliance,
    KnownLimitation,
    ModelAct,
    ModelContent,
    ModelEntry,
    ModelEvaluation,
    ModelInspection,
    ModelScenario,
    ModelVersion,
    Supplier,
)
from monitor.errors import ControlRefused
from monitor.lifecycle.acts import RULES, Role, refused_by_role
from monitor.lifecycle.names import Act, Fact
from monitor.model.records import Content
from monitor.model.refusals import REFUSALS, Refusal
from monitor.state.model_file import ModelFile, StandingEntry

ACT_OF_CONTENT: dict[type[ModelContent], Act] = {
    Supplier: Act.NAME_SUPPLIER,
    ModelVersion: Act.ADD_TO_MODEL,
    DataCompliance: Act.ADD_TO_MODEL,
    ModelScenario: Act.ADD_TO_MODEL,
    ModelEvaluation: Act.EVALUATE_MODEL,
    KnownLimitation: Act.ADD_TO_MODEL,
    ModelInspection: Act.INSPECT_MODEL,
}
"""Content of an entry -> its row in the table of acts."""

SPEAKS: tuple[Role, ...] = (Role.OFFICER, Role.EVALUATOR, Role.SUPPLIER)
"""Roles of authors of entries; the first that an author has is recorded."""


def model_act(act: ModelAct) -> Act:
    """The row of an act in the table of acts."""
    return ACT_OF_CONTENT[type(act.content)] if isinstance(act, ModelEntry) else Act.WITHDRAW_FROM_MODEL


def check_author(file: ModelFile, act: ModelAct, roles: frozenset[Role]) -> Role:
    """The role in which an author with these `roles` does the act. Raises ControlRefused when there is none."""
    facts = set(_facts(file, act))
    row = model_act(act)
    why = refused_by_role(row, roles, facts)
    if why is not None:
        names = " or ".join(sorted(RULES[row].roles))
        own = {Fact.OWN_MODEL: "its own model", Fact.OWN_ENTRY: "its own entries"}
        needs = ", ".join(f"{role} {own[fact]} only" for role, fact in sorted(RULES[row].needs.items()))
        words = f"{act.author}: this needs the role {names} in the sandbox's configuration"
        raise ControlRefused("author", why, words + (f" ({needs})" if needs else ""))
    return next(role for role in SPEAKS if role in roles and refused_by_role(row, {role}, facts) is None)


def _facts(file: ModelFile, act: ModelAct) -> Iterator[Fact]:
    if file.named(_kind(Supplier), act.author) is not None:
        yield Fact.OWN_MODEL
    if not isinstance(act, ModelEntry):
        entry = file.entry(act.entry)
        if entry is None or entry.author == act.author:  # of an unknown entry the reason is another one
            yield Fact.OWN_ENTRY


def new_entry(file: ModelFile, act: ModelEntry, standing: int) -> StandingEntry:
    """The entry that an act adds. Raises ControlRefused when it refers to what the file does not have, or says again
    what an entry says that stands."""
    content, kind = act.content, _kind(type(act.content))
    if file.entry(act.id) is not None:
        raise ControlRefused("id", Refusal.CONFLICT, REFUSALS[Refusal.CONFLICT])
    names: tuple[str, ...]
    match content:
        case Supplier(supplier=supplier, role=role):
            names = (supplier, f"{supplier} as {role}")
            known = file.named(kind, names[1])
        case ModelVersion(version=version, digest=digest):
            names = (version,) if version == digest else (version, digest)
            known = next((one for name in names if (one := file.named(kind, name))), None)
        case ModelScenario(scenario=name) | KnownLimitation(limitation=name):
            names, known = (name,), file.named(kind, name)
        case ModelEvaluation(version=version, scenario=scenario):
            names, known = (), None
            _check_version(file, version)
            if file.named(_kind(ModelScenario), scenario) is None:
                raise ControlRefused("content.scenario", Refusal.UNKNOWN_SCENARIO, f"there is no scenario {scenario}")
        case DataCompliance() | ModelInspection():
            names, known = (), None
    if known is not None:
        words = f"the entry {known.id} of {known.author} says so; withdraw it first"
        raise ControlRefused("content", Refusal.ALREADY_REGISTERED, words)
    if isinstance(content, DataCompliance | KnownLimitation | ModelInspection) and content.version:
        _check_version(file, content.version)
    return StandingEntry(act.id, kind, names, act.author, standing)


def _check_version(file: ModelFile, version: str) -> None:
    if file.named(_kind(ModelVersion), version) is None:
        known = ", ".join(one.names[0] for one in file.entries if one.kind == _kind(ModelVersion)) or "none"
        words = f"there is no version {version}; there is {known}"
        raise ControlRefused("content.version", Refusal.UNKNOWN_VERSION, words[:500])


def standing_entry(file: ModelFile, id_: str) -> StandingEntry:
    """The entry of this id. Raises ControlRefused when none stands."""
    entry = file.entry(id_)
    if entry is None:
        raise ControlRefused("entry", Refusal.UNKNOWN_ENTRY, REFUSALS[Refusal.UNKNOWN_ENTRY])
    return entry


def recorded(content: ModelContent, by: Role) -> Content:
    """The typed fields of an entry as its record has them: those that say something, `by` with the role of the author,
    and each result under `result/<measure>`."""
    fields: Content = {"kind": _kind(type(content)), "by": by.value}
    for name in content.__struct_fields__:
        value = getattr(content, name)
        if isinstance(value, bool):
            fields[name] = "yes" if value else "no"
        elif isinstance(value, dict):
            fields |= {f"result/{measure}": float(number) for measure, number in sorted(value.items())}
        elif value:
            fields[name] = value if isinstance(value, tuple) else str(value)
    return fields


def _kind(content: type[ModelContent]) -> str:
    return str(content.__struct_config__.tag)
