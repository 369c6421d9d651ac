"""The command line of the verifier, with the standard library alone. `sandbox-monitor ledger verify` is the same."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from pathlib import Path

from monitor.notary.commitment import Plaintext, PlaintextBroken, lines
from monitor.verifier import text
from monitor.verifier.anchors import Anchors, KeyRefused, named_files
from monitor.verifier.progress import Progress
from monitor.verifier.report import Report, Verdict
from monitor.verifier.run import verify_all

DESCRIPTION = """\
Verify ledgers: a ledger file, a directory of the notary, a published directory, an http(s) URL of one, or a bundle.

The report on stdout names each check by its id, lists the trust anchors that were not given, and ends with what the
verification does not establish. Failures and warnings go to stderr too, as FILE:ENTRY:OFFSET: problem (entries count
from 0, offsets in bytes), unless stdout is a terminal. @FILE reads further arguments from a file, one on each line.
"""
EPILOG = "Exit codes: 0 verified, 1 failed, 2 no verdict (an input cannot be read, nothing to check, or a usage error)."


class Refused(Exception):
    """An option names something that cannot be used; the message names option, problem and fix."""


def parser(prog: str) -> argparse.ArgumentParser:
    """The flags of the verifier."""
    found = argparse.ArgumentParser(
        prog=prog,
        description=DESCRIPTION,
        epilog=EPILOG,
        fromfile_prefix_chars="@",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = found.add_argument
    add("inputs", nargs="+", metavar="PATH|URL", help="what to verify")
    add("--root", action="append", default=[], metavar="HEX", help="a root noted earlier; repeatable")
    add(
        "--checkpoint", action="append", default=[], type=Path, metavar="FILE", help="an earlier checkpoint; repeatable"
    )
    add(
        "--policy",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="keys, witnesses and quorum of a log (tlog-policy); repeatable",
    )
    add("--log-key", action="append", default=[], metavar="VKEY", help="the key of a log; repeatable")
    add("--witness-key", action="append", default=[], metavar="VKEY", help="the key of a witness; repeatable")
    add("--stamp-root", type=Path, metavar="FILE", help="root certificate of the time stamp authority (PEM)")
    add("--published", metavar="DIR|URL", help="the published logs that the ledgers given must agree with")
    add(
        "--disclosed", type=Path, metavar="FILE", help="check these texts (`ledger disclose`) against their commitments"
    )
    add("--entries", action="store_true", help="after the report, print what each entry says, if all is verified")
    add("--structure", action="store_true", help="do not parse the JSON of entries: several times as fast")
    add("--json", action="store_true", help="the report as JSON (monitor/verifier/report.schema.json)")
    return found


def anchors_of(options: argparse.Namespace, progress: Callable[[int, int], None]) -> Anchors:
    """The trust anchors that the flags name. Raises Refused."""
    roots = tuple(dict.fromkeys(root.lower() for root in options.root))
    for root in roots:
        if len(root) != 64 or set(root) - set("0123456789abcdef"):
            raise Refused(f"--root {root}: a root has 64 hex digits")
    try:
        return Anchors(
            roots=roots,
            log_keys=tuple(options.log_key),
            witness_keys=tuple(options.witness_key),
            policies=named_files(options.policy),
            checkpoints=named_files(options.checkpoint),
            stamp_roots=options.stamp_root.read_bytes() if options.stamp_root else None,
            published=options.published,
            texts=_texts(options.disclosed),
            structure=options.structure,
            entries=options.entries,
            progress=progress,
        )
    except OSError as error:
        raise Refused(f"{error.filename}: {error.strerror}") from None


def main(arguments: Sequence[str], prog: str = "python -m monitor.verifier") -> int:
    """Run the command. Returns its exit code: 0 verified, 1 failed, 2 no verdict or wrong use."""
    try:
        options = parser(prog).parse_args(list(arguments))
    except SystemExit as end:  # argparse printed help or the error
        return int(end.code or 0)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name must not end the report
    if options.entries and options.structure:
        print("--entries needs the JSON of entries, which --structure leaves out; give one of them", file=sys.stderr)
        return Verdict.NO_VERDICT.exit_code
    progress = Progress("verify")
    try:
        anchors = anchors_of(options, progress)
        report = verify_all(options.inputs, anchors)
    except (Refused, KeyRefused) as refused:
        print(text.printable(str(refused)), file=sys.stderr)
        return Verdict.NO_VERDICT.exit_code
    except Exception as error:  # exit code 1 would say that the record is false
        traceback.print_exc()
        print(f"no verdict: the verifier itself failed on this input: {error!r}; please report it", file=sys.stderr)
        return Verdict.NO_VERDICT.exit_code
    finally:
        progress.close()
    _print(report, options)
    if anchors.texts and not report.failures:
        print(f"{len(anchors.texts)} of {len(anchors.texts)} disclosed texts match their commitments", file=sys.stderr)
    return report.verdict.exit_code


def _print(report: Report, options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(report.as_json(), sort_keys=True))
    else:
        for line in text.lines(report):
            print(line)
        for line in text.entries(report) if options.entries else ():
            print(line)
    if options.json or not sys.stdout.isatty():
        for line in text.details(report):
            print(line, file=sys.stderr)


def _texts(path: Path | None) -> tuple[Plaintext, ...]:
    if path is None:
        return ()
    try:
        texts = tuple(one for one in lines(path, path.read_bytes()) if one.salt)
    except PlaintextBroken as error:
        raise Refused(str(error)) from None
    if not texts:
        raise Refused(f"{path} discloses nothing; fix: give the lines that `ledger disclose` printed")
    return texts
