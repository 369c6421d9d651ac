"""The pages of models: the list, and the file of one model with the pilots that use it."""

from __future__ import annotations

import htpy as h
from htpy import Node
from markupsafe import Markup

from monitor.console.banners import banners
from monitor.console.fleet_view import FleetView
from monitor.console.frame import page
from monitor.console.listing import entry_link, pager
from monitor.console.models_view import ModelPilot, ModelRow, ModelView, model_view, models_view
from monitor.console.parts import Column, Row, badge, folded, link_to, none, small, table, time_tag
from monitor.model.subjects import model_subject
from monitor.projections.formats import figure
from monitor.projections.model_files import ModelFileEntry
from monitor.translation import mark, tr, trm, trn

KINDS: dict[str, str] = {
    "supplier": mark("Suppliers"),
    "version": mark("Versions"),
    "evaluation": mark("Evaluations"),
    "limitation": mark("Known limitations"),
    "inspection": mark("Inspections"),
    "scenario": mark("Uses"),
    "data_compliance": mark("Data"),
}
FIELDS: dict[str, str] = {
    "supplier": mark("supplier"), "role": mark("role"), "name": mark("name"), "country": mark("country"),
    "version": mark("version"), "digest": mark("digest"), "released": mark("released"), "base": mark("made from"),
    "base_version": mark("version of that"), "architecture": mark("architecture"), "licence": mark("licence"),
    "sha256": mark("SHA-256"), "dataset": mark("data set"), "purpose": mark("purpose"),
    "personal": mark("personal data"), "special": mark("special categories"), "legal_basis": mark("legal basis"),
    "origin": mark("origin"), "reference": mark("reference"), "scenario": mark("use"), "intended": mark("intended"),
    "sector": mark("sector"), "groups": mark("groups"), "passed": mark("passed"), "day": mark("date"),
    "limitation": mark("limitation"), "harm": mark("gravest harm"), "scope": mark("looked at"),
    "findings": mark("found wrong"),
}  # fmt: skip
WORDS: dict[str, str] = {
    "yes": mark("yes"), "no": mark("no"), "base_model_developer": mark("developer of the base model"),
    "downstream_developer": mark("developer of the system"), "deployer": mark("deployer"),
    "training": mark("training"), "fine_tuning": mark("fine-tuning"), "validation": mark("validation"),
    "testing": mark("testing"), "retrieval": mark("retrieval"),
}  # fmt: skip
BY: dict[str, str] = {
    "officer": mark("an officer"), "evaluator": mark("an evaluator"), "supplier": mark("the supplier"),
}  # fmt: skip


def models_page(board: FleetView, now: int, firm: str = "", number: int = 1) -> Markup:
    """The models on file; with a firm those that its pilots use."""
    rows, number, pages = models_view(board, firm, number)
    query = {"firm": firm} if firm else {}
    columns = (
        Column(tr("Model"), kind="name"),
        Column(tr("Versions")),
        Column(tr("Suppliers")),
        Column(tr("Evaluations")),
        Column(tr("Limitations"), kind="number"),
        Column(tr("Inspections"), kind="number"),
        Column(tr("Pilots that use it"), tr("Pilots")),
        Column(tr("Changed (UTC)"), tr("Changed"), "when"),
    )
    caption = tr("One file per model, over all pilots that use it; entries are signed acts in its ledger")
    shown: Node = h.p(".empty")[tr("No model has a file. `sandbox-monitor model add` begins one.")]
    if rows:
        shown = table(caption, columns, map(_listed, rows), "models")
    body: list[Node] = [
        banners(board, now), h.h1[tr("Models")], shown, pager("/models", query, number, pages),
    ]  # fmt: skip
    return page(tr("Models"), body, "models", query)


def _listed(row: ModelRow) -> Row:
    evaluated = str(row.evaluations)
    if row.failed:
        evaluated = tr("{n}, {failed} failed", n=row.evaluations, failed=row.failed)
    used = str(row.pilots) if not row.halted else tr("{n}, {halted} halted", n=row.pilots, halted=row.halted)
    cells: tuple[Node, ...] = (
        link_to("model", row.model), ", ".join(row.versions) or none(), ", ".join(row.suppliers) or none(), evaluated,
        row.limitations, row.inspections, used, time_tag(row.changed),
    )  # fmt: skip
    return Row(cells, "halt" if row.halted else "normal")


def model_page(board: FleetView, name: str, now: int, firm: str = "") -> Markup | None:
    """The file of one model. With a firm only its own pilots are shown; `None` where it uses none."""
    view = model_view(board, name, firm)
    if view is None:
        return None
    title = tr("Model {model}", model=name)
    command = f"sandbox-monitor model show {name} --ledger DIR"
    body: list[Node] = [
        banners(board, now),
        h.h1[title],
        h.p(".lead")[_lead(view)],
        h.p(".small")[trm("With the words of people and the ledger of each pilot: {command}", command=h.code[command])],
        (_kind(name, kind, those) for kind, those in view.entries.items()),
        _pilots(view, firm),
        _withdrawn(view),
    ]
    return page(title, body, "model", {"firm": firm} if firm else {})


def _lead(view: ModelView) -> str:
    pilots = len(view.pilots) + view.pilots_more
    return " ".join(
        (
            trn("{n} entry stands.", "{n} entries stand.", sum(map(len, view.entries.values()))),
            trn("{n} pilot uses it.", "{n} pilots use it.", pilots),
        )
    )


def _kind(model: str, kind: str, those: tuple[ModelFileEntry, ...]) -> Node:
    return h.section(id=kind)[h.h2[tr(KINDS[kind])], _entries(model, those, tr("Oldest first"))]


def _entries(model: str, those: tuple[ModelFileEntry, ...], caption: str) -> h.Element:
    columns = (
        Column(tr("What is on file"), kind="why"),
        Column(tr("Stated by"), kind="who"),
        Column(tr("At (UTC)"), tr("At"), "when"),
        Column(tr("Ledger")),
    )
    return table(caption, columns, (_entry(model, one) for one in those), "entries")


def _entry(model: str, one: ModelFileEntry) -> Row:
    failed = one.text("passed") == "no"
    signed = tr("signed") if one.signed else tr("not signed")
    by = tr(BY.get(one.by, one.by))
    where = entry_link(model_subject(model), one.decision, tr("decision {number}", number=one.number))
    cells: tuple[Node, ...] = (
        _facts(one), [one.author, small(tr("{role}, {signed}", role=by, signed=signed))],
        [time_tag(one.at), small(trm("withdrawn {time}", time=time_tag(one.withdrawn))) if one.withdrawn else None],
        where,
    )  # fmt: skip
    return Row(cells, "halt" if failed else "normal")


def _facts(one: ModelFileEntry) -> h.Element:
    return h.dl(".file-entry")[
        (h.div[h.dt[_field(name)], h.dd[_value(name, value)]] for name, value in one.fields.items())
    ]


def _field(name: str) -> str:
    return name.removeprefix("result/") if name.startswith("result/") else tr(FIELDS.get(name, name))


def _value(name: str, value: str | float | tuple[str, ...]) -> Node:
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value)) or none()
    if isinstance(value, float | int):
        return figure(value)
    if name in ("digest", "sha256"):
        return h.code[value]
    return tr(WORDS[value]) if value in WORDS and name not in ("name", "supplier") else value


def _pilots(view: ModelView, firm: str) -> Node:
    if not view.pilots:
        return h.section("#pilots")[h.h2[tr("Pilots that use it")], h.p[tr("No pilot uses a version of it.")]]
    columns = (
        Column(tr("Pilot"), kind="name"),
        Column(tr("Versions")),
        Column(tr("Level"), kind="state"),
        Column(tr("Halts"), kind="number"),
    )
    caption = tr("By the charter in force and registered changes; worst first")
    if firm:
        caption = tr("Pilots of {firm} alone, worst first", firm=firm)
    return h.section("#pilots")[
        h.h2[tr("Pilots that use it")],
        table(caption, columns, map(_pilot, view.pilots), "fleet"),
        h.p[trn("{n} more is not listed", "{n} more are not listed", view.pilots_more)] if view.pilots_more else None,
    ]


def _pilot(one: ModelPilot) -> Row:
    cells: tuple[Node, ...] = (
        [link_to("pilot", one.view.pilot), small(one.view.participant)], ", ".join(one.versions), badge(one.view),
        one.halts,
    )  # fmt: skip
    return Row(cells, one.view.level.word)


def _withdrawn(view: ModelView) -> Node:
    if not view.withdrawn:
        return None
    summary = trn("{n} withdrawn entry", "{n} withdrawn entries", len(view.withdrawn))
    return folded(
        summary, _entries(view.file.model, view.withdrawn, tr("Withdrawn; they stay in the ledger")), "withdrawn"
    )
