"""Public keys under which anybody can sign are refused."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from monitor.tlog.errors import BadFormat
from monitor.tlog.keys import SMALL_ORDER, KeyType, P, Verifier

D = -121665 * pow(121666, -1, P) % P


def add(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    """The sum of two points of edwards25519 (RFC 8032, section 5.1.4), in affine coordinates."""
    (x1, y1), (x2, y2) = a, b
    product = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, P) % P
    return x, y


def x_of(y: int) -> int | None:
    """An x of the point with that y, or None if there is none."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    for candidate in (x, x * pow(2, (P - 1) // 4, P) % P):
        if candidate * candidate % P == square:
            return candidate
    return None


def small_order_ys() -> set[int]:
    """All y of points with 8 P = 0: those of the torsion subgroup, which a point of order 8 generates."""
    base, y = None, 2
    while base is None:
        x = x_of(y)
        if x is not None:
            point = (x, y)
            order = 2**252 + 27742317777372353535851937790883648493
            found = (0, 1)
            while order:  # the order of the prime subgroup leaves the torsion component
                if order & 1:
                    found = add(found, point)
                point, order = add(point, point), order >> 1
            double = add(found, found)
            base = found if add(double, double) != (0, 1) else None
        y += 1
    ys, point = set(), (0, 1)
    for _ in range(8):
        point = add(point, base)
        ys.add(point[1])
    return ys


def test_the_list_of_small_order_keys_is_complete() -> None:
    """The listed y coordinates are those of the eight points of small order, and their unreduced encodings."""
    ys = small_order_ys()
    assert {y % P for y in SMALL_ORDER} == ys
    assert {y + P for y in ys if y + P < 2**255} < SMALL_ORDER


@pytest.mark.parametrize("kind", [KeyType.ED25519, KeyType.COSIGNATURE_ED25519])
@pytest.mark.parametrize("y", sorted(SMALL_ORDER))
@pytest.mark.parametrize("sign", [0, 1 << 255])
def test_keys_of_small_order_are_refused(kind: KeyType, y: int, sign: int) -> None:
    """No such key can be listed in a policy, whatever its sign bit."""
    with pytest.raises(BadFormat, match="small order"):
        Verifier("example.com", kind, (y | sign).to_bytes(32, "little"))


def test_a_key_of_small_order_needs_no_private_key() -> None:
    """Why: under the neutral element, R = B with S = 1 is a signature of every message."""
    generator = bytes.fromhex("5866666666666666666666666666666666666666666666666666666666666666")
    signature = generator + (1).to_bytes(32, "little")
    Ed25519PublicKey.from_public_bytes((1).to_bytes(32, "little")).verify(signature, b"any message")
