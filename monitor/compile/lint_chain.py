"""The chain of responsibility in a charter: what it names that does not exist, and links that are missing. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UnsetType

from monitor.charter.chain import CHAIN_ROLES
from monitor.charter.spec import Charter
from monitor.charter.values import Flaw
from monitor.lifecycle.basis_names import nearest_name


def chain_flaws(charter: Charter) -> Iterator[Flaw]:
    """Indicators that the chain names and the charter does not have."""
    if isinstance(charter.chain, UnsetType):
        return
    known = [spec.name for spec in charter.indicators]
    for name in charter.chain.indicators:
        if name not in known:
            yield Flaw(f"chain.indicators.{name}", f"there is no indicator {name!r}", nearest_name(name, known))


def chain_warnings(charter: Charter) -> Iterator[Flaw]:
    """Links that are missing, and a vendor that is not the developer of the base model."""
    chain = charter.chain
    if isinstance(chain, UnsetType):
        return
    for role in CHAIN_ROLES:
        if chain.party(role) is None:
            words = f"no one is named, so findings that this role owes fall to {charter.participant.id}"
            yield Flaw(f"chain.{role}", words, "name the party, or the participant itself")
    maker = chain.party("base_model_developer")
    if maker is not None and charter.vendor and maker.id != charter.vendor:
        words = f"{maker.id} is not the vendor, {charter.vendor}: pilots are evaluated together by vendor"
        yield Flaw("chain.base_model_developer.id", words, "write one name for both, if they are one firm")
