"""The register as static pages in English and Chinese, without scripts: lists that are sorted and grouped beforehand, a
page for each pilot and each halt, and a feed of changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import quote

import htpy as h
from htpy import Node

from monitor.model.records import Reason
from monitor.projections.formats import day, moment, stamp
from monitor.projections.wording import REASONS, plain
from monitor.public_record import statement_page
from monitor.public_record.annual_page import incomplete
from monitor.public_record.ledgers import Remark
from monitor.public_record.register import Change, Entry, HaltLine, Listed, as_json, register_of
from monitor.public_record.register_words import LANGUAGES, NAMES, REASONS_ZH, STATES, Language, word
from monitor.report.frame import Running, document
from monitor.translation import speaking

FEED_ITEMS = 200
CSS = """
body{max-width:1100px}nav ul{list-style:none;padding:0;margin:.4rem 0}nav li{display:inline-block;margin-right:1rem}
.wide{overflow-x:auto}ul.plain{padding-left:1.1rem}.halted{font-weight:600}pre{overflow-x:auto;font-size:.82rem;
border:1px solid var(--rule);padding:.7rem}.warn{border-left:4px solid #b45309;padding:.3rem 0 .3rem .8rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem}dt{color:var(--soft)}dd{margin:0;
overflow-wrap:anywhere}
@media (max-width:600px){body{margin:1rem auto}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.5rem}
.wide thead{display:none}.wide tr{display:block;border-bottom:1px solid var(--rule);padding:.4rem 0}
.wide td{display:block;border:0;padding:.05rem 0}.wide td.n{text-align:left}.wide td[data-name]::before{
content:attr(data-name) ": ";color:var(--soft)}}
"""
LISTS: dict[str, Callable[[Entry], Sequence[str]]] = {
    "state": lambda one: (one.state, *one.others),
    "tier": lambda one: (one.said("tier"),),
    "sector": lambda one: (one.said("sector"),),
    "region": lambda one: (one.said("region"),),
    "authority": lambda one: one.responsible,
    "firm": lambda one: (one.name,),
}
"""List -> the groups that a pilot belongs to."""


def site(listed: Sequence[Listed], remarks: tuple[Remark, ...]) -> Iterator[tuple[str, str]]:
    """Name and text of each file of the register."""
    entries = [one.entry for one in listed]
    yield "register.json", as_json(register_of(listed, remarks))
    yield "feed.json", feed(entries)
    for language in LANGUAGES:
        for name in ("index", *LISTS, "changed"):
            yield f"{_page(name, language)}.html", _index(name, entries, remarks, language)
        for entry in entries:
            yield f"{_page(entry.page, language)}.html", _pilot(entry, language)
    for one in listed:
        yield f"{one.entry.page}.json", as_json(one.entry)
        for halt, said in zip(one.entry.halts, one.statements, strict=True):
            yield f"{halt.statement}.html", statement_page.as_html(said, f"{one.entry.page}.html")
            yield f"{halt.statement}.json", as_json(said)


def _page(name: str, language: Language) -> str:
    """The name of a page, without its ending. Those of pilots end with a digest, so that no list has such a name."""
    known = "index" if name == "index" else f"by-{name}" if name in (*LISTS, "changed") else name
    return known if language == "en" else f"{known}.{language}"


def feed(entries: Sequence[Entry]) -> str:
    """The newest changes, as a JSON feed (version 1.1). Addresses are relative to the feed."""
    rows = sorted(((change, one) for one in entries for change in one.changes), key=lambda row: -row[0].at)
    items = [
        {
            "id": change.id,
            "url": f"{quote(one.page)}.html",
            "title": f"{one.pilot}: {_reason(change, 'en')}",
            "content_text": _reason(change, "en"),
            "date_published": moment(change.at).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        for change, one in rows[:FEED_ITEMS]
    ]
    made = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": word("register", "en"),
        "language": "en",
        "items": items,
    }
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def _frame(title: str, language: Language, name: str, *body: Node) -> str:
    home = h.a(href=f"{_page('index', language)}.html")[word("register", language)]
    others = [
        h.a(href=f"{quote(_page(name, one))}.html", lang=one, hreflang=one)[NAMES[one]]
        for one in LANGUAGES if one != language
    ]  # fmt: skip
    feed_link, data = h.a(href="feed.json")["feed"], h.a(href="register.json")["JSON"]
    top = h.p(".soft.screen")[home, " · ", [[one, " "] for one in others], "· ", feed_link, " · ", data]
    feeds = h.link(rel="alternate", type="application/feed+json", href="feed.json")
    with speaking(language):
        return document(title, [top, h.h1[title], body], Running(subject=word("register", language)), CSS, feeds)


def _index(name: str, entries: Sequence[Entry], remarks: tuple[Remark, ...], language: Language) -> str:
    links = [
        h.li[h.a(href=f"{_page(one, language)}.html")[_by(one, language)]]
        for one in ("index", *LISTS, "changed") if one != name
    ]  # fmt: skip
    title = word("register", language)
    if name != "index":
        title += f", {_by(name, language)}"
    with speaking(language):
        lacking = incomplete(remarks)
    lead = [h.p(".lead")[word("lead", language)], lacking, h.nav(aria_label=word("list", language))[h.ul[links]]]
    if name in LISTS:
        return _frame(title, language, name, lead, _grouped(name, entries, language))
    key = (lambda one: (-_last(one), one.pilot)) if name == "changed" else (lambda one: (0, one.pilot))
    return _frame(title, language, name, lead, _table(sorted(entries, key=key), language))


def _by(name: str, language: Language) -> str:
    return word("by", language).format(what=_title(name, language))


def _title(name: str, language: Language) -> str:
    said = word("pilot" if name == "index" else name, language)
    return said[0].lower() + said[1:]


def _last(entry: Entry) -> int:
    return max((change.at for change in entry.changes), default=0)


def _grouped(name: str, entries: Sequence[Entry], language: Language) -> Node:
    groups: dict[str, list[Entry]] = {}
    for one in entries:
        for group in dict.fromkeys(LISTS[name](one)):
            groups.setdefault(group, []).append(one)
    order = sorted(groups, key=lambda group: (group in ("", "withheld"), group))
    links = [
        h.li[h.a(href=f"#g{place}")[f"{_group(name, group, language)} ({len(groups[group])})"]]
        for place, group in enumerate(order)
    ]
    tables = [
        [h.h2(id=f"g{place}")[_group(name, group, language)], _table(groups[group], language)]
        for place, group in enumerate(order)
    ]
    return [h.nav(aria_label=_title(name, language))[h.ul[links]], tables]


def _group(name: str, group: str, language: Language) -> str:
    if not group:
        return word("unstated", language)
    if name == "state":
        return _state(group, language)
    return word("withheld", language) if group == "withheld" else group


def _table(entries: Sequence[Entry], language: Language) -> Node:
    names = ("pilot", "firm", "state", "tier", "sector", "region", "authority", "halts", "changed")
    heads = [h.th(_numeric(name), scope="col")[word(name, language)] for name in names]
    rows = [_line(one, language) for one in entries]
    counted = h.p(".soft")[f"{len(entries)} {word('pilots', language)}"]
    return [counted, h.div(".wide")[h.table[h.thead[h.tr[heads]], h.tbody[rows]]]]


def _numeric(name: str) -> dict[str, str]:
    return {"class": "n"} if name in ("halts", "entry") else {}


def _line(one: Entry, language: Language) -> Node:
    halted = ".halted" if {"halted", "suspended"} & set(one.others) else ""
    states = ", ".join(_state(state, language) for state in (one.state, *one.others))
    cells: list[tuple[str, Node]] = [("firm", one.name), ("state", h.span(halted)[states])]
    cells += [(name, _shown(one.said(name), language)) for name in ("tier", "sector", "region")]
    cells += [("authority", ", ".join(one.responsible)), ("halts", str(len(one.halts)))]
    cells.append(("changed", day(_last(one))))
    link = h.td[h.a(href=f"{quote(_page(one.page, language))}.html")[one.pilot]]
    return h.tr[link, [_cell(name, said, language) for name, said in cells]]


def _cell(name: str, said: Node, language: Language) -> Node:
    return h.td(_numeric(name), data_name=word(name, language))[said]


def _state(state: str, language: Language) -> str:
    return STATES.get(state, plain(state)) if language == "zh" else plain(state)


def _pilot(one: Entry, language: Language) -> str:
    changes = [
        h.tr[
            h.td[stamp(change.at)[:19]],
            _cell("reason", _reason(change, language), language),
            _cell("entry", str(change.entry), language),
        ]
        for change in one.changes
    ]
    heads = [h.th(_numeric(name), scope="col")[word(name, language)] for name in ("time", "reason", "entry")]
    charter = "" if one.charter is None else json.dumps(one.charter, indent=1, ensure_ascii=False, sort_keys=True)
    halts = [_halt(halt, language) for halt in one.halts]
    return _frame(
        one.pilot,
        language,
        one.page,
        h.dl[[[h.dt[name], h.dd[said]] for name, said in _facts(one, language)]],
        h.h2[word("halts", language)],
        h.ul(".plain")[halts] if halts else h.p[word("nothing_withheld", language)],
        h.h2[word("changes", language)],
        h.div(".wide")[h.table[h.thead[h.tr[heads]], h.tbody[changes]]],
        h.h2[word("charter", language)],
        h.p(".soft")[
            "SHA-256 ", h.code[one.charter_hash], f". {word('withheld_fields', language)}: ",
            ", ".join(one.withheld) or word("nothing_withheld", language), ".",
        ],
        h.pre(tabindex="0")[charter] if charter else h.p[word("not_yet", language)],
    )  # fmt: skip


def _facts(one: Entry, language: Language) -> Iterator[tuple[str, Node]]:
    charter = one.charter or {}
    yield word("firm", language), f"{one.name} ({one.participant})" if one.name != one.participant else one.name
    yield word("state", language), ", ".join(_state(state, language) for state in (one.state, *one.others))
    for name in ("tier", "sector", "region", "scenario"):
        yield word(name, language), _shown(one.said(name), language)
    cycle = charter.get("cycle") or {}
    yield word("cycle", language), f"{cycle.get('start', '–')} – {cycle.get('end', '–')}"
    if "models" in one.withheld:
        models = word("withheld", language)
    else:
        models = ", ".join(str(m.get("version") or m["digest"]) for m in charter.get("models") or ())
    yield word("model", language), _shown(models, language)
    named = {str(a["id"]): str(a.get("name") or a["id"]) for a in charter.get("authorities") or ()}
    yield word("authority", language), ", ".join(named.get(a, a) for a in one.responsible)
    yield word("report", language), _report(one, language)
    yield word("ledger", language), [
        h.code[one.ledger], f", {one.entries} {word('entries', language)}, ", h.code[one.root]
    ]  # fmt: skip


def _shown(said: str, language: Language) -> str:
    return word("withheld", language) if said == "withheld" else said or word("unstated", language)


def _report(one: Entry, language: Language) -> Node:
    report = one.exit_report
    said = word("report_withheld" if report.status == "withheld" else report.status, language)
    if report.outcome:
        said += f"; {word('outcome', language)}: {plain(report.outcome)}"
    return [said, [[h.br, h.code[digest]] for digest in (report.report, report.proof) if digest]]


def _halt(halt: HaltLine, language: Language) -> Node:
    times = [("begun", halt.begun), ("acknowledged", halt.acknowledged), ("verified", halt.verified)]
    times.append(("released", halt.released))
    none = f"({word('not_yet', language)})"
    said = "; ".join(f"{word(name, language)} {none if at is None else stamp(at)[:19]}" for name, at in times)
    link = h.a(href=f"{quote(halt.statement)}.html")[word("statement", language)]
    if halt.annulled:
        said += f"; {word('annulled', language)}"
    return h.li[f"{_reason_word(halt.reason, language)}: {said}; ", link]


def _reason(change: Change, language: Language) -> str:
    said = _reason_word(change.reason, language)
    if change.halt:
        said += f" ({word('halts', language)})" if language == "zh" else " (halt)"
    return said + (f": {', '.join(change.fields)}" if change.fields else "")


def _reason_word(reason: str, language: Language) -> str:
    english = REASONS[Reason(reason)] if reason in set(Reason) else plain(reason)
    return REASONS_ZH.get(reason, english) if language == "zh" else english
