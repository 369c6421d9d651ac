"""Checks a publication: the authority log, then each pilot log against its entries, its tiles and the authority log."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from monitor.notary.encoding import Malformed, decode
from monitor.tlog.checkpoint import Checkpoint
from monitor.tlog.merkle import EMPTY_ROOT, Frontier
from monitor.verifier.anchors import Anchors
from monitor.verifier.authority import History
from monitor.verifier.checkpoints import check_checkpoint, check_cosigners
from monitor.verifier.earlier import Earlier
from monitor.verifier.followed import Followed
from monitor.verifier.keyring import AUTHORITY, Keyring
from monitor.verifier.report import Report, Subject
from monitor.verifier.stamp_files import NAMES, check_stamp, no_stamps, not_listed
from monitor.verifier.stores import Store, Unreadable, UrlStore, Withheld
from monitor.verifier.tiles import LogTiles, Missing

NEWEST_STAMPS = 100  # of a publication are checked; one proves the time of all that is before it
LEAF_PROOF = "authority.tlog-proof"  # next to the checkpoint of each pilot log
REPORT_EVERY = 4096  # entries between two calls of progress


class Reader(NamedTuple):
    """What every step of one verification needs."""

    anchors: Anchors
    keyring: Keyring
    earlier: Earlier
    report: Report


def check_published(store: Store, reader: Reader) -> dict[str, Followed]:
    """Check all logs of a publication, which may grow meanwhile. Returns what was followed of each pilot log, by name.

    The authority log is read first: what it counts of each pilot log must be there, whatever checkpoint the pilot log
    shows. A pilot log whose checkpoint is newer is compared with the authority log once more at the end. A pilot log
    that a server does not show to this reader is a warning: everybody may read the authority log, a firm its own.
    """
    found: dict[str, Followed] = {}
    newer: list[tuple[str, Checkpoint]] = []
    try:
        history = _authority(store, reader)
        names = sorted({*store.logs(), *(history.logs() if history else ())} - {AUTHORITY})
        if history is None and not names:
            reader.report.no_verdict(f"{store.where}: neither an authority log nor any other log is here")
        for name in names:
            try:
                if followed := _pilot_log(store, name, history, reader, newer):
                    found[name] = followed
            except Withheld as error:
                message = f"not shown to this reader, so nothing is established of its entries ({error})"
                reader.report.warned("authority.contains", f"{store.where}/{name}", message)
        if newer and history is not None:
            _again(store, newer, history, reader)
    except Unreadable as error:
        reader.report.no_verdict(str(error))
    return found


def check_authority(store: Store, reader: Reader) -> None:
    """Check the authority log alone. Raises Unreadable."""
    _authority(store, reader)


class Held:
    """A store with a file that was read before: what is checked and what is proved are then of the same checkpoint."""

    def __init__(self, store: Store, path: str, data: bytes) -> None:
        self.where = store.where
        self._store, self._path, self._data = store, path, data

    def read(self, path: str) -> bytes | None:
        """See `Store`."""
        return self._data if path == self._path else self._store.read(path)

    def logs(self) -> list[str]:
        """See `Store`."""
        return self._store.logs()

    def stamps(self) -> list[int]:
        """See `Store`."""
        return self._store.stamps()


def check_log(store: Store, log: str, checkpoint: bytes, reader: Reader) -> Followed | None:
    """Check one pilot log at this checkpoint of it, without the authority log. Raises Unreadable."""
    return _pilot_log(Held(store, f"{log}/checkpoint", checkpoint), log, None, reader, [])


def _authority(store: Store, reader: Reader) -> History | None:
    where = f"{store.where}/{AUTHORITY}"
    raw = store.read(f"{AUTHORITY}/checkpoint")
    if raw is None:
        return None
    checked = check_checkpoint(raw, where, AUTHORITY, reader.keyring, reader.report)
    if checked is None:
        return None
    head, note = checked
    check_cosigners(note, head, where, reader.keyring, reader.report)
    history, tree = History(where, head.origin, reader.report), Frontier()
    heads: dict[int, bytes] = {0: tree.root()}
    stamps = store.stamps()[-NEWEST_STAMPS:]
    sizes = {*reader.earlier.sizes(head.origin), *stamps}
    try:
        for number, (entry, leaf) in enumerate(LogTiles(store, AUTHORITY, head.size).entries()):
            if not history.take(number, entry):
                return history
            tree.push(leaf)
            if tree.size in sizes:
                heads[tree.size] = tree.root()
    except Missing as missing:
        reader.report.failed(missing.check, where, str(missing))
        return history
    history.finish()
    heads[tree.size] = tree.root()
    _finish(where, head, heads, reader, head.size)
    _stamps(store, head, heads, stamps, reader)
    reader.report.subjects.append(Subject("published log", where, head.origin, tree.size, tree.root().hex()))
    return history


def _stamps(store: Store, head: Checkpoint, heads: dict[int, bytes], stamps: list[int], reader: Reader) -> None:
    """Check the newest stamps: each on the tree head that the log had at its size. A server lists none, so there the
    one of the newest checkpoint is looked for."""
    found = 0
    for size in stamps or [head.size]:
        place = f"{AUTHORITY}/stamp/{size}"
        files = {name: data for name in NAMES if (data := store.read(f"{place}/{name}")) is not None}
        if files and size in heads:
            found += 1
            stamped = Checkpoint(head.origin, size, heads[size])
            check_stamp(files, stamped, f"{store.where}/{place}", reader.anchors, reader.report)
    if not found:
        report = not_listed if isinstance(store, UrlStore) else no_stamps
        report(f"{store.where}/{AUTHORITY}", reader.anchors, reader.report)


def _pilot_log(
    store: Store, name: str, history: History | None, reader: Reader, newer: list[tuple[str, Checkpoint]]
) -> Followed | None:
    where, report = f"{store.where}/{name}", reader.report
    raw = store.read(f"{name}/checkpoint")
    checked = check_checkpoint(raw, where, name, reader.keyring, report) if raw is not None else None
    latest = history.latest(f"{history.base}/{name}") if history else None
    if checked is not None:
        head, note = checked
        if history is not None and head.origin.rpartition("/")[0] != history.base:
            message = f"a checkpoint of {head.origin}, which is no log of the authority log of {history.base}"
            report.failed("checkpoint.origin", where, message)
            return None
        check_cosigners(note, head, where, reader.keyring, report)
    elif raw is None and latest is not None:
        # Between the two checkpoints becoming visible a round may end; its tiles are there already.
        head = Checkpoint(latest.origin, latest.size, latest.root)
    else:
        return None
    known = dict(history.by_origin.get(head.origin, {})) if history else {}
    size = max([head.size, *known])
    if size == 0:
        _empty(where, head, report)
        reader.earlier.compare(where, head.origin, 0, {})
        return None
    followed = _entries(store, name, size, {head.size, *known, *reader.earlier.sizes(head.origin)}, reader)
    if followed is None:
        return None
    followed.finish("published log")
    _finish(where, head, followed.heads, reader, size)
    if history is not None:
        _in_authority(where, head, raw is not None, known, followed.heads, report, newer)
    return followed


def _empty(where: str, head: Checkpoint, report: Report) -> None:
    if head.root == EMPTY_ROOT:
        report.passed("checkpoint.root", where)
    else:
        message = f"a log without entries has the root {EMPTY_ROOT.hex()}, the checkpoint {head.root.hex()}"
        report.failed("checkpoint.root", where, message)


def _entries(store: Store, name: str, size: int, sizes: Collection[int], reader: Reader) -> Followed | None:
    where, followed = f"{store.where}/{name}", None
    try:
        for number, (entry, leaf) in enumerate(LogTiles(store, name, size).entries()):
            if followed is None:
                followed = Followed(where, _model(entry), reader.anchors, reader.report, set(sizes))
            if not followed.take(entry, leaf):
                return None
            if number % REPORT_EVERY == 0:
                reader.anchors.progress(number, size)
    except Missing as missing:
        reader.report.failed(missing.check, where, str(missing))
        return None
    return followed


def _model(raw: bytes) -> str:
    """The pilot of the first entry; all others must be about the same."""
    try:
        return decode(raw).pilot
    except Malformed:
        return ""


def _finish(where: str, head: Checkpoint, heads: dict[int, bytes], reader: Reader, size: int) -> None:
    reader.report.passed("checkpoint.size", where)
    reader.report.passed("tile.hash", where)
    if heads[head.size] != head.root:
        message = f"the {head.size} entries have the root {heads[head.size].hex()}, the checkpoint {head.root.hex()}"
        reader.report.failed("checkpoint.root", where, message)
    else:
        reader.report.passed("checkpoint.root", where)
    reader.earlier.compare(where, head.origin, size, heads)


def _in_authority(
    where: str,
    head: Checkpoint,
    shown: bool,
    known: dict[int, bytes],
    heads: dict[int, bytes],
    report: Report,
    newer: list[tuple[str, Checkpoint]],
) -> None:
    for size, root in known.items():
        if heads[size] != root:
            message = f"{head.origin}: the entries have another root at {size} entries than was published then"
            report.failed("authority.history", where, message)
            return
    newest = max(known, default=0)
    if head.size > newest:
        newer.append((where, head))
    elif head.size not in known:
        message = f"the checkpoint of {head.size} entries is not there; those of this log are of other sizes"
        report.failed("authority.contains", where, message)
    elif head.size < newest or not shown:
        message = f"the authority log has a checkpoint of {newest} entries, which are here; the one shown is older"
        report.warned("authority.contains", where, message)
    else:
        report.passed("authority.contains", where)


def _again(store: Store, newer: list[tuple[str, Checkpoint]], before: History, reader: Reader) -> None:
    """Look for checkpoints that were published while this ran. What fails in the authority log now, fails: a server
    could show a false one from the second reading on."""
    again = Report()
    now = _authority(store, reader._replace(report=again))
    reader.report.results += again.failures
    for where, head in newer:
        roots = now.by_origin.get(head.origin, {}) if now else {}
        kept = all(roots.get(size) == root for size, root in before.by_origin.get(head.origin, {}).items())
        if kept and roots.get(head.size) == head.root:
            reader.report.passed("authority.contains", where)
        else:
            message = f"the checkpoint of {head.size} entries is not in the authority log"
            reader.report.failed("authority.contains", where, message)
