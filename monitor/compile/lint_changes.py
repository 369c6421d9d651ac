"""Lints the plan of changes of a charter, and scenarios with their bounds. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitor.charter.spec import ChangeKind, Charter, PlannedChange, Trial
from monitor.charter.values import Flaw


def change_flaws(charter: Charter) -> Iterator[Flaw]:
    """Every mistake of the plan of changes, in the order of its items."""
    seen: dict[str, int] = {}
    registered = {model.digest for model in charter.models}
    for index, one in enumerate(charter.changes or ()):
        at = f"changes[{index}]"
        if seen.setdefault(one.name, index) != index:
            yield Flaw(f"{at}.name", f"{one.name!r} is listed twice", "write each once")
        yield from _content(one, at, registered)
        yield from trial_flaws(one.protocol, f"{at}.protocol")


def _content(one: PlannedChange, at: str, registered: set[str]) -> Iterator[Flaw]:
    if one.kind is ChangeKind.MAJOR_INCIDENT:
        yield Flaw(f"{at}.kind", "a major incident cannot be planned", "remove the item; the firm registers it")
        return
    versions = one.kind is ChangeKind.MODEL_VERSION
    if versions and one.subjects:
        yield Flaw(f"{at}.subjects", "a change of the model version has no subjects", "list digests under models")
    if versions and not one.models and not one.protocol:
        yield Flaw(f"{at}.models", "any model would be covered, without a test", "list digests, or give a protocol")
    if versions and (listed := sorted(registered.intersection(one.models))):
        yield Flaw(f"{at}.models", f"{listed[0]} is registered already, under models", "remove it here")
    if not versions and one.models:
        yield Flaw(f"{at}.models", "only a change of the model version has models", "list ids under subjects")
    if not versions and not one.subjects:
        yield Flaw(f"{at}.subjects", "nothing is planned to change", f"list what may change ({one.kind.value})")


def trial_flaws(trials: Sequence[Trial], at: str) -> Iterator[Flaw]:
    """Every mistake of scenarios: a name twice, no bound, a bound that every or no value keeps."""
    seen: dict[str, int] = {}
    for index, trial in enumerate(trials):
        if seen.setdefault(trial.name, index) != index:
            yield Flaw(f"{at}[{index}].name", f"{trial.name!r} is listed twice", "write each once")
        if not trial.bounds:
            yield Flaw(f"{at}[{index}].bounds", "no result is required", "add a measure and its bound")
        for measure, bound in trial.bounds.items():
            field = f"{at}[{index}].bounds.{measure}"
            if bound.least is None and bound.most is None:
                yield Flaw(field, "every value would pass", "give least, most or both")
            elif bound.least is not None and bound.most is not None and bound.least > bound.most:
                yield Flaw(field, "no value could pass", "write least below most")
