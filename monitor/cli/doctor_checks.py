"""The checks of `sandbox-monitor doctor`: each yields what it found, with the fix. A check is a function and one line
in `CHECKS`. Nothing here changes anything.

Every check runs even where another failed, and names the setting, file or command that mends what it found. What cannot
be checked here, for example because an address was not given, is `skipped` and says so.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from monitor.access.address import shown
from monitor.access.kafka_login import access
from monitor.access.tls import valid_until
from monitor.act import http
from monitor.act.grafana import Grafana
from monitor.errors import Refused, SandboxMonitorError
from monitor.files.key_file import read_key
from monitor.kafka import topics
from monitor.kafka.login import require_login
from monitor.translation import mark, tr

SKEW_S = 2.0  # of the clock of another server: half of it is the precision of a `Date` header
FREE_SHARE, FREE_BYTES = 0.1, 2 * 1024**3
EXPIRES = timedelta(days=21)
WATCHDOG = "Watchdog"
PLACEHOLDER = "127.0.0.1:9095"  # of the shipped configuration of Alertmanager
LOADED = ("SandboxPilotHalted", "SandboxClockMissed", WATCHDOG)  # alerts that the shipped rules have
DASHBOARDS = ("sandbox-fleet", "sandbox-pilot", "sandbox-health")
_UNSYNCHRONIZED = 5  # TIME_ERROR of adjtimex(2)

State: TypeAlias = Literal["ok", "warning", "failed", "skipped"]
STATES: dict[State, str] = {
    "ok": mark("ok"), "warning": mark("warning"), "failed": mark("failed"), "skipped": mark("skipped"),
}  # fmt: skip


class Setup(Struct, frozen=True, kw_only=True):
    """What to check: addresses ("" = not given), the prefix of the topics, key files, and the directory of the data."""

    bootstrap: str = ""
    prefix: str = "sandbox"
    replication: int = 1
    prometheus: str = ""
    alertmanager: str = ""
    grafana: str = ""
    token: str = ""
    board: str = ""
    keys: tuple[Path, ...] = ()
    directory: Path | None = None


class Checked(Struct, frozen=True):
    """One thing that was checked: what was found, and how to mend it."""

    state: State
    what: str
    fix: str = ""


Check: TypeAlias = Callable[[Setup], Iterator[Checked]]


def run_check(check: Check, setup: Setup) -> list[Checked]:
    """What a check found. A server that does not answer, or refuses, is a failure of this check alone."""
    found: list[Checked] = []
    try:
        found.extend(check(setup))
    except SandboxMonitorError as error:
        words, _, fix = str(error).partition("; fix: ")
        found.append(Checked("failed", words, fix or tr("see the address and the log of that server")))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:  # no answer of this server
        found.append(
            Checked(
                "failed",
                tr("the answer cannot be read: {error}", error=repr(error)),
                tr("check that the address is the right one"),
            )
        )
    return found


def clock(setup: Setup) -> Iterator[Checked]:
    """The clock of this machine is synchronized, and agrees with those of the other servers."""
    synchronized = _synchronized()
    if synchronized is None:
        yield Checked("skipped", tr("the kernel does not say whether the clock is synchronized"))
    elif synchronized:
        yield Checked("ok", tr("the clock is synchronized"))
    else:
        words = tr("the kernel reports that its clock is not synchronized")
        fix = tr("start chrony or systemd-timesyncd, unless the host of this machine does it")
        yield Checked("warning", words, fix)
    for name, address, query in (
        ("Prometheus", setup.prometheus, "/-/ready"),
        ("Alertmanager", setup.alertmanager, "/-/ready"),
        ("Grafana", setup.grafana, "/api/health"),
        (tr("the board"), setup.board, "/"),
    ):
        if address:
            yield from _skew(name, address, query)


def _skew(name: str, address: str, query: str) -> Iterator[Checked]:
    try:
        date = http.get(address, query)[0]
    except SandboxMonitorError:
        return  # the check of that server says so
    if not date:
        return
    ahead = (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds()
    if abs(ahead) > SKEW_S:
        names = {"name": name, "seconds": f"{abs(ahead):.0f}"}
        words = tr("the clock of {name} is {seconds} s behind this one", **names)
        if ahead > 0:
            words = tr("the clock of {name} is {seconds} s ahead of this one", **names)
        yield Checked("failed", words, tr("synchronize both machines"))
    else:
        yield Checked("ok", tr("the clock of {name} agrees with this one", name=name))


def _synchronized() -> bool | None:
    """Whether the kernel reports a synchronized clock (adjtimex(2)); `None` where it cannot be asked."""
    try:
        libc, state = ctypes.CDLL(None), ctypes.create_string_buffer(512)
        answer = int(libc.adjtimex(state))  # modes 0: it only reads
    except (OSError, AttributeError):
        return None
    return None if answer < 0 else answer != _UNSYNCHRONIZED


def kafka(setup: Setup) -> Iterator[Checked]:
    """A broker answers, takes the login of this process, and its certificates are valid for long enough."""
    if not setup.bootstrap:
        yield Checked("skipped", tr("no address"), tr("give --bootstrap host:port"))
        return
    settings = access()
    asyncio.run(require_login(setup.bootstrap))
    user = settings.get("sasl_plain_username")
    user = user or (tr("a certificate") if "ssl_context" in settings else tr("no login"))
    yield Checked("ok", tr("a broker answers at {address}, with {user}", address=setup.bootstrap, user=user))
    if not settings:
        host = setup.bootstrap.rpartition(":")[0]
        if host not in ("127.0.0.1", "localhost", "[::1]"):
            yield Checked(
                "warning",
                tr("the connection is neither encrypted nor logged in"),
                tr("set SANDBOX_KAFKA_CA and a login"),
            )
    yield from _certificate(os.environ.get("SANDBOX_KAFKA_CERT", ""), datetime.now(UTC))


def _certificate(name: str, now: datetime) -> Iterator[Checked]:
    if not name:
        return
    end = valid_until(name)
    words = tr("the certificate {name} is valid until {day}", name=name, day=f"{end:%Y-%m-%d}")
    if end - now < EXPIRES:
        yield Checked("warning", words, tr("replace the file; running processes read it again by themselves"))
    else:
        yield Checked("ok", words)


def kafka_topics(setup: Setup) -> Iterator[Checked]:
    """All topics exist with the settings that the guarantees rest on."""
    if not setup.bootstrap:
        yield Checked("skipped", tr("no address"), tr("give --bootstrap host:port"))
        return
    names = topics.TopicNames(setup.prefix, asyncio.run(topics.participants_of(setup.bootstrap, setup.prefix)))
    count = asyncio.run(topics.partition_count(setup.bootstrap, names.control))
    wanted = topics.topics(names, count, setup.replication)
    mismatches = asyncio.run(topics.check_topics(setup.bootstrap, wanted))
    for mismatch in mismatches:
        yield Checked("failed", f"{mismatch.topic}: {mismatch.what}", mismatch.fix)
    if not mismatches:
        yield Checked(
            "ok", tr("{n} topics with {partitions} partitions are as they must be", n=len(wanted), partitions=count)
        )
    limited = [topic for topic, ends in asyncio.run(topics.limited_retention(setup.bootstrap, names)).items() if ends]
    if limited:
        yield Checked(
            "warning",
            tr("telemetry may be deleted unread: {topics} has a limited retention", topics=", ".join(limited)),
            tr("keep it longer than any outage, or set retention.ms=-1"),
        )  # fmt: skip


def keys(setup: Setup) -> Iterator[Checked]:
    """Key files can be read, and by their owner only."""
    if not setup.keys:
        yield Checked("skipped", tr("no key file"), tr("give --key-file FILE, once for each"))
    for path in setup.keys:
        try:
            yield Checked("ok", tr("{path}: public key {key}", path=path, key=read_key(path).public))
        except Refused as error:
            yield Checked("failed", str(error), tr("see `sandbox-monitor keys --help`"))


def disk(setup: Setup) -> Iterator[Checked]:
    """The directory of the data can be written, and has space."""
    if setup.directory is None:
        yield Checked("skipped", tr("no directory"), tr("give --dir DIR"))
        return
    if not os.access(setup.directory, os.W_OK):
        yield Checked(
            "failed",
            tr("{path} cannot be written", path=setup.directory),
            tr("give it to the user that runs the monitor"),
        )
    usage = shutil.disk_usage(setup.directory)
    free, total = (f"{size / 1024**3:,.1f}" for size in (usage.free, usage.total))
    words = tr("{free} GiB of {total} GiB are free for {path}", free=free, total=total, path=setup.directory)
    if usage.free < FREE_BYTES or usage.free < FREE_SHARE * usage.total:
        yield Checked("warning", words, tr("make space; a full disk stops the monitor, and nothing is lost meanwhile"))
    else:
        yield Checked("ok", words)


def prometheus(setup: Setup) -> Iterator[Checked]:
    """Prometheus is ready, has the rules, reaches every target and an Alertmanager."""
    if not setup.prometheus:
        yield Checked("skipped", tr("no address"), tr("give --prometheus URL"))
        return
    http.get(setup.prometheus, "/-/ready")
    yield Checked("ok", tr("Prometheus is ready at {address}", address=shown(setup.prometheus)))
    groups = _data(setup.prometheus, "/api/v1/rules?type=alert")["groups"]
    names = {rule["name"] for group in groups for rule in group["rules"]}
    if missing := [name for name in LOADED if name not in names]:
        yield Checked(
            "failed",
            tr("rules are not loaded: {names}", names=", ".join(missing)),
            tr("add deploy/prometheus/rules.yaml to rule_files"),
        )
    else:
        yield Checked("ok", tr("{n} alerts are loaded", n=len(names)))
    broken = sorted({rule["name"] for group in groups for rule in group["rules"] if rule.get("health") == "err"})
    if broken:
        yield Checked(
            "failed",
            tr("rules that cannot be evaluated: {names}", names=", ".join(broken)),
            tr("see Prometheus, Status > Rules"),
        )
    yield from _targets(_data(setup.prometheus, "/api/v1/targets?state=active")["activeTargets"])
    if not _data(setup.prometheus, "/api/v1/alertmanagers")["activeAlertmanagers"]:
        yield Checked(
            "failed", tr("it has no Alertmanager, so its alerts reach no one"), tr("set alerting.alertmanagers")
        )


def _targets(targets: list[dict[str, Any]]) -> Iterator[Checked]:
    down = [one for one in targets if one["health"] != "up"]
    for one in down:
        names = {
            "url": one["scrapeUrl"],
            "state": one["health"],
            "error": one.get("lastError") or tr("not scraped yet"),
        }
        yield Checked("failed", tr("target {url} is {state}: {error}", **names), tr("start it, or correct its address"))
    if not targets:
        yield Checked("failed", tr("it scrapes nothing"), tr("add the workers, notary and actors to scrape_configs"))
    elif not down:
        yield Checked("ok", tr("{n} targets are up", n=len(targets)))


def alertmanager(setup: Setup) -> Iterator[Checked]:
    """Alertmanager is ready, leads to people, and nothing silences the alerts of the monitor."""
    if not setup.alertmanager:
        yield Checked("skipped", tr("no address"), tr("give --alertmanager URL"))
        return
    http.get(setup.alertmanager, "/-/ready")
    status = _json(setup.alertmanager, "/api/v2/status")
    peers = len((status.get("cluster") or {}).get("peers") or ())
    where = shown(setup.alertmanager)
    yield Checked("ok", tr("Alertmanager is ready at {address}, {n} in the cluster", address=where, n=max(peers, 1)))
    if peers < 2:
        yield Checked(
            "warning",
            tr("it is alone: while it is down, alerts reach no one"),
            tr("run two that know each other (--cluster.peer)"),
        )
    text = status["config"]["original"]
    if PLACEHOLDER in text:
        yield Checked(
            "failed",
            tr("a receiver is still the placeholder {address}", address=PLACEHOLDER),
            tr("write the addresses of people on call"),
        )
    if WATCHDOG not in text:
        yield Checked(
            "failed", tr("no route for the alert Watchdog, so a dead monitor is not noticed"),
            tr("send it to a service outside of this installation that alerts when it stays away"),
        )  # fmt: skip
    if not _waits_long_enough(text):
        yield Checked(
            "warning", tr("resolve_timeout is short: an outage of the monitor ends its alerts"), tr("set it to 168h")
        )
    for silence in _json(setup.alertmanager, "/api/v2/silences"):
        if silence["status"]["state"] == "active" and _hides(silence["matchers"]):
            who, ends = silence["createdBy"], silence["endsAt"]
            yield Checked(
                "warning",
                tr("a silence of {who} until {time} may hide alerts of the monitor", who=who, time=ends),
                f"amtool silence expire {silence['id']}",
            )


def _hides(matchers: list[dict[str, Any]]) -> bool:
    """Whether a silence may hide an alert of the monitor: by its name, or by labels that it may have."""
    names = [one for one in matchers if one["name"] == "alertname"]
    return any("Sandbox" in one["value"] and one.get("isEqual", True) for one in names) or any(
        all(_is_named(alert, one) for one in names) for alert in LOADED
    )


def _is_named(alert: str, matcher: dict[str, Any]) -> bool:
    value = matcher["value"]
    try:
        same = bool(re.fullmatch(value, alert)) if matcher["isRegex"] else value == alert
    except re.error:  # of a syntax that only Go has
        return True
    return same is bool(matcher.get("isEqual", True))


def _waits_long_enough(text: str) -> bool:
    """Whether the configuration keeps an alert for an hour and more without an update (5 minutes by default)."""
    stated = re.search(r"^\s+resolve_timeout: *\"?([0-9a-z]+)", text, re.MULTILINE)
    return stated is not None and any(unit in stated[1] for unit in "hdwy")


def grafana(setup: Setup) -> Iterator[Checked]:
    """Grafana is healthy, takes the token, and has the dashboards."""
    if not setup.grafana:
        yield Checked("skipped", tr("no address"), tr("give --grafana URL"))
        return
    health = _json(setup.grafana, "/api/health")
    yield Checked(
        "ok",
        tr("Grafana {version} is ready at {address}", version=health.get("version", ""), address=shown(setup.grafana)),
    )
    if not setup.token:
        yield Checked("skipped", tr("dashboards need a token"), tr("set GRAFANA_TOKEN of a service account"))
        return
    there = set(Grafana(setup.grafana, setup.token).search("sandbox-monitor"))
    if missing := [uid for uid in DASHBOARDS if uid not in there]:
        yield Checked(
            "failed",
            tr("dashboards are missing: {names}", names=", ".join(missing)),
            "sandbox-monitor dashboards push --url URL",
        )
    else:
        yield Checked("ok", tr("{n} dashboards are there", n=len(DASHBOARDS)))


def board(setup: Setup) -> Iterator[Checked]:
    """The board answers."""
    if not setup.board:
        yield Checked("skipped", tr("no address"), tr("give --board URL"))
        return
    http.get(setup.board, "/")
    yield Checked("ok", tr("the board answers at {address}", address=shown(setup.board)))


def _json(address: str, query: str) -> Any:
    return json.loads(http.get(address, query, 16 * 1024**2)[1])


def _data(address: str, query: str) -> Any:
    return _json(address, query)["data"]


CHECKS: dict[str, Check] = {
    "clock": clock,
    "kafka": kafka,
    "topics": kafka_topics,
    "keys": keys,
    "disk": disk,
    "prometheus": prometheus,
    "alertmanager": alertmanager,
    "grafana": grafana,
    "board": board,
}
"""Every check by name, in the order in which `doctor` runs them."""
