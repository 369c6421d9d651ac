"""What the page of halts shows: the halts in force with what is missing, those that need a person first; open commands;
halts that ended, paged. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from monitor.console.fleet_view import FleetView, PilotView
from monitor.lifecycle.next_steps import NextStep
from monitor.projections.firm_acts import FirmAct
from monitor.projections.halt_story import HaltStep, HaltStory
from monitor.projections.open_commands import OpenCommand

PAGE = 20  # halts that ended, on one page
SHOWN = 40  # halts in force on one page, the worst first
COMMANDS = 100  # other open commands
FRONT = ("contradicted", "overdue")
_ORDER = ("contradicted", "overdue", "commanded", "acknowledged", "verified")


class TimedStep(Struct, frozen=True):
    """A step, and the time since the one before it (ms); `None` for the first."""

    step: HaltStep
    took: int | None


class HaltRow(Struct, frozen=True):
    """One halt: `lasts` (ms) until now, or until it ended. `why` is the decision as a sentence; `annulled` the act of
    an approver after which it counts no longer against the firm."""

    story: HaltStory
    pilot: str
    participant: str
    authorities: tuple[str, ...]
    why: str
    steps: tuple[TimedStep, ...]
    missing: tuple[NextStep, ...]
    lasts: int
    annulled: FirmAct | None = None

    @property
    def front(self) -> bool:
        """Whether the service did not obey: contradicted or overdue."""
        return self.story.stands and self.story.state in FRONT


class CommandRow(Struct, frozen=True):
    """An open command that is no halt in force: a release that is not acknowledged, or a drill."""

    pilot: str
    participant: str
    command: OpenCommand


class HaltsView(Struct, frozen=True):
    """The whole page. `standing` are the halts in force of page number `force_page` of `force_pages`, the worst first;
    `in_force` and `front` count all of them, and those that the service did not obey. `ended` is page number `page` of
    `pages`."""

    standing: tuple[HaltRow, ...]
    in_force: int
    front: int
    force_page: int
    force_pages: int
    commands: tuple[CommandRow, ...]
    ended: tuple[HaltRow, ...]
    ended_total: int
    page: int
    pages: int


class HaltsQuery(Struct, frozen=True):
    """What is asked for: pilots that concern an authority or are of a firm (ids, "" for all); the page of the halts in
    force, and of those that ended."""

    authority: str = ""
    firm: str = ""
    force: int = 1
    page: int = 1


EVERY = HaltsQuery()


def halts_view(board: FleetView, now: int, query: HaltsQuery = EVERY) -> HaltsView:
    """The halts at `now` (ms) that `query` asks for."""
    authority, firm = query.authority, query.firm
    kept = {name for name, view in board.pilots.items() if _wanted(view, authority, firm)}
    standing = sorted((one for one in board.halts.standing() if one.decision.pilot in kept), key=_urgency)
    ended = [one for one in reversed(board.halts.finished) if one.decision.pilot in kept]
    page, pages = _page(query.page, len(ended), PAGE)
    force, forces = _page(query.force, len(standing), SHOWN)
    commands = [
        CommandRow(view.pilot, view.participant, view.command)
        for view in board.open_commands()
        if view.pilot in kept and view.command is not None and view.command.action != "halt"
    ]
    return HaltsView(
        standing=tuple(halt_row(board, one, now) for one in standing[(force - 1) * SHOWN : force * SHOWN]),
        in_force=len(standing),
        front=sum(one.state in FRONT for one in standing),
        force_page=force,
        force_pages=forces,
        commands=tuple(commands[:COMMANDS]),
        ended=tuple(halt_row(board, one, now) for one in ended[(page - 1) * PAGE : page * PAGE]),
        ended_total=len(ended),
        page=page,
        pages=pages,
    )


def _page(asked: int, items: int, size: int) -> tuple[int, int]:
    """The number of the page that is shown, and of all pages."""
    last = max(1, -(-items // size))
    return min(max(1, asked), last), last


def halt_row(board: FleetView, story: HaltStory, now: int) -> HaltRow:
    """One halt at `now` (ms)."""
    view = board.pilots.get(story.decision.pilot) or PilotView(story.decision.pilot)
    end = now if story.ended is None else story.ended
    return HaltRow(
        story=story,
        pilot=story.decision.pilot,
        participant=story.decision.participant,
        authorities=view.responsible,
        why=view.say(story.decision),
        steps=tuple(_timed(story.steps)),
        missing=story.missing,
        lasts=max(0, end - story.decision.at),
        annulled=_annulled(board, story),
    )


def _annulled(board: FleetView, story: HaltStory) -> FirmAct | None:
    acts = board.firm_acts.of(story.decision.participant).acts
    return next((one for one in acts if one.decision == story.decision.id), None)


def _timed(steps: Iterable[HaltStep]) -> Iterable[TimedStep]:
    before: int | None = None
    for step in steps:
        yield TimedStep(step, None if before is None else max(0, step.at - before))
        before = step.at


def _urgency(story: HaltStory) -> tuple[int, int, str]:
    return _ORDER.index(story.state), story.decision.at, story.decision.pilot


def _wanted(view: PilotView, authority: str, firm: str) -> bool:
    return (not authority or view.concerns(authority)) and firm in ("", view.participant)


def halts_data(view: HaltsView) -> dict[str, object]:
    """The same facts as plain data; times in ms since 1970."""
    return {
        "standing": [_halt_data(row) for row in view.standing],
        "in_force": view.in_force,
        "contradicted_or_overdue": view.front,
        "force_page": view.force_page,
        "force_pages": view.force_pages,
        "open_commands": [
            {
                "pilot": row.pilot, "participant": row.participant, "action": row.command.action,
                "state": row.command.state, "at": row.command.at, "attempts": row.command.attempts,
            }
            for row in view.commands
        ],
        "ended": [_halt_data(row) for row in view.ended],
        "ended_total": view.ended_total,
        "page": view.page,
        "pages": view.pages,
    }  # fmt: skip


def _halt_data(row: HaltRow) -> dict[str, object]:
    story = row.story
    return {
        "pilot": row.pilot,
        "participant": row.participant,
        "authorities": list(row.authorities),
        "decision": story.decision.id,
        "standing": story.decision.standing,
        "reason": story.decision.reason.value,
        "why": row.why,
        "at": story.decision.at,
        "state": story.state,
        "acknowledged": story.acknowledged,
        "attempts": story.attempts,
        "ended": story.ended,
        "outcome": story.outcome or None,
        "lasts_ms": row.lasts,
        "annulled": None if row.annulled is None else {"at": row.annulled.at, "by": row.annulled.author},
        "steps": [
            {
                "what": one.step.kind.value, "at": one.step.at, "took_ms": one.took, "by": one.step.who or None,
                "signed": one.step.signed, "standing": one.step.standing, "decision": one.step.decision or None,
            }
            for one in row.steps
        ],
        "missing": [{"who": one.who or None, "act": one.act or None, "what": one.what} for one in row.missing],
    }  # fmt: skip
