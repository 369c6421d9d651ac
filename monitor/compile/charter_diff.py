"""The difference between two versions of a charter: what changed, and what each change means for the statistics. Pure.

An amendment acts forward only. A changed limit or variance/mean is allowed: e-processes continue their product (each
period against the limit that was in force in it), their threshold and the alpha that they have spent stay; detectors
that learn what is usual learn it again. An added indicator begins with its share of alpha. Everything else of an
indicator that runs is fixed, as are alpha, firm and pilot: such an amendment is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import UNSET, Struct, structs

import detectors
from detectors import SPENDS_ALPHA
from monitor.charter.spec import Charter, IndicatorSpec, alpha_share

_KEYS = ("id", "digest", "name")  # by which elements of a list are known
_LIMITS = ("limit", "variance_mean", "baseline")


class Effect(StrEnum):
    """What a change means for the statistics of the pilot."""

    NONE = "none"  # they continue as they are
    CONTINUE = "continue"  # the evidence continues against the new limit
    REBASELINE = "re-baseline"  # evidence continues, and detectors that learn what is usual learn it again
    NEW_SHARE = "new share of alpha"  # a stream begins on a share that was unassigned
    REFUSED = "refused"  # an amendment may not change this


class Change(Struct, frozen=True):
    """One field that differs: dotted, elements of lists by their name (`indicators[complaints].limit`). `old` is `None`
    if it was added, `new` if it was removed (a list or a part that was added is one change)."""

    field: str
    old: Any
    new: Any
    effect: Effect
    meaning: str


def running(spec: IndicatorSpec) -> IndicatorSpec:
    """The fields of an indicator that are fixed while it runs: all but its limit (or the baseline in its place), the
    dispersion that the charter assumes, and the planned power."""
    baseline = spec.baseline and structs.replace(spec.baseline, events=1.0, exposure=1.0, times=1.0)
    return structs.replace(counted(spec), limit=None, variance_mean=1.0, baseline=baseline)


def counted(spec: IndicatorSpec) -> IndicatorSpec:
    """An indicator without what no detector reads: a changed plan of its power or another legal basis restarts
    nothing."""
    return structs.replace(spec, power=UNSET, clauses=UNSET)


def charter_diff(old: Charter, new: Charter) -> list[Change]:
    """All changes from `old` to `new`, in the order of the schema; none for equal charters."""
    found = list(differences(msgspec.to_builtins(old), msgspec.to_builtins(new)))
    if found and all(field != "version" for field, _, _ in found):
        found.append(("version", old.version, new.version))
    return [Change(field, was, now, *_effect(field, old, new)) for field, was, now in found]


def refused(changes: list[Change]) -> bool:
    """Whether `new` cannot come into force as an amendment of `old`."""
    return any(change.effect is Effect.REFUSED for change in changes)


def overall(changes: list[Change]) -> Effect:
    """The gravest effect of all changes."""
    order = list(Effect)
    return max((change.effect for change in changes), key=order.index, default=Effect.NONE)


def differences(old: Any, new: Any, at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each field that differs between two charters, or parts of them, as builtins: (field, old, new); see `Change`."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*old, *(name for name in new if name not in old)]:
            yield from differences(old.get(name), new.get(name), f"{at}.{name}".lstrip("."))
        return
    by = _key(old, new)
    if by is None:
        yield at, old, new
        return
    was, now = {one[by]: one for one in old}, {one[by]: one for one in new}
    if list(was) != list(now) and set(was) == set(now):
        yield f"{at} (order)", list(was), list(now)
    for name in [*was, *(name for name in now if name not in was)]:
        yield from differences(was.get(name), now.get(name), f"{at}[{name}]")


def _key(old: Any, new: Any) -> str | None:
    """The field by which the elements of two lists are known, if each element has it and none twice."""
    if not (isinstance(old, list | tuple) and isinstance(new, list | tuple)):
        return None
    for key in _KEYS:
        if all(isinstance(one, dict) and key in one for one in (*old, *new)) and all(
            len({one[key] for one in part}) == len(part) for part in (old, new)
        ):
            return key
    return None


def _effect(field: str, old: Charter, new: Charter) -> tuple[Effect, str]:
    if field == "version":
        if new.version > old.version:
            return Effect.NONE, "the version rises"
        return Effect.REFUSED, f"version {old.version} is in force; write a higher one"
    if field in ("pilot", "participant.id"):
        return Effect.REFUSED, "a pilot keeps its id and its firm; another firm needs another admission"
    if field == "alpha":
        return Effect.REFUSED, "alpha is fixed at admission; thresholds of running statistics never move"
    for spec in old.indicators:
        if field == f"indicators[{spec.name}]":
            return Effect.REFUSED, "an indicator that runs cannot be removed: its share of alpha is spent"
        if field.startswith(f"indicators[{spec.name}]."):
            return _indicator(field, spec, new.indicator(spec.name))
    for spec in new.indicators:
        if field == f"indicators[{spec.name}]":
            return _added(new, spec)
    return Effect.NONE, "statistics continue"


def _indicator(field: str, old: IndicatorSpec, new: IndicatorSpec) -> tuple[Effect, str]:
    part = field.removeprefix(f"indicators[{old.name}].")
    if part.split(".")[0] == "power":
        return Effect.NONE, "what has to be found by when; statistics continue"
    if part == "clauses":
        return Effect.NONE, "the legal basis; statistics continue"
    fixed = any(part == name or part.startswith(f"{name}.") for name in _LIMITS)
    if not fixed or (old.baseline is None) != (new.baseline is None) or part == "baseline.doubt":
        return Effect.REFUSED, "of an indicator that runs only limit and variance_mean may change; add a new indicator"
    again = [w.name for w in old.detectors if not hasattr(detectors.DETECTORS[w.name], "amend")]
    on = [name for name in _spending(old) if name not in again]
    words = [f"{' and '.join(on)} continues from the next period on; threshold and spent alpha stay"] if on else []
    if again:
        words.append(f"{' and '.join(again)}: restarted, what is usual is learnt again")
    return (Effect.REBASELINE if again else Effect.CONTINUE), "; ".join(words) or "statistics continue"


def _added(new: Charter, spec: IndicatorSpec) -> tuple[Effect, str]:
    if not _spending(spec) or not spec.weight:
        return Effect.NONE, "begins with the period in which the amendment comes into force; it spends no alpha"
    share = alpha_share(new, spec) * max(1, len(spec.segments))
    return Effect.NEW_SHARE, f"begins with {share:.3g} of alpha (before the first restart), which was unassigned"


def _spending(spec: IndicatorSpec) -> list[str]:
    return [w.name for w in spec.detectors if w.name in SPENDS_ALPHA]
