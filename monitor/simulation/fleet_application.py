"""The application of a simulated pilot: it states what its charter plans, and nothing of a negative list. Pure."""

from __future__ import annotations

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


def application(charter: Charter) -> Application:
    """A sound application for this charter."""
    firm, cap = charter.participant, charter.users.cap or 1
    return Application(
        schema="sandbox-application/1",
        applicant=ApplicantFirm(firm.id, firm.name or firm.id, f"desk@{firm.id}.example", "small"),
        system=SystemDescription("Simulation", "try the sandbox", "a simulated service", decides=False),
        objectives=("show that the limits of the charter are kept",),
        scope=Scope(charter.scenario, charter.sector, charter.region, cap, charter.users.groups),
        data=DataUse(personal=False, categories=("simulated decisions",)),
        safeguards=(Safeguard("a limit is exceeded", Harm.NONE, "the service stops on command"),),
        timeline=Timeline(charter.cycle.start, charter.cycle.end),
    )
