"""The chain of responsibility behind a pilot: who made the base model, who built the system on it, who runs it."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from monitor.model.events import Id

ChainRole: TypeAlias = Literal["base_model_developer", "downstream_developer", "deployer"]
CHAIN_ROLES: tuple[ChainRole, ...] = ("base_model_developer", "downstream_developer", "deployer")


class Party(Struct, frozen=True, forbid_unknown_fields=True):
    """A firm in the chain. `id` is what decisions are addressed to; it may be the participant itself."""

    id: Id
    name: Annotated[str, Meta(max_length=200)] = ""


class Chain(Struct, frozen=True, forbid_unknown_fields=True):
    """Who has which role. A role that is left out falls to the participant. `indicators` names the role that owes what
    an indicator finds, where it is another one than the table says (`monitor/network/chain.py`): a disparity, say,
    that comes from the base model."""

    base_model_developer: Party | UnsetType = UNSET
    downstream_developer: Party | UnsetType = UNSET
    deployer: Party | UnsetType = UNSET
    indicators: Annotated[dict[Annotated[str, Meta(max_length=256)], ChainRole], Meta(max_length=64)] = {}

    def party(self, role: ChainRole) -> Party | None:
        """Who has this role; `None`: the participant."""
        parties: dict[ChainRole, Party | UnsetType] = {
            "base_model_developer": self.base_model_developer,
            "downstream_developer": self.downstream_developer,
            "deployer": self.deployer,
        }
        found = parties[role]
        return None if isinstance(found, UnsetType) else found
