"""The chart and the Strimzi resources: rendered from what the code uses, of known fields only, and restricted."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
import yaml

from monitor.__main__ import cli

ROOT = Path(__file__).parents[2]
HERE = ROOT / "deploy" / "kubernetes"


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def documents(name: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all((HERE / name).read_text()) if one]


def test_the_strimzi_resources_are_those_of_the_code() -> None:
    """Topics, grants and quotas are the tables of `topics create` and `topics acls`; `render.sh` writes them."""
    assert (HERE / "strimzi.yaml").read_text() == module("strimzi").rendered(["acme", "bolt"])


def test_the_rendered_chart_is_that_of_its_templates() -> None:
    """A change of the chart is rendered again: `deploy/kubernetes/render.sh`."""
    assert module("inputs").digest() in (HERE / "rendered.yaml").read_text().splitlines()[0]


def test_every_pod_is_restricted() -> None:
    """The restricted profile of the Pod Security Standards, images by digest, no token of the Kubernetes API."""
    pods = [one["spec"]["template"]["spec"] for one in documents("rendered.yaml") if one["kind"] == "StatefulSet"]
    assert len(pods) == 3
    for pod in pods:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert "@sha256:" in container["image"]
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]


def test_every_flag_of_the_chart_is_one_of_the_command() -> None:
    """Arguments and commands exist, so that a pod does not end with a usage error."""
    for one in documents("rendered.yaml"):
        if one["kind"] == "StatefulSet":
            for container in one["spec"]["template"]["spec"]["containers"]:
                verb, *flags = container["args"]
                command = cli.get_command(click.Context(cli), verb)
                assert command is not None
                known = {flag for option in command.params for flag in option.opts}
                assert {flag.split("=")[0] for flag in flags} <= known, verb


@pytest.fixture(scope="module")
def check() -> list[str]:
    """The command that checks files against the classes of the APIs."""
    if shutil.which("mvn") is None or shutil.which("java") is None:
        pytest.skip("needs Java and Maven")
    path = ROOT / "var" / "kubernetes-check.classpath"
    path.parent.mkdir(exist_ok=True)
    command = ["mvn", "-q", "-B", "dependency:build-classpath", f"-Dmdep.outputFile={path}"]
    resolved = subprocess.run(command, cwd=HERE / "check", capture_output=True, text=True, timeout=600)
    assert resolved.returncode == 0, resolved.stdout[-2000:]
    return ["java", "-cp", path.read_text(), str(HERE / "check" / "Check.java")]


@pytest.mark.servers
def test_every_field_is_known_to_the_apis(check: list[str], tmp_path: Path) -> None:
    """Kubernetes and Strimzi know every field, and each value has the right type; a field they do not know is found."""
    run = subprocess.run([*check, "rendered.yaml", "strimzi.yaml"], cwd=HERE, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
    assert run.stdout.strip().endswith(", 0 wrong")
    broken = tmp_path / "broken.yaml"
    text = (HERE / "rendered.yaml").read_text().replace("readOnlyRootFilesystem", "readOnlyRootFileSystem", 1)
    broken.write_text(text + "\n---\n" + (HERE / "strimzi.yaml").read_text().replace("patternType", "patternKind", 1))
    run = subprocess.run([*check, str(broken)], capture_output=True, text=True)
    assert run.returncode == 1
    assert "unknown field readOnlyRootFileSystem" in run.stdout
    assert "unknown field patternKind" in run.stdout


@pytest.mark.long
@pytest.mark.skipif(shutil.which("go") is None, reason="needs Go, to build helm")
def test_helm_lints_and_renders_the_same() -> None:
    """Helm itself accepts the chart, and renders what is in `rendered.yaml`."""
    run = subprocess.run([HERE / "render.sh", "--check"], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
