"""The report of a halt as a document: what a regulator can defend, each statement with the entries it rests on."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import htpy as h
from htpy import Node

from monitor.console.svg.style import STYLE
from monitor.projections.evidence_words import evidence_sentence, strength_words
from monitor.projections.formats import e_value, figure, percent, stamp
from monitor.projections.guarantee_words import guarantee
from monitor.projections.measures import HANDLING_TIME
from monitor.projections.wording import plain
from monitor.public_record.documents.charter_words import (
    charter_of,
    clause_words,
    duration_words,
    interval_words,
    limit_words,
)
from monitor.public_record.documents.cited import Cited, how_to_verify
from monitor.public_record.documents.halt import HaltReport, Measured, Step, spec_of
from monitor.public_record.documents.parts import incomplete, running, source_words, steps_table, withheld
from monitor.public_record.documents.picture import evidence_picture
from monitor.public_record.documents.source import Source
from monitor.public_record.documents.words import (
    addressee,
    level_words,
    reason_words,
    seconds_words,
)
from monitor.public_record.statement import decision_of
from monitor.report.frame import document, facts, section
from monitor.translation import current, tr, trn

Row = tuple[Node, Node, Node]


def halt_page(made: HaltReport, source: Source) -> str:
    """The document in the language that is spoken."""
    cite = Cited(source.ledger.file)
    title = tr("Halt {number} of pilot {pilot}", number=made.number, pilot=made.pilot)
    begun = source.pilot.halts()[made.number - 1].begun
    body = [
        h.h1[title],
        h.p(".lead")[_lead(made)],
        incomplete(made.remarks),
        h.p(".gist")[_gist(made, source), " ", cite(made.place)],
        section(tr("What was measured"), _measured(made, source, cite), id_="measured"),
        section(tr("By which rule it was decided"), facts(_rule(made, source, cite)), id_="rule"),
        section(tr("Who had to know, and when"), *_told(made, cite), id_="told"),
        section(tr("How the service answered"), *_response(made, cite), id_="response"),
        section(tr("What happened since"), *_since(made, cite), id_="since"),
        evidence_picture(source, made, begun),
        section(tr("What the firm can do"), *_redress(made), id_="redress"),
        section(tr("Entries and checkpoint"), cite.entries(source.files), id_="entries"),
        how_to_verify(again(made), source.ledger),
        withheld(made.version, made.withheld),
    ]
    return document(title, body, running(made.pilot, made.checkpoint), STYLE)


def again(made: HaltReport) -> str:
    """The command that makes this document again."""
    more = " --for parties" if made.version == "parties" else ""
    return (
        f"sandbox-monitor report halt {shlex.quote(made.pilot)} --ledger LEDGER --entry {made.place.entry} "
        f"--lang {current()}{more} --out halt.html"
    )


def _lead(made: HaltReport) -> str:
    said = tr(
        "Pilot {pilot} of {firm}, under {authorities}.",
        pilot=made.pilot, firm=made.participant, authorities=", ".join(name for _, name in made.authorities),
    )  # fmt: skip
    return f"{said} {source_words(made.version)}"


def _gist(made: HaltReport, source: Source) -> str:
    when, numbers = stamp(made.at), _numbers(made, source)
    if made.rule.reason == "limit_exceeded" and numbers:
        return tr(
            "On {when} the service was commanded to stop because {indicator} exceeded the limit of the charter: "
            "{numbers}.", when=when, indicator=_indicator(made.measured), numbers=numbers,
        )  # fmt: skip
    if made.rule.reason == "hard_rule":
        return tr(
            "On {when} the service was commanded to stop because one event met the hard rule “{rule}” of the charter.",
            when=when, rule=plain(made.rule.name),
        )  # fmt: skip
    if made.by_person:
        return tr(
            "On {when} the service was commanded to stop by a person at the authority: {reason}.",
            when=when, reason=reason_words(made.rule.reason),
        )  # fmt: skip
    return tr("On {when} the service was commanded to stop: {reason}.", when=when,
              reason=reason_words(made.rule.reason))  # fmt: skip


def _indicator(measured: Measured | None) -> str:
    if measured is None:
        return ""
    return plain(measured.indicator) + (f", {plain(measured.segment)}" if measured.segment else "")


def _numbers(made: HaltReport, source: Source) -> str:
    begun = source.pilot.halts()[made.number - 1].begun
    decision = decision_of(begun, None)
    if decision is None or made.measured is None:
        return ""
    return evidence_sentence(decision, charter_of(source.pilot.charter_at(begun["at"]))) or ""


def _measured(made: HaltReport, source: Source, cite: Cited) -> Node:
    found = made.measured
    if found is None:
        return h.p[_nothing_measured(made)]
    return facts(_measurements(found, made, source, cite))


def _nothing_measured(made: HaltReport) -> str:
    if made.rule.reason == "hard_rule":
        return tr("Nothing was averaged: one event suffices.")
    return tr("No measurement is involved in this halt.")


def _measurements(found: Measured, made: HaltReport, source: Source, cite: Cited) -> Iterator[Row]:
    refs = cite(made.place)
    charter = source.pilot.charter_at(made.at)
    spec = spec_of(charter, found.indicator)
    yield tr("Indicator"), _indicator(found), refs
    numbers = _numbers(made, source)
    if numbers:
        yield tr("Observed"), numbers, refs
    if spec is not None and limit_words(spec):
        yield tr("Limit of the charter"), limit_words(spec), cite(made.rule.charter_place)
    if found.ratio is not None:
        ends = (found.ratio_low, found.ratio_high)
        said = figure(found.ratio)
        if None not in ends:
            said = tr("{ratio} (95 % interval of this period: {low} to {high})", ratio=said,
                      low=figure(found.ratio_low or 0.0), high=figure(found.ratio_high or 0.0))  # fmt: skip
        yield tr("Observed over allowed"), said, refs
    if found.until_halt is not None:
        unit = "" if found.kind == "proportion" else found.unit
        if spec is not None and spec.kind == HANDLING_TIME:
            said = duration_words(found.until_halt)
        else:
            said = interval_words(found.until_halt, found.kind, found.per, unit)
        yield (
            tr("Mean from the beginning up to the halt, with an interval valid at any time (95 %)"),
            [
                said, "; ",
                tr("{events} events in {exposure} counted", events=figure(found.until_halt.events),
                   exposure=figure(found.until_halt.exposure)),
                ". ",
                tr("A mean over the whole time can lie within the limit although a recent rise does not."),
            ],
            cite(*found.evidence),
        )  # fmt: skip
    if found.provisional:
        yield tr("Period"), tr("The period was still open when it was decided."), refs


def _rule(made: HaltReport, source: Source, cite: Cited) -> Iterator[Row]:
    rule, refs = made.rule, cite(made.place)
    yield tr("Rule"), reason_words(rule.reason), refs
    if rule.hard_rule is not None:
        yield tr("Hard rule of the charter"), _hard_rule(rule.hard_rule), cite(rule.charter_place)
    if rule.incident:
        yield tr("Event"), h.code[rule.incident], refs
    yield tr("Method"), _method(made), None
    if rule.statistical:
        yield from _statistics(made, source, cite)
    who = tr("a person in the role of officer at the authority") if made.by_person else tr(
        "the monitor, by the rules that firm and authority signed; no person took part"
    )  # fmt: skip
    yield tr("Decided by"), who, refs
    if rule.text:
        yield tr("Reason given"), h.q[rule.text], refs
    yield tr("Decided at"), stamp(made.at), refs
    version = "–" if rule.charter_version is None else str(rule.charter_version)
    said = tr("version {version}, SHA-256 {digest}", version=version, digest=rule.charter)
    yield tr("Charter"), said, cite(rule.charter_place)
    clauses = [h.li[clause_words(one)] for one in rule.clauses]
    cites_none = tr("the charter cites no clause for this rule")
    yield tr("Legal basis"), h.ul[clauses] if clauses else cites_none, refs


def _hard_rule(rule: dict[str, object]) -> str:
    def listed(name: str) -> str:
        values = rule.get(name) or ()
        return ", ".join(plain(str(one)) for one in values) if isinstance(values, list | tuple) else ""

    level = str(rule["level"])
    level = level_words({"watch": 1, "escalate": 2, "halt": 3}.get(level, 3))
    if rule.get("unregistered_model"):
        return tr("one event of a model that the charter does not list leads to {level}", level=level)
    if rule.get("boundary"):
        return tr("data that crossed a boundary of the charter leads to {level}", level=level)
    return tr("one event with severity {severity} and harm {harm} leads to {level}",
              severity=listed("severity") or tr("any"), harm=listed("harm") or tr("any"), level=level)  # fmt: skip


def _method(made: HaltReport) -> str:
    if made.rule.statistical:
        return tr(
            "A statistic (an e-value) that measures evidence against the hypothesis that the service keeps this "
            "limit. It may be looked at after every event: the halt follows when it reaches its threshold."
        )
    if made.rule.reason == "hard_rule":
        return tr("One event that the charter lists as a hard rule halts at once; no statistic is involved.")
    if made.by_person:
        return tr("A decision of a person at the authority; no statistic is involved.")
    return tr("A rule of the charter or of the sandbox; no statistic is involved.")


def _statistics(made: HaltReport, source: Source, cite: Cited) -> Iterator[Row]:
    rule, refs = made.rule, cite(made.place)
    begun = source.pilot.halts()[made.number - 1].begun
    if rule.e_value and rule.statistic is not None and rule.threshold is not None:
        said = tr("{value}; threshold {threshold}: reached", value=e_value(rule.statistic),
                  threshold=e_value(rule.threshold))  # fmt: skip
        decision = decision_of(begun, None)
        strength = None if decision is None else strength_words(decision.finding)
        yield tr("Evidence (e-value)"), [said, "; ", strength] if strength else said, refs
    charter = charter_of(source.pilot.charter_at(made.at))
    promised = None if charter is None else guarantee(charter)
    if promised is not None:
        yield tr("Guarantee"), promised.promise, cite(rule.charter_place)
    if rule.alpha is not None:
        yield tr("Part of it that this threshold may use"), percent(rule.alpha), refs
    if promised is not None:
        holds = [h.li[one] for one in promised.holds_if]
        yield tr("It holds if"), h.ul[holds] if holds else "–", cite(rule.charter_place)
        yield tr("It is not about"), h.ul[[h.li[one] for one in promised.not_covered]], cite(rule.charter_place)


def _told(made: HaltReport, cite: Cited) -> Iterator[Node]:
    names = dict(made.authorities)
    rows: list[Row] = []
    if made.told:
        said = ", ".join(addressee(one, names) for one in made.told)
        rows.append((tr("Decision addressed to"), tr("{who}, at {when}", who=said, when=stamp(made.at)),
                     cite(made.place)))  # fmt: skip
    else:
        said = ", ".join(name for _, name in made.authorities)
        rows.append((tr("Responsible authority"), said, cite(made.rule.charter_place)))
    for action, dry, resent, place in made.commands:
        rows.append((_command(action, dry), stamp(place.at) + (
            "; " + trn("resent {n} time", "resent {n} times", resent) if resent else ""), cite(place)))  # fmt: skip
    yield facts(rows)
    yield h.p(".soft")[
        tr(
            "The ledger records to whom a decision was addressed and when the command was issued. Delivery of a "
            "notification to a person is recorded by the notification service, not by the ledger."
        )
    ]


def _command(action: str, dry: bool) -> str:
    if dry:
        return tr("Drill command to the service")
    return tr("Halt command to the service") if action == "halt" else tr("Release command to the service")


def _response(made: HaltReport, cite: Cited) -> Iterator[Node]:
    yield facts((
        _answer(tr("Acknowledged"), made.acknowledged, cite),
        _answer(tr("Stop verified by heartbeats"), made.verified, cite),
    ))  # fmt: skip
    if made.response:
        yield steps_table(tr("Each step"), made.response, cite)


def _answer(name: str, step: Step | None, cite: Cited) -> Row:
    if step is None:
        return name, tr("not on record"), None
    if step.seconds is None:
        return name, stamp(step.at), cite(step.place)
    return (
        name,
        tr("{when}, {time} after the command", when=stamp(step.at), time=seconds_words(step.seconds)),
        cite(step.place),
    )


def _since(made: HaltReport, cite: Cited) -> Iterator[Node]:
    state = tr("The halt is in force.") if made.in_force else tr("The halt is no longer in force.")
    yield h.p[h.b[state]]
    if made.annulled is not None:
        yield h.p[
            tr("An approver annulled this decision on {when}: it was wrong, and counts no longer against the firm.",
               when=stamp(made.annulled.at)),
            " ", cite(made.annulled.place),
        ]  # fmt: skip
    if made.grounds:
        yield h.p[
            trn("{n} further finding would have halted as well.", "{n} further findings would have halted as well.",
                len(made.grounds)),
            " ", cite(*(one.place for one in made.grounds)),
        ]  # fmt: skip
    if made.since:
        yield steps_table(tr("Evaluations, approvals, deadlines and other decisions"), made.since, cite)
    else:
        yield h.p[tr("No other decision is on record.")]
    if made.left_out:
        yield h.p(".soft")[trn("{n} later decision is not listed.", "{n} later decisions are not listed.",
                               made.left_out)]  # fmt: skip
    if made.routine:
        yield h.p(".soft")[
            trn("{n} finding of the running monitoring is not listed.",
                "{n} findings of the running monitoring are not listed.", made.routine)
        ]  # fmt: skip


def _redress(made: HaltReport) -> Iterator[Node]:
    yield h.ol[
        h.li[tr("Record a corrective action: finding, cause, action, evidence.")],
        h.li[
            tr("Pass a new evaluation on the scenarios of the charter; in tiers high and critical not by the firm "
               "itself.")
        ],
        h.li[tr("Two different approvers of the authority agree; the firm names neither of them.")],
        h.li[tr("An officer releases the halt; the firm then decides when to resume.")],
    ]  # fmt: skip
    yield h.p[
        tr("Appeal: compute the decision again from the recorded telemetry and compare it with the ledger. Objections "
           "go to the authority, and to the courts as its law provides.")
    ]  # fmt: skip
    yield h.pre(tabindex="0")[
        f"sandbox-monitor export --pilot {shlex.quote(made.pilot)}\nsandbox-monitor ledger compare LEDGER HISTORY"
    ]
