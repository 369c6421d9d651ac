"""Acts on the file of a model (key `model:<id>`): entries with typed content, and the withdrawal of one.

A model file is about a model, not about a pilot: pilots of several firms may use its versions. Typed fields are
recorded in the clear, texts of people (`words`) only as commitments (`monitor/notary/entries.py`).
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from monitor.charter.act_base import ControlBase, Number
from monitor.charter.chain import ChainRole as ChainRole
from monitor.model.events import Harm, Id, Name
from monitor.model.pseudonyms import ALPHABET

# An id in the clear: it cannot be removed from the ledger, so it has the alphabet of ids, in which no name of a person
# can be written with its blanks.
Ref: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200, pattern=rf"^{ALPHABET}+$")]
MaybeRef: TypeAlias = Annotated[str, Meta(max_length=200, pattern=rf"^{ALPHABET}*$")]
Labels: TypeAlias = Annotated[tuple[Name, ...], Meta(max_length=16)]
MaybeDate: TypeAlias = Annotated[str, Meta(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$")]
DataPurpose: TypeAlias = Literal["training", "fine_tuning", "validation", "testing", "retrieval"]
Results: TypeAlias = Annotated[dict[Ref, Number], Meta(min_length=1, max_length=16)]


class Supplier(Struct, frozen=True, tag="supplier", forbid_unknown_fields=True):
    """Who supplies the model, and as what. If the sandbox gives `supplier` (the id of a person there) the role
    `supplier`, it may add to this file from now on. `name` and `country` are those of the company."""

    supplier: Ref
    role: ChainRole
    name: Name = ""
    country: Annotated[str, Meta(pattern=r"^([A-Z]{2})?$")] = ""  # ISO 3166-1


class ModelVersion(Struct, frozen=True, tag="version", forbid_unknown_fields=True):
    """A version with the digest that its telemetry and charters name it by. `base` is the id of the model that it was
    made from, with its version; `sha256` the hash of the weights, if it is another one than `digest`."""

    version: Ref
    digest: Ref
    released: MaybeDate = ""
    base: MaybeRef = ""
    base_version: MaybeRef = ""
    architecture: Name = ""
    licence: Name = ""  # SPDX id
    sha256: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")] = ""


class DataCompliance(Struct, frozen=True, tag="data_compliance", forbid_unknown_fields=True):
    """Data that a version was made or tested with, and on which legal basis; without a `version`, every version.
    `personal` and `special`: categories of personal data. `reference` is where its documentation is."""

    dataset: Ref
    purpose: DataPurpose
    personal: bool
    special: bool = False
    version: MaybeRef = ""
    legal_basis: Name = ""
    licence: Name = ""
    origin: Name = ""
    reference: Name = ""
    sha256: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")] = ""


class ModelScenario(Struct, frozen=True, tag="scenario", forbid_unknown_fields=True):
    """A use that the model is meant for (`intended`), or is not to be used for; evaluations name it."""

    scenario: Ref
    intended: bool = True
    sector: Name = ""
    groups: Labels = ()


class ModelEvaluation(Struct, frozen=True, tag="evaluation", forbid_unknown_fields=True):
    """Results (measure -> value) of a version on a scenario of the file, and whether it passed."""

    version: Ref
    scenario: Ref
    results: Results
    passed: bool
    day: MaybeDate = ""
    reference: Name = ""
    sha256: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")] = ""


class KnownLimitation(Struct, frozen=True, tag="limitation", forbid_unknown_fields=True):
    """A limitation that is known, and the gravest harm that it may do; without a `version`, of every version."""

    limitation: Ref
    harm: Harm = Harm.NONE
    version: MaybeRef = ""
    reference: Name = ""


class ModelInspection(Struct, frozen=True, tag="inspection", forbid_unknown_fields=True):
    """An officer inspected the model: ids of what was looked at, and names of what was found wrong."""

    scope: Annotated[tuple[Ref, ...], Meta(min_length=1, max_length=16)]
    findings: Annotated[tuple[Ref, ...], Meta(max_length=16)] = ()
    version: MaybeRef = ""
    day: MaybeDate = ""
    reference: Name = ""


ModelContent: TypeAlias = (
    Supplier | ModelVersion | DataCompliance | ModelScenario | ModelEvaluation | KnownLimitation | ModelInspection
)


class ModelEntry(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.model_entry"):
    """Add an entry to the file of a model; `pilot` is `model:<id>`. The id of this act names the entry. `words` is what
    else there is to say."""

    content: ModelContent
    words: Annotated[str, Meta(max_length=2000)] = ""


class ModelEntryWithdrawal(ControlBase, frozen=True, kw_only=True, tag="sandbox.control.model_entry_withdrawal"):
    """Withdraw an entry of the file of a model: it stays in the ledger, marked as withdrawn."""

    entry: Id
    reason: Annotated[str, Meta(min_length=1, max_length=2000)]


ModelAct: TypeAlias = ModelEntry | ModelEntryWithdrawal
ACTS_ON_MODEL = (ModelEntry, ModelEntryWithdrawal)
