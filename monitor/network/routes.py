"""Routes and receivers of Alertmanager for the authorities of a sandbox, merged into a base configuration. Pure.

The label `authority` of an alert names, separated by commas, who must learn of it. Each authority with an address gets
a receiver and a route that matches its id in that label; all that match deliver, in the rhythm of the base's own
routes. What the label names without a receiver (an authority without an address, or one that this configuration does
not know) goes to the default receiver of the base, and so does every alert without the label. The base keeps its other
routes, its inhibitions and its receivers.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

from monitor.errors import SandboxConfigError
from monitor.lifecycle.sandbox import Sandbox, SandboxAuthority
from monitor.network.contacts import Address, address_of
from monitor.network.responsibility import CENTRAL

Config: TypeAlias = dict[str, Any]
PREFIX = "authority-"  # of the names of receivers
MISSED = "SandboxClockMissed"  # its rule has the label `owed_by`


class Routed(NamedTuple):
    """The configuration, and what to know of it: contacts that are no addresses, and authorities without one."""

    config: Config
    notes: tuple[str, ...]


def routed(base: Config, sandbox: Sandbox, *, also_default: bool = False) -> Routed:
    """The configuration `base` with the authorities of `sandbox`. With `also_default` its default receiver gets what
    the authorities get, too. Raises SandboxConfigError for a base that cannot carry them, naming the field."""
    config = copy.deepcopy(base)
    route = _route_of(config)
    default = route["receiver"]
    reached = {one.id: found for one in sandbox.authorities if (found := addresses(one))}
    _check_receivers(config, reached.values())
    notes = tuple(_notes(sandbox, default))
    if not reached:
        return Routed(config, notes)
    config["receivers"] = [*config["receivers"], *(_receiver(name, found) for name, found in reached.items())]
    routes = list(route.get("routes") or ())
    usual = [one for one in routes if one.get("receiver", default) == default]
    first = next((n for n, one in enumerate(routes) if one.get("receiver", default) == default), len(routes))
    central = [one for one in sandbox.authorities if one.level == CENTRAL and one.id in reached]
    group = {
        "matchers": ['authority!=""'],
        "receiver": default,
        "routes": [
            *(_of_authority(name, usual, default) for name in reached),
            *(_of_missed(one, usual, default) for one in central),
            {"receiver": default, "continue": True, "routes": copy.deepcopy(usual)}
            | ({} if also_default else {"matchers": [f"authority!~{_quoted(_all_of(reached))}"]}),
            *copy.deepcopy([one for one in routes[first:] if one not in usual]),  # no alert gets past this group
        ],
    }  # fmt: skip
    route["routes"] = [*routes[:first], group, *routes[first:]]
    return Routed(config, notes)


def receiver_of(authority: str) -> str:
    """The name of the receiver of an authority."""
    return PREFIX + authority


def addresses(authority: SandboxAuthority) -> tuple[Address, ...]:
    """The contacts of an authority that are addresses."""
    return tuple(found for one in authority.contacts if (found := address_of(one)) is not None)


def _notes(sandbox: Sandbox, default: str) -> Iterator[str]:
    for index, one in enumerate(sandbox.authorities):
        for place, contact in enumerate(one.contacts):
            if address_of(contact) is None:
                field = f"authorities[{index}].contacts[{place}]"
                yield f"{field}: {contact!r} of {one.id} is no address; write a mail address or the URL of a webhook"
        if not addresses(one):
            yield f"authorities[{index}].contacts: {one.id} has no address; its alerts go to {default}"


def _route_of(config: Config) -> Config:
    route, receivers = config.get("route"), config.get("receivers")
    if not isinstance(route, dict) or not isinstance(route.get("receiver"), str):
        raise SandboxConfigError("base: route.receiver: is missing; write the name of the default receiver")
    if not isinstance(receivers, list) or not all(isinstance(one, dict) and "name" in one for one in receivers):
        raise SandboxConfigError("base: receivers: is no list of receivers with names")
    routes = route.get("routes") or ()
    if not isinstance(routes, list | tuple) or not all(isinstance(one, dict) for one in routes):
        raise SandboxConfigError("base: route.routes: is no list of routes")
    return route


def _check_receivers(config: Config, reached: Iterable[tuple[Address, ...]]) -> None:
    for one in config["receivers"]:
        if str(one["name"]).startswith(PREFIX):
            words = f"base: receivers: {one['name']} is there already; begin with a base that has no authorities"
            raise SandboxConfigError(words)
    settings = config.get("global") or {}
    if any(address.kind == "mail" for found in reached for address in found):
        for field in ("smtp_smarthost", "smtp_from"):
            if not settings.get(field):
                words = f"base: global.{field}: is missing, and contacts are mail addresses; write it into the base"
                raise SandboxConfigError(words)


def _receiver(authority: str, found: tuple[Address, ...]) -> Config:
    mails = [{"to": one.to, "send_resolved": True} for one in found if one.kind == "mail"]
    hooks = [{"url": one.to, "send_resolved": True} for one in found if one.kind == "webhook"]
    made: Config = {"name": receiver_of(authority)}
    return made | ({"email_configs": mails} if mails else {}) | ({"webhook_configs": hooks} if hooks else {})


def _of_authority(authority: str, usual: list[Config], default: str) -> Config:
    return _child([f"authority=~{_quoted(_holds(authority))}"], authority, usual, default)


def _of_missed(one: SandboxAuthority, usual: list[Config], default: str) -> Config:
    """The route of a central authority for deadlines that the authorities below missed. The alert of the rule does not
    name the level above; that of the push does."""
    matchers = [f'alertname="{MISSED}"', 'owed_by="authority"', 'via="rule"']
    matchers.append(f"authority!~{_quoted(_holds(one.id))}")
    for label, texts in (("region", (one.region,) if one.region else ()), ("sector", one.sectors)):
        if texts:
            matchers.append(f"{label}=~{_quoted('(?i)(' + '|'.join(map(_as_pattern, texts)) + ')')}")
    return _child(matchers, one.id, usual, default)


def _child(matchers: list[str], authority: str, usual: list[Config], default: str) -> Config:
    name = receiver_of(authority)
    return {
        "matchers": matchers,
        "receiver": name,
        "continue": True,
        "routes": [_with_receiver(one, name, default) for one in usual],
    }


def _with_receiver(route: Config, name: str, default: str) -> Config:
    """A route of the base with another receiver in place of the default one."""
    made = copy.deepcopy(route)
    if made.get("receiver", default) == default:
        made["receiver"] = name
    if "routes" in made:
        made["routes"] = [_with_receiver(one, name, default) for one in made["routes"]]
    return made


def _holds(authority: str) -> str:
    """A pattern for a label that names this authority. Ids have letters, digits, `.`, `_` and `-`."""
    return f"(.*,)?{_literal(authority)}(,.*)?"


def _all_of(authorities: Iterable[str]) -> str:
    """A pattern for a label that names these authorities and no other one."""
    names = "|".join(map(_literal, authorities))
    return f"({names})(,({names}))*"


def _literal(authority: str) -> str:
    return authority.replace(".", "[.]")


def _as_pattern(text: str) -> str:
    """A pattern for this text; a character that cannot be printed is any character."""
    return "".join(re.escape(one) if one.isprintable() else "." for one in text)


def _quoted(pattern: str) -> str:
    """A pattern in quotes, as matchers write it."""
    return json.dumps(pattern, ensure_ascii=False)
