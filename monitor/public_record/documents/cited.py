"""References of a document to ledger entries, and the table of the entries that it rests on."""

from __future__ import annotations

from collections.abc import Iterable

import htpy as h
from htpy import Node

from monitor.public_record.documents.source import Place
from monitor.public_record.documents.words import clock_time, reason_words
from monitor.public_record.ledgers import LedgerFile
from monitor.report.frame import commands, section, table
from monitor.translation import tr


class Cited:
    """Makes the references of one document and remembers the entries they name. `main` is the ledger file whose entries
    are cited by number alone; those of others are cited with a letter, which `entries()` explains. Without `main` each
    is cited with its subject: `pilot-1:17`."""

    def __init__(self, main: str) -> None:
        self._main = main
        self._letters: dict[str, str] = {}
        self._found: dict[tuple[str, int], Place] = {}

    def __call__(self, *places: Place | None) -> Node:
        """Links to entries, such as `[5, 7]`; nothing for no place."""
        found = [one for one in dict.fromkeys(places) if one is not None]
        if not found:
            return None
        links = [h.a(href=f"#entry-{self.label(one)}")[self.label(one)] for one in found]
        return ["[", [[", " if place else "", link] for place, link in enumerate(links)], "]"]

    def by_number(self, place: Place) -> Node:
        """A link to an entry, in a row that names its subject: by number alone."""
        return ["[", h.a(href=f"#entry-{self.label(place)}")[str(place.entry)], "]"]

    def label(self, place: Place) -> str:
        """The number of an entry, with the letter of its ledger; remembers it."""
        self._found.setdefault((place.file, place.entry), place)
        if place.file == self._main:
            return str(place.entry)
        if not self._main:
            return f"{place.file.rpartition('-')[0]}:{place.entry}"
        letter = self._letters.get(place.file)
        if letter is None:
            letter = self._letters[place.file] = _letter(place.file, self._letters.values())
        return f"{letter}{place.entry}"

    def entries(self, files: Iterable[LedgerFile]) -> Node:
        """The table of all entries that were cited, with their hashes and the ledgers they stand in."""
        rows = [
            (h.span(id=f"entry-{self.label(one)}")[self.label(one)], self._what(one), clock_time(one.at),
             h.code[one.hash])
            for _, one in sorted(self._found.items(), key=lambda item: (item[0][0] != self._main, item[0]))
        ]  # fmt: skip
        used = {file for file, _ in self._found} | {self._main}
        ledgers = [
            (h.code[one.file], self._letters.get(one.file, "–"), f"{one.entries:,}", h.code[one.root])
            for one in files if one.file in used or not self._main
        ]  # fmt: skip
        return [
            table(
                tr("Ledgers, as they were read (checkpoints)"),
                (tr("File"), tr("Letter"), tr("Entries"), tr("Root (RFC 6962)")), ledgers, (2,),
            ),
            table(
                tr("Entries that this document rests on"),
                (tr("Entry"), tr("What it records"), tr("Time"), tr("Leaf hash (RFC 6962)")), rows,
            ),
        ]  # fmt: skip

    @staticmethod
    def _what(place: Place) -> Node:
        said = reason_words(place.what)
        return tr("{what} (decision {number})", what=said, number=place.decision) if place.decision else said


def _letter(file: str, taken: Iterable[str]) -> str:
    """The letter of a ledger file: E for evidence, F for the file of a firm, the next free one for others."""
    wanted = "E" if file.startswith("evidence-") else "F" if file.startswith("firm") else "A"
    used = set(taken)
    number = 0
    while (found := wanted + "'" * number) in used:
        number += 1
    return found


def how_to_verify(again: str, ledger: LedgerFile | None = None) -> Node:
    """How a reader checks the document: commands to copy. `again` makes the document once more; without a `ledger` the
    document rests on a whole directory."""
    if ledger is None:
        what = [
            tr("LEDGER is the directory that holds the ledgers. The first command checks every entry of every ledger "
               "and prints the roots: compare them with those above. The second makes this document again, byte for "
               "byte."),
        ]  # fmt: skip
        lines = ["sandbox-monitor ledger verify LEDGER", again]
    else:
        what = [
            tr("LEDGER is the directory that holds the ledgers. The first command checks every entry and that the "
               "ledger still has the root above: nothing before it was changed. The second prints the entries under "
               "the numbers used here. The third makes this document again, byte for byte."),
        ]  # fmt: skip
        lines = [
            f"sandbox-monitor ledger verify LEDGER/{ledger.file} --root {ledger.root}",
            f"sandbox-monitor ledger show LEDGER/{ledger.file}",
            again,
        ]
    return section(
        tr("How to verify this document"),
        h.p[what],
        commands(*lines),
        h.p(".soft")[
            tr(
                "The verifier needs none of the monitor's code for this: it can be taken out of the package as one "
                "file. It ends with what the ledger does not establish: that the telemetry was true, and who holds a "
                "key. A leaf hash is the SHA-256 of a zero byte and the bytes of the entry."
            )
        ],
        id_="verify",
    )
