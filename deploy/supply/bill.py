"""The bill of materials (CycloneDX 1.6, JSON) of what is installed with `sandbox-monitor[monitor]`.

Read from the locked environment: every library that the package requires, directly or not, with its licence, the hashes
of the lock file and what it requires itself. The same environment gives the same bytes.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGE, EXTRA = "sandbox-monitor", "monitor"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+) \\$")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def locked_hashes(lock: Path) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Name -> (version, SHA-256 of each file that may be installed), of a requirements file with hashes."""
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    name = ""
    for line in lock.read_text().splitlines():
        if pin := _PIN.match(line):
            name = canonicalize_name(pin[1])
            found[name] = (pin[2], ())
        elif (digest := _HASH.search(line)) and name:
            version, before = found[name]
            found[name] = (version, (*before, digest[1]))
    return found


def required(name: str, extras: frozenset[str] = frozenset()) -> Iterator[tuple[str, frozenset[str]]]:
    """What an installed package requires here: (name, extras)."""
    for text in metadata.requires(name) or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras or {""}):
            yield canonicalize_name(requirement.name), frozenset(requirement.extras)


def closure(name: str, extras: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """Each package that is installed with this one, this one first -> what it requires itself."""
    found: dict[str, tuple[str, ...]] = {}
    todo = [(name, extras)]
    while todo:
        package, wanted = todo.pop()
        requires = list(required(package, wanted))
        found[package] = tuple(sorted({*found.get(package, ()), *(other for other, _ in requires)}))
        todo += [(other, more) for other, more in requires if other not in found]
    return found


def licence(package: str) -> str:
    """The licence of an installed package as it states it: an SPDX expression, else the name of its classifier."""
    about = metadata.metadata(package)
    stated = str(about.get("License-Expression") or "")
    classifiers = [text.rsplit(" :: ", 1)[1] for text in about.get_all("Classifier") or () if "License ::" in text]
    short = str(about.get("License") or "")
    return stated or (short if short and "\n" not in short and len(short) < 60 else "") or " and ".join(classifiers)


def component(package: str, hashes: tuple[str, ...], kind: ComponentType = ComponentType.LIBRARY) -> Component:
    """One package as a component."""
    version = metadata.version(package)
    licenses = LicenseFactory()
    text = licence(package)
    made = Component(
        name=package,
        version=version,
        type=kind,
        purl=PackageURL("pypi", None, package, version),
        bom_ref=f"{package}=={version}",
        licenses=[licenses.make_from_string(text)] if text else [],
    )
    if hashes:
        files = [HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in sorted(hashes)]
        made.external_references.add(
            ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(f"pypi:{package}"), hashes=files)
        )
    return made


def bill(lock: Path = ROOT / "requirements.lock") -> str:
    """The bill of materials as JSON. Raises LookupError when an installed version is not the locked one."""
    pins = locked_hashes(lock)
    tree = closure(PACKAGE, frozenset({EXTRA}))
    parts: dict[str, Component] = {}
    for package in sorted(tree):
        if package == PACKAGE:
            parts[package] = component(package, (), ComponentType.APPLICATION)
            continue
        version, hashes = pins[package]
        if metadata.version(package) != version:
            raise LookupError(f"{package} {metadata.version(package)} is installed, {version} is locked: make install")
        parts[package] = component(package, hashes)
    # The serial number names the content, so that equal bills are equal bytes.
    made = Bom(
        components=[part for name, part in parts.items() if name != PACKAGE],
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, lock.read_text()),
    )
    made.metadata.component = parts[PACKAGE]
    made.metadata.timestamp = None  # type: ignore[assignment]
    for name, part in parts.items():
        made.register_dependency(part, [parts[other] for other in tree[name] if other in parts])
    return JsonV1Dot6(made).output_as_string(indent=2)
