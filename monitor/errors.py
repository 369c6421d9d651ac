"""The tree of errors: the type says what the caller does.

SandboxMonitorError
├── SetAside               one input is bad: reject it with its reason, count it, continue
│   ├── ControlRefused     a control record may not take effect (a release without its approvals)
│   ├── LoginRefused       a request for a page has no reader: answer 401 or 403
│   ├── Forged             a signature is missing, of a key that is not trusted, or not of these bytes
│   └── BadEvent           the service passed the SDK a value that no event can carry: fix the call
├── HistoryBroken          a file of recorded input is not what `export` writes: report line and fix
├── ReplayDiffers          a replay differs from the record: report both values of each difference
├── NotDeterministic       one history gave two results: report it, the guarantee of replay is broken
├── CharterError           a charter file is wrong: report file, line, column, field and fix
├── BasisError             a catalogue of clauses is wrong: report file, field and fix
├── ClockTableError        a table of legal deadlines is wrong: report field and fix
├── SandboxConfigError     a configuration of a sandbox is wrong: report field and fix
├── BoardAccessError       the file of who may read the board is wrong: report line, field and fix
├── ToolkitError           the folder of a toolkit is wrong: report file, line, field and fix
├── TryAgain               the other side is unavailable: wait and retry, nothing is lost
│   ├── Unavailable        an actor's or the SDK's address does not answer, or answers with a transient error
│   ├── Lapsed             the guard refuses work: the permit expired; not a halt, the next permit clears it
│   └── SpoolFull          the SDK's spool has no room: retry once records were delivered
├── Refused                the other side refused for good: do not retry, report it
│   ├── Halted             the guard refuses work: the pilot is halted
│   ├── SigningRefused     a log must not sign: the disk holds less than, or other than, what was signed before
│   └── SpoolBroken        the SDK's spool failed to write: report it and replace the file
└── Stop                   this process must end; its supervisor starts it again
    ├── Fenced             another owner has claimed the partition
    ├── LogBroken          a log is not as it must be (a gap, a wrong timestamp type, records deleted unread)
    └── LedgerBroken       the ledger cannot be written, or its time would go backwards

Outside of the tree, each with its handler: BadSpec (`indicators`; `charter check` reports it), NotDivisible (`engine`;
a replay then uses one process), UnreadableBatch (`kafka`; its reader gives a range of unreadable records instead),
NoTurn (`console`; the answer is 503), ConnectionClosed and TlsAnswer (`access`; the login turns them into an error
that names the setting), Unreadable (`report/recompute.py` and `public_record/recompute_annual.py`, which stand alone),
and CursorBroken,
CommitmentMismatch, Damage, DeskUnavailable, Malformed, PlaintextBroken (`notary`, whose verifier imports nothing of
this package; the command `ledger` and the board report them), KeyRefused, Missing,
NoBundle, NotComparable and Refused (`verifier`, which stands alone too: another class than the one above; its command
reports them), and TlogError (`tlog`, a library that imports nothing of this package; `tlog/errors.py` draws the tree
below it).
"""

from __future__ import annotations

from enum import StrEnum

from monitor.halt_ground import Ground


class SandboxMonitorError(Exception):
    """Root of everything that this package raises on purpose."""


class SetAside(SandboxMonitorError):
    """One input is bad. `field` names what is wrong, `reason` is a word of a closed list, `detail` is for people."""

    def __init__(self, field: str, reason: str, detail: str = "") -> None:
        super().__init__(f"{field}: {reason}" + (f" ({detail})" if detail else ""))
        self.field = field
        self.reason = reason
        self.detail = detail


class ControlRefused(SetAside):
    """A control record is well formed but may not take effect. `reason` is a `monitor.model.refusals.Refusal`."""

    def __init__(self, field: str, reason: StrEnum, detail: str = "") -> None:
        super().__init__(field, reason, detail)


class Forged(SetAside):
    """The author of a record or a request is not proved. `reason` is a `monitor.model.refusals.Forgery`, or a
    `monitor.kafka.firm_requests.RequestRefusal`."""

    def __init__(self, field: str, reason: StrEnum, detail: str = "") -> None:
        super().__init__(field, reason, detail)


class CharterError(SandboxMonitorError):
    """A charter file is wrong. Carries `file`, `line` and `column` (both from 1), `field` (dotted path) and the fix."""

    def __init__(self, file: str, line: int, column: int, field: str, problem: str, fix: str = "") -> None:
        super().__init__(f"{file}:{line}:{column}: {field}: {problem}" + (f"; {fix}" if fix else ""))
        self.file, self.line, self.column, self.field, self.problem, self.fix = file, line, column, field, problem, fix


class HistoryBroken(SandboxMonitorError):
    """A file of recorded input cannot be read. The message names the line and the fix."""


class ReplayDiffers(SandboxMonitorError):
    """The replay of a history gives other decisions or numbers than the ledger holds. The message begins with `TEXT`,
    and says what explains it or where it begins."""

    TEXT = "replay differs from the record"

    def __init__(self, words: str) -> None:
        super().__init__(f"{self.TEXT}: {words}")


class NotDeterministic(SandboxMonitorError):
    """One history was replayed twice and gave two results. The command line exits with 4."""


class SandboxConfigError(SandboxMonitorError):
    """A configuration of a sandbox cannot be used; the message lists every mistake with field and fix."""


class BoardAccessError(SandboxMonitorError):
    """The file of who may read the board is wrong. Names line, field and fix of each mistake."""


class ToolkitError(SandboxMonitorError):
    """The folder of a toolkit cannot be used; the message lists every mistake with file, line, field and fix."""


class BasisError(SandboxMonitorError):
    """A catalogue of clauses is wrong, or not the one that is in force. Every mistake names its field and the fix."""


class ClockTableError(SandboxMonitorError):
    """A clock table cannot be used; the message lists every mistake with field and fix."""


class TryAgain(SandboxMonitorError):
    """The other side is unavailable; retry later."""


class Unavailable(TryAgain):
    """An address does not answer, or answers with a transient error. `retry_after`: seconds that it asks to wait, 0.0
    where it does not."""

    def __init__(self, *args: object, retry_after: float = 0.0) -> None:
        super().__init__(*args)
        self.retry_after = retry_after


class Lapsed(TryAgain):
    """The guard refuses work of `pilot` because no permit is in force. Not a halt: the next permit clears it."""

    def __init__(self, message: str, *, pilot: str = "") -> None:
        super().__init__(message)
        self.pilot = pilot


class Refused(SandboxMonitorError):
    """The other side refused for good; a retry cannot succeed."""


class Halted(Refused):
    """The guard refuses work because `pilot` is halted, or was released and has not resumed (`reason` "not_resumed").

    Carries the `decision` that caused it, its `standing`, and its `ground` (`monitor.halt_ground.Ground`: indicator,
    segment, rule and numbers): None when not resumed, or when the monitor did not state it. `sentence` has them
    in words. `brief` is the message without the ground, for people outside the firm; `page` the pilot's page on the
    board, `runbook` what to do at a halt; both empty where the address is not known.
    """

    def __init__(
        self,
        message: str,
        *,
        pilot: str = "",
        reason: str = "",
        decision: str = "",
        standing: int = 0,
        ground: Ground | None = None,
        brief: str = "",
        page: str = "",
        sentence: str = "",
        runbook: str = "",
    ) -> None:
        super().__init__(message)
        self.brief, self.page, self.runbook, self.sentence = brief or message, page, runbook, sentence
        self.pilot, self.reason, self.decision, self.standing = pilot, reason, decision, standing
        self.ground = ground

    @property
    def indicator(self) -> str:
        """The indicator whose limit was exceeded, "" where the halt rests on something else."""
        return self.ground.indicator if self.ground is not None else ""

    @property
    def segment(self) -> str:
        """The segment of that indicator, "" for all of them."""
        return self.ground.segment if self.ground is not None else ""


class SigningRefused(Refused):
    """A log refuses to sign a checkpoint. `reason` is a `monitor.publication.refusals.SigningRefusal`."""

    def __init__(self, message: str, reason: StrEnum) -> None:
        super().__init__(message)
        self.reason = reason


class Stop(SandboxMonitorError):
    """The process must end. Its supervisor starts it again, and it recovers from the log."""


class Fenced(Stop):
    """A newer epoch owns the partition."""


class LogBroken(Stop):
    """A log is not as it must be; the message says what is missing."""


class LedgerBroken(Stop):
    """The ledger cannot be written, or its time would go backwards."""
