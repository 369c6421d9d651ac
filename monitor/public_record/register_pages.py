"""The register as static pages in English and Chinese, without scripts: lists that are sorted and grouped beforehand, a
page for each pilot and each halt, and a feed of changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from html import escape
from urllib.parse import quote

from monitor.model.records import Reason
from monitor.projections.formats import day, moment, stamp
from monitor.projections.wording import REASONS, plain
from monitor.public_record import statement_page
from monitor.public_record.annual_page import incomplete
from monitor.public_record.ledgers import Remark
from monitor.public_record.register import Change, Entry, HaltLine, Listed, as_json, register_of
from monitor.public_record.register_words import LANGUAGES, NAMES, REASONS_ZH, STATES, Language, word
from monitor.report.page import head

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


def _frame(title: str, language: Language, name: str, body: str) -> str:
    others = " ".join(
        f"<a href='{quote(_page(name, one))}.html' lang={one} hreflang={one}>{NAMES[one]}</a>"
        for one in LANGUAGES
        if one != language
    )
    home = f"<a href='{_page('index', language)}.html'>{escape(word('register', language))}</a>"
    feeds = "<link rel=alternate type='application/feed+json' href='feed.json'>"
    top = f"<p class=soft>{home} · {others} · <a href='feed.json'>feed</a> · <a href='register.json'>JSON</a></p>"
    return f"{head(title, language, CSS)}{feeds}\n{top}<main><h1>{escape(title)}</h1>{body}</main>\n"


def _index(name: str, entries: Sequence[Entry], remarks: tuple[Remark, ...], language: Language) -> str:
    links = "".join(
        f"<li><a href='{_page(one, language)}.html'>{escape(_by(one, language))}</a>"
        for one in ("index", *LISTS, "changed")
        if one != name
    )
    title = word("register", language)
    if name != "index":
        title += f", {_by(name, language)}"
    body = f"<p class=lead>{escape(word('lead', language))}</p>{incomplete(remarks)}"
    body += f"<nav aria-label='{escape(word('list', language))}'><ul>{links}</ul></nav>"
    if name in LISTS:
        return _frame(title, language, name, body + _grouped(name, entries, language))
    key = (lambda one: (-_last(one), one.pilot)) if name == "changed" else (lambda one: (0, one.pilot))
    return _frame(title, language, name, body + _table(sorted(entries, key=key), language))


def _by(name: str, language: Language) -> str:
    return word("by", language).format(what=_title(name, language))


def _title(name: str, language: Language) -> str:
    said = word("pilot" if name == "index" else name, language)
    return said[0].lower() + said[1:]


def _last(entry: Entry) -> int:
    return max((change.at for change in entry.changes), default=0)


def _grouped(name: str, entries: Sequence[Entry], language: Language) -> str:
    groups: dict[str, list[Entry]] = {}
    for one in entries:
        for group in dict.fromkeys(LISTS[name](one)):
            groups.setdefault(group, []).append(one)
    order = sorted(groups, key=lambda group: (group in ("", "withheld"), group))
    links = "".join(
        f"<li><a href='#g{place}'>{escape(_group(name, group, language))} ({len(groups[group])})</a>"
        for place, group in enumerate(order)
    )
    tables = "".join(
        f"<h2 id=g{place}>{escape(_group(name, group, language))}</h2>{_table(groups[group], language)}"
        for place, group in enumerate(order)
    )
    return f"<nav aria-label='{escape(_title(name, language))}'><ul>{links}</ul></nav>{tables}"


def _group(name: str, group: str, language: Language) -> str:
    if not group:
        return word("unstated", language)
    if name == "state":
        return _state(group, language)
    return word("withheld", language) if group == "withheld" else group


def _table(entries: Sequence[Entry], language: Language) -> str:
    names = ("pilot", "firm", "state", "tier", "sector", "region", "authority", "halts", "changed")
    heads = "".join(f"<th scope=col{' class=n' if name == 'halts' else ''}>{word(name, language)}" for name in names)
    rows = "".join(_line(one, language) for one in entries)
    counted = f"<p class=soft>{len(entries)} {word('pilots', language)}</p>"
    return f"{counted}<div class=wide><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"


def _line(one: Entry, language: Language) -> str:
    halted = " class=halted" if {"halted", "suspended"} & set(one.others) else ""
    states = ", ".join(_state(state, language) for state in (one.state, *one.others))
    cells = [("firm", escape(one.name)), ("state", f"<span{halted}>{escape(states)}</span>")]
    for name in ("tier", "sector", "region"):
        said = one.said(name)
        shown = word("withheld", language) if said == "withheld" else said or word("unstated", language)
        cells.append((name, escape(shown)))
    cells += [("authority", escape(", ".join(one.responsible))), ("halts", str(len(one.halts)))]
    cells.append(("changed", day(_last(one))))
    link = f"<td><a href='{quote(_page(one.page, language))}.html'>{escape(one.pilot)}</a>"
    tds = "".join(
        f"<td data-name='{escape(word(name, language))}'{' class=n' if name == 'halts' else ''}>{text}"
        for name, text in cells
    )
    return f"<tr>{link}{tds}</tr>"


def _state(state: str, language: Language) -> str:
    return STATES.get(state, plain(state)) if language == "zh" else plain(state)


def _pilot(one: Entry, language: Language) -> str:
    halts = "".join(_halt(halt, language) for halt in one.halts)
    changes = "".join(
        f"<tr><td>{stamp(change.at)[:19]}<td data-name='{word('reason', language)}'>{escape(_reason(change, language))}"
        f"<td class=n data-name='{word('entry', language)}'>{change.entry}</tr>"
        for change in one.changes
    )
    heads = "".join(f"<th scope=col>{word(name, language)}" for name in ("time", "reason"))
    heads += f"<th scope=col class=n>{word('entry', language)}"
    charter = "" if one.charter is None else json.dumps(one.charter, indent=1, ensure_ascii=False, sort_keys=True)
    body = (
        f"<dl>{''.join(f'<dt>{escape(name)}<dd>{text}' for name, text in _facts(one, language))}</dl>"
        f"<h2>{word('halts', language)}</h2>"
        + (f"<ul class=plain>{halts}</ul>" if halts else f"<p>{word('nothing_withheld', language)}</p>")
        + f"<h2>{word('changes', language)}</h2><div class=wide><table><thead><tr>{heads}</tr></thead><tbody>{changes}"
        f"</tbody></table></div><h2>{word('charter', language)}</h2>"
        f"<p class=soft>SHA-256 <code>{escape(one.charter_hash)}</code>. {word('withheld_fields', language)}: "
        f"{escape(', '.join(one.withheld) or word('nothing_withheld', language))}.</p>"
        + (f"<pre tabindex=0>{escape(charter)}</pre>" if charter else f"<p>{word('not_yet', language)}</p>")
    )
    return _frame(one.pilot, language, one.page, body)


def _facts(one: Entry, language: Language) -> Iterator[tuple[str, str]]:
    charter = one.charter or {}
    yield word("firm", language), escape(f"{one.name} ({one.participant})" if one.name != one.participant else one.name)
    yield word("state", language), escape(", ".join(_state(state, language) for state in (one.state, *one.others)))
    for name in ("tier", "sector", "region", "scenario"):
        said = one.said(name)
        yield word(name, language), _shown(said, language)
    cycle = charter.get("cycle") or {}
    yield word("cycle", language), escape(f"{cycle.get('start', '–')} – {cycle.get('end', '–')}")
    if "models" in one.withheld:
        models = word("withheld", language)
    else:
        models = ", ".join(str(m.get("version") or m["digest"]) for m in charter.get("models") or ())
    yield word("model", language), _shown(models, language)
    named = {str(a["id"]): str(a.get("name") or a["id"]) for a in charter.get("authorities") or ()}
    yield word("authority", language), escape(", ".join(named.get(a, a) for a in one.responsible))
    yield word("report", language), _report(one, language)
    ledger = f"<code>{escape(one.ledger)}</code>, {one.entries} {word('entries', language)}, <code>{one.root}</code>"
    yield word("ledger", language), ledger


def _shown(said: str, language: Language) -> str:
    return escape(word("withheld", language) if said == "withheld" else said or word("unstated", language))


def _report(one: Entry, language: Language) -> str:
    report = one.exit_report
    said = word("report_withheld" if report.status == "withheld" else report.status, language)
    if report.outcome:
        said += f"; {word('outcome', language)}: {plain(report.outcome)}"
    digests = "".join(f"<br><code>{escape(one)}</code>" for one in (report.report, report.proof) if one)
    return escape(said) + digests


def _halt(halt: HaltLine, language: Language) -> str:
    times = [("begun", halt.begun), ("acknowledged", halt.acknowledged), ("verified", halt.verified)]
    times.append(("released", halt.released))
    none = f"({word('not_yet', language)})"
    said = "; ".join(f"{word(name, language)} {none if at is None else stamp(at)[:19]}" for name, at in times)
    link = f"<a href='{quote(halt.statement)}.html'>{word('statement', language)}</a>"
    if halt.annulled:
        said += f"; {word('annulled', language)}"
    return f"<li>{escape(_reason_word(halt.reason, language))}: {escape(said)}; {link}"


def _reason(change: Change, language: Language) -> str:
    said = _reason_word(change.reason, language)
    if change.halt:
        said += f" ({word('halts', language)})" if language == "zh" else " (halt)"
    return said + (f": {', '.join(change.fields)}" if change.fields else "")


def _reason_word(reason: str, language: Language) -> str:
    english = REASONS[Reason(reason)] if reason in set(Reason) else plain(reason)
    return REASONS_ZH.get(reason, english) if language == "zh" else english
