"""What is remembered of a pilot that runs, beyond its state in the life of a pilot: changes, pauses, another cycle,
guidance, due dates of findings. Values only; `monitor/decide/running_acts.py` changes them. Pure.

A pilot of which nothing of this is known has `NOTHING_RUNS`, and its snapshot leaves it out. Each part is bounded; at
a bound the act that would add to it is refused.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

MODELS = 32  # digests registered by changes, beyond those of the charter
PAUSES = 8  # that lie in periods which are not closed yet
QUESTIONS = 16  # that are not answered yet
GUIDANCE = 32  # given, and not stated to be followed
DUTIES = 16  # findings with a due date that are not closed

Span: TypeAlias = tuple[int, int | None]


class OpenChange(Struct, array_like=True, frozen=True, gc=False):
    """A proposed change that is not decided: the act that proposed it (as `short` writes it), its kind, and the digest
    of its model ("" for none)."""

    id: str
    kind: str
    model: str = ""


class Duty(Struct, array_like=True, frozen=True, gc=False):
    """A finding that must be rectified by `due` (ms): when it was (`rectified`, ms; `None` = not yet), and whether the
    date was missed."""

    due: int
    rectified: int | None = None
    missed: bool = False


class TrendWindow(Struct, array_like=True, frozen=True, gc=False):
    """What was counted so far in a window of a trend report: its number, events `k` over exposure `m`, and how many
    periods were `partial`."""

    number: int
    k: float = 0.0
    m: float = 0.0
    partial: int = 0


class Running(Struct, array_like=True, frozen=True, gc=False):
    """Ids are held as `monitor.model.bounds.short` writes them. `models` are digests registered by changes, `used` how
    often each modification of the plan was used, `change` the proposed change. `pauses` are from when to before when
    (ms; `None` = it goes on). `asked` is the proposed cycle, `cycle` the one that was granted in place of the
    charter's, from when to before when (ms). `questions` are ids of
    open questions, `guidance` of guidance that the firm has not stated to follow. `duties` maps keys of findings to due
    dates, `trends` indicators to the open window of their trend report. New fields are appended, with defaults."""

    models: tuple[str, ...] = ()
    used: dict[str, int] = {}
    change: OpenChange | None = None
    pauses: tuple[Span, ...] = ()
    asked: tuple[int, int] | None = None
    cycle: tuple[int, int] | None = None
    questions: tuple[str, ...] = ()
    guidance: tuple[str, ...] = ()
    duties: dict[str, Duty] = {}
    trends: dict[str, TrendWindow] = {}

    @property
    def paused_since(self) -> int | None:
        """Since when (ms) the pilot is paused; `None` while it is not."""
        if not self.pauses:
            return None
        start, end = self.pauses[-1]
        return start if end is None else None

    def pause_around(self, start: int, end: int) -> bool:
        """Whether the time from `start` to before `end` (ms) lies in a pause as a whole."""
        return any(first <= start and (last is None or end <= last) for first, last in self.pauses)

    def runs_until(self, start: int, end: int) -> int:
        """`end`, or when the pause began in which the time from `start` to before `end` (ms) ends."""
        for first, last in self.pauses:
            if start < first < end and (last is None or end <= last):
                return first
        return end


NOTHING_RUNS = Running()
