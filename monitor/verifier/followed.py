"""One log while it is read: rules of its entries, tree heads at chosen sizes, disclosed texts. For every kind of input.

`Followed.take` sees each entry once, in order, whatever it was read from (a ledger file, tiles, a bundle).
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from monitor.notary.commitment import Plaintext, by_entry, committed, get
from monitor.notary.encoding import Entry
from monitor.notary.entry_rules import Broken, EntryRules
from monitor.notary.format import DECISIONS, LogName
from monitor.tlog.merkle import Frontier
from monitor.verifier.anchors import Anchors
from monitor.verifier.charters import Charters
from monitor.verifier.entry_lines import Shown
from monitor.verifier.report import Report, Subject

_RULES = (
    "entry.encoding", "entry.body", "entry.pilot", "entry.id", "entry.standing", "entry.gap", "entry.epoch",
    "entry.version", "entry.log", "entry.parts",
)  # fmt: skip
_OF_BODIES = ("entry.body", "entry.log", "entry.parts")  # not run without them


def log_of(name: LogName) -> str:
    """The name of a published log, from what the header of its ledger file says: the file can have any name."""
    readable = re.sub(r"[^a-z0-9]+", "-", name.subject.lower())[:40].strip("-")
    digest = hashlib.sha256(name.subject.encode()).hexdigest()[:16]
    log = "" if name.log == DECISIONS else name.log
    return "-".join(filter(None, (log, str(name.year or ""), readable, digest)))


class Followed:
    """Follows the entries of one log of `model` (of a file: what its header says) and reports what they break.

    `sizes` are sizes at which the tree head is wanted; `heads` has them afterwards, with the head of the whole log.
    `shown` are the disclosed texts that match their commitments.
    `start` is the number of the first entry in its log: a bundle may begin later."""

    def __init__(
        self, where: str, model: LogName | str, anchors: Anchors, report: Report, sizes: set[int], start: int = 0
    ) -> None:
        name, model = (model, model.subject) if isinstance(model, LogName) else (None, model)
        self.where = where
        self.model = model
        self.name = name
        self.tree = Frontier()
        self.heads: dict[int, bytes] = {}
        self.shown: set[Plaintext] = set()
        self._report = report
        self._start = start
        self._keeps = anchors.entries
        self._structure = anchors.structure
        self._roots = {bytes.fromhex(root): root for root in anchors.roots}
        self._found: dict[str, int] = {}
        self._sizes = sizes
        self._rules = EntryRules(model, bodies=not anchors.structure, name=name)
        self._pending = by_entry(text for text in anchors.texts if text.pilot == model)
        self._told = bool(self._pending)
        self._charters = None if anchors.structure else Charters(where, report, anchors.texts)
        self._note_head()

    @property
    def log(self) -> str:
        """The name of the log of a ledger file, whatever the name of the file."""
        return Path(self.where).stem if self.name is None else log_of(self.name)

    @property
    def beginning(self) -> dict[str, Any] | None:
        """What the beginning of a shard says of the shard before it; `None` where there is none."""
        return self._rules.beginning

    def take(self, raw: bytes, leaf: bytes, start: int | None = None) -> bool:
        """Take the next entry and its leaf hash; `start` is its offset in the file. Returns whether to go on."""
        entry = self._rules.take(raw)
        if isinstance(entry, Broken):
            offset = None if start is None else start + entry.offset
            self._report.failed(entry.check, self.where, entry.problem, self.tree.size, offset)
            return False
        texts = self._pending.pop(entry.id, []) if self._pending else []
        if texts:
            self._disclosed(entry, texts)
        if self._keeps:
            told = {text.field: text.text for text in texts}
            self._report.entries.append(Shown(self.where, self._start + self.tree.size, entry, told))
        if self._charters is not None and not self._charters.take(self.tree.size, entry):
            return False
        self.tree.push(leaf)
        if self._roots or self.tree.size in self._sizes:
            self._note_head()
        return True

    def finish(self, kind: str) -> Subject:
        """Report the rules that every entry kept; call it once all entries were taken."""
        for check in _RULES:
            if check not in _OF_BODIES or not self._structure:
                self._report.passed(check, self.where)
        for identity in sorted(self._pending):
            self._report.failed(
                "text.commitment", self.where, f"there is no entry {identity}, of which a text is given"
            )
        if self._told and not self._pending:
            self._report.passed("text.commitment", self.where)
        if self._charters is not None:
            self._charters.finish()
        self._first_and_doubtful()
        standings, root = self._rules.standings, self.tree.root()
        self.heads[self.tree.size] = root
        subject = Subject(
            kind, self.where, self.model, self.tree.size, root.hex(), self._found, standings.first, standings.last
        )
        self._report.subjects.append(subject)
        return subject

    def _first_and_doubtful(self) -> None:
        standings = self._rules.standings
        if standings.first is not None and standings.first > 1:
            self._report.warned(
                "entry.first",
                self.where,
                f"begins at standing {standings.first}; earlier decisions are not in this file",
            )
        elif standings.first is not None:
            self._report.passed("entry.first", self.where)
        if standings.doubtful:
            numbers = ", ".join(map(str, standings.doubtful))
            self._report.warned(
                "entry.gap",
                self.where,
                f"no entry at standing {numbers}: an older version may have dropped it as a repeat of the `cleared` "
                "before it; compare with the decisions log",
            )

    def _note_head(self) -> None:
        head = self.tree.root()
        if self.tree.size in self._sizes:
            self.heads[self.tree.size] = head
        if head in self._roots:
            self._found[self._roots[head]] = self.tree.size

    def _disclosed(self, entry: Entry, texts: list[Plaintext]) -> None:
        try:
            record = entry.record()
        except ValueError:
            record = {}
        for text in texts:
            expected = committed(get(record, text.field))
            if not expected or expected != text.commitment():
                message = f"{text.field} of entry {entry.id} does not match the disclosed text"
                self._report.failed("text.commitment", self.where, message, self.tree.size)
            else:
                self.shown.add(text)
