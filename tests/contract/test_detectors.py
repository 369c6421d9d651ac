"""Every entry of DETECTORS passes every check of `detectors/checks.py`; a new entry needs no new test."""

from __future__ import annotations

import ast
import doctest
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import detectors
from detectors import DETECTORS, SPENDS_ALPHA, build
from detectors.base import Compared, Count, Design, Detector, Gap, Gauge, Proportion
from detectors.checks import CHECKS, SAMPLES, Make, keeps_a_bounded_state
from tests.strength import FULL

LIMITS = {Count: 0.1, Proportion: 0.3, Gauge: 5.0, Gap: 1 / 60, Compared: 0.3}
PURE = Path(detectors.__file__).parent


def design(kind: type, direction: str = "above") -> Design:
    return msgspec.convert(
        {"limit": LIMITS[kind], "alpha": 0.01, "late_window": 4, "uncertainty": 0.1, "direction": direction}, Design
    )


def refused(name: str, made: Design) -> str:
    """Returns why a detector refuses such a charter (empty = it does not)."""
    try:
        build(name, made)
    except ValueError as wrong:
        return str(wrong)
    return ""


CASES = [
    pytest.param(name, kind, direction, id=f"{name}-{kind.__name__.lower()}-{direction}")
    for name, cls in DETECTORS.items()
    for kind in cls.observes
    for direction in ("above", "below")
    if not refused(name, design(kind, direction))
]


def maker(name: str, kind: type, direction: str, **change: object) -> Make:
    made = msgspec.structs.replace(design(kind, direction), **change)
    return lambda: build(name, made)


def streams(check: object, kind: type) -> list[str]:
    """The sample streams for a check: all, but only the varied ones for the check that takes 2,000 observations of
    each."""
    if check is keeps_a_bounded_state and not FULL:
        return ["ordinary", "burst", "new level", "huge and tiny"]
    return list(SAMPLES[kind])


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize(("name", "kind", "direction"), CASES)
def test_every_detector_keeps_every_promise(name: str, kind: type, direction: str, check) -> None:  # type: ignore[no-untyped-def]
    """Each check on each sample stream."""
    for label in streams(check, kind):
        stream = SAMPLES[kind][label]
        try:
            check(maker(name, kind, direction), stream)
        except AssertionError as wrong:
            raise AssertionError(f"stream {label!r}: {wrong}") from wrong


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize(
    ("name", "kind"), [(n, k) for n, cls in DETECTORS.items() for k in cls.observes if k in (Count, Proportion)]
)
def test_promises_hold_for_assumed_overdispersion_and_no_limit_margin(name: str, kind: type, check) -> None:  # type: ignore[no-untyped-def]
    """The same checks with variance/mean 3, no late window and many minimum events."""
    change = {"variance_mean": 3.0, "late_window": 0, "minimum_events": 50, "uncertainty": 0.0}
    if why := refused(name, msgspec.structs.replace(design(kind), **change)):
        assert why.startswith("variance_mean: ")
        return
    for stream in (SAMPLES[kind]["burst"], SAMPLES[kind]["huge and tiny"]):
        check(maker(name, kind, "above", **change), stream)


@pytest.mark.parametrize(
    ("name", "kind"), [(n, k) for n in ("e_detector", "cusum", "glr", "ewma") for k in DETECTORS[n].observes]
)
@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_promises_hold_against_a_learnt_baseline(name: str, kind: type, check) -> None:  # type: ignore[no-untyped-def]
    """Without a limit the baseline is learnt; the checks hold while it is learnt and learnt again."""
    for stream in SAMPLES[kind].values():
        check(maker(name, kind, "above", limit=None), stream)


def test_every_entry_is_a_detector() -> None:
    """Every entry has the one method and declares what it observes and claims."""
    for name, cls in DETECTORS.items():
        made = build(name, design(cls.observes[0]))
        assert isinstance(made, Detector)
        assert isinstance(made, msgspec.Struct)


@pytest.mark.parametrize(
    ("name", "change", "params", "message"),
    [
        ("limit_e_process", {"alpha": None}, {}, "alpha"),
        ("limit_e_process", {"alpha": 0.0}, {}, "alpha"),
        ("limit_e_process", {"limit": None}, {}, "limit"),
        ("limit_e_process", {}, {"ratios": []}, "ratios"),
        ("limit_e_process", {}, {"ratios": [0.5]}, "ratios"),
        ("limit_e_process", {}, {"ratios": 2}, "ratios"),
        ("limit_e_process", {}, {"rations": [2]}, "rations"),
        ("e_detector", {}, {"arl0": "often"}, "arl0"),
        ("e_detector", {}, {"arl0": True}, "arl0"),
        ("e_detector", {}, {"baseline": -1}, "baseline"),
        ("e_detector", {}, {"confidence": 1.0}, "confidence"),
        ("cusum", {}, {"ratio": 1.0}, "ratio"),
        ("cusum", {}, {"baseline_periods": 0}, "baseline_periods"),
        ("silence", {}, {"false_per_year": 0}, "false_per_year"),
        ("gauge_limit", {"limit": None}, {}, "limit"),
        ("gauge_limit", {"limit": float("nan")}, {}, "limit"),
        ("limit_e_process", {}, {"two_sided": 1}, "two_sided"),
        ("e_detector", {}, {"side": "left"}, "side"),
        ("e_detector", {}, {"weights": [1, 2]}, "weights"),
        ("e_detector", {}, {"weights": [1, 2, 0, 1]}, "weights"),
        ("e_detector", {}, {"calibrate_for": 5}, "calibrate_for"),
        ("glr", {}, {"arl0": 1}, "arl0"),
        ("glr", {}, {"window": 0}, "window"),
        ("ewma", {}, {"weight": 0}, "weight"),
        ("ewma", {}, {"arl0": 5}, "arl0"),
        ("ewma", {}, {"baseline_periods": 1}, "baseline_periods"),
        ("maxsprt", {"alpha": None}, {}, "alpha"),
        ("maxsprt", {"variance_mean": 2.0}, {}, "variance_mean"),
        ("maxsprt", {"direction": "below"}, {}, "direction"),
        ("maxsprt", {}, {"horizon": 0}, "horizon"),
        ("river_drift", {}, {"delta": 2}, "delta"),
        ("river_drift", {}, {"block": 10}, "block"),
        ("no_such", {}, {}, "no_such"),
    ],
)
def test_a_wrong_parameter_is_named(
    name: str, change: dict[str, object], params: dict[str, object], message: str
) -> None:
    """An invalid parameter raises ValueError that starts with its name."""
    with pytest.raises(ValueError, match=f"^{message}: "):
        build(name, msgspec.structs.replace(design(Count), **change), params)


@pytest.mark.parametrize("name", SPENDS_ALPHA)
def test_a_detector_that_spends_alpha_continues_its_evidence_under_a_changed_charter(name: str) -> None:
    """Begun anew it would spend the same share a second time. What is assumed from then on is the new value."""
    kind = DETECTORS[name].observes[0]
    before, plain, changed = (build(name, msgspec.structs.replace(design(kind), variance_mean=v)) for v in (1, 1, 3))
    stream = next(iter(SAMPLES[kind].values()))
    for observation in stream[:20]:
        before.update(observation)
        plain.update(observation)
    before.amend(msgspec.structs.replace(design(kind), variance_mean=3.0))
    assert before.sums == plain.sums
    assert before.threshold == plain.threshold
    assert before.dispersion == changed.dispersion


def test_detectors_are_pure() -> None:
    """No detector imports a clock, randomness, the operating system, a network or the monitor."""
    banned = {
        "time",
        "os",
        "asyncio",
        "socket",
        "random",
        "secrets",
        "faust",
        "kafka",
        "aiokafka",
        "monitor",
        "datetime",
    }
    for path in PURE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            found = {n.split(".")[0] for n in names} & banned
            assert not found, f"{path.name} imports {found}"


def test_river_has_one_home_and_only_its_users_pay_for_it() -> None:
    """Only river_adapters.py names river, and importing `detectors` does not load it."""
    users = [p.name for p in PURE.glob("*.py") if "river" in p.read_text() and "from river" in p.read_text()]
    assert users == ["river_adapters.py"]
    script = "import sys, detectors; sys.exit('river' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_detector_is_added_by_copying_a_neighbour() -> None:
    """The file to copy has under 30 lines of code without docstrings, plus one line in the dict."""
    tree = ast.parse((PURE / "gauge_limit.py").read_text())
    lines: set[int] = set()
    for node in ast.walk(tree):
        is_text = (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        )
        if isinstance(node, ast.stmt) and not is_text and not isinstance(node, ast.ClassDef | ast.FunctionDef):
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            lines.add(node.lineno)
    assert len(lines) < 30


def test_the_examples_of_the_readme_run() -> None:
    """The examples of detectors/README.md give the output shown."""
    failed, tried = doctest.testfile(
        str(PURE / "README.md"), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert tried > 3
    assert failed == 0


def test_the_readme_names_every_detector() -> None:
    """The table has one row for each entry of the dict."""
    page = (PURE / "README.md").read_text()
    for name in DETECTORS:
        assert f"| `{name}` |" in page
