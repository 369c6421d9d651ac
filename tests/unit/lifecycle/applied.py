"""An application for a charter, for tests: it states what the charter plans, and nothing of the negative list."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from monitor.charter.application import (
    ApplicantFirm,
    Application,
    DataUse,
    Safeguard,
    Scope,
    SystemDescription,
    Timeline,
)
from monitor.charter.spec import Charter
from monitor.model.events import Harm


def application(charter: Charter, **changes: Any) -> Application:
    """A sound application for this charter."""
    base = Application(
        schema="sandbox-application/1",
        applicant=ApplicantFirm(charter.participant.id, "A firm", "desk@example.org", "small"),
        system=SystemDescription("Sorter", "sort parcels", "sorts parcels by their label", decides=False),
        objectives=("show that fewer parcels go astray",),
        scope=Scope(
            "one depot", charter.sector or "logistics", charter.region or "north", charter.users.cap or 500,
            charter.users.groups,
        ),
        data=DataUse(personal=False, categories=("labels of parcels",)),
        safeguards=(Safeguard("a parcel goes astray", Harm.NONE, "a person looks for it"),),
        timeline=Timeline(charter.cycle.start, charter.cycle.end),
    )  # fmt: skip
    return structs.replace(base, **changes)
