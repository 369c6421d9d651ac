"""What a publication asks of others: cosignatures by policy, and time stamps. Made from settings when it starts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, structs

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

if TYPE_CHECKING:
    from monitor.publication.publisher import PublicationSettings


class Outside(Struct, frozen=True, kw_only=True):
    """Policies, the witness keys that this process holds, and the time-stamping authority (`url`, empty: none)."""

    policies: tuple[Policy, ...] = ()
    signers: tuple[Signer, ...] = ()
    stamp_url: str = ""
    stamp_roots: Roots = []


def stamps_dir(ledgers: Path) -> Path:
    """Where the stamps are kept: next to the directory of the ledgers, because `PUB` may be deleted and a stamp cannot
    be made again."""
    return ledgers.with_name(f"{ledgers.name}-stamps")


def connected(settings: PublicationSettings, ledgers: Path, metrics: Metrics) -> PublicationSettings:
    """The settings with cosigner and stamper, which report to `metrics`. Starts the stamper's thread.

    Raises Refused when policies, keys or roots cannot be used.
    """
    outside = settings.outside
    if outside.policies or outside.signers:
        counts = CosignerCounts(
            lambda witness, outcome: metrics.cosignature(witness, outcome.value), metrics.lacks_quorum
        )
        cosigner = PolicyCosigner(outside.policies, outside.signers, counts=counts)
        known = {witness.verifier.name for policy in outside.policies for witness in policy.witnesses if witness.url}
        metrics.cosigners_known(sorted(known), Outcome)
        settings = structs.replace(settings, cosigner=cosigner)
    if outside.stamp_url:
        stores = [StampStore(stamps_dir(ledgers.resolve())), StampStore(settings.directory / AUTHORITY / "stamp")]
        stamper = BackgroundStamper(
            StampClient(outside.stamp_url, outside.stamp_roots),
            stores,
            counts=StampCounts(metrics.stamp_failed, metrics.unstamped),
        )
        _stamp_visible(settings, stores[0], stamper)
        settings = structs.replace(settings, stamper=stamper)
    return settings


def _stamp_visible(settings: PublicationSettings, stored: StampStore, stamper: BackgroundStamper) -> None:
    """Stamp what was published last before the end of the process before, unless it is stamped."""
    try:
        note = (settings.directory / AUTHORITY / "checkpoint").read_bytes()
        size = settings.key.opened(AUTHORITY, note).size
    except (OSError, TlogError):  # nothing is published yet, or the first round will refuse to sign after it
        return
    if size not in stored.sizes():
        stamper.stamp(settings.key.authority, note)
