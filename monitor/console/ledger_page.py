"""The pages of the ledger: the newest checkpoint and all ledgers; the entries of one; one entry with its proof, the
checks made now, and how to check it without this board."""

from __future__ import annotations

import shlex

import htpy as h
from htpy import Node
from markupsafe import Markup

from monitor.console.banners import banners
from monitor.console.fleet_view import FleetView
from monitor.console.frame import page
from monitor.console.ledger_view import (
    EntryView,
    LedgerRow,
    LedgersView,
    LedgerView,
    entry_view,
    ledger_view,
    ledgers_view,
    log_of,
)
from monitor.console.listing import lasting, pager
from monitor.console.parts import Column, Row, address, facts, folded, link_to, none, small, table, time_tag
from monitor.model.subjects import is_pilot
from monitor.notary.desk_facts import CheckFact, CheckpointFact, Desk, DeskUnavailable, HeldLedger
from monitor.notary.entry_text import EntryParts
from monitor.notary.format import DECISIONS
from monitor.translation import mark, tr, trm, trn

HEX_SHOWN = 2_048  # bytes of an entry that are shown in hex; the data has them all
OUTCOMES = {"pass": mark("passed"), "FAIL": mark("failed"), "not run": mark("not run")}
SIGNS = {"pass": "✓", "FAIL": "✕", "not run": "–"}
NO_DESK = mark(
    "This board was started without a directory of ledgers. `sandbox-monitor serve --dir DIR` and `sandbox-monitor "
    "notary --dir DIR` keep one; with --publish PUB --log-key FILE the ledgers are signed and published, too."
)
NOT_PUBLISHED = mark(
    "The ledgers are not published, so no checkpoint is signed: start `serve` or `notary` with --publish PUB --log-key "
    "FILE (`sandbox-monitor keys new-log` makes the key)."
)
KINDS = {
    "level": mark("change of level"), "finding": mark("finding"), "flag": mark("state of the data"), "act": mark("act"),
    "command": mark("command"), "charter": mark("charter"), "evidence": mark("evidence"),
    "shard": mark("beginning of a yearly file"),
}  # fmt: skip
"""Kinds of entries in words."""
NUMBERS = mark(
    "Entries are numbered from 0, as by `sandbox-monitor ledger show` and `ledger prove --entry`. Decisions "
    "also have a separate number, from 1: commands and charters are entries, too, but no decisions."
)


def ledgers_page(board: FleetView, now: int, number: int = 1) -> Markup:
    """The newest checkpoint of the authority log, and the ledgers of one page."""
    body: list[Node] = [banners(board, now), h.h1[tr("Ledger")]]
    if board.desk is None:
        return page(tr("Ledger"), [*body, h.p(".note")[tr(NO_DESK)]], "ledger")
    try:
        view = ledgers_view(board.desk, number)
    except DeskUnavailable as error:
        return page(tr("Ledger"), [*body, _unavailable(error)], "ledger")
    body += [_lead(view), _newest(view, board.desk, now), _list(view), pager("/ledger", {}, view.page, view.pages)]
    return page(tr("Ledger"), body, "ledger")


def _lead(view: LedgersView) -> h.Element:
    entries = f"{view.entries:,}"
    said = trn("{n} ledger with {entries} entries.", "{n} ledgers with {entries} entries.", view.subjects,
               entries=entries)  # fmt: skip
    return h.p(".lead")[said, " ", tr("Append-only: a changed or missing entry gives another root.")]


def _unavailable(error: DeskUnavailable) -> h.Element:
    return h.p(".alarm", role="alert")[tr("The ledger cannot be read now: {why}", why=str(error))]


def _newest(view: LedgersView, desk: Desk, now: int) -> Node:
    if view.checkpoint is None:
        why = tr(NOT_PUBLISHED) if not desk.published else tr("No checkpoint is visible yet; the next round signs one.")
        return h.section("#checkpoint")[h.h2[tr("Newest checkpoint")], h.p(".note")[why]]
    return h.section("#checkpoint")[h.h2[tr("Newest checkpoint")], _checkpoint(view.checkpoint, now)]


def _checkpoint(one: CheckpointFact, now: int) -> Node:
    witnesses = [line for line in one.signatures if not line.of_log]
    signed = any(line.of_log for line in one.signatures)
    ago = tr("({time} ago)", time=lasting(max(0, now - one.seen)))
    shown: Node = tr("none; a witness outside the authority shows that everybody sees the same log")
    if witnesses:
        shown = h.ul[(h.li[line.name, small(time_tag(line.at)) if line.at is not None else None] for line in witnesses)]
    return [
        facts((
            (tr("Origin"), one.origin),
            (tr("Entries"), f"{one.size:,}"),
            (tr("Root"), h.code[one.root]),
            (tr("Visible since (UTC)"), [time_tag(one.seen), " ", ago]),
            (tr("Signed by the log"), tr("yes") if signed else tr("no")),
            (tr("Witnesses"), shown),
            (tr("Time stamps"), ", ".join(one.stamps) or tr("none")),
            (tr("Public key"), h.code[one.key]),
        )),
        folded(tr("The signed text"), h.pre(".bytes", tabindex="0")[one.text], "note"),
    ]  # fmt: skip


def _list(view: LedgersView) -> h.Element:
    columns = (
        Column(tr("Ledger of"), kind="name"),
        Column(tr("Entries"), kind="number"),
        Column(tr("Published"), kind="number"),
        Column(tr("Root"), kind="root"),
        Column(tr("Evidence"), kind="why"),
    )
    return table(tr("One file per subject, by name"), columns, map(_listed, view.rows), "ledgers")


def _listed(row: LedgerRow) -> Row:
    held = row.decisions
    evidence: Node = none()
    if row.evidence:
        evidence = [[", " if place else None, _file_link(one)] for place, one in enumerate(row.evidence)]
    cells: tuple[Node, ...] = (
        link_to("ledger", row.subject),
        none() if held is None else held.size,
        none() if row.visible is None else row.visible,
        none() if held is None else h.code[held.root[:16] + "…"],
        evidence,
    )
    return Row(cells)


def _file_link(one: HeldLedger) -> h.Element:
    text = tr("{n} entries, {year}", n=one.size, year=one.name.year) if one.name.year else tr("{n} entries", n=one.size)
    return h.a(href=_path(one))[text]


def _path(one: HeldLedger, entry: str = "") -> str:
    query = "" if one.name.log == DECISIONS else f"?log={one.name.log}&year={one.name.year}"
    return address("ledger", one.name.subject) + (f"/{entry}" if entry else "") + query


def ledger_page(board: FleetView, subject: str, now: int, query: dict[str, str], number: int = 1) -> Markup | None:
    """The entries of one file, newest first; `query` names another log (`log`, `year`). `None` without such a file."""
    if board.desk is None:
        return ledgers_page(board, now)
    title = tr("Ledger of {subject}", subject=subject)
    body: list[Node] = [banners(board, now), h.h1[title]]
    try:
        view = ledger_view(board.desk, subject, *log_of(query), number)
    except DeskUnavailable as error:
        return page(title, [*body, _unavailable(error)], "ledger")
    if view is None:
        return None
    given = {name: query[name] for name in ("log", "year") if query.get(name)}
    body += [
        _about(view, board.desk, now),
        _entries(view),
        pager(address("ledger", subject), given, view.page, view.pages),
    ]
    return page(title, body, "ledger", given)


def _about(view: LedgerView, desk: Desk, now: int) -> Node:
    held, subject = view.held, view.held.name.subject
    behind = None if view.visible is None else held.size - view.visible
    published: Node = tr("not published")
    if view.visible is not None:
        published = trn("{visible} entries; {n} follows", "{visible} entries; {n} follow", behind or 0,
                        visible=view.visible)  # fmt: skip
    verify = f"sandbox-monitor ledger verify {shlex.quote(f'{desk.directory}/{held.file}')} --root {held.root}"
    others = [[", " if place else None, _file_link(one)] for place, one in enumerate(view.others)]
    return [
        facts((
            (tr("About"), link_to("pilot", subject) if is_pilot(subject) else subject),
            (tr("Entries"), f"{held.size:,}"),
            (tr("Root"), h.code[held.root]),
            (tr("Published"), published),
            (tr("File"), h.code[held.file]),
            (tr("Other files"), others or ""),
        )),
        h.p[tr("Note the root. With the file and the noted root, anybody can check it at any later time:")],
        h.pre(".bytes", tabindex="0")[verify],
        folded(tr("The checkpoint of this log"), _checkpoint(view.checkpoint, now), "checkpoint")
        if view.checkpoint
        else None,
    ]  # fmt: skip


def _entries(view: LedgerView) -> Node:
    columns = (
        Column(tr("Entry"), kind="number"),
        Column(tr("At (UTC)"), tr("At"), "when"),
        Column(tr("Decision"), kind="number"),
        Column(tr("What it says"), kind="why"),
        Column(tr("By"), kind="who"),
    )
    unknown = view.unreadable
    return [
        h.p(".small")[tr(NUMBERS)],
        table(tr("Newest first"), columns, (_entry(view.held, one) for one in view.entries), "entries"),
        h.p[trn("{n} entry is of a newer format", "{n} entries are of a newer format", unknown)] if unknown else None,
    ]


def _entry(held: HeldLedger, one: EntryParts) -> Row:
    cells: tuple[Node, ...] = (
        h.a(href=_path(held, str(one.number)))[str(one.number)],
        time_tag(one.at),
        one.standing if one.kind not in ("evidence", "shard") else none(),
        h.div[_first(one), (small(line) for line in one.said[1:6])],
        one.by or none(),
    )
    return Row(cells)


def _first(one: EntryParts) -> Node:
    """The sentence of an entry, and its kind."""
    kind = tr(KINDS.get(one.kind, one.kind))
    return [one.said[0] if one.said else " ".join(one.what.split()), small(kind)]


def entry_page(board: FleetView, subject: str, entry: str, now: int, query: dict[str, str]) -> Markup | None:
    """One entry by number or id; `None` where there is none."""
    if board.desk is None:
        return ledgers_page(board, now)
    try:
        view = entry_view(board.desk, subject, entry, *log_of(query))
    except DeskUnavailable as error:
        return page(tr("Ledger"), [banners(board, now), _unavailable(error)], "entry")
    if view is None:
        return None
    title = tr("Entry {number} of {subject}", number=view.entry.number, subject=subject)
    body: list[Node] = [
        banners(board, now), h.h1[title], _turning(view), _says(view), _checks(view, now), _proof(view),
        _offline(view, board.desk), _bytes(view),
    ]  # fmt: skip
    given = {name: query[name] for name in ("log", "year") if query.get(name)}
    return page(title, body, "entry", given)


def _turning(view: EntryView) -> h.Element:
    before, after = view.before, view.after
    return h.nav(".pager", aria_label=tr("Entries"))[
        h.a(href=_path(view.held, str(before)), rel="prev")[tr("← entry {n}", n=before)]
        if before is not None
        else None,
        h.a(href=_path(view.held))[tr("all entries")],
        h.a(href=_path(view.held, str(after)), rel="next")[tr("entry {n} →", n=after)] if after is not None else None,
    ]


def _says(view: EntryView) -> h.Element:
    one = view.parts
    if one is None:
        return h.p(".note")[tr("This entry is of a format that this program does not know.")]
    subject = view.held.name.subject
    return h.section("#says")[
        facts((
            (tr("About"), link_to("pilot", subject) if is_pilot(subject) else subject),
            (tr("Kind"), tr(KINDS.get(one.kind, one.kind))),
            (tr("As the record has it"), h.code[" ".join(one.what.split())]),
            (tr("At (UTC)"), time_tag(one.at)),
            (tr("Decision"), str(one.standing) if one.kind not in ("evidence", "shard") else ""),
            (tr("By"), one.by),
            (tr("Id of the record"), h.code[one.id]),
        )),
        (h.p[line] for line in one.said),
    ]  # fmt: skip


def _checks(view: EntryView, now: int) -> h.Element:
    failed = [one for one in view.checks if one.outcome == "FAIL"]
    verdict = tr("At least one check failed.") if failed else tr("Every check that could run passed.")
    columns = (Column(tr("Outcome"), kind="state"), Column(tr("Check"), kind="name"), Column(tr("What"), kind="why"))
    return h.section("#verify")[
        h.h2[tr("Verified now")],
        h.p(class_="alarm" if failed else "lead")[verdict, " ", trm("Made at {time} UTC.", time=time_tag(now))],
        table(
            tr("The checks of one entry, named as the verifier names them"), columns, map(_check, view.checks), "checks"
        ),
        h.p(".small")[
            tr(
                "These checks were made by the authority's own program. Somebody who does not trust it runs the "
                "commands below on another machine."
            )
        ],
    ]


def _check(one: CheckFact) -> Row:
    outcome: Node = [h.span(aria_hidden="true")[SIGNS[one.outcome]], " ", tr(OUTCOMES[one.outcome])]
    return Row((outcome, h.code[one.check], one.words), "halt" if one.outcome == "FAIL" else "normal")


def _proof(view: EntryView) -> h.Element:
    heading = h.h2[tr("Inclusion proof")]
    if view.proof is None:
        return h.section("#proof")[
            heading,
            h.p[tr("The ledger is too long to compute its tree for a page; the command below makes the proof.")],
        ]
    proof = view.proof
    said = tr("Hash this entry's leaf with these, from the first to the last, as in RFC 6962: the result is the root.")
    return h.section("#proof")[
        heading,
        facts((
            (tr("Leaf hash"), h.code[proof.leaf]),
            (tr("Root"), h.code[proof.root]),
            (tr("Entry"), tr("{number} of a tree of {size}", number=proof.number, size=proof.size)),
        )),
        h.p[said],
        h.ol(".hashes")[(h.li[h.code[one]] for one in proof.hashes)]
        if proof.hashes
        else h.p[tr("The leaf is the root.")],
    ]  # fmt: skip


def _offline(view: EntryView, desk: Desk) -> h.Element:
    lines = offline_commands(view, desk)
    return h.section("#offline")[
        h.h2[tr("Check it without this board")],
        h.p[tr("No network is needed. The second machine needs the files, and the root or key that you noted here.")],
        h.pre(".bytes", tabindex="0")["\n".join(lines)],
    ]


def offline_commands(view: EntryView, desk: Desk) -> list[str]:
    """The commands that check an entry from files alone; with a publication also its proof, for a stranger."""
    held, number = view.held, view.entry.number
    file = shlex.quote(f"{desk.directory}/{held.file}")
    lines = [
        f"sandbox-monitor ledger verify {file} --root {held.root}",
        f"sandbox-monitor ledger show {file}",
    ]
    if view.checkpoint is not None and desk.published:
        published, subject = shlex.quote(desk.published), shlex.quote(held.name.subject)
        log = view.checkpoint.log if held.name.log != DECISIONS else subject
        bundle = f"entry-{number}.zip"
        lines += [
            f"sandbox-monitor ledger bundle {log} --dir {published} --from {number} --to {number} -o {bundle}",
            f"python3 sandbox-verifier.pyz {bundle} --entries --log-key {view.checkpoint.key}",
        ]
    return lines


def _bytes(view: EntryView) -> h.Element:
    data, entry = view.entry.data, view.entry.entry
    more = len(data) - HEX_SHOWN
    return h.section("#bytes")[
        h.h2[tr("Canonical bytes")],
        h.p[
            trn("{n} byte.", "{n} bytes.", len(data)),
            " ",
            tr("Text of people is a commitment here, never the text. The body, as canonical JSON (RFC 8785):"),
        ],
        h.pre(".bytes", tabindex="0")["" if entry is None else entry.body.decode("utf-8", "replace")],
        folded(
            tr("All bytes in hexadecimal"),
            [
                h.pre(".bytes", tabindex="0")[_hex(data[:HEX_SHOWN])],
                h.p[trn("{n} more byte is in the data", "{n} more bytes are in the data", more)] if more > 0 else None,
            ],
            "hex",
        ),
        h.p(".small")[h.a(href=_data_path(view))[tr("Same content as data (JSON), with all bytes")]],
    ]


def _data_path(view: EntryView) -> str:
    path, _, query = _path(view.held, str(view.entry.number)).partition("?")
    return f"/api{path}.json" + (f"?{query}" if query else "")


def _hex(data: bytes) -> str:
    rows = (data[at : at + 32] for at in range(0, len(data), 32))
    return "\n".join(f"{32 * place:06x}  {row.hex(' ')}" for place, row in enumerate(rows))
