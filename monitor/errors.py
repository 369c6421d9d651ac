"""What can go wrong, as a tree; the type says what to do.

SandboxMonitorError
├── SetAside            this one input is bad: reject it with its reason, count it, go on
│   ├── ControlRefused  a control record that may not take effect (a release without its approvals)
│   └── Forged          a signature that is missing, by a key that is not trusted, or of other bytes
├── HistoryBroken       a file of recorded input is not what `export` writes: say the line and the fix
├── NotDeterministic    the same history gave two results: the promise of replay does not hold, report it
├── CharterError        a charter file is wrong: say file, line, column, field and the fix
├── TryAgain            the other side is away: wait and repeat, nothing is lost
│   ├── Unavailable     an actor's or the SDK's address does not answer
│   └── Lapsed          the guard refuses work: the permit ran out (no halt; the next permit clears it)
├── Refused             the other side said no: do not repeat, report it
│   └── Halted          the guard refuses work: the pilot is halted
└── Stop                this process must end and be started again
    ├── Fenced          another owner has claimed the partition
    ├── LogBroken       a log does not hold what it promised (a gap, a wrong timestamp type, retention overtook us)
    └── LedgerBroken    the ledger cannot be written, or its time would go backwards
"""

from __future__ import annotations

from monitor.halt_ground import Ground


class SandboxMonitorError(Exception):
    """Root of everything this package raises on purpose."""


class SetAside(SandboxMonitorError):
    """One input is bad. `field` names what is wrong, `reason` is a short closed word, `detail` is for people."""

    def __init__(self, field: str, reason: str, detail: str = "") -> None:
        super().__init__(f"{field}: {reason}" + (f" ({detail})" if detail else ""))
        self.field = field
        self.reason = reason
        self.detail = detail


class ControlRefused(SetAside):
    """A control record is well formed but may not take effect."""


class Forged(SetAside):
    """Somebody else may have written this: its signature is missing, of an unknown key, or of other bytes."""


class CharterError(SandboxMonitorError):
    """A charter file is wrong. Carries `file`, `line` and `column` (both from 1), `field` (dotted path) and the fix."""

    def __init__(self, file: str, line: int, column: int, field: str, problem: str, fix: str = "") -> None:
        super().__init__(f"{file}:{line}:{column}: {field}: {problem}" + (f"; {fix}" if fix else ""))
        self.file, self.line, self.column, self.field, self.problem, self.fix = file, line, column, field, problem, fix


class HistoryBroken(SandboxMonitorError):
    """A file of recorded input cannot be read."""


class NotDeterministic(SandboxMonitorError):
    """One history was replayed twice and gave two results. Exit code 4."""


class TryAgain(SandboxMonitorError):
    """The other side is away; repeat later."""


class Unavailable(TryAgain):
    """An address does not answer or answers with a passing fault."""


class Lapsed(TryAgain):
    """The guard refuses work of `pilot` because no permit is in force. Not a halt: the next permit clears it."""

    def __init__(self, message: str, *, pilot: str = "") -> None:
        super().__init__(message)
        self.pilot = pilot


class Refused(SandboxMonitorError):
    """The other side said no for good; repeating cannot help."""


class Halted(Refused):
    """The guard refuses work because `pilot` is halted, or was released and has not resumed (`reason` "not_resumed").

    Carries the `decision` that caused it, its `standing`, and its `ground` (`monitor.halt_ground.Ground`: indicator,
    segment, rule and numbers): None when not resumed, or when the monitor did not state it. `brief` is the message
    without the ground, for people outside the firm; `page` the pilot's page on the board, empty where its address is
    not known.
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
    ) -> None:
        super().__init__(message)
        self.brief, self.page = brief or message, page
        self.pilot, self.reason, self.decision, self.standing = pilot, reason, decision, standing
        self.ground = ground


class Stop(SandboxMonitorError):
    """The process must end; a supervisor starts it again and the log decides what happened."""


class Fenced(Stop):
    """A newer epoch owns the partition."""


class LogBroken(Stop):
    """A log does not hold what it promised."""


class LedgerBroken(Stop):
    """The ledger cannot be written, or its time would go backwards."""
