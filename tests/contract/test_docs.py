"""What the pages say is so: links lead somewhere, commands exist, code compiles, every command is in the docs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor.__main__ import COMMANDS

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for pattern in (
        "*.md",
        "monitor/**/*.md",
        "detectors/*.md",
        "deploy/**/*.md",
        "dashboards/*.md",
        "tests/data/**/*.md",
    )
    for page in ROOT.glob(pattern)
)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def ids(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file that exists."""
    prose = re.sub(r"```.*?```|`[^`\n]+`|^    [^\n]*$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", prose):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_no_page_holds_two_versions_of_a_merge(page: Path) -> None:
    """A conflict marker of Git in a page means that a merge was left half done."""
    assert not re.search(r"^(<{7} |>{7} |={7}$)", page.read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_commands_exist(page: Path) -> None:
    """`sandbox-monitor X` names a command, `make X` a target."""
    text = page.read_text()
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`|^    .+$", text, re.DOTALL | re.MULTILINE))
    for name in re.findall(r"sandbox-monitor ([a-z][a-z-]*)", code):
        assert name in COMMANDS, name
    for name in re.findall(r"`?make ([a-z-]+)", code):
        assert name in TARGETS, name


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_python_in_the_pages_compiles(page: Path) -> None:
    """A reader may copy every Python block."""
    for block in re.findall(r"^ *```python\n(.*?)^ *```", page.read_text(), re.DOTALL | re.MULTILINE):
        lines = block.splitlines()
        indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        compile("\n".join(line[indent:] for line in lines), str(page), "exec")


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_in_the_docs(command: str) -> None:
    """A command that no page names will not be found by anybody."""
    named = rf"sandbox-monitor {command}\b|`{command}`"
    assert any(re.search(named, page.read_text()) for page in PAGES), command
