"""Prints a document as PDF with an installed Chromium, without network; the document itself forbids scripts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from monitor.errors import Refused

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
"""Names on PATH, in the order in which they are tried; the environment variable CHROMIUM names another one."""
OLDEST = 131  # the first version that prints the margin boxes of a page: header, footer, page numbers
SECONDS = 300.0  # a document of a hundred pages on a loaded machine


def browser() -> str:
    """The program that prints. Raises Refused with the fix when there is none, or it is too old."""
    named = os.environ.get("CHROMIUM", "")
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        what = f"CHROMIUM names {named}, which is no program" if named else "no Chromium on PATH"
        raise Refused(
            f"--pdf: {what}; install one (Debian: apt-get install chromium fonts-wqy-zenhei), set CHROMIUM to its "
            "path, or write HTML with --out and print it from a browser"
        )
    said = _run([found, "--version"], 60.0)
    version = re.search(r"(\d+)\.\d+\.\d+", said)
    if version is not None and int(version[1]) < OLDEST:
        raise Refused(f"--pdf: {found} has version {version[0]}; page numbers need {OLDEST} or newer: update it")
    return found


def print_pdf(html: str, target: Path) -> None:
    """Write the document as PDF (A4). Raises Refused with the fix when it cannot be printed."""
    program = browser()
    with TemporaryDirectory(prefix="sandbox-report-") as place:
        page, made = Path(place, "document.html"), Path(place, "document.pdf")
        page.write_text(html, encoding="utf-8")
        flags = [
            "--headless", "--disable-gpu", "--no-pdf-header-footer", "--disable-extensions", "--no-first-run",
            "--disable-dev-shm-usage", "--disable-background-networking",
            "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={place}/profile", f"--print-to-pdf={made}",
        ]  # fmt: skip
        if os.geteuid() == 0:
            flags.append("--no-sandbox")  # as root it does not start with it; the page has no scripts
        said = _run([program, *flags, page.as_uri()], SECONDS)
        if not made.exists() or not made.stat().st_size:
            raise Refused(f"--pdf: {program} wrote nothing: {said.strip()[-300:] or 'no message'}")
        shutil.copyfile(made, target)


def _run(command: list[str], seconds: float) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise Refused(f"--pdf: {command[0]} did not end within {seconds:g} s; write HTML with --out") from error
    except OSError as error:
        raise Refused(f"--pdf: {command[0]} does not start: {error}; write HTML with --out") from error
    return done.stdout + done.stderr
