"""Acts on the file of a firm (key `firm:<id>`): its class, with the record that it follows from, and the annulment of a
decision that was wrong. A firm itself has no act here."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

from monitor.charter.act_base import ControlBase, Words
from monitor.firms.record import FirmRecord
from monitor.firms.rules import FirmClass, FirmRules
from monitor.model.events import Id


class Classification(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.classification"):
    """An officer puts the class in force that follows from `record` by `rules`, those that the sandbox names; `pilot`
    is `firm:<id>`. There are no exceptions: what is wrong in a record is annulled, what is wrong in rules is changed,
    both by a second person."""

    firm_class: FirmClass
    record: FirmRecord
    rules: FirmRules


class Annulment(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.annulment"):
    """An approver annuls a decision on a pilot of the firm, such as a halt that was found wrong on appeal: it counts no
    longer against the firm. `decision` is its id. It stays in the ledger of the pilot, and nothing of the pilot
    changes: a halt that stands is released as any other."""

    of: Id
    decision: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$")]
    reason: Words


FirmAct: TypeAlias = Classification | Annulment
ACTS_ON_FIRM = (Classification, Annulment)
