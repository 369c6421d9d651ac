"""Acts: what regulators (and, for rectifications, firms) send on the `control` log, as one tagged union."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias, get_args

from msgspec import UNSET, Meta, Struct, UnsetType

from monitor.charter.spec import Charter, LevelName, SpanText
from monitor.model.events import Id

Words: TypeAlias = Annotated[str, Meta(min_length=1, max_length=2000)]
Number: TypeAlias = Annotated[float, Meta(ge=-1e15, le=1e15)]
Instant: TypeAlias = Annotated[datetime, Meta(tz=True)]  # RFC 3339 with an offset from UTC
Counter: TypeAlias = Annotated[int, Meta(ge=0, le=1 << 62)]


class ControlBase(Struct, frozen=True, kw_only=True, tag_field="type"):
    """`id` is chosen by the sender and makes a repeat idempotent; `author` is who acts.

    What makes an act valid once: `expected_standing` is the pilot's standing that the author saw, `not_before` and
    `not_after` bound when it may be received. Signed acts carry all three. See `monitor/state/acts_once.py`.
    """

    id: Id
    pilot: Id
    author: Id
    expected_standing: Counter | None = None
    not_before: Instant | None = None
    not_after: Instant | None = None


class Admission(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.admission"):
    """The pilot enters the sandbox under this charter."""

    charter: Charter


class Amendment(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.amendment"):
    """From now on (never backwards) this charter is in force; its version must be higher."""

    charter: Charter


class Override(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.override"):
    """A regulator sets the level. A halt is lifted by a release, never by an override."""

    level: Literal["normal"] | LevelName
    reason: Words


class Rectification(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.rectification"):
    """Finding, cause, action and evidence of a corrective action. While no halt is in force, `finding` names an active
    finding or one of the open rectification window: its key (`indicator/segment/detector`), or the first parts of
    it."""

    finding: Words
    cause: Words
    action: Words
    evidence: Words


class Evaluation(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.evaluation"):
    """Result of the re-evaluation. Where the charter names scenarios, `results` (scenario -> measure -> value) must
    hold each of them, and a passed one must keep their bounds."""

    passed: bool
    report: Words
    results: dict[Id, dict[Id, Number]] = {}


class Approval(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.approval"):
    """One approver agrees to the release of a halt. Approvals by two different people are needed."""


class Release(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.release"):
    """Lift the halt. Refused until a rectification, a passed evaluation and two approvals are recorded; and, where the
    stop is not verified, without a `reason`."""

    reason: Annotated[str, Meta(max_length=2000)] = ""


class Shelving(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.shelving"):
    """An active finding (by its key, as decisions name it: `indicator/segment/rule`) is set aside for `span`: it no
    longer holds the level up. Never a halt."""

    finding: Annotated[str, Meta(min_length=1, max_length=600)]
    reason: Words
    span: SpanText = "8h"


class Acceptance(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.acceptance"):
    """Accept a new level of an indicator: detectors that learn a baseline learn it again; limits do not change. With
    `dispersion` instead: its limits may halt although their counts were found to vary more than the charter grants."""

    indicator: Id
    reason: Words
    dispersion: bool | UnsetType = UNSET


class Drill(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.drill"):
    """Test the path of a halt: the service acknowledges as it would, without stopping. `full_stop` stops it, inside the
    charter's windows."""

    full_stop: bool = False


class Withdrawal(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.exit"):
    """The pilot leaves the sandbox; a halted one once its stop is verified."""

    reason: Words


Control: TypeAlias = (
    Admission
    | Amendment
    | Override
    | Shelving
    | Acceptance
    | Rectification
    | Evaluation
    | Approval
    | Release
    | Drill
    | Withdrawal
)

CONTROL_TYPES: dict[str, type[ControlBase]] = {str(t.__struct_config__.tag): t for t in get_args(Control)}
