"""Recomputes every number of a report, independently of the monitor: `python recompute.py REPORT.json LEDGER...
[EVIDENCE.jsonl]`.

Standard library only, and none of the monitor's code: this file can be copied and read alone. From the ledger file it
computes leaf hashes and the root, looks up each number of the report, and computes again what the monitor computed:
rates, confidence sequences, whether limits are kept, power (by simulation, within its error), what is lacking, and the
outcome. From the evidence it counts events, exposure and periods again: from the ledgers of evidence (all files of the
pilot may be given), or from a replay (one closed period per line, `sandbox-monitor replay HISTORY --evidence FILE`).
Without evidence these are `missing`, and so are periods that the ledgers of evidence do not have.

Prints one line per number: `same`, `different` or `missing`, and why. Exit codes: 0 nothing differs, 1 something
differs, 2 usage error.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MAGIC, NAMED = b"SBXLEDG\x01", b"SBXLEDG\x02"
MOST_PARTIAL = 0.05
BELOW = {0.15: 0.1, 0.3: 0.1, 0.45: 0.1, 0.58: 0.1, 0.68: 0.1, 0.76: 0.1, 0.82: 0.05, 0.87: 0.05, 0.91: 0.05,
         0.94: 0.05, 0.96: 0.05, 0.98: 0.05}  # fmt: skip
ZERO = 0.1  # weight of the ratio 0
ABOVE = {1.02: 0.05, 1.04: 0.05, 1.07: 0.05, 1.1: 0.05, 1.16: 0.05, 1.24: 0.1, 1.35: 0.1, 1.5: 0.15, 1.8: 0.15,
         2.3: 0.1, 3.5: 0.1, 8.0: 0.05}  # fmt: skip
RUNS, STEPS = 3000, 400_000  # simulated streams, and periods of all of them together, at most
OUTCOMES = {
    "limit_exceeded": "stop", "halted": "remediate", "finding_active": "remediate", "rectification_open": "remediate",
    "no_limit": "insufficient_evidence", "limit_not_shown": "insufficient_evidence",
    "power_not_reached": "insufficient_evidence", "periods_incomplete": "insufficient_evidence",
    "quiet_too_short": "extend", "clock_missed": "extend", "condition_unmet": "extend", "condition_open": "extend",
}  # fmt: skip
GRAVEST = ("stop", "remediate", "insufficient_evidence", "extend")


class Unreadable(Exception):
    """The ledger is not what its format says."""


def read_ledger(path: Path) -> tuple[list[Any], list[bytes]]:
    """The bodies of the entries, and their leaf hashes. Raises Unreadable."""
    raw = path.read_bytes()
    if not raw.startswith((MAGIC, NAMED)):
        raise Unreadable(f"{path}: not a ledger")
    end = len(MAGIC) + 2 + int.from_bytes(raw[8:10], "big")
    if raw.startswith(NAMED):  # the log, and the year of the shard
        end += 2 + int.from_bytes(raw[end : end + 2], "big") + 2
    if zlib.crc32(raw[:end]) != int.from_bytes(raw[end : end + 4], "big"):
        raise Unreadable("the header does not match its checksum")
    at = end + 4
    bodies: list[Any] = []
    leaves: list[bytes] = []
    while at + 40 <= len(raw):
        length = int.from_bytes(raw[at : at + 4], "big")
        entry = raw[at + 40 : at + 40 + length]
        if len(entry) < length:
            break  # it was never acknowledged
        leaf = hashlib.sha256(b"\x00" + entry).digest()
        if leaf != raw[at + 8 : at + 40]:
            raise Unreadable(f"entry {len(leaves)} does not match its leaf hash")
        bodies.append(_body(entry))
        leaves.append(leaf)
        at += 40 + length
    return bodies, leaves


def _body(entry: bytes) -> Any:
    at = 2
    for _ in range(2):  # id, pilot
        at += 2 + int.from_bytes(entry[at : at + 2], "big")
    at += 24  # at, standing, epoch
    size = int.from_bytes(entry[at : at + 2], "big")
    return json.loads(entry[at + 2 : at + 2 + size])


def root_of(leaves: list[bytes]) -> str:
    """The tree head of RFC 6962, 2.1, in hex."""

    def head(some: list[bytes]) -> bytes:
        if not some:
            return hashlib.sha256(b"").digest()
        if len(some) == 1:
            return some[0]
        split = 1
        while split * 2 < len(some):
            split *= 2
        return hashlib.sha256(b"\x01" + head(some[:split]) + head(some[split:])).digest()

    return head(leaves).hex()


def upper(k: float, x: float, alpha: float, v: float, share: bool) -> float:
    """The upper bound of a mean rate or share: the largest value whose evidence stays below 1/alpha."""

    def evidence(value: float) -> float:
        terms = [math.log(w) + _line(r, value, k, x, v, share) for r, w in BELOW.items()]
        if k == 0:
            terms.append(math.log(ZERO) + _zero(value, x, v, share))
        return _log_sum(terms)

    low, high = k / x, 1.0
    if not share:
        high = max(2 * low, 1 / x)
        while evidence(high) < -math.log(alpha):
            high *= 2
    elif evidence(1 - 1e-15) < -math.log(alpha):
        return 1.0
    return _between(low, high, lambda value: evidence(value) < -math.log(alpha))


def lower(k: float, x: float, alpha: float, v: float, share: bool) -> float:
    """The lower bound: the smallest value whose evidence stays below 1/alpha."""

    def evidence(value: float) -> float:
        return _log_sum([math.log(w) + _line(r, value, k, x, v, share) for r, w in ABOVE.items()])

    if evidence(1e-300) < -math.log(alpha):
        return 0.0
    return _between(0.0, k / x, lambda value: evidence(value) >= -math.log(alpha))


def _between(low: float, high: float, left: Any) -> float:
    for _ in range(300):
        middle = (low + high) / 2
        low, high = (middle, high) if left(middle) else (low, middle)
    return high


def _line(r: float, value: float, k: float, x: float, v: float, share: bool) -> float:
    """Log likelihood ratio of r times `value` against it: theta^k over its expectation."""
    if share:
        return (k * math.log(r) - x * math.log(1 + (r - 1) * value)) / v
    if v == 1:
        return k * math.log(r) - (r - 1) * value * x
    theta = r * v / (1 + r * (v - 1))
    return k * math.log(theta) + value * x / (v - 1) * math.log(1 - (v - 1) * (theta - 1))


def _zero(value: float, x: float, v: float, share: bool) -> float:
    """The same for the ratio 0 and no event: one over the probability of no event."""
    if share:
        return -x * math.log(max(1 - value, 1e-300)) / v
    return value * x * (1.0 if v == 1 else math.log(v) / (v - 1))


def _log_sum(terms: list[float]) -> float:
    top = max(terms)
    return top + math.log(sum(math.exp(term - top) for term in terms))


def simulated_power(row: Any) -> tuple[float, float]:
    """The share of simulated streams in which the e-process of the limit alarms, and three standard errors of it."""
    periods, share, v = row.get("powered", 0), row.get("proportion", False), row.get("variance_mean", 1.0)
    if not periods or not row.get("exposure"):
        return 0.0, 0.0
    exposure, rate = row["exposure"] / row["complete"], row["limit"] * row["ratio"]
    rate = min(rate, 1 - 1e-9) if share else rate
    runs = max(200, min(RUNS, STEPS // periods))
    draw = random.Random(1)
    bar, hits = 1 / row["share"], 0
    for _ in range(runs):
        hits += _alarms(draw, row, exposure, rate, periods, bar, v)
    found = hits / runs
    return found, 3 * math.sqrt(max(found * (1 - found), 1 / runs) / runs)


def _alarms(draw: random.Random, row: Any, exposure: float, rate: float, periods: int, bar: float, v: float) -> bool:
    share, above = row.get("proportion", False), not row.get("below", False)
    least = row.get("minimum_events", 1)
    sums, seen = [0.0] * len(row["ratios"]), 0.0
    for t in range(1, periods + 1):
        k = _binomial(draw, exposure, rate, v) if share else _count(draw, exposure * rate, v)
        seen += k if above else row["allowed"] * exposure
        for i, r in enumerate(row["ratios"]):
            step = math.exp(min(_line(r, row["allowed"], k, exposure, v, share), 300))
            sums[i] = min((sums[i] + 1 / (t * (t + 1) * len(sums))) * step, 1e250)
        if seen >= least and sum(sums) + 1 / (t + 1) >= bar:
            return True
    return False


def _count(draw: random.Random, mean: float, v: float) -> int:
    """Poisson, or negative binomial with this variance/mean."""
    if v > 1:
        mean = draw.gammavariate(mean / (v - 1), v - 1)
    if mean > 500:
        return max(0, round(draw.gauss(mean, math.sqrt(mean))))
    k, left = 0, draw.expovariate(1)
    while left < mean:
        k += 1
        left += draw.expovariate(1)
    return k


def _binomial(draw: random.Random, trials: float, p: float, v: float) -> int:
    """Binomial, or beta-binomial with this variance/mean."""
    n = max(1, round(trials))
    if v > 1 and n > 1:
        rho = min((v - 1) / (n - 1), 0.999)
        p = draw.betavariate(p * (1 / rho - 1), (1 - p) * (1 / rho - 1))
    if n * p * (1 - p) > 500:
        return min(n, max(0, round(draw.gauss(n * p, math.sqrt(n * p * (1 - p))))))
    return sum(draw.random() < p for _ in range(n))


def close(a: Any, b: Any) -> bool:
    """Whether two numbers agree to five digits."""
    if isinstance(a, int | float) and isinstance(b, int | float):
        return math.isclose(a, b, rel_tol=2e-5, abs_tol=1e-12)
    return bool(a == b)


def check_stream(row: Any) -> list[tuple[str, str, str]]:
    """Computes the numbers of a stream again: (name, result, why)."""
    k = row.get("events", 0.0) + (0.0 if row.get("below") else row.get("extra", 0.0))
    x = row.get("exposure", 0.0) + (k - row.get("events", 0.0) if row.get("proportion") else 0.0)
    v, share, found = row.get("variance_mean", 1.0), row.get("proportion", False), []
    made: dict[str, Any] = dict.fromkeys(("rate", "low", "high"))
    if x:
        made = {
            "rate": k / x,
            "low": lower(k, x, row["alpha"], v, share),
            "high": upper(k, x, row["alpha"], v, share),
        }
    for name, value in made.items():
        found.append((name, "same" if close(value, row.get(name)) else "different", f"computed {value}"))
    if row.get("limit") is not None:
        bound = made["low"] if row.get("below") else made["high"]
        keeps = bound is not None and (bound > row["limit"] if row.get("below") else bound < row["limit"])
        found.append(("keeps", "same" if keeps == row.get("keeps") else "different", f"computed {keeps}"))
    if "power" in row:
        value, error = simulated_power(row)
        agrees = abs(value - row["power"]) <= error + 0.015
        found.append(("power", "same" if agrees else "different", f"simulated {value:.3f} +- {error:.3f}"))
    return found


def check_outcome(numbers: Any) -> list[tuple[str, str, str]]:
    """Computes again what is lacking, as far as the numbers say it, and the outcome that follows."""
    computed = set()
    for row in numbers.get("streams", []):
        computed |= _lacks_of(row)
    rows = [r for r in numbers.get("streams", []) if r.get("limit") is not None and "power" in r]
    if not rows and not numbers.get("omitted"):
        computed.add("no_limit")
    if numbers.get("rectifications"):
        computed.add("rectification_open")
    if numbers.get("clocks_missed"):
        computed.add("clock_missed")
    if numbers.get("quiet", 0) < numbers.get("quiet_needed", 0):
        computed.add("quiet_too_short")
    for condition in numbers.get("conditions", []):
        met = condition.get("met")
        computed |= set() if met else {"condition_open" if met is None else "condition_unmet"}
    if numbers.get("shelved"):
        computed.add("finding_active")
    lacks = set(numbers.get("lacks", []))
    only = {"halted", "finding_active"}  # of these the numbers hold no more than that they are
    same = computed - only == lacks - only and computed <= lacks
    spoken = {OUTCOMES.get(lack, "") for lack in lacks}
    advised = next((outcome for outcome in GRAVEST if outcome in spoken), "scale")
    return [
        ("lacks", "same" if same else "different", f"computed {sorted(computed)}"),
        ("advised", "same" if advised == numbers.get("advised") else "different", f"computed {advised}"),
    ]


def _lacks_of(row: Any) -> set[str]:
    found: set[str] = set()
    limit = row.get("limit")
    if limit is None:
        return found
    if not row.get("keeps"):
        far = row.get("high") if row.get("below") else row.get("low")
        beyond = far is not None and (far < limit if row.get("below") else far > limit)
        found.add("limit_exceeded" if beyond else "limit_not_shown")
    if row.get("power") is not None and row.get("asked") is not None and row["power"] < row["asked"]:
        found.add("power_not_reached")
    partial = row.get("partial", 0)
    if partial > MOST_PARTIAL * (partial + row.get("complete", 0)):
        found.add("periods_incomplete")
    return found


def closed_periods(path: Path) -> Iterator[Any]:
    """The closed periods of a file: of a ledger of evidence, or one per line."""
    if path.suffix != ".ledger":
        with path.open(encoding="utf-8") as file:
            yield from (json.loads(line) for line in file)
        return
    for body in read_ledger(path)[0]:
        for one in body.get("observations", ()):
            yield {**one, "pilot": body["pilot"]}


def count_again(evidence: list[Path], numbers: Any, pilot: str) -> list[tuple[str, str, str]]:
    """Counts events, exposure and periods of each stream again, from closed periods. Too few of them in a ledger are
    `missing`: it may not have them yet."""
    totals: dict[tuple[str, str], list[float]] = {}
    rows = {(row["indicator"], row.get("segment", "")): row for row in numbers.get("streams", [])}
    for one in (one for path in evidence for one in closed_periods(path)):
        key = (one.get("indicator"), one.get("segment"))
        row = rows.get(key)
        if row is None or one["pilot"] != pilot or not row["since"] <= one["start"] < row["through"]:
            continue
        total = totals.setdefault(key, [0.0, 0.0, 0, 0, 0.0])  # events, exposure, complete, partial, extra
        if one.get("late"):
            total[4] += max(one["k"], 0.0)
        elif one.get("unknown"):
            total[3] += 1
            total[4] += one["k"]
        else:
            total[0] += one["k"]
            total[1] += one["m"]
            total[2] += 1
    entered = all(path.suffix == ".ledger" for path in evidence)
    found = []
    for key, row in rows.items():
        total = totals.get(key, [0.0, 0.0, 0, 0, 0.0])
        short = entered and total[2] + total[3] < row.get("complete", 0) + row.get("partial", 0)
        for name, value in zip(("events", "exposure", "complete", "partial", "extra"), total, strict=True):
            agrees = "same" if close(value, row.get(name, 0)) else "missing" if short else "different"
            found.append((f"{'/'.join(filter(None, key))}: {name}", agrees, f"counted {value:g}"))
    return found


def check_report(report: Any, bodies: list[Any], leaves: list[bytes]) -> list[tuple[str, str, str]]:
    """Looks up each number of the report in the ledger as it was when the report was made."""
    size = report["ledger"]["entries"]
    if size > len(leaves):
        return [("ledger", "missing", f"it has {len(leaves)} entries, the report was made from {size}")]
    root = root_of(leaves[:size])
    found = [("ledger root", "same" if root == report["ledger"]["root"] else "different", f"computed {root}")]
    known = {body["id"]: body for body in bodies[:size] if "reason" in body and "finding" in body}
    for field in report["fields"]:
        found += [(f"{field['number']} {row['name']}", *_look_up(row, known)) for row in field["rows"]]
    return found


def _look_up(row: Any, known: dict[str, Any]) -> tuple[str, str]:
    if "reasons" in row:
        count = sum(body["reason"] in row["reasons"] for body in known.values())
        return ("same" if count == row["value"] else "different"), f"counted {count}"
    body = known.get(row.get("entry", ""))
    if body is None:
        return "missing", f"no entry {row.get('entry')}"
    parts = row["at"].split("/")[1:]
    for place, part in enumerate(parts):
        try:
            body = body[int(part)] if isinstance(body, list) else body[part.replace("~1", "/").replace("~0", "~")]
        except (KeyError, IndexError, ValueError):
            left_out = place == len(parts) - 1 and row["value"] == 0  # 0 is left out of an entry
            return ("same", "left out, so 0") if left_out else ("missing", f"nothing at {row['at']}")
    return ("same" if body == row["value"] else "different"), f"the ledger has {body}"


def files_of(paths: list[Path]) -> tuple[Path, list[Path]]:
    """The ledger of decisions, and the evidence: what is given as lines, else the ledgers of evidence. Raises
    Unreadable."""
    ledgers = [path for path in paths if path.suffix == ".ledger"]
    decisions = [path for path in ledgers if path.read_bytes().startswith(MAGIC)]
    if len(decisions) != 1:
        raise Unreadable(f"give one ledger of decisions, not {len(decisions)}")
    return decisions[0], [path for path in paths if path not in ledgers] or [p for p in ledgers if p not in decisions]


def main(arguments: list[str]) -> int:
    """Prints a line for each number. Returns 0 if nothing differs, 1 if something does, 2 for a usage error."""
    if len(arguments) < 2 or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        report = json.loads(Path(arguments[0]).read_text("utf-8"))
        ledger, evidence = files_of([Path(name) for name in arguments[1:]])
        bodies, leaves = read_ledger(ledger)
    except (OSError, ValueError, Unreadable) as error:
        print(f"{error}", file=sys.stderr)
        return 1
    found = check_report(report, bodies, leaves)
    size = report["ledger"]["entries"]
    evaluated = [body for body in bodies[:size] if "assessment" in body.get("finding", {})]
    ends = [body for body in evaluated if body["reason"] in ("exited", "exit_pending")]
    for body in ends[-1:]:
        numbers = body["finding"]["assessment"]
        for row in numbers.get("streams", []):
            name = "/".join(filter(None, (row["indicator"], row.get("segment", ""))))
            found += [(f"{name}: {what}", result, why) for what, result, why in check_stream(row)]
        found += check_outcome(numbers)
        if evidence:
            found += count_again(evidence, numbers, body["pilot"])
        else:
            found.append(("events, exposure, periods", "missing", "give the evidence to count them again"))
    for name, result, why in found:
        print(f"{result:<10} {name}: {why}")
    counts = {result: sum(one[1] == result for one in found) for result in ("same", "different", "missing")}
    print(", ".join(f"{count} {result}" for result, count in counts.items()), file=sys.stderr)
    return 1 if counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
