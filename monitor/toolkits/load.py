"""Reads the folder of a toolkit: all parts, or every mistake with file, line, field and fix.

The digest of a version is reproduced by `sha256sum charter.yaml playbook.md toolkit.yaml | sha256sum` in its folder.
"""

from __future__ import annotations

import functools
import hashlib
import re
from importlib.resources import as_file, files
from pathlib import Path

import msgspec

from monitor.charter.spec import Charter
from monitor.compile.load import LARGEST_FILE, LocatedProblem, Tree, read_bytes
from monitor.compile.problem import nearest
from monitor.errors import ToolkitError
from monitor.toolkits.spec import LoadedToolkit, Toolkit

CHARTER, PLAYBOOK, ABOUT = FILES = ("charter.yaml", "playbook.md", "toolkit.yaml")  # in the order of the digest
SHIPPED = ("automated_driving", "consumer_finance", "generative_services", "health", "education")
PARTS = ("**Meaning.**", "**Check.**", "**Do.**")  # of a section of the playbook
_HEADING = re.compile(r"^## +(.+?) *$", re.MULTILINE)


@functools.cache
def shipped(name: str) -> LoadedToolkit:
    """The shipped toolkit of this name. Raises KeyError."""
    if name not in SHIPPED:
        raise KeyError(name)
    with as_file(files("monitor.toolkits").joinpath(name)) as folder:
        return load_toolkit(folder)


def load_toolkit(folder: Path) -> LoadedToolkit:
    """The toolkit in a folder. Raises ToolkitError with every mistake."""
    loaded, found = read_toolkit(folder)
    if loaded is None:
        raise ToolkitError("\n".join(map(str, found)))
    return loaded


def read_toolkit(folder: Path) -> tuple[LoadedToolkit | None, list[LocatedProblem]]:
    """The toolkit in a folder, `None` if it has a mistake, and all mistakes. Warnings of the charter are mistakes
    too: a charter that was only filled in has none."""
    raws: dict[str, bytes] = {}
    found: list[LocatedProblem] = []
    for name in FILES:
        path = folder / name
        problem = fix = ""
        if not path.is_file():
            problem, fix = "the file is missing", "copy it from a neighbour, and change it"
        elif path.stat().st_size > LARGEST_FILE:
            problem, fix = f"the file is larger than {LARGEST_FILE} bytes", "shorten it"
        else:
            raws[name] = path.read_bytes()
        if problem:
            found.append(LocatedProblem(str(path), 1, 1, "error", "file", problem, fix))
    if found:
        return None, found
    reading = read_bytes(raws[CHARTER], str(folder / CHARTER))
    tree = Tree(str(folder / ABOUT))
    about = _about(raws[ABOUT], tree)
    sections, page_problems = _sections(raws[PLAYBOOK], str(folder / PLAYBOOK))
    found += [*reading.found, *tree.sorted(), *page_problems]
    if about is None or reading.charter is None or reading.found:
        return None, found
    _agree(about, reading.charter, folder.name, tree)
    found = [*tree.sorted(), *page_problems]
    if page_problems:
        return None, found
    found += _playbook_flaws(reading.charter, sections, raws[PLAYBOOK].decode(), str(folder / PLAYBOOK))
    if found:
        return None, found
    text = raws[CHARTER].decode("utf-8-sig")
    return LoadedToolkit(about, reading.charter, text, sections, digest_of(raws)), []


def digest_of(raws: dict[str, bytes]) -> str:
    """The digest of the three files, 64 hex digits."""
    lines = "".join(f"{hashlib.sha256(raws[name]).hexdigest()}  {name}\n" for name in FILES)
    return hashlib.sha256(lines.encode()).hexdigest()


def _about(raw: bytes, tree: Tree) -> Toolkit | None:
    try:
        data = tree.load(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        tree.add("", "not UTF-8", "save it as UTF-8")
        return None
    if tree.found:
        return None
    tree.check(Toolkit, data, "")
    return None if tree.found else msgspec.convert(data, Toolkit)


def _agree(about: Toolkit, charter: Charter, folder: str, tree: Tree) -> None:
    """Report where `toolkit.yaml` names what its charter does not have, or leaves out what it has."""
    if about.id != folder:
        tree.add("id", f"the folder is named {folder}", f"write {folder}, or rename the folder")
    if about.sector != charter.sector:
        tree.add("sector", f"the charter is of sector {charter.sector or '(none)'}", "write the same in both files")
    if charter.toolkit:
        tree.add("schema", "the charter template names a toolkit itself", "remove `toolkit`: `toolkit new` writes it")
    for part in ("indicators", "hard_rules"):
        for one in getattr(charter, part):
            if not one.clauses:
                fix = "add `clauses` to it in charter.yaml (`basis list` has ids)"
                tree.add("schema", f"{part}[{one.name}] of the charter cites no clause", fix)
    known = {
        "indicators": {spec.name for spec in charter.indicators},
        "rules": {rule.name for rule in charter.hard_rules},
        "scenarios": {trial.name for trial in charter.evaluation},
    }
    seen: dict[str, set[str]] = {part: set() for part in known}
    ids: set[str] = set()
    for index, hazard in enumerate(about.hazards):
        if hazard.id in ids:
            tree.add(f"hazards[{index}].id", f"{hazard.id} is written twice", "write another id")
        ids.add(hazard.id)
        if not (hazard.indicators or hazard.rules or hazard.scenarios):
            fix = "name an indicator, a hard rule or a scenario of the charter"
            tree.add(f"hazards[{index}]", "nothing sees this hazard", fix)
        for part, names in known.items():
            for place, name in enumerate(getattr(hazard, part)):
                seen[part].add(name)
                if name not in names:
                    problem = f"the charter has no {name}"
                    tree.add(
                        f"hazards[{index}].{part}[{place}]", problem, nearest(name, names) if names else "remove it"
                    )
    for part, names in known.items():
        for name in sorted(names - seen[part]):
            tree.add("hazards", f"no hazard names {name} of the {part} of the charter", "name the hazard that it sees")
    _scenarios(about, charter, tree)


def _scenarios(about: Toolkit, charter: Charter, tree: Tree) -> None:
    noted = {note.name: index for index, note in enumerate(about.scenarios)}
    trials = {trial.name: trial for trial in charter.evaluation}
    for name, index in noted.items():
        if name not in trials:
            tree.add(f"scenarios[{index}].name", f"the charter has no scenario {name}", "write one of its evaluation")
    for name, trial in trials.items():
        if name not in noted:
            tree.add("scenarios", f"it is not said how {name} is run", "add {name, data, measures}")
            continue
        at, measures = f"scenarios[{noted[name]}].measures", about.scenarios[noted[name]].measures
        for measure in sorted(trial.bounds.keys() - measures.keys()):
            tree.add(at, f"{measure} is not explained", "say what it is and in which unit")
        for measure in sorted(measures.keys() - trial.bounds.keys()):
            tree.add(f"{at}.{measure}", "the charter has no bound for it", "add the bound, or remove it")


def _sections(raw: bytes, file: str) -> tuple[dict[str, str], list[LocatedProblem]]:
    """The sections of the playbook by heading, without blanks around them."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return {}, [LocatedProblem(file, 1, 1, "error", "file", "not UTF-8", "save it as UTF-8")]
    pieces = _HEADING.split(text)
    return {name: body.strip() for name, body in zip(pieces[1::2], pieces[2::2], strict=True)}, []


def _playbook_flaws(charter: Charter, sections: dict[str, str], text: str, file: str) -> list[LocatedProblem]:
    """Each indicator and hard rule has a section with its parts, and each section is one of them."""
    names = {spec.name for spec in charter.indicators} | {rule.name for rule in charter.hard_rules}
    found = []

    def add(heading: str, problem: str, fix: str) -> None:
        at = re.search(rf"^## +{re.escape(heading)} *$", text, re.MULTILINE)
        line = text[: at.start()].count("\n") + 1 if at else 1
        found.append(LocatedProblem(file, line, 1, "error", f"## {heading}", problem, fix))

    for name in sorted(names - sections.keys()):
        add(name, "the section is missing", f"say what a person does, in {', '.join(PARTS)}")
    for name, body in sections.items():
        if name not in names:
            add(name, "the charter has no such indicator or hard rule", nearest(name, names))
        elif lacks := [part for part in PARTS if part not in body]:
            add(name, f"{', '.join(lacks)} is missing", "begin a paragraph with it")
    headings = _HEADING.findall(text)
    for name in sorted({one for one in headings if headings.count(one) > 1}):
        add(name, "the heading is written twice", "write one section for each name")
    return found
