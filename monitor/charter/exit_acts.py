"""Acts of an assessment, an exit, and what follows: report, publication, graduation to routine supervision, recall.

Typed fields are recorded in the clear, texts of people only as commitments (`monitor/notary/entries.py`).
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from monitor.charter.act_base import ControlBase, Words
from monitor.charter.spec import Charter, Tier
from monitor.model.events import Id

AssessmentOutcome: TypeAlias = Literal["continue", "adjust", "suspend", "exit"]
ExitOutcome: TypeAlias = Literal["scale", "extend", "remediate", "stop", "insufficient_evidence", "withdrawn"]
Conditions: TypeAlias = Annotated[tuple[Annotated[int, Meta(ge=1, le=64)], ...], Meta(max_length=64)]
Sha256: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class Assessing(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.assessment"):
    """An officer assesses the pilot; the monitor computes the numbers and records them with the outcome. `suspend` and
    `exit` say what the authority intends: a suspension or an exit is an act by itself. `met` and `unmet` are the
    numbers, from 1, of the charter's conditions in words that are met or are not."""

    outcome: AssessmentOutcome
    reason: Words
    met: Conditions = ()
    unmet: Conditions = ()


class ExitApproval(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.exit_approval"):
    """One approver agrees that the pilot exits with the outcome `scale`. Two different people must, and an amendment, a
    halt or a restart of the statistics voids it."""


class TierApproval(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.tier_approval"):
    """One approver agrees to a lower `tier`, under the charter with this hash (`charter_hash`). Two different people
    must before an officer amends; another amendment, a halt or a restart of the statistics voids it."""

    charter: Sha256
    tier: Tier


class Withdrawal(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.exit"):
    """The pilot leaves the sandbox; a halted one once its stop is verified. With an `outcome` the monitor evaluates the
    exit and records the numbers; `scale` is refused unless they show it. `met` and `unmet` as in an assessment."""

    reason: Words
    # Left out where they are not given, so that older records keep their bytes.
    outcome: ExitOutcome | UnsetType = UNSET
    met: Conditions | UnsetType = UNSET
    unmet: Conditions | UnsetType = UNSET


class Termination(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.termination"):
    """An authority ends the stay of the pilot. `basis` is the provision. A halt stands until the stop is verified."""

    basis: Id
    reason: Words


class ReportIssue(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.exit_report"):
    """The written proof and the exit report were issued: SHA-256 of the two JSON files (`sandbox-monitor report`)."""

    report: Sha256
    proof: Sha256


class Withholding(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.withholding"):
    """The exit report is not published."""

    reason: Words


class PublicationConsent(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.publication_consent"):
    """The firm agrees that the exit report is published."""


class Graduation(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.graduation"):
    """The pilot that exited with `scale` is watched for so many `months` (those of the charter without it), on the same
    stream, with the next share of alpha. `charter`: a thinner version of its charter, with fewer indicators, hard rules
    or drills; the same one without it."""

    months: Annotated[int, Meta(ge=1, le=120)] | None = None
    charter: Charter | None = None


class Recall(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.recall"):
    """An authority recalls the system from routine supervision: the service is commanded to stop."""

    reason: Words


class StepEvaluation(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.rollout_step"):
    """An officer has the step of a rollout evaluated; the monitor computes the outcome and records it with the numbers:
    the cap on users rises, falls by one step, or stays as the evidence is inconclusive."""

    reason: Words


class TemplateMaking(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.template"):
    """The charter of a pilot that has ended becomes a `template`, by this name: other pilots may replicate it."""

    template: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    reason: Words


ExitAct: TypeAlias = (
    Assessing
    | ExitApproval
    | TierApproval
    | Withdrawal
    | Termination
    | ReportIssue
    | Withholding
    | PublicationConsent
    | Graduation
    | Recall
    | StepEvaluation
    | TemplateMaking
)
