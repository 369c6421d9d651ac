"""`sandbox-monitor ledger witness`: cosigns checkpoints of published logs, at a firm or at the authority."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli.addresses import host_names
from monitor.cli.reader_metrics import serve_metrics_if_asked
from monitor.cli.terminal import echo
from monitor.errors import Refused
from monitor.projections.metrics import Metrics
from monitor.tlog.errors import TlogError
from monitor.tlog.keys import KeyType, Verifier, parse_vkey
from monitor.witness.answers import AddAnswer
from monitor.witness.key_file import read_witness_key
from monitor.witness.run import run_witness
from monitor.witness.state import WitnessState
from monitor.witness.witness import Witness, WitnessCounts

LOG_KINDS = (KeyType.ED25519, KeyType.COSIGNATURE_ML_DSA_44)


@click.command("witness")
@click.option(
    "--dir",
    "directory",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="what it cosigned, and refused checkpoints as evidence",
)
@click.option(
    "--key",
    "key_file",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="private key, from `keys new-witness`",
)
@click.option(
    "--log",
    "vkeys",
    required=True,
    multiple=True,
    metavar="VKEY",
    help="public key of a log to follow; its name is the log's origin; repeatable",
)
@click.option(
    "--listen",
    default="127.0.0.1:8324",
    show_default=True,
    metavar="HOST:PORT",
    help="address of add-checkpoint; port 0 = any free one",
)
@click.option("--new", is_flag=True, help="create --dir: only for the first start with a new key")
@host_names
@click.option("--metrics-port", type=click.IntRange(0, 65535), help="/metrics and /live; 0 = any free port")
def witness(
    directory: Path,
    key_file: Path,
    vkeys: tuple[str, ...],
    listen: str,
    new: bool,
    host_names: tuple[str, ...],
    metrics_port: int | None,
) -> None:
    """Cosign checkpoints of published logs (C2SP tlog-witness) until SIGTERM or Ctrl-C.

    A witness remembers the newest checkpoint of each log that it cosigned, and cosigns only what extends it. The
    publisher of the log can then show no other history to anybody who asks for this cosignature. A firm runs one for
    the log of its pilot; an outside witness follows the authority log.

    \b
      sandbox-monitor keys new-witness acme.key --name acme.example/witness
      sandbox-monitor ledger witness --new --dir witness --key acme.key --log 'sandbox.example/acme-...+...'

    Give the printed public keys and the address to the authority, for the policy file. Leave out --new from the second
    start on. If --dir is lost, do not start with --new again: the witness could cosign a fork. Retire the key.

    \b
    POST /add-checkpoint      200 cosigned, 400 malformed, 403 not signed by the log, 404 unknown log, 409 another old
                              size or another root, 422 wrong proof, 503 the disk failed
    GET /latest/SHA256        the checkpoint cosigned last, by the SHA-256 (hex) of the log's origin

    Signed checkpoints that contradict what was cosigned are kept in DIR/evidence, with both sides. The answer goes out
    only after the checkpoint is on the disk. Exit codes: 0 stopped by a signal, 1 key, directory or address cannot be
    used (the message names the fix), 2 usage error.
    """
    logs: dict[str, list[Verifier]] = {}
    for vkey in vkeys:
        verifier = _log_key(vkey)
        logs.setdefault(verifier.name, []).append(verifier)
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise click.BadParameter(f"{listen!r}: write HOST:PORT, as 127.0.0.1:8324", param_hint="--listen")
    metrics = Metrics()
    metrics.witness_known(AddAnswer)
    counts = WitnessCounts(metrics.witness_answered, metrics.witness_forks)
    try:
        signers = read_witness_key(key_file)
        state = WitnessState(directory, [signer.verifier for signer in signers], create=new)
        try:
            cosigner = Witness(state, logs, signers, counts=counts)
            serve_metrics_if_asked(metrics, host.strip("[]"), metrics_port, host_names)
            for signer in signers:
                echo(f"witness key {signer.verifier.vkey}", err=True)
            run_witness(
                cosigner, logs, (host.strip("[]"), int(port)), host_names, metrics.http_refused,
                lambda line: echo(line, err=True),
            )  # fmt: skip
        finally:
            state.close()
    except Refused as error:
        raise click.ClickException(str(error)) from error


def _log_key(vkey: str) -> Verifier:
    try:
        verifier = parse_vkey(vkey.strip())
    except TlogError as error:
        raise click.BadParameter(str(error), param_hint="--log") from error
    if verifier.kind not in LOG_KINDS:
        raise click.BadParameter(
            f"{verifier.name}: this is the key of a witness, not of a log; a log's key has type 0x01 or 0x06",
            param_hint="--log",
        )
    return verifier
