"""Which catalogue a charter is checked against, and what the check finds."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UnsetType

from monitor.basis.catalogue import Catalogue, catalogue_digest
from monitor.charter.spec import Charter
from monitor.charter.values import Flaw
from monitor.compile.lint_basis import basis_warnings
from monitor.compile.load_basis import check_in_force, shipped_catalogue
from monitor.lifecycle.sandbox import Sandbox


def catalogue_warnings(charter: Charter, given: Catalogue | None, sandbox: Sandbox | None = None) -> Iterator[Flaw]:
    """What is wrong with the legal basis of a charter. `given` is the catalogue of the caller, which must be the one in
    force in `sandbox`; else the one that ships is taken, if it is the one that sandbox and charter name. Raises
    BasisError for a catalogue that is not in force."""
    catalogue = given
    in_force = None if sandbox is None or isinstance(sandbox.legal_basis, UnsetType) else sandbox.legal_basis
    if given is not None and in_force is not None:
        check_in_force(given, in_force)
    if given is None:
        shipped = shipped_catalogue()
        wanted = shipped.id if isinstance(charter.basis, UnsetType) else charter.basis.catalogue or shipped.id
        named = in_force.digest == catalogue_digest(shipped) if in_force is not None else wanted == shipped.id
        catalogue = shipped if named else None
        if catalogue is None:
            name = wanted if in_force is None else f"{in_force.id} version {in_force.version}"
            yield Flaw("basis", f"the catalogue {name} was not given, so no clause was looked up", "give it as --basis")
    elif not isinstance(charter.basis, UnsetType) and charter.basis.catalogue not in ("", given.id):
        problem = f"the charter cites {charter.basis.catalogue}, and the catalogue is {given.id}"
        yield Flaw("basis.catalogue", problem, "give the other file, or correct the name")
    yield from basis_warnings(charter, catalogue, sandbox)
