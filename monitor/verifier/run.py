"""Verifies a list of inputs under given trust anchors. Returns a report; raises nothing for what the inputs hold."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from monitor.notary.commitment import Plaintext
from monitor.notary.format import Damage, LedgerReader
from monitor.verifier.anchors import Anchors
from monitor.verifier.followed import Followed, log_of
from monitor.verifier.ledger_files import check_directory, check_ledger
from monitor.verifier.limits import conclude
from monitor.verifier.report import Report
from monitor.verifier.stores import Store, Unreadable, Withheld, is_url

ZIP_HEAD = b"PK\x03\x04"


def verify_all(inputs: Sequence[str], anchors: Anchors) -> Report:
    """Check every input: a ledger file, a directory of the notary, a published directory or its URL, a bundle.

    Raises KeyRefused for a key that cannot be used.
    """
    report = Report()
    logs = _Logs(anchors, report) if _signed(inputs, anchors) else None
    files: list[Followed] = []
    for name in inputs:
        path = Path(name)
        if logs is not None and logs.takes(name):
            logs.check(name)
        elif path.is_dir():
            files += _directory(path, anchors, report, logs)
        elif path.exists():
            followed = check_ledger(path, anchors, report, logs.sizes(path) if logs else ())
            files += [followed] if followed else []
        else:
            report.no_verdict(f"{path}: no such file")
    shown = {text for followed in files for text in followed.shown}
    if logs is not None:
        shown |= logs.finish(files)
    _noted_roots(anchors, report)
    _texts(anchors, shown, report)
    if logs is not None and not logs.signed and not report.unreadable:
        report.nothing_signed = True
    conclude(anchors, report)
    return report


def _signed(inputs: Sequence[str], anchors: Anchors) -> bool:
    """Whether anything signed is given; without, a ledger is verified with the standard library alone."""
    given = anchors.log_keys or anchors.witness_keys or anchors.policies or anchors.checkpoints or anchors.published
    return bool(given) or any(_published(name) for name in inputs)


def _is_log(store: Store) -> bool:
    """Whether the store is the directory of one log. A server that denies by default does not show this file."""
    try:
        return store.read("checkpoint") is not None
    except Withheld:
        return False


def _published(name: str) -> bool:
    """Whether this is a URL, a bundle, a publication or one log of it; a directory with ledgers is one of a notary."""
    path = Path(name)
    if is_url(name) or not path.is_dir():
        return is_url(name) or name.endswith(".zip") or _is_zip(path)
    return not any(path.glob("*.ledger")) and (any(path.glob("*/checkpoint")) or (path / "checkpoint").is_file())


def _is_zip(path: Path) -> bool:
    """Whether a file begins as a bundle does, whatever its name. A ledger begins otherwise."""
    try:
        with path.open("rb") if path.is_file() else open(os.devnull, "rb") as file:
            return file.read(len(ZIP_HEAD)) == ZIP_HEAD
    except (OSError, ValueError):
        return False


class _Logs:
    """What needs `cryptography`, imported only where something signed is given."""

    def __init__(self, anchors: Anchors, report: Report) -> None:
        from monitor.verifier.earlier import Earlier
        from monitor.verifier.keyring import Keyring
        from monitor.verifier.published import Reader

        keyring = Keyring(anchors, report)
        self._reader = Reader(anchors, keyring, Earlier(anchors, keyring, report), report)
        self._followed: dict[str, Followed] = {}
        self.signed = False
        if anchors.published is not None:
            self.check(anchors.published)

    def takes(self, name: str) -> bool:
        """Whether this input is a published directory, a URL or a bundle."""
        return _published(name)

    def check(self, name: str) -> None:
        """Check such an input, and that the trust anchors found something in it."""
        from monitor.verifier.used import Used

        used = self._reader.keyring.used = Used()
        self._check(name)
        used.check(name, self._reader.anchors, self._reader.report)
        self.signed |= bool(used.met)

    def _check(self, name: str) -> None:
        from monitor.verifier.bundle import MAX_BUNDLE
        from monitor.verifier.bundle_check import check_bundle, check_one_log
        from monitor.verifier.published import check_published
        from monitor.verifier.stores import open_store, read_file

        try:
            raw = b"" if is_url(name) or Path(name).is_dir() else read_file(Path(name), MAX_BUNDLE)
            store = open_store(name)
            one = not raw and _is_log(store)
        except (OSError, Unreadable) as error:
            self._reader.report.no_verdict(f"{name}: {getattr(error, 'strerror', None) or error}")
            return
        if one:
            place = name if is_url(name) else str(Path(name).resolve())
            parent, _, log = place.rstrip("/").rpartition("/")
            self._followed |= check_one_log(open_store(parent or "."), log, self._reader)
        elif not raw:
            self._followed |= check_published(store, self._reader)
        elif followed := check_bundle(raw, name, self._reader):
            self._followed[name] = followed

    def sizes(self, path: Path) -> set[int]:
        """The sizes at which the tree head of a ledger file is wanted."""
        try:
            with path.open("rb") if path.is_file() else open(os.devnull, "rb") as file:
                log = log_of(LedgerReader(path, file).name)
        except (Damage, OSError):
            return set()  # it fails, or there is no verdict
        other = self._followed.get(log)
        return self._reader.earlier.sizes_of_log(log) | ({other.tree.size} if other else set())

    def finish(self, files: Sequence[Followed]) -> set[Plaintext]:
        """Compare ledger files with earlier checkpoints and with `--published`. Returns the texts that matched."""
        for followed in files:
            self._reader.earlier.compare_log(followed.where, followed.log, followed.tree.size, followed.heads)
        self._compare(files)
        self._reader.earlier.finish()
        return {text for followed in self._followed.values() for text in followed.shown}

    def _compare(self, files: Sequence[Followed]) -> None:
        report = self._reader.report
        for followed in files if self._reader.anchors.published else ():
            other = self._followed.get(followed.log)
            if other is None:
                report.warned("ledger.published", followed.where, "this log is not published yet")
            elif followed.heads.get(other.tree.size) != other.tree.root():
                message = f"at {other.tree.size} entries it has another root than what was published"
                if followed.tree.size < other.tree.size:
                    message = f"it has {followed.tree.size} entries, {other.tree.size} were published"
                report.failed("ledger.published", followed.where, message)
            else:
                report.passed("ledger.published", followed.where)


def _directory(path: Path, anchors: Anchors, report: Report, logs: _Logs | None) -> list[Followed]:
    if not any(path.glob("*.ledger")) and not any(path.glob("*.index")) and not (path / "cursor.json").exists():
        report.no_verdict(f"{path}: there is no ledger in this directory")
        return []
    return check_directory(path, anchors, report, logs.sizes if logs else lambda file: ())


def _noted_roots(anchors: Anchors, report: Report) -> None:
    for root in anchors.roots:
        having = [one for one in report.subjects if root in one.found]
        for one in having:
            report.passed("anchor.root", one.where)
        if not having:
            report.failed("anchor.root", root[:16], f"no ledger here had the root {root}")


def _texts(anchors: Anchors, shown: set[Plaintext], report: Report) -> None:
    matched = sum(text in shown for text in anchors.texts)
    if matched < len(anchors.texts) and not report.failures:
        message = (
            f"{matched} of {len(anchors.texts)} disclosed texts match their commitments; the others are of no ledger"
        )
        report.failed("text.commitment", "--disclosed", message)
