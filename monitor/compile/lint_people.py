"""Lints who is named in a charter: models, authorities, people, keys, reporters. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.charter.spec import Charter
from monitor.compile.problem import Problem, error, twice, warning
from monitor.lifecycle.standards import approving
from monitor.model.labels import alike
from monitor.model.signing import read_public

FEW_APPROVERS = "fewer than two approvers are listed, so no halt of this pilot can be lifted"  # without a sandbox


def people_problems(charter: Charter) -> Iterator[Problem]:
    if not charter.models:
        yield error(
            "models", "no model is registered, so every serving model is unregistered", "list the digest of each model"
        )
    yield from twice((m.digest for m in charter.models), "models", ".digest")
    yield from twice((a.id for a in charter.authorities), "authorities", ".id")
    for index, authority in enumerate(charter.authorities):
        for name, text in authority.keys.items():
            try:
                read_public(text)
            except ValueError as wrong:
                yield error(f"authorities[{index}].keys.{name}", *str(wrong).split("; ", 1))
    for number, text in enumerate(charter.participant.keys):
        try:
            read_public(text)
        except ValueError as wrong:
            yield error(f"participant.keys[{number}]", *str(wrong).split("; ", 1))
    yield from _reporters(charter)
    with_keys = {name for authority in charter.authorities for name in authority.keys}
    people = {name for authority in charter.authorities for name in (*authority.approvers, *authority.officers)}
    if with_keys and people - with_keys:
        yield warning(
            "authorities",
            f"others have keys, so acts of {', '.join(sorted(people - with_keys))} will be refused",
            "add a key for each of them",
        )
    yield from _separate_people(charter)
    if approving(charter) > len(charter.authorities):
        what = f"there are {len(charter.authorities)} authorities, so no halt could be released"
        yield error("approving_authorities", what, "list another authority, or ask for fewer")
    if len({name for authority in charter.authorities for name in authority.approvers}) < 2:
        yield warning(
            "authorities",
            FEW_APPROVERS,
            "list two different people in `approvers`, or check with --sandbox where its approvers release",
        )


def _reporters(charter: Charter) -> Iterator[Problem]:
    """Each reporter has a separate id and separate keys; reporters are needed only where the firm has keys."""
    firm = set(map(_raw, charter.participant.keys))
    owners: dict[bytes, str] = {}
    yield from twice((reporter.id for reporter in charter.reporters or ()), "reporters", ".id")
    for index, reporter in enumerate(charter.reporters or ()):
        for number, text in enumerate(reporter.keys):
            at, key = f"reporters[{index}].keys[{number}]", _raw(text)
            try:
                read_public(text)
            except ValueError as wrong:
                yield error(at, *str(wrong).split("; ", 1))
            if key in firm:
                yield error(at, "the key is one of the firm's keys", "give each reporter a separate key")
            elif owners.setdefault(key, reporter.id) != reporter.id:
                yield error(at, f"{owners[key]!r} has the same key", "give each reporter a separate key")
    if charter.reporters and not firm:
        yield warning(
            "reporters",
            "the firm has no key, so anybody may send telemetry, and these keys are not asked for",
            "add participant.keys",
        )


def _separate_people(charter: Charter) -> Iterator[Problem]:
    """The firm is no officer or approver of the pilot that it runs, under any spelling or key; and people share no
    key."""
    firm, firm_keys = alike(charter.participant.id), set(map(_raw, charter.participant.keys))
    owners: dict[bytes, str] = {}
    people: dict[str, str] = {}
    for index, authority in enumerate(charter.authorities):
        for part in ("approvers", "officers", "keys"):
            for name in getattr(authority, part):
                if alike(name) == firm:
                    yield error(
                        f"authorities[{index}].{part}",
                        f"{name!r} is the firm that runs this pilot",
                        "name another person",
                    )
        for name in authority.approvers:
            other = people.setdefault(alike(name), name)
            if other != name:
                what = f"{name!r} and {other!r} differ only in case, or in characters that cannot be seen"
                yield error(f"authorities[{index}].approvers", what, "write one person's name in one way")
        for name, text in authority.keys.items():
            at, key = f"authorities[{index}].keys.{name}", _raw(text)
            if key in firm_keys:
                yield error(at, "the key is one of the firm's keys", "give each person a separate key")
            elif owners.setdefault(key, name) != name:
                yield error(at, f"{owners[key]!r} has the same key", "give each person a separate key")


def _raw(key: str) -> bytes:
    """A public key as bytes, as one key can be written in several ways; the text itself where it is no key."""
    try:
        return read_public(key)
    except ValueError:
        return key.strip().encode()
