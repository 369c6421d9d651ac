"""Checks charters that stand in a ledger: the document has the hash that its entry and its decision name.

The hash is that of the whole charter. Parts of it may be withheld, with commitments in their place; then it can be
checked only with all of them disclosed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from monitor.model.canonical import canonical
from monitor.notary.commitment import WITHHELD, Plaintext
from monitor.notary.encoding import Entry, EntryType
from monitor.notary.typed import joined, whole_id
from monitor.verifier.report import Report

_IN_FORCE = (b'"reason":"admitted"', b'"reason":"amended"')


class Charters:
    """Follows the entries of one log. `finish` reports the check `charter.hash`."""

    def __init__(self, where: str, report: Report, texts: Iterable[Plaintext]) -> None:
        self._where, self._report = where, report
        self._texts: dict[str, dict[str, str]] = {}
        for text in texts:
            if text.field.startswith(WITHHELD):
                self._texts.setdefault(text.id, {})[text.field.removeprefix(WITHHELD)] = text.text
        self._decided: dict[str, str] = {}
        self._parts: list[dict[str, Any]] = []
        self._checked = self._unknown = 0

    def take(self, number: int, entry: Entry) -> bool:
        """Take the next entry; returns whether it is sound."""
        if entry.type.numbered and any(word in entry.body for word in _IN_FORCE):
            self._decided[entry.id] = str(entry.record().get("charter"))
        if entry.type is not EntryType.CHARTER:
            return True
        self._parts.append(entry.record())
        if len(self._parts) < self._parts[0]["parts"]:
            return True
        parts, self._parts = self._parts, []
        problem = self._problem(parts)
        if problem:
            self._report.failed("charter.hash", self._where, problem, number)
        return not problem

    def _problem(self, parts: list[dict[str, Any]]) -> str:
        try:
            record = joined(parts)
        except (ValueError, KeyError):
            return ""  # `entry.parts` reports it
        except (TypeError, RecursionError):
            return "the parts do not make a charter"
        named = record["charter"]
        decided = self._decided.get(record["decision"], named)
        if decided != named:
            return f"the decision {record['decision']} names the charter {decided}, this entry {named}"
        texts = self._texts.get(whole_id(record), {})
        if set(record["withheld"]) - set(texts):
            self._unknown += 1
            return ""
        self._checked += 1
        try:
            found = _hash(record["document"], {path: texts[path] for path in record["withheld"]})
        except (LookupError, TypeError, ValueError, RecursionError) as error:
            return f"the parts that were withheld do not fit into the charter: {error!r}"
        return "" if found == named else f"the charter has the hash {found}, its decision names {named}"

    def finish(self) -> None:
        """Report the check."""
        if self._unknown:
            count = f"{self._unknown} of {self._unknown + self._checked} charters have parts that are withheld"
            self._report.not_run("charter.hash", self._where, f"{count} and were not disclosed (--disclosed)")
        if self._checked:
            self._report.passed("charter.hash", self._where)


def _hash(document: dict[str, Any], withheld: dict[str, str]) -> str:
    for path, text in withheld.items():
        *parents, last = path.split(".")
        place: Any = document
        for name in parents:
            place = place[int(name)] if isinstance(place, list) else place[name]
        place[last] = json.loads(text)
    return hashlib.sha256(canonical(document)).hexdigest()
