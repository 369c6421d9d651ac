"""The screening of an application: negative list, responsible authorities, tier by rule, standards, power. Pure.

`check_application` is for what the firm sends, `screen` for the officer's act. Each refusal names what is missing with
its field, and an item of the negative list with its legal reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from monitor.charter.application import Application, application_flaws, texts_of
from monitor.charter.spec import Charter
from monitor.compile.plan import STRICT
from monitor.compile.power import asked_power, power_problems
from monitor.compile.problem import Problem
from monitor.compile.standards import standard_problems
from monitor.compile.tier_rules import Facts, TierByRule, facts_of, tier_by_rule
from monitor.errors import ControlRefused
from monitor.lifecycle.prohibited import Match, matches
from monitor.lifecycle.sandbox import Prohibition, Sandbox
from monitor.model.events import Harm
from monitor.model.labels import alike
from monitor.model.refusals import Refusal

LISTED = 4  # problems in one refusal


class Screened(NamedTuple):
    """The result of a screening: the tier that the rules ask for with its reasons, and the answered items."""

    tier: TierByRule
    answered: tuple[Prohibition, ...]

    def words(self, charter: Charter) -> str:
        """The reasons of the tier and the answered items, in words."""
        reasons = [f"{one.tier}: {one.reason} ({one.reference})" for one in self.tier.reasons[:LISTED]]
        rule = f"tier {charter.tier}; by rule {'; '.join(reasons) or self.tier.tier}"
        answered = ", ".join(f"{item.id} ({item.reference})" for item in self.answered)
        return rule + (f"; answered: {answered}" if answered else "")


def check_application(application: Application, charter: Charter) -> None:
    """Raises ControlRefused for an application that does not hold together, or contradicts its charter."""
    for flaw in application_flaws(application, charter):
        words = f"{flaw.problem}; {flaw.fix}"
        raise ControlRefused(f"application.{flaw.field}", Refusal.BAD_APPLICATION, words)


def screen(application: Application, charter: Charter, sandbox: Sandbox, answers: Mapping[str, str]) -> Screened:
    """Screen an application under the charter that is to be agreed. Raises ControlRefused."""
    check_application(application, charter)
    _negative_list(matches(sandbox.prohibitions, texts_of(application, charter)), answers)
    check_responsible(charter, sandbox)
    facts = application_facts(application, charter)
    _refuse(Refusal.SCREENING_FAILED, standard_problems(charter, facts=facts, sandbox=sandbox))
    _refuse(Refusal.POWER_TOO_LOW, screen_power(charter))
    answered = tuple(item for item in sandbox.prohibitions if item.id in answers)
    return Screened(tier_by_rule(facts), answered)


def application_facts(application: Application, charter: Charter) -> Facts:
    """What the rules for the tier read: of the application, and what the charter states in addition."""
    stated = facts_of(charter)
    harms = {*stated.harms, *(one.harm for one in application.safeguards)} - {Harm.NONE}
    return Facts(
        sector=charter.sector,
        users=application.scope.cap,
        groups=(*application.scope.groups, *stated.groups),
        harms=tuple(harm for harm in Harm if harm in harms),
        special_data=application.data.special,
        decides=application.system.decides,
    )


def check_responsible(charter: Charter, sandbox: Sandbox) -> None:
    """Raises ControlRefused for an authority of the charter that is not in the sandbox, or not responsible for the
    charter's region and sector."""
    known = {one.id: one for one in sandbox.authorities}
    for index, named in enumerate(charter.authorities):
        field, one = f"charter.authorities[{index}].id", known.get(named.id)
        if one is None:
            words = f"the sandbox has no authority {named.id}; it has {', '.join(sorted(known)[:LISTED])}"
            raise ControlRefused(field, Refusal.NOT_RESPONSIBLE, words)
        if one.region and alike(one.region) != alike(charter.region):
            words = f"{named.id} is responsible for the region {one.region}, the charter is for {charter.region}"
            raise ControlRefused(field, Refusal.NOT_RESPONSIBLE, words)
        if one.sectors and alike(charter.sector) not in {alike(sector) for sector in one.sectors}:
            words = f"{named.id} is responsible for {', '.join(one.sectors)}, the charter is for {charter.sector}"
            raise ControlRefused(field, Refusal.NOT_RESPONSIBLE, words)


def refused_items(items: Iterable[str], sandbox: Sandbox) -> tuple[Prohibition, ...]:
    """The items of the negative list that a refusal names. Raises ControlRefused for an unknown one."""
    known = {item.id: item for item in sandbox.prohibitions}
    found = []
    for index, name in enumerate(items):
        if name not in known:
            words = f"the negative list has no item {name}; it has {', '.join(known)}"
            raise ControlRefused(f"items[{index}]", Refusal.BAD_CONFIGURATION, words[:500])
        found.append(known[name])
    return tuple(found)


def _negative_list(found: Iterable[Match], answers: Mapping[str, str]) -> None:
    """Refuse the first item of which a term was found and that is not answered."""
    for match in found:
        item = match.item
        if item.id in answers:
            continue
        words = f"{item.id}, {item.title} ({item.reference}): the text says “{match.term}”; refuse the application"
        words += f" with this item, or answer why {item.exceptions or 'the practice is another one'}"[:300]
        raise ControlRefused(_field(match.field), Refusal.SCREENING_FAILED, words)


def _field(name: str) -> str:
    return name if name.startswith("charter.") else f"application.{name}"


def screen_power(charter: Charter) -> list[Problem]:
    """What the plan of a grave tier cannot find."""
    return power_problems(charter, asked_power(charter)) if charter.tier in STRICT else []


def _refuse(why: Refusal, problems: Iterable[Problem]) -> None:
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        words = [f"charter.{one.field}: {one.problem}; {one.fix}" for one in errors[:LISTED]]
        more = f" and {len(errors) - LISTED} more (`charter check`)" if len(errors) > LISTED else ""
        raise ControlRefused(f"charter.{errors[0].field}", why, " | ".join(words) + more)
