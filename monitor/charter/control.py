"""Acts: what regulators (and, for rectifications, firms) send on the `control` log, as one tagged union."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, get_args

from msgspec import UNSET, Meta, UnsetType, field

from monitor.charter.act_base import ControlBase as ControlBase
from monitor.charter.act_base import Number, Words
from monitor.charter.application import Application
from monitor.charter.exit_acts import ExitAct
from monitor.charter.exit_acts import Withdrawal as Withdrawal
from monitor.charter.incident_acts import IncidentAct
from monitor.charter.running_acts import RunningAct
from monitor.charter.shadow_acts import ShadowAct
from monitor.charter.spec import Charter, LevelName, SpanText
from monitor.charter.users_acts import UsersAct
from monitor.model.events import Id


class Admission(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.admission"):
    """The pilot enters the sandbox under this charter."""

    charter: Charter


class Submission(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.application"):
    """A firm applies for a place in the sandbox, under the charter that it proposes."""

    application: Application
    charter: Charter


class Screening(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.screening"):
    """An officer screens an application. `charter` replaces the one that the firm proposed; `answers` says for each
    item of the negative list of which a term was found why it does not apply."""

    charter: Charter | None = None
    answers: Annotated[dict[Id, Words], Meta(max_length=128)] = field(default_factory=dict)


class ApplicationRefusal(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.application_refusal"):
    """An officer refuses an application: with `items` of the negative list, if they are why."""

    reason: Words
    items: Annotated[tuple[Id, ...], Meta(max_length=16)] = ()


class Agreement(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.agreement"):
    """The firm, or an officer, signs the charter with this hash (`charter_hash`): before the admission the one that was
    screened, later the one of an amendment."""

    charter: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class ApplicationWithdrawal(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.application_withdrawal"):
    """The firm withdraws its application."""

    reason: Annotated[str, Meta(max_length=2000)] = ""


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
    results: dict[Id, dict[Id, Number]] = field(default_factory=dict)


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
    | Submission
    | Screening
    | ApplicationRefusal
    | Agreement
    | ApplicationWithdrawal
    | RunningAct
    | IncidentAct
    | ExitAct
    | UsersAct
    | ShadowAct
)

CONTROL_TYPES: dict[str, type[ControlBase]] = {str(t.__struct_config__.tag): t for t in get_args(Control)}
