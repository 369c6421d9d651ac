"""Reads catalogues of clauses: YAML in; a catalogue, or every mistake with its line."""

from __future__ import annotations

import functools
from importlib.resources import files
from pathlib import Path

import msgspec

from monitor.basis.catalogue import Catalogue, catalogue_digest
from monitor.basis.catalogue_check import catalogue_flaws
from monitor.charter.clauses import LegalBasis
from monitor.compile.load import LARGEST_FILE, Tree
from monitor.errors import BasisError

SHIPPED = "eu-cn.yaml"


def read_catalogue(path: Path) -> Catalogue:
    """The catalogue in a file. Raises BasisError with every mistake as `file:line:column: field: problem; fix`, OSError
    as `open` does."""
    return catalogue_of(path.read_bytes(), str(path))


def catalogue_of(raw: bytes, file: str) -> Catalogue:
    """A catalogue from the bytes of a file; `file` is used in messages. Raises BasisError."""
    if len(raw) > LARGEST_FILE:
        raise BasisError(f"{file}: the file is larger than {LARGEST_FILE} bytes; split the catalogue")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BasisError(f"{file}: not UTF-8; save it as UTF-8") from None
    tree = Tree(file)
    data = tree.load(text)
    if not tree.found:
        tree.check(Catalogue, data, "")
    if tree.found:
        raise BasisError(_said(tree))
    catalogue = msgspec.convert(data, Catalogue)
    for flaw in catalogue_flaws(catalogue):
        tree.add(*flaw)
    if tree.found:
        raise BasisError(_said(tree))
    return catalogue


@functools.cache
def shipped_catalogue() -> Catalogue:
    """The sample that ships: clauses of the EU AI Act and of Chinese rules, scored by this project."""
    raw = files("monitor.basis").joinpath("catalogues", SHIPPED).read_bytes()
    return catalogue_of(raw, SHIPPED)


def check_in_force(catalogue: Catalogue, basis: LegalBasis) -> None:
    """Raises BasisError unless the catalogue is the one that a configuration names."""
    digest = catalogue_digest(catalogue)
    if (catalogue.id, catalogue.version, digest) != (basis.id, basis.version, basis.digest):
        raise BasisError(
            f"legal_basis.digest: catalogue {catalogue.id} version {catalogue.version} has the digest {digest}; in "
            f"force is {basis.id} version {basis.version} with {basis.digest}; give the file that is in force, or "
            "propose this one (`sandbox propose`)"
        )


def _said(tree: Tree) -> str:
    return "\n".join(map(str, tree.sorted()))
