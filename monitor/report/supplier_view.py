"""What a supplier may see of its models over all pilots: counts, from the ledgers alone, and nothing of other firms.

A pilot is in the view if a charter that came into force names the supplier as its vendor or as a developer in its chain
(`chain`), or uses a digest of a model whose file names the supplier. What is told of it are counts by words of closed
lists: reasons, kinds of indicators, levels. Never told are ids, names, sectors, regions, dates, numbers of entries,
names of indicators, segments and rules, and texts, all of which the firm or the authority wrote.

**The rule of small numbers.** Counts are told only if at least `FIRMS` firms besides the supplier itself run such
pilots: with fewer, a count says something about a firm that the supplier knows as its customer. Then only that they are
withheld is told. The supplier's own pilots do not count, as it could subtract them. Of a larger group, rows per pilot
carry a number of this print alone: the order is that of a hash of what only holders of the ledgers know. Known limit:
two prints, before and after a pilot joins, differ by that pilot, so a supplier should get them at fixed dates.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable

from msgspec import Struct, structs

from monitor.model.records import Level
from monitor.report.model_uses import EVENTS, HALTED
from monitor.report.stay import Json, Stay

FIRMS = 3  # other firms of which there must be pilots, at least
DEVELOPERS = ("base_model_developer", "downstream_developer")


class PilotCounts(Struct, frozen=True, kw_only=True):
    """One pilot: `events` and `findings` as in the view. Its digest is not told, as one may be of a single customer."""

    number: int
    events: dict[str, int]
    findings: dict[str, int]


class SupplierView(Struct, frozen=True, kw_only=True):
    """The view of one supplier. `events` counts what happened (`monitor/report/model_uses.py EVENTS`, and `halts`),
    `findings` what was found, by reason and kind of indicator (`limit_exceeded/false_positive_rate`), `addressed` the
    decisions that were addressed to the supplier, by reason, `versions` the findings by digest, where pilots of enough
    firms use it, and of enough firms do not. `withheld`: too few firms, so nothing is counted."""

    supplier: str
    models: tuple[str, ...]
    digests: tuple[str, ...]
    withheld: bool
    pilots: int | None = None
    events: dict[str, int] = {}
    findings: dict[str, int] = {}
    addressed: dict[str, int] = {}
    versions: dict[str, dict[str, int]] = {}
    rows: tuple[PilotCounts, ...] = ()


def supplier_view(
    stays: Iterable[Stay], supplier: str, models: Iterable[str] = (), digests: Collection[str] = (), firms: int = FIRMS
) -> SupplierView | None:
    """The view of a supplier over the ledgers of pilots; `None` if no pilot and no model is of it. `digests` are those
    of its models, whose names are `models`. `firms` below `FIRMS` counts as `FIRMS`."""
    found = [(stay, since) for stay in stays if (since := _since(stay, supplier, digests)) is not None]
    made = tuple(sorted(models))
    if not found and not made:
        return None
    base = SupplierView(supplier=supplier, models=made, digests=tuple(sorted(digests)), withheld=True)
    least = max(firms, FIRMS)
    if len(_others((stay for stay, _ in found), supplier)) < least:
        return base
    uses = [(_order(stay, since), _counts(stay, since)) for stay, since in found]
    uses.sort(key=lambda one: one[0])
    rows = tuple(
        PilotCounts(number=number, events=events, findings=findings)
        for number, (_, (events, findings)) in enumerate(uses, 1)
    )
    return structs.replace(
        base,
        withheld=False,
        pilots=len(rows),
        events=_sum(row.events for row in rows),
        findings=_sum(row.findings for row in rows),
        addressed=_addressed((stay for stay, _ in found), supplier),
        versions=_versions(found, supplier, digests, least),
        rows=rows,
    )


def _others(stays: Iterable[Stay], supplier: str) -> set[str]:
    """The firms that run these pilots, without the supplier itself."""
    return {stay.records[-1]["participant"] for stay in stays} - {supplier, ""}


def _addressed(stays: Iterable[Stay], supplier: str) -> dict[str, int]:
    name = f"supplier:{supplier}"
    every = (record for stay in stays for record in stay.records)
    return dict(sorted(Counter(one["reason"] for one in every if name in (one.get("addressed") or ())).items()))


def _versions(
    found: Iterable[tuple[Stay, int]], supplier: str, digests: Collection[str], least: int
) -> dict[str, dict[str, int]]:
    """Findings by digest, of those digests that pilots of enough firms use: one may be of a single customer. A digest
    is left out where its counts, subtracted from others that are told, would be those of pilots of fewer firms."""
    every = list(found)
    users: dict[str, frozenset[int]] = {}
    for number, (stay, _) in enumerate(every):
        used = {one.get("digest") for record in stay.records for one in stay.document(record).get("models", ())}
        for digest in used.intersection(digests):
            users[digest] = users.get(digest, frozenset()) | {number}
    groups, told = [frozenset(range(len(every)))], dict[str, dict[str, int]]()
    for digest, numbers in sorted(users.items()):
        parts = [part for group in groups for part in (group & numbers, group - numbers) if part]
        firms = [_others((every[number][0] for number in part), supplier) for part in parts]
        used_by_others = any(_others((every[number][0] for number in numbers), supplier))
        if used_by_others and all(len(those) >= least for those in firms if those):
            groups, told[digest] = parts, _sum(_counts(*every[number])[1] for number in sorted(numbers))
    return told


def _since(stay: Stay, supplier: str, digests: Collection[str]) -> int | None:
    """The number of the first entry that puts a charter with this supplier, or one of its models, in force."""
    for record in stay.records:
        if _names(stay.document(record), supplier, digests) or _registers(record, digests):
            return int(record["standing"])
    return None


def _names(document: Json, supplier: str, digests: Collection[str]) -> bool:
    chain = document.get("chain") or {}
    if supplier in (document.get("vendor"), *((chain.get(role) or {}).get("id") for role in DEVELOPERS)):
        return True
    return any(one.get("digest") in digests for one in document.get("models", ()))


def _registers(record: Json, digests: Collection[str]) -> bool:
    return record["reason"] == "change_registered" and (record["finding"].get("content") or {}).get("model") in digests


def _first(stay: Stay, since: int) -> Json:
    return next(record for record in stay.records if record["standing"] >= since)


def _order(stay: Stay, since: int) -> str:
    """A sort key that only holders of the ledger can compute: the id of the record covers the whole charter."""
    return hashlib.sha256("|".join((_first(stay, since)["id"], stay.records[-1]["id"])).encode()).hexdigest()


def _counts(stay: Stay, since: int) -> tuple[dict[str, int], dict[str, int]]:
    later = [record for record in stay.records if record["standing"] >= since]
    events = {name: sum(record["reason"] in reasons for record in later) for name, reasons in EVENTS.items()}
    events["halts"] = sum(record["level"] == HALTED > record["was"] for record in later)
    findings: Counter[str] = Counter()
    kinds: dict[str, str] = {}
    for record in later:
        kinds |= {one["name"]: one["kind"] for one in stay.document(record).get("indicators", ())}
        if record["kind"] in ("level", "finding") and record["level"] > Level.NORMAL:
            kind = kinds.get(record["finding"].get("indicator") or "", "")
            findings[f"{record['reason']}/{kind}" if kind else record["reason"]] += 1
    return {name: count for name, count in events.items() if count}, dict(sorted(findings.items()))


def _sum(parts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return dict(sorted(total.items()))
