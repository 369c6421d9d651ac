"""Signatures and key files, one rule a test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monitor.errors import Forged, Refused
from monitor.files.key_file import new_key, own_key, read_key
from monitor.model.signing import Place, Signer, Trusted

SIGNER = Signer(bytes(range(32)))
BODY = b'{"pilot":"p"}'


def test_a_signature_holds_for_its_own_bytes_kind_and_key_only() -> None:
    """One other bit, another kind of record, another key, no signature at all: each is told apart and refused."""
    trusted, good = Trusted([SIGNER.public]), SIGNER.sign("permit", BODY)
    assert trusted.verify("permit", BODY, good) == SIGNER.key_id
    with pytest.raises(Forged, match="bad_signature"):
        trusted.verify("permit", BODY + b" ", good)
    with pytest.raises(Forged, match="bad_signature"):
        trusted.verify("command", BODY, good)
    with pytest.raises(Forged, match="bad_signature"):
        trusted.verify("permit", BODY, f"{SIGNER.key_id}:%%%")
    with pytest.raises(Forged, match="unknown_key"):
        trusted.verify("permit", BODY, Signer(bytes(32)).sign("permit", BODY))
    with pytest.raises(Forged, match=r"not_signed.*asked for"):
        trusted.verify("permit", BODY, "")


def test_a_signature_is_the_one_of_rfc_8032() -> None:
    """The public key of the first test vector of RFC 8032, section 7.1."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    from monitor.model.signing import read_public

    assert read_public(Signer(seed).public) == public


def test_a_key_file_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    """A second `new` refuses, reading gives the same key, and a file that others may read is refused."""
    path = tmp_path / "keys" / "monitor.key"
    signer = new_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_key(path).public == own_key(path).public == signer.public
    with pytest.raises(Refused, match="never overwritten"):
        new_key(path)
    assert [p.name for p in path.parent.iterdir()] == ["monitor.key"]
    os.chmod(path, 0o644)
    with pytest.raises(Refused, match="chmod 600"):
        read_key(path)


def test_what_is_no_public_key_is_refused() -> None:
    """A key must be written as it is shown."""
    with pytest.raises(ValueError, match="no public key"):
        Trusted(["rsa:abc"])


def test_an_output_signature_holds_at_its_own_place_only() -> None:
    """Another kind, topic, partition, epoch, number, key or body: each is refused, and a tombstone is no empty body."""
    place = Place("decision", "sandbox.decisions", 1, 7, 3)
    trusted, good = Trusted([SIGNER.public]), SIGNER.sign_output(place, b"p", BODY)
    assert trusted.verify_output(place, b"p", BODY, good) == SIGNER.key_id
    moved = [
        place._replace(kind="evidence"),
        place._replace(topic="other.decisions"),
        place._replace(partition=2),
        place._replace(epoch=8),
        place._replace(number=4),
    ]
    for other in moved:
        with pytest.raises(Forged, match="bad_signature"):
            trusted.verify_output(other, b"p", BODY, good)
    for key, body in ((b"q", BODY), (None, BODY), (b"p" + BODY[:1], BODY[1:]), (b"p", b""), (b"p", None)):
        with pytest.raises(Forged, match="bad_signature"):
            trusted.verify_output(place, key, body, good)
    with pytest.raises(Forged, match="bad_signature"):  # nor is it one for a service
        trusted.verify("command", BODY, SIGNER.sign_output(place._replace(kind="command"), None, BODY))
