"""What the pages of models show: the files of models, and which pilots use their versions. Pure.

With a firm, the pilots are those of this firm alone: its eyes see nothing of other firms.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from monitor.console.fleet_view import FleetView, PilotView
from monitor.model.records import Level
from monitor.projections.halt_story import HaltStory
from monitor.projections.model_files import ModelFileEntry, ModelFileView

PAGE = 100  # models, or pilots of one model, on one page
KINDS = ("supplier", "version", "evaluation", "limitation", "inspection", "scenario", "data_compliance")
"""Kinds of entries in the order in which a reader needs them."""


class ModelRow(Struct, frozen=True):
    """A model in the list: its versions and suppliers that stand, how many evaluations failed, limitations and
    inspections are on file, how many pilots use it, and how many of these are halted."""

    model: str
    versions: tuple[str, ...]
    suppliers: tuple[str, ...]
    evaluations: int
    failed: int
    limitations: int
    inspections: int
    pilots: int
    halted: int
    changed: int | None


class ModelPilot(Struct, frozen=True):
    """A pilot that uses the model: the versions that its charter lists, and how it stands."""

    view: PilotView
    versions: tuple[str, ...]
    halts: int


class ModelView(Struct, frozen=True):
    """The file of one model: entries that stand by kind, those that were withdrawn, and the pilots that use it."""

    file: ModelFileView
    entries: dict[str, tuple[ModelFileEntry, ...]]
    withdrawn: tuple[ModelFileEntry, ...]
    pilots: tuple[ModelPilot, ...]
    pilots_more: int


def models_view(board: FleetView, firm: str = "", page: int = 1) -> tuple[tuple[ModelRow, ...], int, int]:
    """The models of one page, with the number of that page and of all pages; by id. With a firm: the models that its
    pilots use."""
    users = _users(board, firm)
    names = sorted(name for name, file in board.models.models.items() if not firm or _of_file(users, file))
    pages = max(1, -(-len(names) // PAGE))
    page = min(max(1, page), pages)
    shown = names[(page - 1) * PAGE : page * PAGE]
    return tuple(_row(board.models.models[name], users) for name in shown), page, pages


def model_view(board: FleetView, name: str, firm: str = "") -> ModelView | None:
    """The file of one model; `None` where there is none, and for a firm whose pilots do not use it."""
    file = board.models.models.get(name)
    if file is None:
        return None
    found = _of_file(_users(board, firm), file)
    if firm and not found:
        return None
    ended = list(board.halts.finished)
    return ModelView(
        file=file,
        entries={kind: tuple(file.of(kind)) for kind in KINDS if file.of(kind)},
        withdrawn=tuple(one for one in file.entries.values() if one.withdrawn is not None),
        pilots=tuple(
            ModelPilot(view, _versions(view, file.digests), _halts(board, ended, view.pilot)) for view in found[:PAGE]
        ),
        pilots_more=max(0, len(found) - PAGE),
    )


def _users(board: FleetView, firm: str) -> dict[str, list[PilotView]]:
    """The pilots by the digests that they may use, worst first."""
    found: dict[str, list[PilotView]] = {}
    for view in board.of_firm(firm) if firm else board.fleet():
        for digest in _digests(view):
            found.setdefault(digest, []).append(view)
    return found


def _digests(view: PilotView) -> set[str]:
    listed = {one.digest for one in view.plan.models} if view.plan is not None else set()
    return listed.union(view.registered)


def used_by(views: Iterable[PilotView]) -> set[str]:
    """The digests of the versions that these pilots may use."""
    return set().union(*map(_digests, views))


def _of_file(users: dict[str, list[PilotView]], file: ModelFileView) -> list[PilotView]:
    found = {view.pilot: view for digest in sorted(file.digests) for view in users.get(digest, ())}
    return sorted(found.values(), key=lambda view: (view.exited, -view.level, view.pilot))


def _versions(view: PilotView, digests: Iterable[str]) -> tuple[str, ...]:
    wanted = set(digests)
    listed = {one.digest: one.version for one in view.plan.models} if view.plan is not None else {}
    return tuple(sorted(listed.get(one) or one for one in _digests(view) & wanted))


def _halts(board: FleetView, ended: Iterable[HaltStory], pilot: str) -> int:
    newest = board.halts.newest.get(pilot)
    return sum(one.decision.pilot == pilot for one in ended) + (newest is not None and newest.ended is None)


def _row(file: ModelFileView, users: dict[str, list[PilotView]]) -> ModelRow:
    pilots, evaluations = _of_file(users, file), file.of("evaluation")
    return ModelRow(
        model=file.model,
        versions=tuple(one.text("version") for one in file.of("version")),
        suppliers=tuple(one.text("name") or one.text("supplier") for one in file.of("supplier")),
        evaluations=len(evaluations),
        failed=sum(one.text("passed") == "no" for one in evaluations),
        limitations=len(file.of("limitation")),
        inspections=len(file.of("inspection")),
        pilots=len(pilots),
        halted=sum(view.level is Level.HALT and not view.exited for view in pilots),
        changed=max((one.withdrawn or one.at for one in file.entries.values()), default=None),
    )


def models_data(rows: Iterable[ModelRow], page: int, pages: int) -> dict[str, object]:
    """The list as plain data."""
    names = ModelRow.__struct_fields__
    return {"models": [{n: getattr(row, n) for n in names} for row in rows], "page": page, "pages": pages}


def model_data(view: ModelView) -> dict[str, object]:
    """One file as plain data; times in ms since 1970."""
    return {
        "model": view.file.model,
        "entries": [_entry(one) for those in view.entries.values() for one in those],
        "withdrawn": [_entry(one) | {"withdrawn": one.withdrawn} for one in view.withdrawn],
        "pilots": [
            {
                "pilot": one.view.pilot, "participant": one.view.participant, "versions": list(one.versions),
                "level": one.view.level.word, "exited": one.view.exited, "halts": one.halts,
            }
            for one in view.pilots
        ],
        "pilots_more": view.pilots_more,
    }  # fmt: skip


def _entry(one: ModelFileEntry) -> dict[str, object]:
    return {
        "entry": one.entry, "number": one.number, "decision": one.decision, "kind": one.kind, "author": one.author,
        "by": one.by, "at": one.at, "signed": one.signed, "fields": dict(one.fields),
    }  # fmt: skip
