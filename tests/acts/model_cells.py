"""The rows of the table of acts on the files of models, in a real machine: every kind of entry and the withdrawal of
each, by every author, on a model that names the author as its supplier, on one that does not, and on none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec import structs

from monitor.charter.model_acts import ModelAct, ModelContent, ModelEntry, ModelEntryWithdrawal, ModelVersion, Supplier
from monitor.decide.model_file import model_act
from monitor.engine.machine import Machine
from monitor.lifecycle.acts import Role
from monitor.lifecycle.names import Act
from monitor.lifecycle.sandbox import SUBJECT
from monitor.model.signing import Trusted
from tests.acts.cells import AUTHORS, PEOPLE, Author
from tests.contract.test_acts_table import ON_THE_SANDBOX
from tests.unit.engine.test_model_acts import DATA, EVALUATED, INSPECTED, LIMIT, NAMED, SCENARIO, V1
from tests.unit.lifecycle.founded import PUBLIC, Founded

OWN, FOREIGN, NEW = "model:own", "model:foreign", "model:new"
NEXT: tuple[ModelContent, ...] = (
    Supplier("evaluator", "deployer"),
    ModelVersion("2.0", "sha256:bb"),
    DATA,
    structs.replace(SCENARIO, scenario="other"),
    EVALUATED,
    structs.replace(LIMIT, limitation="other"),
    INSPECTED,
)
"""One entry of each kind that may be added to a file with `FILED`."""
FILED: tuple[tuple[ModelContent, str], ...] = (
    (V1, "officer"), (DATA, "officer"), (SCENARIO, "officer"), (EVALUATED, "evaluator"), (LIMIT, "supplier"),
    (INSPECTED, "other-officer"),
)  # fmt: skip
REFERS = ("data_compliance", "evaluation", "limitation", "inspection")  # to a version, which a new file does not have
EVERY_OFFICER = ("officer", "other-officer")  # a model is of no authority


class ModelCell(NamedTuple):
    """An act on a model by an author, and who added the entry that a withdrawal names."""

    act: ModelAct
    author: Author
    by: str = ""


class ModelCells:
    """Steps cells through machines that are restored from one state."""

    def __init__(self) -> None:
        self._world = _world()
        names = [OWN, FOREIGN, SUBJECT]
        self._raw = {name: raw for name, raw in self._world.machine.snapshots(names).items() if raw is not None}

    def all(self) -> Iterator[ModelCell]:
        """Every cell."""
        for author in AUTHORS:
            for model in (OWN, FOREIGN, NEW):
                for content in NEXT:
                    yield ModelCell(ModelEntry(**self._by(author, model), content=content), author)
            for model in (OWN, FOREIGN):
                for one in self._world.machine.models[model].entries:
                    act = ModelEntryWithdrawal(**self._by(author, model), entry=one.id, reason="x")
                    yield ModelCell(act, author, one.author)

    def unequal(self, cell: ModelCell) -> str:
        """Why the machine decides a cell otherwise than the table; empty where it does not."""
        world = Founded.__new__(Founded)
        world.__dict__ |= self._world.__dict__
        world.decisions, world.commands, world.rejected, world.sent = [], [], [], []
        world.machine = Machine(journalled=False, admitters=Trusted([PUBLIC["admitter"]]))
        world.machine.restore(dict(self._raw))
        out = world.put(cell.act, cell.author.key)
        row = model_act(cell.act)
        where = f"{row.value} on {cell.act.pilot} by {cell.author.name} signed by {cell.author.key or 'no key'}"
        if _should(cell, row):
            return "" if len(out.decisions) == 1 else f"{where}: refused, {out.rejected[0].detail}"
        return f"{where}: accepted" if out.decisions or out.commands or len(out.rejected) != 1 else ""

    def _by(self, author: Author, model: str) -> dict[str, Any]:
        return self._world.by(author.name, model)


def _should(cell: ModelCell, row: Act) -> bool:
    """Whether the table allows the cell, and the file has what the entry refers to."""
    author, act = cell.author, cell.act
    if author.key != author.name or (not author.roles and author.name not in EVERY_OFFICER):
        return False
    roles = author.roles or {Role.OFFICER}
    may = [role for role in roles if role.value in ON_THE_SANDBOX[row].split()]
    if not isinstance(act, ModelEntry):
        return any(role is Role.OFFICER or cell.by == author.name for role in may)
    if not any(role is not Role.SUPPLIER or act.pilot == OWN for role in may):
        return False
    return act.pilot != NEW or str(act.content.__struct_config__.tag) not in REFERS


def _world() -> Founded:
    world = Founded(PEOPLE, admit=None)
    for model in (OWN, FOREIGN):
        named = NAMED if model == OWN else Supplier("another", "deployer")
        first = (*((named, "officer"),), *FILED)
        for content, author in first:
            if model == FOREIGN and author == "supplier":
                author = "officer"
            assert world.put(ModelEntry(**world.by(author, model), content=content)).decisions, world.rejected[-1]
    return world
