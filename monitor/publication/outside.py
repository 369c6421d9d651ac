"""What a publication asks of others: cosignatures by policy, and time stamps. Made from settings when it starts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from monitor.errors import Refused
from monitor.projections.metrics import Metrics
from monitor.publication.log_key import AUTHORITY
from monitor.stamps.client import StampClient
from monitor.stamps.roots import Roots
from monitor.stamps.stamper import BackgroundStamper, StampCounts
from monitor.stamps.store import StampStore
from monitor.tlog.errors import TlogError
from monitor.tlog.keys import Signer
from monitor.tlog.policy import Policy
from monitor.witness.client import Outcome
from monitor.witness.cosigner import CosignerCounts, PolicyCosigner
from monitor.witness.own import OwnWitness
from monitor.witness.state import WitnessState

if TYPE_CHECKING:
    from monitor.publication.publisher import PublicationSettings


class Outside(Struct, frozen=True, kw_only=True):
    """Policies, the witness keys that this process holds, and the time-stamping authority (`url`, empty: none).

    `witness_dir` is what the keys in `signers` cosigned; `witness_new` creates it."""

    policies: tuple[Policy, ...] = ()
    signers: tuple[Signer, ...] = ()
    witness_dir: Path | None = None
    witness_new: bool = False
    stamp_url: str = ""
    stamp_roots: Roots = []


def stamps_dir(ledgers: Path) -> Path:
    """Where the stamps are kept: next to the directory of the ledgers, because `PUB` may be deleted and a stamp cannot
    be made again."""
    return ledgers.with_name(f"{ledgers.name}-stamps")


def connected(settings: PublicationSettings, ledgers: Path, metrics: Metrics) -> PublicationSettings:
    """The settings with cosigner and stamper, which report to `metrics`. Starts the stamper's thread.

    Raises Refused when policies, keys, the directory of the own witness or roots cannot be used.
    """
    outside = settings.outside
    if outside.policies or outside.signers:
        settings = structs.replace(settings, cosigner=_cosigner(outside, metrics))
    try:
        return _stamped(settings, ledgers, metrics) if outside.stamp_url else settings
    except BaseException:
        settings.cosigner.close()
        raise


def _cosigner(outside: Outside, metrics: Metrics) -> PolicyCosigner:
    counts = CosignerCounts(lambda witness, outcome: metrics.cosignature(witness, outcome.value), metrics.lacks_quorum)
    held = {signer.verifier for signer in outside.signers}
    witnesses = [witness for policy in outside.policies for witness in policy.witnesses]
    metrics.cosigners_known(sorted({w.verifier.name for w in witnesses if w.url or w.verifier in held}), Outcome)
    own = own_witness(outside)
    try:
        return PolicyCosigner(outside.policies, own, counts=counts)
    except BaseException:
        if own is not None:
            own.close()
        raise


def own_witness(outside: Outside) -> OwnWitness | None:
    """The witness whose keys this process holds; `None` where it holds none. Raises Refused."""
    if not outside.signers:
        return None
    if outside.witness_dir is None:
        raise Refused("a witness key needs the directory of what it cosigned; give --witness-dir")
    keys = [signer.verifier for signer in outside.signers]
    state = WitnessState(outside.witness_dir, keys, create=outside.witness_new, flag="--witness-new")
    try:
        return OwnWitness(outside.signers, state, outside.policies)
    except BaseException:
        state.close()
        raise


def _stamped(settings: PublicationSettings, ledgers: Path, metrics: Metrics) -> PublicationSettings:
    outside = settings.outside
    stores = [StampStore(stamps_dir(ledgers.resolve())), StampStore(settings.directory / AUTHORITY / "stamp")]
    stamper = BackgroundStamper(
        StampClient(outside.stamp_url, outside.stamp_roots),
        stores,
        counts=StampCounts(metrics.stamp_failed, metrics.unstamped),
    )
    _stamp_visible(settings, stores[0], stamper)
    return structs.replace(settings, stamper=stamper)


def _stamp_visible(settings: PublicationSettings, stored: StampStore, stamper: BackgroundStamper) -> None:
    """Stamp what was published last before the end of the process before, unless it is stamped."""
    try:
        note = (settings.directory / AUTHORITY / "checkpoint").read_bytes()
        size = settings.key.opened(AUTHORITY, note).size
    except (OSError, TlogError):  # nothing is published yet, or the first round will refuse to sign after it
        return
    if size not in stored.sizes():
        stamper.stamp(settings.key.authority, note)
