"""The board as HTML: a fleet page and one page per pilot, rendered here, readable without scripts, colour or a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from urllib.parse import quote, urlencode

from msgspec import Struct

from monitor.console.alpha import alpha_table
from monitor.console.charter_page import charter_body
from monitor.console.fleet_view import FleetView, PilotView
from monitor.console.svg.picture import picture
from monitor.model.records import Decision, Level, Reason
from monitor.projections.formats import figure, span, stamp
from monitor.projections.open_commands import OpenCommand
from monitor.projections.wording import LEVELS, REASONS, TIMED, budget_words, numbers, plain

SIGNS = {Level.NORMAL: "●", Level.WATCH: "▲", Level.ESCALATE: "◆", Level.HALT: "■"}
SORTS = {
    "worst": "worst first",
    "pilot": "pilot",
    "participant": "participant",
    "newest": "latest change",
    "alpha": "alpha used",
}


class Query(Struct, frozen=True):
    """What a reader asked the fleet page for: level word, `unknown` or "" for all; words to look for; a key of `SORTS`."""

    level: str = ""
    words: str = ""
    sort: str = "worst"


ALL = Query()
ORDERS = {
    "commanded": "the service has not acknowledged it; it is resent until it does",
    "acknowledged": "the service says that it stopped; its heartbeats must still bear that out",
    "contradicted": "the service says that it stopped, but something shows that it goes on",
    "overdue": "not acknowledged, or dark afterwards, for longer than the charter grants",
}
SHOWN = 10  # decisions above the picture; earlier ones are folded away


def fleet_page(board: FleetView, query: Query = ALL, now: int = 0) -> str:
    """All pilots, filtered and sorted as asked; `now` (ms) tells whether who decides is silent."""
    views = board.fleet()
    return _page(
        "Fleet",
        _alarm(board, now)
        + _open_mode(board)
        + _summary(board, views)
        + _orders(board)
        + _filters(query)
        + _table(_select(views, query), query),
        "fleet",
    )


def pilot_page(board: FleetView, pilot: str, now: int = 0) -> str | None:
    """One pilot: standing, evidence picture, decisions explained; `now` as on the fleet page. `None` when the board does not
    know it."""
    view = board.pilots.get(pilot)
    if view is None:
        return None
    body = (
        f'{_alarm(board, now)}{_open_mode(board)}<p class="back"><a href="/">← Fleet</a></p>'
        f"<h1>{escape(view.pilot)}</h1>"
        f'<p class="lead">{_badge(view)} {_why(view)}</p>{_unknown_note(view)}'
        + _facts(board, view)
        + _decisions(view)
        + alpha_table(view)
        + _picture(view)
    )
    return _page(view.pilot, body, "pilot")


def charter_page(board: FleetView, pilot: str) -> str | None:
    """The charter under which a pilot runs. `None` when the board does not know the pilot."""
    view = board.pilots.get(pilot)
    if view is None:
        return None
    back = f'<p class="back"><a href="{escape(_link(pilot))}">← {escape(pilot)}</a></p>'
    return _page(f"Charter of {pilot}", f"{back}<h1>Charter of {escape(pilot)}</h1>{charter_body(view)}", "charter")


def missing_page(pilot: str) -> str:
    """Says that there is no such pilot."""
    body = f'<p class="back"><a href="/">← Fleet</a></p><h1>No such pilot</h1><p>No pilot called <b>{escape(pilot)}</b> is on this board.</p>'
    return _page("No such pilot", body, "missing")


def _page(title: str, body: str, kind: str) -> str:
    legend = "".join(f"<dt>{_level(level)}</dt><dd>{escape(LEVELS[level])}</dd>" for level in reversed(Level))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)} · sandbox monitor</title>"
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="/board.css">'
        '<noscript><meta http-equiv="refresh" content="10"></noscript><script src="/board.js" defer></script></head>'
        f'<body class="{kind}"><a class="skip" href="#main">Skip to content</a>'
        '<header><a class="brand" href="/">Sandbox monitor</a><span class="role">read-only board</span>'
        '<span id="fresh" role="status"></span></header>'
        f'<main id="main" tabindex="-1">{body}</main>'
        "<footer><details><summary>What the levels mean</summary>"
        f'<dl>{legend}<dt><span class="level unknown">? unknown</span></dt><dd>Stands beside the level: data is missing, late or '
        "partial. It never counts as normal and clears nothing.</dd></dl>"
        "<p>A halt is a technical effect; suspension is the legal act of an authority. All times are UTC.</p></details>"
        '<p><a href="/api/board.json">The same as data (JSON)</a></p></footer></body></html>'
    )


def _level(level: Level, word: str = "") -> str:
    return (
        f'<span class="level {level.word}"><span aria-hidden="true">{SIGNS[level]}</span> {word or level.word}</span>'
    )


def _badge(view: PilotView) -> str:
    gone = '<span class="level gone">left</span> ' if view.exited else ""
    unknown = (
        f' <span class="level unknown" title="{escape(_reason(view.unknown))}">? unknown</span>' if view.unknown else ""
    )
    return gone + _level(view.level) + unknown


def _reason(word: str) -> str:
    return REASONS[Reason(word)] if word in set(Reason) else plain(word)


def _why(view: PilotView) -> str:
    if view.why is None:
        return "Nothing was decided yet."
    said = view.say(view.why)
    if view.why.level < view.why.was:
        said = f"Down from {view.why.was.word}: {said[0].lower()}{said[1:]}"
    return escape(said) + "."


def _unknown_note(view: PilotView) -> str:
    if not view.unknown:
        return ""
    since = f" Since {_time(view.unknown_since)}." if view.unknown_since is not None else ""
    return f'<p class="note">? State unknown: {escape(_reason(view.unknown))}.{since} Unknown is never normal.</p>'


def _time(ms: int | None) -> str:
    if ms is None:
        return '<span class="none">–</span>'
    text = stamp(ms).removesuffix(" UTC")
    return f'<time datetime="{text.replace(" ", "T")}Z">{text}</time>'


def _alpha(view: PilotView) -> str:
    used = view.alpha_used
    if used is None or view.plan is None:
        return '<span class="none">–</span>'
    return f"{figure(used)} of {figure(view.plan.alpha)}"


def _link(pilot: str) -> str:
    return f"/pilot/{quote(pilot, safe='')}"


# ---- fleet


def _alarm(board: FleetView, now: int) -> str:
    """Says so when nobody decides: what stands below is then old, however calm it looks. Nothing while all is well."""
    silent = board.liveness.silent(now)
    if not silent:
        return ""
    all_of = len(silent) == len(board.liveness.seen_at)
    heard = [at for p in silent if (at := board.liveness.seen_at[p]) is not None]
    since = f"has been heard since {_time(min(heard))} UTC" if heard else "has been heard at all"
    where = "" if all_of else f" of partition{'s' if len(silent) > 1 else ''} {', '.join(map(str, silent))}"
    whose = "" if all_of else f"about {'their' if len(silent) > 1 else 'its'} pilots "
    return (
        f'<p class="alarm" role="alert"><b>■ No worker{where} {since}.</b> Nothing is decided '
        f"{whose}until one is back: what you see is old. Halts stand, and services that run "
        "under permits stop when these lapse. Telemetry is kept and will be worked off.</p>"
    )


def _open_mode(board: FleetView) -> str:
    """Says so where anybody may admit pilots, or somebody did without a signature. Nothing where all are signed."""
    unsigned = board.unsigned()
    if not board.open_mode and not unsigned:
        return ""
    said = (
        "No admitter key is configured: anybody who may write to control may admit a pilot." if board.open_mode else ""
    )
    if unsigned:
        said += f" {unsigned} pilot{'s' if unsigned > 1 else ''} admitted or amended without a signature."
    return f'<p class="note" role="note"><b>Open mode.</b> {said.strip()}</p>'


def _summary(board: FleetView, views: Sequence[PilotView]) -> str:
    inside = [view for view in views if not view.exited]
    counts = Counter(view.level for view in inside)
    unknown = sum(1 for view in inside if view.unknown)
    tiles = "".join(
        f'<li><a href="/?level={level.word}" class="tile {level.word}"><b>{counts[level]}</b>{_level(level)}</a></li>'
        for level in reversed(Level)
    )
    tiles += f'<li><a href="/?level=unknown" class="tile unknown"><b>{unknown}</b><span class="level unknown">? unknown</span></a></li>'
    newest = max((view.decisions[-1].at for view in views if view.decisions), default=None)
    people = len({view.participant for view in inside if view.participant})
    said = f"{_number(len(inside), 'pilot')} of {_number(people, 'participant')} in the sandbox"
    if newest is not None:
        said += f"; latest decision {_time(newest)}"
    if board.liveness.last_seen is not None:
        said += f"; worker last heard {_time(board.liveness.last_seen)}"
    if board.left_out:
        said += f"; {board.left_out} more are not shown, because the board is full"
    return f'<h1>Fleet</h1><p class="lead">{said}.</p><ul class="tiles">{tiles}</ul>'


def _orders(board: FleetView) -> str:
    """A row for each command that is still open; nothing when there is none."""
    views = board.open_commands()
    if not views:
        return ""
    rows = "".join(
        f'<tr class="{view.command.state}"><td data-head="Pilot"><a href="{escape(_link(view.pilot))}">{escape(view.pilot)}</a>'
        f'<span class="firm">{escape(view.participant)}</span></td>'
        f'<td data-head="Command">{view.command.action}</td><td data-head="State" class="why">{_order(view.command)}</td>'
        f'<td data-head="Given" class="when">{_time(view.command.at)}</td>'
        f'<td data-head="Times sent" class="number">{view.command.attempts}</td></tr>'
        for view in views
        if view.command is not None
    )
    return (
        f'<table class="fleet orders" id="orders"><caption>{_number(len(views), "command")} still open, the oldest first'
        '</caption><thead><tr><th scope="col">Pilot</th><th scope="col">Command</th><th scope="col">State</th>'
        f'<th scope="col">Given (UTC)</th><th scope="col">Times sent</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _order(order: OpenCommand) -> str:
    return f"{escape(order.state)}: {escape(ORDERS[order.state])}"


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _filters(query: Query) -> str:
    words = ["", *(level.word for level in reversed(Level)), "unknown"]
    levels = "".join(
        f'<option value="{word}"{" selected" if word == query.level else ""}>{word or "all"}</option>' for word in words
    )
    sorts = "".join(
        f'<option value="{key}"{" selected" if key == query.sort else ""}>{words}</option>'
        for key, words in SORTS.items()
    )
    return (
        '<form method="get" action="/" class="filters" role="search">'
        f'<label>Level <select name="level">{levels}</select></label>'
        f'<label>Look for <input name="words" type="search" value="{escape(query.words)}" placeholder="pilot or participant"></label>'
        f'<label>Order <select name="sort">{sorts}</select></label><button>Show</button></form>'
    )


def _select(views: Sequence[PilotView], query: Query) -> list[PilotView]:
    words = query.words.casefold().split()
    chosen = [
        view
        for view in views
        if (not query.level or query.level == view.level.word or (query.level == "unknown" and view.unknown))
        and all(
            word in f"{view.pilot} {view.participant} {view.plan.tier if view.plan else ''}".casefold()
            for word in words
        )
    ]
    if query.sort == "pilot":
        chosen.sort(key=lambda view: view.pilot)
    elif query.sort == "participant":
        chosen.sort(key=lambda view: (view.participant, view.pilot))
    elif query.sort == "newest":
        chosen.sort(key=lambda view: -(view.since or 0))
    elif query.sort == "alpha":
        chosen.sort(key=lambda view: -(view.alpha_used or 0))
    return chosen


def _table(views: Sequence[PilotView], query: Query) -> str:
    if not views:
        asked = query != ALL
        said = 'No pilot fits. <a href="/">Show all</a>' if asked else "No pilot has been admitted yet."
        return f'<p class="empty">{said}</p>'
    heads = ("Pilot", "Level", "Why", "Since (UTC)", "Tier", "Alpha used", "Last evidence (UTC)")
    keys = {"Pilot": "pilot", "Level": "worst", "Since (UTC)": "newest", "Alpha used": "alpha"}
    cells = ""
    for head in heads:
        key = keys.get(head)
        if key is None:
            cells += f'<th scope="col">{head}</th>'
            continue
        where = escape("/?" + urlencode({"level": query.level, "words": query.words, "sort": key}))
        chosen = ' aria-sort="other"' if key == query.sort else ""
        mark = ' <span aria-hidden="true">↓</span>' if key == query.sort else ""
        cells += f'<th scope="col"{chosen}><a href="{where}">{head}{mark}</a></th>'
    rows = "".join(_row(view) for view in views)
    return (
        f'<table class="fleet"><caption>{_number(len(views), "pilot")}, {SORTS.get(query.sort, SORTS["worst"])}</caption>'
        f"<thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(view: PilotView) -> str:
    tier = escape(view.plan.tier) if view.plan else '<span class="none">–</span>'
    unknown = f'<br><span class="why-unknown">{escape(_reason(view.unknown))}</span>' if view.unknown else ""
    return (
        f'<tr class="{view.level.word}"><th scope="row"><a href="{escape(_link(view.pilot))}">{escape(view.pilot)}</a>'
        f'<span class="firm">{escape(view.participant)}</span></th>'
        f'<td data-head="Level">{_badge(view)}</td><td data-head="Why" class="why">{_why(view)}{unknown}</td>'
        f'<td data-head="Since" class="when">{_time(view.since)}</td><td data-head="Tier">{tier}</td>'
        f'<td data-head="Alpha used" class="number">{_alpha(view)}</td>'
        f'<td data-head="Last evidence" class="when">{_time(view.last_evidence)}</td></tr>'
    )


# ---- one pilot


def _facts(board: FleetView, view: PilotView) -> str:
    head = board.ledger(view.pilot)
    plan = view.plan
    facts = [
        ("Participant", escape((plan.participant.name if plan else "") or view.participant)),
        ("Tier", escape(plan.tier) if plan else ""),
        ("At this level since", _time(view.since) + " UTC" if view.since is not None else ""),
        ("Last evidence", _time(view.last_evidence) + " UTC" if view.last_evidence is not None else ""),
        (
            "Open command",
            f"{view.command.action}, {_order(view.command)}; given {_time(view.command.at)} UTC, sent {_number(view.command.attempts, 'time')}"
            if view.command is not None and view.command.open
            else "",
        ),
        ("Alpha used", f'<a href="#alpha">{_alpha(view)}</a>' if view.plan else ""),
        ("Scenario", escape(plan.scenario) if plan else ""),
        ("Responsible", escape(", ".join(a.name or a.id for a in plan.authorities)) if plan else ""),
        (
            "Charter",
            f"<code>{escape(view.charter)}</code>"
            + (f' (<a href="/charter/{quote(view.pilot, safe="")}">version {plan.version}</a>)' if plan else ""),
        ),
        (
            "Ledger",
            f"{_number(head[0], 'entry') if head[0] == 1 else f'{head[0]} entries'}, root <code>{escape(head[1])}</code>"
            if head
            else "",
        ),
    ]
    items = "".join(
        f'<div class="{"wide" if "<code>" in value else "short"}"><dt>{name}</dt><dd>{value}</dd></div>'
        for name, value in facts
        if value
    )
    return f'<dl class="facts">{items}</dl>'


def _picture(view: PilotView) -> str:
    drawn = picture(view.pilot, view.evidence, list(view.decisions), view.plan)
    return (
        '<h2 id="evidence">Evidence</h2><p class="sideways">Wider than this screen: move it sideways.</p><div class="picture" role="region" aria-labelledby="evidence" tabindex="0">'
        f"{drawn}</div>"
    )


def _decisions(view: PilotView) -> str:
    latest = list(reversed(view.decisions))
    if not latest:
        return "<h2>Decisions</h2><p>None yet.</p>"
    folded = latest[SHOWN:]
    earlier = _decision_table(view, folded, "Earlier ones") if folded else ""
    fold = f'<details id="earlier"><summary>{_number(len(folded), "earlier decision")}</summary>{earlier}</details>'
    return (
        f"<h2>Decisions</h2>{_decision_table(view, latest[:SHOWN], 'Latest first; the number is the pilot’s standing, as in the ledger')}"
        + (fold if folded else "")
    )


def _decision_table(view: PilotView, decisions: Sequence[Decision], caption: str) -> str:
    rows = "".join(_decision(view, decision) for decision in decisions)
    return (
        f'<table class="decisions"><caption>{caption}</caption><thead><tr><th scope="col">No.</th><th scope="col">Time (UTC)</th>'
        '<th scope="col">Level</th><th scope="col">What was decided, and on which numbers</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _decision(view: PilotView, decision: Decision) -> str:
    moved = decision.level != decision.was
    level = (
        f'{_level(decision.was)} <span aria-label="to">→</span> {_level(decision.level)}'
        if moved
        else _level(decision.level)
    )
    finding = decision.finding
    small = []
    if decision.kind == "flag":
        small.append("state unknown" if decision.unknown else "state known again")
    if decision.author:
        small.append(f"by {decision.author}")
    if decision.cause.startswith("control:"):
        small.append(f"signed by key {decision.signed}" if decision.signed else "not signed by anybody")
    if decision.first_out:
        small.append("first cause")
    if finding.rule and numbers(decision) and decision.reason not in TIMED:  # times are measured, not detected
        # With an indicator it is the key by which the finding is shelved.
        key = f"finding {finding.indicator}/{finding.segment}/{finding.rule}"
        small.append(key if finding.indicator else f"detector {plain(finding.rule)}")
    if decision.reason in (Reason.SHELVED, Reason.MONITOR_GAP):
        pass  # its sentence says from when to when
    elif finding.period_start is not None and finding.period_end is not None:
        small.append(f"period {span(finding.period_start, finding.period_end)}")
    small += budget_words(finding)
    small.append(f"cause {decision.cause}")
    return (
        f'<tr class="{decision.level.word}"><td data-head="No." class="number">{decision.standing}</td>'
        f'<td data-head="Time" class="when">{_time(decision.at)}</td><td data-head="Level">{level}</td>'
        f'<td data-head="Decision" class="why">{escape(view.say(decision))}.'
        f'<span class="small">{escape("; ".join(small))}</span></td></tr>'
    )


def as_data(board: FleetView, now: int = 0) -> dict[str, object]:
    """The fleet as plain data: what `/api/board.json` says. Times in ms since 1970, evidence as e-values' logarithms."""
    return {
        "left_out": board.left_out,
        "through": board.through,
        "worker": {"last_heard": board.liveness.last_seen, "silent_partitions": board.liveness.silent(now)},
        "open_mode": board.open_mode,
        "pilots": [
            {
                "pilot": view.pilot,
                "participant": view.participant,
                "tier": view.plan.tier if view.plan else None,
                "level": view.level.word,
                "since": view.since,
                "reason": view.why.reason.value if view.why else None,
                "why": view.say(view.why) if view.why else None,
                "unknown": view.unknown or None,
                "unknown_since": view.unknown_since,
                "alpha_spent": view.alpha_spent,  # what the thresholds up to now may spend: an old name
                "alpha_used": view.alpha_used,
                "last_evidence": view.last_evidence,
                "charter": view.charter,
                "standing": view.standing,
                "exited": view.exited,
                "order": {
                    "action": view.command.action,
                    "state": view.command.state,
                    "at": view.command.at,
                    "told": view.command.attempts,
                    "open": view.command.open,
                }
                if view.command
                else None,
                "ledger": dict(zip(("size", "root"), head, strict=True))
                if (head := board.ledger(view.pilot))
                else None,
                "url": _link(view.pilot),
            }
            for view in board.fleet()
        ],
    }
