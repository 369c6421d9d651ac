"""Translation of what people read: board, reports, notifications and command line, from one catalogue.

English is the language of the source; `zh/` holds simplified Chinese, one gettext file per area. A message is a whole
sentence or label with named placeholders:

    tr("{events} events of {pilot} are late", events=3, pilot=name)
    trn("{n} pilot", "{n} pilots", n)
    mark("Charter limit exceeded")       # in a table; `tr(TABLE[key])` where it is shown
    trm("See {link}.", link=htpy_element)  # HTML: the message and plain values are escaped

The language is that of the innermost `speaking(...)`; English without one, so that ledgers, logs and JSON are the same
in every language. A message without a translation is shown in English; `tests/unit/translation` refuses such messages.
"""

from __future__ import annotations

from monitor.translation.catalogue import LANGUAGES, NAMES, PSEUDO, TAGS, Language, language_of
from monitor.translation.lookup import current, mark, speaking, tr, trm, trn

__all__ = [
    "LANGUAGES", "NAMES", "PSEUDO", "TAGS", "Language",
    "current", "language_of", "mark", "speaking", "tr", "trm", "trn",
]  # fmt: skip
