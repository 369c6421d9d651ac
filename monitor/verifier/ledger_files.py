"""Checks a ledger file, and a directory of the notary: files against their index, cursor and list of misfits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from monitor.notary.cursor import FIX, Cursor, CursorBroken, Sizes, empty, read_cursor, too_short
from monitor.notary.format import Damage, LedgerReader, checked_frames, read_index
from monitor.notary.not_entered import problems
from monitor.notary.retired import read_retired
from monitor.verifier.anchors import Anchors
from monitor.verifier.followed import Followed
from monitor.verifier.report import Report, Subject

PROGRESS_BYTES = 1 << 20
_FILE_CHECKS = ("ledger.header", "ledger.frames", "ledger.leaf-hash")


def check_ledger(path: Path, anchors: Anchors, report: Report, sizes: Iterable[int] = ()) -> Followed | None:
    """Check one ledger file and its index, if one lies next to it. Returns what was followed, `None` on damage."""
    where, index_path = str(path), path.with_suffix(".index")
    for one in (path, index_path):
        if one.exists() and not one.is_file():
            report.no_verdict(f"{one}: not a regular file")
            return None
    try:
        index = read_index(index_path)
        with path.open("rb") as file:
            reader = LedgerReader(path, file)
            followed = Followed(where, reader.name, anchors, report, set(sizes))
            if not _follow(reader, index, followed, anchors, path.stat().st_size):
                return None
    except Damage as damage:
        entry = damage.entry if damage.entry >= 0 else None
        subject = str(damage.file)
        report.failed(damage.check, subject, damage.problem, -1 if entry is None else entry, damage.offset)
        return None
    except OSError as error:
        report.no_verdict(f"{path}: {error.strerror or error}")
        return None
    for check in _FILE_CHECKS:
        report.passed(check, where)
    if index_path.exists():
        report.passed("ledger.index", where)
        report.passed("ledger.acknowledged", where)
    else:
        reason = "no index lies next to it: whether acknowledged entries are missing at its end cannot be seen here"
        report.not_run("ledger.index", where, reason)
        report.not_run("ledger.acknowledged", where, reason)
    if reader.torn:
        report.warned(
            "ledger.torn-end", where, f"ends with {reader.torn} bytes of an entry that was never acknowledged"
        )
    else:
        report.passed("ledger.torn-end", where)
    followed.finish("ledger")
    return followed


def check_directory(
    directory: Path, anchors: Anchors, report: Report, sizes: Callable[[Path], Iterable[int]] = lambda file: ()
) -> list[Followed]:
    """Check every ledger of a directory of the notary, and the directory itself."""
    cursor = _cursor(directory, report)  # before the ledgers: one that is being written then holds at least this
    files = sorted(directory.glob("*.ledger"))
    orphans = [index for index in sorted(directory.glob("*.index")) if not index.with_suffix(".ledger").exists()]
    for index in orphans:
        report.failed(
            "directory.ledgers", str(index.with_suffix(".ledger")), "its index is here, the ledger is missing"
        )
    if not orphans and files:
        report.passed("directory.ledgers", str(directory))
    before = len(report.failures)
    found = [followed for file in files if (followed := check_ledger(file, anchors, report, sizes(file)))]
    if len(report.failures) == before and len(found) == len(files):
        _check_shards(directory, found, report)
        _check_against_cursor(directory, cursor, found, report)
    return found


def _check_shards(directory: Path, found: list[Followed], report: Report) -> None:
    """Compare what each shard says of the one before it with that one."""
    here = {Path(one.where).stem: one for one in found}
    gone = {one.file: one for one in read_retired(directory)}
    for one in found:
        said = one.beginning
        if said is None:
            continue
        before = here.get(said["file"])
        if before is None:
            told = f"deleted at {gone[said['file']].at} after its time" if said["file"] in gone else "not here"
            report.warned("ledger.shard", one.where, f"the shard before it, {said['file']}, is {told}")
        elif (before.tree.size, before.tree.root().hex()) != (said["size"], said["root"]):
            problem = f"{before.where} is not what the shard says that it follows: {said['size']} entries"
            report.failed("ledger.shard", one.where, problem, 0)
        else:
            report.passed("ledger.shard", one.where)


def _check_against_cursor(directory: Path, cursor: Cursor | None, found: list[Followed], report: Report) -> None:
    mine = [one for one in report.subjects if Path(one.where).parent == directory]
    if cursor is not None:
        sizes = Sizes.of((one.name, Path(one.where), one.tree.size) for one in found if one.name)
        named = {one.beginning["file"] for one in found if one.beginning is not None}
        for gone in read_retired(directory):
            if gone.file in named:
                sizes.logs.setdefault(gone.file, gone.size)
        lacking = too_short(cursor, sizes)
        for problem in lacking:
            report.failed("directory.cursor", str(directory), f"{problem}; {FIX.format(directory=directory)}")
        if not lacking and cursor.position:
            report.passed("directory.cursor", str(directory))
    try:
        misfits = problems(directory, _ends(mine))
    except OSError as error:
        report.no_verdict(f"{directory}: {error.strerror or error}")
        return
    for problem in misfits:
        report.failed("directory.not-entered", str(directory), problem.removeprefix(f"{directory}: "))
    if mine and not misfits:
        report.passed("directory.not-entered", str(directory))


def _ends(subjects: list[Subject]) -> dict[str, int]:
    ends: dict[str, int] = {}
    for one in subjects:
        ends[one.name] = max(ends.get(one.name, 0), one.last or 0)
    return ends


def _cursor(directory: Path, report: Report) -> Cursor | None:
    try:
        return read_cursor(directory)
    except CursorBroken as error:
        # The notary refuses to start on it; the ledgers may be sound.
        report.warned("directory.cursor", str(directory), str(error))
    except OSError as error:
        report.no_verdict(f"{directory}: {error.strerror or error}")
        return empty()
    return None


def _follow(
    reader: LedgerReader, index: list[tuple[int, bytes]], followed: Followed, anchors: Anchors, total: int
) -> bool:
    reported = 0
    for item in checked_frames(reader, index):
        if not followed.take(item.entry, item.leaf, item.entry_start):
            return False
        if item.end - reported >= PROGRESS_BYTES:
            reported = item.end
            anchors.progress(item.end, total)
    return True
