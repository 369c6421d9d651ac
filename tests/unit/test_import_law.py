"""Imports go one way, the core is pure, and each outside library has one home."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("monitor/**/*.py"), *ROOT.glob("detectors/**/*.py")])

# Lowest first; a module may import its own stage and lower ones.
STAGES: tuple[tuple[str, ...], ...] = (
    ("detectors",),
    ("monitor.ground", "monitor.window", "monitor.notice"),
    ("monitor.canonical", "monitor.periods", "monitor.errors", "monitor.lenient", "monitor.zones", "monitor.refusals"),
    ("monitor.telemetry", "monitor.pace"),
    ("monitor.labels",),
    ("monitor.bounds", "monitor.missing", "monitor.seen"),
    ("monitor.signing",),
    ("monitor.model",),
    ("monitor.charter",),
    ("monitor.charter_values",),
    ("monitor.control", "monitor.indicators", "monitor.rejections", "monitor.validate"),
    ("monitor.order", "monitor.batch", "monitor.once", "monitor.authority"),
    ("monitor.decide",),
    ("monitor.plan",),
    ("monitor.incidents", "monitor.astray", "monitor.charter_size"),
    ("monitor.state", "monitor.charter_lint"),
    ("monitor.proof", "monitor.resident", "monitor.timers"),
    ("monitor.case", "monitor.counters", "monitor.sequence"),
    ("monitor.tolerate",),
    ("monitor.correct",),
    ("monitor.detect", "monitor.leave"),
    ("monitor.obey",),
    ("monitor.observe", "monitor.acts"),
    ("monitor.contested", "monitor.shed"),
    ("monitor.layout", "monitor.leap", "monitor.split"),
    ("monitor.fold",),
    ("monitor.ready",),
    ("monitor.machine",),
    ("monitor.log", "monitor.runner"),
)
ORDER = {prefix: rank for rank, prefixes in enumerate(STAGES) for prefix in prefixes}
IMPURE = {
    "time", "os", "asyncio", "socket", "random", "secrets", "uuid", "threading", "subprocess", "pathlib", "io",
    "faust", "kafka", "aiokafka", "aiohttp", "sqlite3", "logging", "requests", "urllib",
}  # fmt: skip
HOMES = {
    "faust": ("monitor/stream/",),
    "mode": ("monitor/stream/",),
    "aiokafka": ("monitor/stream/", "monitor/testing/", "monitor/cli/simulate.py"),
    "kafka": ("monitor/sdk/", "monitor/cli/simulate.py"),
    "river": ("detectors/river_adapters.py",),
    "prometheus_client": ("monitor/metrics.py",),
    "grafana_api": ("monitor/act/",),
    "requests": ("monitor/act/",),
    "aiohttp": ("monitor/embedded/", "monitor/console/routes.py", "monitor/stream/", "monitor/cli/"),
    "ruamel": ("monitor/charter_file.py", "monitor/charter_yaml.py"),
    "sqlite3": ("monitor/embedded/",),
    "cryptography": ("monitor/signing.py",),
}


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


def stage(module: str) -> int | None:
    """The rank of a module, or None when it lies outside the core."""
    for prefix, rank in ORDER.items():
        if module == prefix or module.startswith(prefix + "."):
            return rank
    return None


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_one_way(path: Path) -> None:
    """The core imports only its own stage and what lies below it, never a surface."""
    mine = stage(name_of(path))
    if mine is None:
        return
    for module in imports(path):
        if module == "monitor" or not module.startswith(("monitor.", "detectors")):
            continue
        other = stage(module)
        assert other is not None, f"{name_of(path)} is core and imports {module}, which is not"
        assert other <= mine, f"{name_of(path)} imports {module}, which stands above it"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_core_is_pure(path: Path) -> None:
    """No clock, no randomness, no input or output up to and including the machine."""
    rank = stage(name_of(path))
    if rank is None or rank > ORDER["monitor.machine"]:
        return
    bad = {m for m in imports(path) if m.split(".")[0] in IMPURE}
    assert not bad, f"{name_of(path)} imports {sorted(bad)}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_each_outside_library_has_one_home(path: Path) -> None:
    """Faust lives in stream, river in one adapter, prometheus_client in metrics."""
    where = str(path.relative_to(ROOT))
    for module in imports(path):
        homes = HOMES.get(module.split(".")[0])
        if homes is not None:
            assert where.startswith(homes), f"{where} imports {module}, whose home is {' or '.join(homes)}"
