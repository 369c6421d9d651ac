"""Reads application files: YAML in; an application, or the first mistake with its line."""

from __future__ import annotations

from pathlib import Path

import msgspec

from monitor.charter.application import Application, application_flaws
from monitor.charter.spec import Charter
from monitor.compile.load import LARGEST_FILE, Tree
from monitor.errors import CharterError


def load_application(path: Path, charter: Charter) -> Application:
    """The application in a file, for the charter that is proposed with it. Raises CharterError for the first mistake,
    OSError as `open` does."""
    raw, tree = path.read_bytes(), Tree(str(path))
    if len(raw) > LARGEST_FILE:
        raise CharterError(str(path), 1, 1, "file", f"the file is larger than {LARGEST_FILE} bytes", "shorten it")
    try:
        data = tree.load(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise CharterError(str(path), 1, 1, "file", "not UTF-8", "save it as UTF-8") from None
    if not tree.found:
        tree.check(Application, data, "")
    if not tree.found:
        application = msgspec.convert(data, Application)
        for flaw in application_flaws(application, charter):
            tree.add(*flaw)
    for found in tree.sorted():
        raise CharterError(found.file, found.line, found.column, found.field, found.problem, found.fix)
    return application
