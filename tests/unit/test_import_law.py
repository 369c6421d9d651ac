"""Imports go one way, the core is pure, and each outside library has one home."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("monitor/**/*.py"), *ROOT.glob("detectors/**/*.py")])

# Lowest first. A file imports from its own folder and from folders below it. `monitor/README.md` shows the same table.
RANKS: tuple[tuple[str, ...], ...] = (
    ("detectors",),
    ("halt_ground", "clock", "logs", "translation"),
    ("errors",),
    ("model", "tlog"),
    ("access", "files", "charter"),
    ("deadlines", "firms"),
    ("lifecycle",),
    ("validate", "indicators", "http_server", "network", "basis"),
    ("compile", "witness", "stamps"),
    ("state", "toolkits"),
    ("assess", "shadow"),
    ("decide",),
    ("detect",),
    ("observe",),
    ("engine",),
    ("projections", "common_cause", "asyncapi"),
    ("notary", "act", "sdk"),
    ("client", "simulation", "console", "report", "publication", "verifier"),
    ("embedded", "kafka", "importers", "public_record"),
    ("cli",),
    ("__main__",),
    ("testing",),
)
ORDER = {folder: rank for rank, folders in enumerate(RANKS) for folder in folders}
PURE = {
    "detectors", "halt_ground", "errors", "model", "tlog", "charter", "lifecycle", "validate", "indicators", "compile",
    "network",
    "state", "decide", "detect", "observe", "projections", "common_cause", "deadlines", "assess", "toolkits",
    "firms", "shadow", "basis",
}  # fmt: skip
PURE_ENGINE = {
    f"monitor.engine.{name}"
    for name in (
        "machine",
        "partition",
        "telemetry",
        "batched",
        "firing",
        "outages",
        "acts",
        "aside",
        "applications",
        "shadows",
    )
}
# The pinned time zones, the YAML of charters, and the lock that a scrape takes.
READS_FILES = {
    "monitor.charter.time_zones", "monitor.compile.load",
    "monitor.compile.load_application", "monitor.compile.load_basis", "monitor.compile.sandbox_file",
    "monitor.compile.settings_file",
    "monitor.compile.dump", "monitor.compile.firm_rules_file",
    "monitor.projections.metrics",
    "monitor.deadlines.shipped",
    "monitor.toolkits.load",
}  # fmt: skip
IMPURE = {
    "time", "os", "asyncio", "socket", "random", "secrets", "uuid", "threading", "subprocess", "pathlib", "io",
    "faust", "kafka", "aiokafka", "aiohttp", "sqlite3", "logging", "requests", "urllib",
}  # fmt: skip
HOMES = {
    "faust": ("monitor/kafka/",),
    "mode": ("monitor/kafka/",),
    "aiokafka": ("monitor/kafka/", "monitor/testing/", "monitor/cli/simulate.py"),
    "kafka": (
        "monitor/sdk/kafka_link.py", "monitor/client/kafka.py", "monitor/client/own_topics.py",
        "monitor/kafka/acl_admin.py", "monitor/kafka/quotas.py",
        "monitor/kafka/scram_users.py", "monitor/access/kafka_handshake.py", "monitor/access/kafka_decoders.py",
        "monitor/kafka/private_hooks.py", "monitor/testing/secure_broker.py",
    ),
    "river": ("detectors/river_adapters.py",),
    "prometheus_client": ("monitor/projections/metrics.py",),
    "grafana_api": ("monitor/act/",),
    "requests": ("monitor/act/",),
    "aiohttp": (
        "monitor/embedded/", "monitor/http_server/", "monitor/console/routes.py", "monitor/console/event_stream.py",
        "monitor/kafka/", "monitor/cli/",
        "monitor/witness/server.py",
        "monitor/publication/routes.py",
    ),
    "ruamel": ("monitor/compile/load.py", "monitor/compile/dump.py"),
    "sqlite3": ("monitor/embedded/",),
    "babel": ("monitor/translation/",),
    "htpy": ("monitor/console/", "monitor/report/", "monitor/public_record/"),
    "markupsafe": ("monitor/translation/", "monitor/console/", "monitor/report/", "monitor/public_record/"),
    "cryptography": (
        "monitor/model/signing.py", "monitor/tlog/keys.py", "monitor/access/tls.py", "monitor/testing/certificates.py",
        "monitor/stamps/", "monitor/testing/timestamp_authority.py",
    ),
    "rfc3161_client": ("monitor/stamps/",),
}  # fmt: skip


@functools.cache
def imports(path: Path) -> set[str]:
    """Every module that a file names in an import, however deep in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names if node.module == "monitor")
    return found


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def folder(module: str) -> str:
    """The folder of a module, or the module itself where it is flat; "" for the package `monitor`."""
    parts = module.split(".")
    return parts[0] if parts[0] != "monitor" else parts[1] if len(parts) > 1 else ""


GROUPS: dict[str, list[Path]] = {}
for _path in FILES:
    GROUPS.setdefault(folder(name_of(_path)) or "monitor", []).append(_path)


@pytest.mark.parametrize("group", GROUPS)
def test_imports_go_one_way(group: str) -> None:
    """A file imports from its own folder and from folders of a lower rank."""
    assert group in ORDER or group == "monitor", f"{group} has no rank"
    for path in GROUPS[group] if group in ORDER else ():
        for module in imports(path):
            other = folder(module)
            if module.split(".")[0] in ("monitor", "detectors") and other in ORDER and other != group:
                assert ORDER[other] < ORDER[group], f"{name_of(path)} imports {module}, which is not below it"


@pytest.mark.parametrize("group", GROUPS)
def test_the_core_is_pure(group: str) -> None:
    """No clock, no randomness, no input or output up to and including the machine."""
    for path in GROUPS[group]:
        name = name_of(path)
        if (group not in PURE and name not in PURE_ENGINE) or name in READS_FILES:
            continue
        named = imports(path) - {"urllib.parse"}  # quotes text, and reads nothing
        bad = {m for m in named if m.split(".")[0] in IMPURE or m in ("monitor.clock", "monitor.logs")}
        assert not bad, f"{name} imports {sorted(bad)}"


@pytest.mark.parametrize("group", GROUPS)
def test_each_outside_library_has_one_home(group: str) -> None:
    """Faust lives in `kafka`, river in one adapter, prometheus_client in the metrics."""
    for path in GROUPS[group]:
        where = str(path.relative_to(ROOT))
        for module in imports(path):
            homes = HOMES.get(module.split(".")[0])
            if homes is not None:
                assert where.startswith(homes), f"{where} imports {module}, whose home is {' or '.join(homes)}"


@pytest.mark.parametrize("command", ["worker", "notary", "act", "pool"])
def test_services_stay_out_of_the_command_line(command: str) -> None:
    """A command of a service has flags, help and printing; consumers, tasks and threads are in `monitor/kafka`."""
    found = imports(ROOT / "monitor" / "cli" / f"{command}.py")
    assert not {m for m in found if m.split(".")[0] in ("asyncio", "threading", "signal", "aiokafka", "aiohttp")}
    assert not {m for m in found if m.startswith(("monitor.kafka.output_consumer", "monitor.kafka.partition_reader"))}


def test_the_readme_shows_the_ranks() -> None:
    """The table of `monitor/README.md` names every folder with its rank."""
    rows = re.findall(r"^\| (\d+) \| `(\w+)`", (ROOT / "monitor" / "README.md").read_text(), re.M)
    assert {folder: int(rank) for rank, folder in rows} == ORDER
    folders = {p.name for p in (ROOT / "monitor").iterdir() if p.is_dir() and any(p.glob("*.py"))}
    flat = {p.stem for p in (ROOT / "monitor").glob("*.py")} - {"__init__"}
    assert folders | flat == set(ORDER) - {"detectors"}
    assert len(flat) <= 6
