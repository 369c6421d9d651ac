"""The acts of the script: who sends what on which day, for a pilot as planned and after a halt."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from msgspec import Struct

from monitor.charter.control import (
    Admission,
    Agreement,
    ApplicationRefusal,
    ApplicationWithdrawal,
    Approval,
    ControlBase,
    Evaluation,
    Override,
    Rectification,
    Release,
    Screening,
    Submission,
)
from monitor.charter.exit_acts import Assessing, ReportIssue, Withdrawal
from monitor.charter.incident_acts import IncidentReportAct, SuspensionNotice
from monitor.charter.running_acts import (
    ChangeProposal,
    Guidance,
    GuidanceFollowed,
    GuidanceRequest,
    Inspection,
    InspectionFinding,
    Suspension,
)
from monitor.charter.spec import ChangeKind, charter_hash
from monitor.model.events import instant
from tests.country.charters import RESULTS, application, charter
from tests.country.nation import DAY_MS, EVALUATOR, START
from tests.country.script import REPORTED, Manner, Pilot, Script

Make: TypeAlias = Callable[[dict[str, Any]], ControlBase]
INSPECTION_DAYS = 20  # from an inspection until its finding must be rectified
REPORTS: dict[Manner, tuple[int, ...]] = {"prompt": (4, 30), "late": (24, 45), "never": ()}
"""Days from an incident to the initial and to the complete report."""
RECTIFIES: dict[Manner, int | None] = {"prompt": 10, "late": 30, "never": None}
"""Days from an inspection to the rectification of its finding."""
EXIT_REPORT: dict[Manner, int | None] = {"prompt": 30, "late": 75, "never": None}
"""Days from an exit to its report."""
RELEASES: dict[Manner, int | None] = {"prompt": 3, "late": 20, "never": None}
"""Days from a halt to its rectification; evaluation, approvals and release follow."""


class Planned(Struct, frozen=True, kw_only=True):
    """One act on noon of a day. `author` acts, `signer` has the key that signs. `refused`: it must be rejected."""

    day: int
    pilot: str
    name: str
    author: str
    make: Make
    signer: str = ""
    refused: bool = False

    @property
    def id(self) -> str:
        """The id of the act."""
        return f"{self.pilot}/{self.name}"

    def act(self, **validity: Any) -> ControlBase:
        """The act as it is sent."""
        return self.make({"id": self.id, "pilot": self.pilot, "author": self.author, **validity})


def incident_of(pilot: Pilot) -> str:
    """The id of the serious incident of a pilot."""
    return hashlib.sha256(f"incident/{pilot.id}".encode()).hexdigest()[:32]


def planned(pilot: Pilot, script: Script) -> list[Planned]:
    """The acts on a pilot that the script has from the start, in the order of days. What an authority does not do, and
    what would build on it, is left out."""
    found = [*_entry(pilot, script)]
    if pilot.admitted is not None and any(one.name == "admit" for one in found):
        found += [*_assessments(pilot, script), *_reports(pilot, script), *_supervision(pilot, script)]
        found += [*_exit(pilot, script), *_tries(pilot)]
    last = _exit_day(pilot, script)
    return [one for one in found if one.day < script.calendar.days and (one.name.startswith("exit") or one.day < last)]


def _exit_day(pilot: Pilot, script: Script) -> int:
    if pilot.exits is None or not script.acts(pilot.officer, pilot.exits):
        return script.calendar.days
    return pilot.exits


def _entry(pilot: Pilot, script: Script) -> Iterator[Planned]:
    plan = charter(pilot, script.calendar)
    hashed, officer, at = charter_hash(plan), pilot.officer, pilot.screened

    def act(day: int, name: str, author: str, make: Make) -> Planned:
        return Planned(day=day, pilot=pilot.id, name=name, author=author, make=make)

    applied = application(pilot, script.calendar)
    yield act(pilot.applies, "apply", pilot.firm, lambda by: Submission(**by, application=applied, charter=plan))
    if pilot.entry == "withdrawn":
        yield act(pilot.applies + 9, "withdraw", pilot.firm, lambda by: ApplicationWithdrawal(**by, reason="moved"))
    refused = pilot.applies + 12
    if pilot.entry == "refused" and script.acts(officer, refused):
        yield act(refused, "refuse", officer, lambda by: ApplicationRefusal(**by, reason="not new"))
    if at is None or pilot.admitted is None or not script.acts(officer, pilot.admitted):
        return
    yield act(at, "screen", officer, lambda by: Screening(**by))
    yield act(at + 1, "agree-firm", pilot.firm, lambda by: Agreement(**by, charter=hashed))
    yield act(at + 1, "agree-officer", officer, lambda by: Agreement(**by, charter=hashed))
    yield act(pilot.admitted, "admit", officer, lambda by: Admission(**by, charter=plan))


def _assessments(pilot: Pilot, script: Script) -> Iterator[Planned]:
    calendar = script.calendar
    day = pilot.admitted or 0
    for number in range(20):
        manner = pilot.assesses[min(number, len(pilot.assesses) - 1)]
        after = {"prompt": calendar.assess_within // 2, "late": calendar.assess_within + 12}.get(manner)
        if after is None:
            return
        day += calendar.assess_every + after
        if not script.acts(pilot.officer, day) or day >= calendar.days:
            return
        yield Planned(
            day=day, pilot=pilot.id, name=f"assess-{number}", author=pilot.officer,
            make=lambda by: Assessing(**by, outcome="continue", reason="seen"),
        )  # fmt: skip


def _reports(pilot: Pilot, script: Script) -> Iterator[Planned]:
    if pilot.fault not in REPORTED or pilot.fault_day is None:
        return
    for number, after in enumerate(REPORTS[pilot.firm_reports]):
        yield Planned(
            day=pilot.fault_day + after, pilot=pilot.id, name=f"report-{number}", author=pilot.firm,
            make=lambda by, n=number: IncidentReportAct(  # type: ignore[misc]
                **by, incident=incident_of(pilot), report="sent", complete=n == 1
            ),
        )  # fmt: skip


def _supervision(pilot: Pilot, script: Script) -> Iterator[Planned]:
    officer, day, fault = pilot.officer, pilot.inspected, pilot.fault_day

    def act(day: int, name: str, author: str, make: Make) -> Planned:
        return Planned(day=day, pilot=pilot.id, name=name, author=author, make=make)

    if day is not None and script.acts(officer, day):
        due = instant(START + (day + INSPECTION_DAYS) * DAY_MS + DAY_MS // 2)
        wrong = InspectionFinding("log", "the log has gaps", due)
        yield act(day, "inspect", officer, lambda by: Inspection(**by, scope=("logs",), seen="gaps", findings=(wrong,)))
        after = RECTIFIES[pilot.firm_rectifies]
        if after is not None:
            key = f"inspection/{pilot.id}/inspect/log"
            yield act(day + after, "rectify-inspection", pilot.firm, lambda by: Rectification(
                **by, finding=key, cause="disk", action="larger disk", evidence="log"))  # fmt: skip
    if (day := pilot.guided) is not None:
        yield act(day, "ask", pilot.firm, lambda by: GuidanceRequest(**by, question="which format?"))
        if script.acts(officer, day + 2):
            yield act(day + 2, "guide", officer, lambda by: Guidance(**by, answer="JSON", about=f"{pilot.id}/ask"))
            if pilot.firm_rectifies == "prompt":
                yield act(day + 5, "follow", pilot.firm, lambda by: GuidanceFollowed(
                    **by, about=f"{pilot.id}/guide", evidence="log"))  # fmt: skip
    if pilot.changes is not None:
        yield act(pilot.changes, "change", pilot.firm, lambda by: ChangeProposal(
            **by, kind=ChangeKind.MODEL_VERSION, model="m2", modification="retrain", summary="more data"))  # fmt: skip
    if pilot.fault == "model" and fault is not None and script.acts(officer, fault + 9):
        yield act(fault + 9, "lower", officer, lambda by: Override(**by, level="normal", reason="seen"))
    if pilot.fault == "suspended" and fault is not None and script.acts(officer, fault):
        yield act(fault, "suspend", officer, lambda by: Suspension(**by, basis="art-57", reason="risk"))
        if script.acts(officer, fault + 3):
            yield act(fault + 3, "tell", officer, lambda by: SuspensionNotice(**by, notice="told"))


def _exit(pilot: Pilot, script: Script) -> Iterator[Planned]:
    day, officer = pilot.exits, pilot.officer
    if day is None or not script.acts(officer, day):
        return
    yield Planned(day=day, pilot=pilot.id, name="exit", author=officer,
                  make=lambda by: Withdrawal(**by, reason="done", outcome="stop"))  # fmt: skip
    after = EXIT_REPORT[pilot.exit_report]
    if after is not None and script.acts(officer, day + after):
        yield Planned(day=day + after, pilot=pilot.id, name="exit-report", author=officer,
                      make=lambda by: ReportIssue(**by, report="a" * 64, proof="b" * 64))  # fmt: skip


def _tries(pilot: Pilot) -> Iterator[Planned]:
    """What a firm that cheats tries: the act of an officer, under its name and under that of an officer."""
    if pilot.fault != "cheating" or pilot.fault_day is None:
        return
    day = pilot.fault_day
    yield Planned(day=day, pilot=pilot.id, name="try-1", author=pilot.firm, refused=True,
                  make=lambda by: Override(**by, level="normal", reason="ours"))  # fmt: skip
    yield Planned(day=day + 1, pilot=pilot.id, name="try-2", author=pilot.officer, signer=pilot.firm, refused=True,
                  make=lambda by: Override(**by, level="normal", reason="theirs"))  # fmt: skip


def after_halt(pilot: Pilot, script: Script, day: int) -> list[Planned]:
    """The way to the release of a halt that was commanded on `day`; it ends where somebody does nothing."""
    begins = RELEASES[pilot.firm_rectifies]
    if begins is None:
        return []
    first, second = pilot.approvers
    steps: tuple[tuple[int, str, str, Make], ...] = (
        (0, "rectify", pilot.firm, lambda by: Rectification(**by, finding="f", cause="c", action="a", evidence="e")),
        (2, "evaluate", EVALUATOR, lambda by: Evaluation(**by, passed=True, report="r", results=RESULTS)),
        (3, "approve-1", first, lambda by: Approval(**by)),
        (4, "approve-2", second, lambda by: Approval(**by)),
        (6, "release", pilot.officer, lambda by: Release(**by, reason="seen on site")),
    )
    found = []
    for after, name, author, make in steps:
        at = day + begins + after
        if at >= script.calendar.days or not script.acts(author, at):
            break
        found.append(Planned(day=at, pilot=pilot.id, name=f"{name}-{day}", author=author, make=make))
    return found
