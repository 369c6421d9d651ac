"""Acts about incidents: the firm's reports and notices to the authority, an officer's classification.

Typed fields are recorded in the clear, texts of people only as commitments (`monitor/notary/entries.py`).
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

from monitor.charter.act_base import ControlBase, Instant, Words
from monitor.model.clock_record import IncidentClass
from monitor.model.events import Id


class IncidentReportAct(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.report"):
    """The firm reports an incident to the authority (EU AI Act, Art. 73). An incomplete initial report meets the first
    deadline; a `complete` one ends the duty. `aware` is since when the firm knew, `report` where the report is."""

    incident: Id
    report: Words
    complete: bool = False
    aware: Instant | None = None


class ChangeNotice(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.change_notice"):
    """The authority is told of a change of the system before it is made, while an incident is investigated (Art.
    73(6)). Without an `incident` it concerns every open one."""

    notice: Words
    incident: Annotated[str, Meta(max_length=200)] = ""


class SuspensionNotice(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.suspension_notice"):
    """An officer states that the AI Office was told of the suspension of the pilot (Art. 57(11)); `notice` says how."""

    notice: Words


class Reclassification(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.reclassification"):
    """An officer decides on the classes of an incident, in place of all that was reported before; none: it is not
    serious. `aware` is since when the firm knew, as the officer found."""

    incident: Id
    reason: Words
    classes: Annotated[tuple[IncidentClass, ...], Meta(max_length=7)] = ()
    aware: Instant | None = None


IncidentAct: TypeAlias = IncidentReportAct | ChangeNotice | SuspensionNotice | Reclassification
