"""What `replay` prints: decisions, rejections, the comparison with a record, and a summary; in words or as JSON
lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from monitor.cli.terminal import echo
from monitor.console.alpha import alpha_words
from monitor.console.report import level_change, reason_sentence
from monitor.model.records import Decision, Evidence, Outputs, Rejected, digest
from monitor.notary.compare import Compared, Comparison, Difference, why_not_compared
from monitor.projections.alpha_budget import AlphaRuns, alpha_use
from monitor.projections.formats import stamp

if TYPE_CHECKING:
    from monitor.cli.replay import Run

VERDICTS = {
    "same": "same",
    "different": "DIFFERENT",
    "not_recorded": "NOT RECORDED",
    "not_replayed": "NOT REPLAYED",
    "later": "later",
}


class Printer:
    """Prints while a run goes on. `digests` has one chained digest of each pilot's decisions."""

    def __init__(self, run: Run, *, as_json: bool, comparison: Comparison | None) -> None:
        self._run, self._json, self._comparison = run, as_json, comparison
        self._runs: dict[str, AlphaRuns] = {}
        self._counts = {"decisions": 0, "rejected": 0}
        self._skipped: dict[str, int] = {}
        self.digests: dict[str, str] = {}

    def begin(self) -> None:
        """Print the file and the assumptions."""
        if self._json:
            of = {"kind": self._run.kind, "pilots": sorted(self._run.pilots), "program": self._run.program}
            self._line(replay={"file": self._run.path.name, "assumes": self._run.assumptions, **of})
        for words in self._run.assumptions:
            echo(f"replay: {words}", err=True)

    def take(self, out: Outputs) -> None:
        """Print one step."""
        for rejected in out.rejected:
            self._counts["rejected"] += rejected.count
            self._rejected(rejected)
        for decision in out.decisions:
            self._counts["decisions"] += 1
            self._runs.setdefault(decision.pilot, AlphaRuns()).add_decision(decision)
            self.digests[decision.pilot] = digest(self.digests.get(decision.pilot, ""), decision.id, repr(decision))
            self._decision(decision)
        for entry in out.evidence:
            if isinstance(entry, Evidence):
                self._runs.setdefault(entry.pilot, AlphaRuns()).add_evidence(entry, self._run.charters[entry.pilot])
        for command in out.commands if self._comparison is not None else ():
            assert self._comparison is not None
            found = self._comparison.take(command)
            if found is not None and (self._json or found.verdict != "same"):
                self._compared(found, f"{stamp(found.at)}  {found.pilot}  command {command.action}")
            self._remember(found)

    def end(self) -> None:
        """Print missing records and the summary."""
        if self._comparison is not None:
            for found in self._comparison.rest(self._pilots(), self._run.received):
                if self._json or found.verdict != "later":
                    self._compared(found, f"{stamp(found.at)}  {found.pilot}  {found.kind} {found.reason}")
        self._runs.update(self._run.runs)
        for name in sorted(self._run.charters.keys() - self._runs.keys()):
            echo(f"{name}: never admitted: its admission is after the last event", err=True)
        summary: dict[str, Any] = {**self._counts, "events": self._run.events, "until": self._run.received}
        if self._comparison is not None:
            summary |= {
                **self._comparison.counts,
                "verdict": "same" if self._comparison.same else "different",
                "not_compared": {"epoch": "who wrote it, not what", **self._skipped},
                "other_pilots": len(self._comparison.other_pilots),
            }
        if self._json:
            self._line(summary=summary)
        else:
            self._alphas()
        if self._comparison is not None:
            self._verdict(self._comparison)

    def _pilots(self) -> Iterable[str]:
        return self._run.pilots or {*self._run.charters, *self.digests}

    def _decision(self, decision: Decision) -> None:
        found = None if self._comparison is None else self._comparison.take(decision)
        charter = self._run.charters.get(decision.pilot)  # none for the sandbox itself, and before an admission
        words = (
            f"{stamp(decision.at)}  {decision.pilot}  {level_change(decision)}  {reason_sentence(decision, charter)}"
        )
        if self._json:
            self._line(decision=decision)
        if found is not None:
            self._compared(found, words)
        elif not self._json:
            echo(words)
        self._remember(found)

    def _remember(self, found: Compared | None) -> None:
        for name in found.not_compared if found is not None else ():
            self._skipped[name] = self._skipped.get(name, 0) + 1

    def _compared(self, found: Compared, words: str) -> None:
        if self._json:
            self._line(compared=found)
            return
        echo(f"{VERDICTS[found.verdict]:<13}{words}")
        for one in found.differences:
            echo(f"{'':<13}{_difference(one)}")

    def _rejected(self, r: Rejected) -> None:
        line = r.offset + 1
        if self._json:
            self._line(rejected=r, **({"line": line} if self._run.kind == "events" else {}))
            return
        where = f"line {line}" if self._run.kind == "events" else f"{r.topic}/{r.partition}/{r.offset}"
        detail = f" ({r.detail})" if r.detail else ""
        events = f"; {r.count:,} events of it" if r.count > 1 else ""
        echo(f"{where} rejected: {r.field or 'record'}: {r.reason}{detail}{events}")

    def _alphas(self) -> None:
        for name, charter in sorted(self._run.charters.items()):
            uses = alpha_use(charter, self._runs.get(name, AlphaRuns()))
            echo(f"{name}: {alpha_words(uses, charter.alpha)}")

    def _verdict(self, comparison: Comparison) -> None:
        c = comparison.counts
        echo(
            f"against the record: {c['same']} same, {c['different']} different, {c['not_recorded']} not recorded, "
            f"{c['not_replayed']} not replayed; {c['later']} recorded after the end of this file",
            err=True,
        )
        skipped = [f"{name} of {count} ({why_not_compared(name)})" for name, count in sorted(self._skipped.items())]
        echo(f"not compared: {', '.join(['epoch (it depends on the run)', *skipped])}", err=True)
        if self._run.kind == "events" and not comparison.same:
            echo("no verdict follows from events alone: export the history, and use `ledger compare`", err=True)
        if comparison.other_pilots:
            echo(f"ignored: {len(comparison.other_pilots)} other pilots of the record", err=True)

    @staticmethod
    def _line(**fields: Any) -> None:
        echo(msgspec.json.encode(fields))


def _difference(one: Difference) -> str:
    return f"{one.field}: recorded {_short(one.recorded)}, replayed {_short(one.replayed)}"


def _short(value: Any) -> str:
    text = "nothing" if value is None else msgspec.json.encode(value).decode()
    return text if len(text) <= 200 else f"{text[:200]}..."
