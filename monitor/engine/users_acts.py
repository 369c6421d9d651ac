"""Acts of the users' channel: what they put on record, count and start. Pure.

A complaint counts once by its id. It enters the indicators of outside complaints, if its period is open and the budget
of its sender is not used up, and no other indicator. What is owed to the user has a deadline: an answer, and a decision
about redress.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from monitor.charter.users_acts import (
    ComplaintAnswer,
    ComplaintFiling,
    ComplaintWithdrawal,
    RedressStep,
    UserComplaint,
    UserDeparture,
    UsersAct,
)
from monitor.deadlines.facts import OF_USERS, Fact, FactKind
from monitor.decide.clock_facts import clock_facts
from monitor.decide.context import DecisionContext
from monitor.decide.ladder import Move
from monitor.detect.events import detect
from monitor.errors import ControlRefused
from monitor.model.events import ComplaintFiled, millis
from monitor.model.periods import parse_span
from monitor.model.records import Content, Finding, Reason
from monitor.model.refusals import REFUSALS, Refusal
from monitor.observe.outside import count_outside, in_time, outside_complaint
from monitor.state.observed import Observed
from monitor.state.users import (
    ANSWERED,
    ASKED,
    GIVEN,
    KNOWN,
    OTHER_SENDERS,
    REFUSED,
    SENDERS,
    SETTLED,
    WITHDRAWN,
    KnownIds,
    Spent,
)

DAY_MS = 86_400_000
_STEPS = {"asked": ASKED, "given": GIVEN, "refused": REFUSED}


def apply_users_act(context: DecisionContext, act: UsersAct) -> None:
    """Apply an act and record it. Raises ControlRefused where nothing of it is new; nothing has changed then."""
    match act:
        case ComplaintFiling():
            _file(context, act)
        case ComplaintWithdrawal():
            kinds = (FactKind.USER_COMPLAINT_WITHDRAWN, FactKind.REDRESS_WITHDRAWN)
            _settle(context, act, WITHDRAWN, Reason.COMPLAINT_WITHDRAWN, kinds)
        case ComplaintAnswer():
            _settle(context, act, ANSWERED, Reason.COMPLAINT_ANSWERED, (FactKind.USER_COMPLAINT_ANSWERED,))
        case RedressStep(step=step):
            kind = FactKind.REDRESS_ASKED if step == "asked" else FactKind.REDRESS_DECIDED
            _settle(context, act, _STEPS[step], Reason.REDRESS_RECORDED, (kind,))
        case UserDeparture():
            _leave(context, act)


def _file(context: DecisionContext, act: ComplaintFiling) -> None:
    pilot, before = context.pilot, context.pilot.users
    new: dict[str, UserComplaint] = {}
    for one in act.complaints:
        if before.complaints.place(one.complaint) is None:
            new.setdefault(one.complaint, one)
    if not new:
        raise ControlRefused("complaints", Refusal.REPEATED, REFUSALS[Refusal.REPEATED])
    allowed = _allowed(context, act.author)
    counting, late = list[UserComplaint](), 0
    for one in new.values():
        event = _event(context, act.author, one)
        if pilot.exited or millis(one.time) < pilot.began or not in_time(context, event):
            late += 1
        elif len(counting) < allowed:
            counting.append(one)
    over = len(new) - late - len(counting)
    pilot.users = structs.replace(
        before,
        complaints=_remembered(context, [*new], [one.complaint for one in counting]),
        spent=_spend(context, act.author, len(counting)),
        filed=before.filed + len(new),
        counted=before.counted + len(counting),
        late=before.late + late,
        over=before.over + over,
    )
    content: Content = {"complaints": tuple(new)}
    repeated = len(act.complaints) - len(new)
    content |= {name: float(n) for name, n in (("repeated", repeated), ("late", late), ("over budget", over)) if n}
    _record(context, act, Reason.COMPLAINT_FILED, "complaints", len(new), content)
    for one in counting:
        changed = count_outside(context, _event(context, act.author, one))
        if changed:
            detect(context, Observed((), None, changed, None, None))
    if (promise := context.plan.users_channel.answer_within) is not None and not pilot.exited:
        due = parse_span(promise).after(context.received)
        for name in new:
            if pilot.users.complaints.place(name) is None:
                continue  # its answer could not be recorded any more
            clock_facts(context, Fact(kind=FactKind.USER_COMPLAINT, at=context.received, key=name, due=due))


def _event(context: DecisionContext, author: str, one: UserComplaint) -> ComplaintFiled:
    at = min(millis(one.time), context.at)  # no clock of a sender opens a period of the future
    return outside_complaint(context.pilot.id, author, one.complaint, at, one.segment)


def _allowed(context: DecisionContext, author: str) -> int:
    """How many more complaints of this sender count today."""
    counts = _spent_today(context)
    return max(0, context.plan.users_channel.counted_per_day - counts.get(_sender(counts, author), 0))


def _spend(context: DecisionContext, author: str, counted: int) -> Spent:
    """The budgets once so many complaints of this sender `counted`."""
    counts = _spent_today(context)
    sender = _sender(counts, author)
    return Spent(context.at // DAY_MS, {**counts, sender: counts.get(sender, 0) + counted})


def _spent_today(context: DecisionContext) -> dict[str, int]:
    spent = context.pilot.users.spent
    return spent.counts if spent.day == context.at // DAY_MS else {}


def _sender(counts: dict[str, int], author: str) -> str:
    return author if author in counts or len(counts) < SENDERS else OTHER_SENDERS


def _remembered(context: DecisionContext, new: Sequence[str], counted: Sequence[str]) -> KnownIds:
    """The ids with the `new` ones. Those that did not count displace no open one, and none displaces one with a
    deadline, so that it can be met."""
    known = context.pilot.users.complaints
    free = KNOWN - sum(not state & SETTLED for state in known.states)
    kept = [*counted, *(name for name in new if name not in set(counted))][: max(free, len(counted))]
    cases = context.pilot.clocks.cases.values()
    return known.plus(kept, 0, [case.key for case in cases if case.open and case.starts in OF_USERS])


def _settle(
    context: DecisionContext,
    act: ComplaintWithdrawal | ComplaintAnswer | RedressStep,
    bit: int,
    reason: Reason,
    kinds: Sequence[FactKind],
) -> None:
    """Record what became of complaints: of those that are known, and of which it is not on record yet."""
    pilot, known, done = context.pilot, context.pilot.users.complaints, list[str]()
    for name in dict.fromkeys(act.complaints):
        place = known.place(name)
        if place is None or not _possible(known.states[place], bit):
            continue
        known = known.with_state(place, known.states[place] | bit)
        done.append(name)
    if not done:
        words = REFUSALS[Refusal.UNKNOWN_COMPLAINT]
        if bit in (GIVEN, REFUSED):
            words += " Redress is decided once, after it was asked for."
        raise ControlRefused("complaints", Refusal.UNKNOWN_COMPLAINT, words)
    total = {WITHDRAWN: "withdrawn", ANSWERED: "answered", ASKED: "asked", GIVEN: "given", REFUSED: "refused"}[bit]
    count = getattr(pilot.users, total) + len(done)
    pilot.users = structs.replace(pilot.users, complaints=known, **{total: count})
    content: Content = {"complaints": tuple(done)}
    if ignored := len(act.complaints) - len(done):
        content["ignored"] = float(ignored)
    if text := getattr(act, "text", ""):
        content["text"] = text
    _record(context, act, reason, total, len(done), content)
    due = None
    if bit == ASKED:
        promise = context.plan.users_channel.redress_within
        if promise is None or pilot.exited:
            return
        due = parse_span(promise).after(context.received)
    for name in done:
        for kind in kinds:
            clock_facts(context, Fact(kind=kind, at=context.received, key=name, due=due))


def _possible(state: int, bit: int) -> bool:
    """Whether a complaint in this state may get this bit. A withdrawn one is closed. Redress is decided once, and not
    before it was asked for: else a firm could refuse it beforehand, and owe no decision to who asks."""
    if state & (WITHDRAWN | bit):
        return False
    return bit not in (GIVEN, REFUSED) or (bool(state & ASKED) and not state & (GIVEN | REFUSED))


def _leave(context: DecisionContext, act: UserDeparture) -> None:
    pilot, before = context.pilot, context.pilot.users
    new = [name for name in dict.fromkeys(act.users) if before.left.place(name) is None]
    if not new:
        raise ControlRefused("users", Refusal.REPEATED, REFUSALS[Refusal.REPEATED])
    pilot.users = structs.replace(before, left=before.left.plus(new, 1), departed=before.departed + len(new))
    _record(context, act, Reason.USER_LEFT, "users", len(new), {"users": tuple(new)})


def _record(context: DecisionContext, act: UsersAct, reason: Reason, rule: str, count: int, content: Content) -> None:
    level = context.pilot.standing.level
    finding = Finding(rule=rule, observed=float(count), content=content)
    context.record(Move("act", level, level, reason, False), finding, act.author)
