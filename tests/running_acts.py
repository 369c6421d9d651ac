"""One act of each kind on a pilot that runs, for tests that try every act."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from monitor.charter.act_base import ControlBase
from monitor.charter.running_acts import (
    ChangeProposal,
    ChangeRefusal,
    CycleProposal,
    Decline,
    EvidenceHold,
    Extension,
    Grant,
    Guidance,
    GuidanceFollowed,
    GuidanceRequest,
    HoldLift,
    Inspection,
    InspectionFinding,
    PauseRequest,
    Resumption,
    Suspension,
)
from monitor.charter.spec import ChangeKind
from monitor.model.events import instant


def running_acts(by: Callable[[], dict[str, Any]], at: int) -> Iterator[ControlBase]:
    """The acts; `by()` are id, pilot and author of the next, `at` (ms) is now."""
    due = instant(at + 3_600_000)
    yield ChangeProposal(**by(), kind=ChangeKind.MODEL_VERSION, model="m2", summary="s", charter="a" * 64)
    yield ChangeProposal(**by(), kind=ChangeKind.MAJOR_INCIDENT, subjects=("i-1",), summary="s")
    yield ChangeRefusal(**by(), reason="r")
    yield PauseRequest(**by(), reason="r")
    yield CycleProposal(**by(), start="2027-01-01", end="2027-06-30", reason="r")
    yield Grant(**by())
    yield Decline(**by(), reason="r")
    yield Resumption(**by())
    yield GuidanceRequest(**by(), question="q")
    yield Guidance(**by(), answer="a")
    yield GuidanceFollowed(**by(), about="g", evidence="e")
    yield Inspection(**by(), scope=("logs",), seen="s", findings=(InspectionFinding("f", "w", due),))
    yield Extension(**by(), end="2028-12-31", reason="r")
    yield Suspension(**by(), basis="Art. 57(11)", reason="r")
    yield EvidenceHold(**by(), reason="r")
    yield HoldLift(**by(), reason="r")
