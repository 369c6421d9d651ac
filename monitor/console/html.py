"""Building blocks of the board's pages: the frame, the banners, levels, times and links as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from monitor.console.fleet_view import FleetView, PilotView
from monitor.console.notices import CrashLoop, SkippedRecords
from monitor.model.records import Level, Reason
from monitor.projections.formats import figure, stamp
from monitor.projections.open_commands import OpenCommand
from monitor.projections.wording import LEVELS, REASONS, plain, sentence

SIGNS = {Level.NORMAL: "●", Level.WATCH: "▲", Level.ESCALATE: "◆", Level.HALT: "■"}
COMMAND_STATES = {
    "commanded": "not acknowledged; resent until it is",
    "acknowledged": "the stop is not yet confirmed by heartbeats",
    "contradicted": "the service acknowledged, but is still active",
    "overdue": "not acknowledged, or no data since, for longer than the charter allows",
}
_SHARED_TOPICS = (
    '<p class="note" role="note"><b>Shared topics.</b> Every firm can read the halts and sources of all firms. '
    "For trials only: give each firm separate topics (runbook, SandboxSharedTopics).</p>"
)
NONE = '<span class="none">–</span>'


def page(title: str, body: str, kind: str) -> str:
    """A whole page; `kind` is the class of its body."""
    legend = "".join(f"<dt>{level_badge(level)}</dt><dd>{escape(LEVELS[level])}</dd>" for level in reversed(Level))
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
        f'<dl>{legend}<dt><span class="level unknown">? unknown</span></dt><dd>Shown next to the level: data is '
        "missing, late or partial. Unknown never counts as normal and clears no finding.</dd></dl>"
        "<p>A halt is a technical effect; suspension is the legal act of an authority. All times are UTC.</p></details>"
        '<p><a href="/firms">Records of firms</a> · '
        '<a href="/api/board.json">Same content as data (JSON)</a></p></footer></body></html>'
    )


def banners(board: FleetView, now: int) -> str:
    """What a reader must know before anything else: partitions without a worker at `now` (ms), workers that crash again
    and again, ledgers that are incomplete, foreign records, and open mode."""
    notices = board.notices
    return (
        _no_worker(board, now)
        + "".join(_crash_loop(loop) for _, loop in sorted(notices.crash_loops.items()))
        + _not_in_ledger(notices.not_entered)
        + _skipped(list(notices.skipped.values()))
        + _open_mode(board)
        + _unsigned_firms(board)
        + _configuration(board)
        + (_SHARED_TOPICS if notices.shared_topics else "")
    )


def _crash_loop(loop: CrashLoop) -> str:
    where = ", ".join(f"{topic} offset {offset}" for topic, offset in sorted(loop.positions.items()))
    text = f"; the next records are those at {where}" if where else ""
    way = "The worker's log names the cause; the runbook (SandboxWorkerCrashLoop) how to skip a record."
    if loop.deleted:
        text += "; " + ", ".join(
            f"{topic} offsets {loop.positions[topic]} to {first - 1} were deleted unread"
            for topic, first in sorted(loop.deleted.items())
        )
        way = "Restore them, or start the worker once with --skip-lost (runbook, SandboxTelemetryDeleted)."
    return (
        f'<p class="alarm" role="alert"><b>■ The worker of partition {loop.partition} ends again and again.</b> '
        f"{loop.claims} starts in a row made no step{escape(text)}. No decisions are taken about its pilots meanwhile. "
        f"{way}</p>"
    )


def _not_in_ledger(pilots: dict[str, int]) -> str:
    if not pilots:
        return ""
    names = ", ".join(escape(pilot) for pilot in sorted(pilots)[:5]) + (" and more" if len(pilots) > 5 else "")
    return (
        f'<p class="alarm" role="alert"><b>■ {count(sum(pilots.values()), "decision")} not in the ledger</b> of '
        f"{count(len(pilots), 'pilot')}: {names}. They do not follow the last entry, so a decision is missing before "
        "them, or they were not written by the monitor. See the runbook (SandboxLedgerIncomplete).</p>"
    )


def _skipped(rows: Sequence[SkippedRecords]) -> str:
    """A note for records that are no output of the monitor; empty without them."""
    if not rows:
        return ""
    last = max(rows, key=lambda row: row.records)
    return (
        f'<p class="note" role="note"><b>{count(sum(row.records for row in rows), "foreign record")} skipped</b> on '
        f"{escape(', '.join(sorted({row.topic for row in rows})))}: no output of the monitor ({escape(last.reason)}, "
        f"last at {escape(last.topic)}/{last.partition} offset {last.offset}). They change nothing here, but somebody "
        "else may write to these topics. See the runbook (SandboxForeignRecords).</p>"
    )


def _no_worker(board: FleetView, now: int) -> str:
    """An alarm for partitions without an active worker: their pilots are not up to date. Empty while all have one."""
    silent = board.liveness.silent(now)
    if not silent:
        return ""
    all_silent = len(silent) == len(board.liveness.seen_at)
    seen = [at for p in silent if (at := board.liveness.seen_at[p]) is not None]
    since = f"seen since {time_tag(min(seen))} UTC" if seen else "seen so far"
    where = "" if all_silent else f" for partition{'s' if len(silent) > 1 else ''} {', '.join(map(str, silent))}"
    which = "" if all_silent else f"about {'their' if len(silent) > 1 else 'its'} pilots "
    return (
        f'<p class="alarm" role="alert"><b>■ No worker{where} {since}.</b> No decisions are taken {which}until a '
        "worker is back; this page is out of date. Halts stand. Services that run under permits stop when their "
        "permits lapse. Telemetry is stored and will be processed.</p>"
    )


def _open_mode(board: FleetView) -> str:
    """A note where anyone may admit pilots, or a charter was put in force without a signature; empty otherwise."""
    unsigned = board.unsigned()
    if not board.open_mode and not unsigned:
        return ""
    text = ""
    if board.open_mode:
        text = (
            "Neither a sandbox with keys nor an admitter key is configured: anyone who can write to control can admit "
            "a pilot."
        )
    if unsigned:
        text += f" {count(unsigned, 'pilot')} admitted or amended without a signature."
    return f'<p class="note" role="note"><b>Open mode.</b> {text.strip()}</p>'


def _unsigned_firms(board: FleetView) -> str:
    """A note where firms act without a signature under a sandbox; empty otherwise."""
    firms = board.unsigned_firms()
    if not firms or not board.configuration:
        return ""  # without a sandbox the note on open mode says it
    text = (
        f"The last act of {count(firms, 'firm')} is not signed: the charter has no key of the firm, as the "
        "configuration does not require it (firm_keys)."
    )
    return f'<p class="note" role="note"><b>Unsigned acts.</b> {text}</p>'


def _configuration(board: FleetView) -> str:
    """The newest act on the configuration of the sandbox; empty where none is founded."""
    if not board.configuration:
        return ""
    last = board.configuration[-1]
    said = f"{sentence(last)}; by {last.author}, {stamp(last.at)}"
    return f'<p class="note" role="note"><b>Sandbox.</b> {escape(said)}</p>'


def level_badge(level: Level) -> str:
    """The level as a word with its sign; the colour adds nothing."""
    return f'<span class="level {level.word}"><span aria-hidden="true">{SIGNS[level]}</span> {level.word}</span>'


def badge(view: PilotView) -> str:
    """The level of a pilot, with the unknown flag and whether it has left; the state of one that is not admitted."""
    if view.applicant:
        return f'<span class="level gone">{escape(plain(view.life.pilot))}</span>'
    gone = '<span class="level gone">left</span> ' if view.exited else ""
    unknown = ""
    if view.unknown:
        unknown = f' <span class="level unknown" title="{escape(flag_text(view.unknown))}">? unknown</span>'
    return gone + level_badge(view.level) + unknown


def flag_text(flag: str) -> str:
    """The unknown flag of a pilot as a sentence."""
    return REASONS[Reason(flag)] if flag in set(Reason) else plain(flag)


def why(view: PilotView) -> str:
    """The decision that brought a pilot to its level, as a sentence."""
    if view.why is None:
        return "No decision yet."
    text = view.say(view.why)
    if view.why.level < view.why.was:
        text = f"Lowered from {view.why.was.word}: {text[0].lower()}{text[1:]}"
    return escape(text) + "."


def time_tag(ms: int | None) -> str:
    """A time in UTC; a dash for `None`."""
    if ms is None:
        return NONE
    text = stamp(ms).removesuffix(" UTC")
    return f'<time datetime="{text.replace(" ", "T")}Z">{text}</time>'


def alpha_used(view: PilotView) -> str:
    """The alpha used of the alpha granted; a dash while the charter is not known."""
    used = view.alpha_used
    return NONE if used is None or view.plan is None else f"{figure(used)} of {figure(view.plan.alpha)}"


def command_state(command: OpenCommand) -> str:
    """The state of an open command, and what it means."""
    return f"{escape(command.state)}: {escape(COMMAND_STATES[command.state])}"


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 pilot`, `2 pilots`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def link(pilot: str) -> str:
    """The path of a pilot's page."""
    return f"/pilot/{quote(pilot, safe='')}"
