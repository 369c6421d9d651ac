"""The begin of a page without scripts or external resources, for documents that are kept and printed."""

from __future__ import annotations

from html import escape

STYLE = """
:root{color-scheme:light dark;--ink:#1d2733;--soft:#5a6675;--paper:#fff;--rule:#dfe4ea}
@media (prefers-color-scheme:dark){:root{--ink:#e8edf3;--soft:#a3afbd;--paper:#141a21;--rule:#313c49}}
body{font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;color:var(--ink);
background:var(--paper);max-width:960px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:.2rem}h2{margin-top:2rem;font-size:1.15rem}
p.lead,.soft{color:var(--soft)}table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .7rem .3rem 0;border-bottom:1px solid var(--rule)}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}code{font-size:.85em;overflow-wrap:anywhere}
"""


def head(title: str, language: str = "en", more: str = "") -> str:
    """Everything before the content of a page; `more` is CSS after that of every page."""
    return (
        f"<!doctype html><html lang={language}><meta charset=utf-8><meta name=viewport content='width=device-width'>\n"
        f"<title>{escape(title)}</title><style>{STYLE}{more}</style>"
    )
