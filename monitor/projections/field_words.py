"""The typed fields of acts, by the names under which decisions record them. Pure."""

from __future__ import annotations

from monitor.translation import mark, tr

FIELDS: dict[str, str] = {
    "about": mark("about"),
    "added": mark("added"),
    "advised": mark("advised"),
    "architecture": mark("architecture"),
    "base": mark("base"),
    "base_version": mark("base version"),
    "basis": mark("basis"),
    "by": mark("by"),
    "candidate": mark("candidate"),
    "cap": mark("cap"),
    "charter": mark("charter"),
    "class": mark("class"),
    "closed": mark("closed"),
    "complaints": mark("complaints"),
    "country": mark("country"),
    "dataset": mark("dataset"),
    "day": mark("day"),
    "decision": mark("decision"),
    "digest": mark("digest"),
    "due": mark("due"),
    "entry": mark("entry"),
    "every": mark("every"),
    "findings": mark("findings"),
    "grounds": mark("grounds"),
    "groups": mark("groups"),
    "harm": mark("harm"),
    "ignored": mark("ignored"),
    "incident": mark("incident"),
    "intended": mark("intended"),
    "kind": mark("kind"),
    "lacks": mark("lacks"),
    "late": mark("late"),
    "legal_basis": mark("legal basis"),
    "licence": mark("licence"),
    "limitation": mark("limitation"),
    "measures": mark("measures"),
    "model": mark("model"),
    "modification": mark("modification"),
    "months": mark("months"),
    "name": mark("name"),
    "number": mark("number"),
    "origin": mark("origin"),
    "outcome": mark("outcome"),
    "outside": mark("outside"),
    "outside_at": mark("outside at"),
    "passed": mark("passed"),
    "personal": mark("personal"),
    "pilot": mark("pilot"),
    "proof": mark("proof"),
    "purpose": mark("purpose"),
    "reasons": mark("reasons"),
    "record": mark("record"),
    "reference": mark("reference"),
    "released": mark("released"),
    "removed": mark("removed"),
    "repeated": mark("repeated"),
    "report": mark("report"),
    "role": mark("role"),
    "rules": mark("rules"),
    "rules_digest": mark("rules digest"),
    "scenario": mark("scenario"),
    "scope": mark("scope"),
    "sector": mark("sector"),
    "sha256": mark("sha256"),
    "special": mark("special"),
    "step": mark("step"),
    "subjects": mark("subjects"),
    "supplier": mark("supplier"),
    "template": mark("template"),
    "text": mark("text"),
    "tier": mark("tier"),
    "until": mark("until"),
    "version": mark("version"),
    "was": mark("was"),
    "firm aware since": mark("firm aware since"),
    "over budget": mark("over budget"),
}
"""In English each is its recorded name, with spaces; names of measures and scenarios are not listed."""


def field_name(name: str) -> str:
    """The name of a typed field, in the language that is spoken; of a measure as it is recorded.

    >>> field_name("legal_basis"), field_name("result/recall")
    ('legal basis', 'result/recall')
    """
    return tr(FIELDS[name]) if name in FIELDS else name.replace("_", " ").strip()
