"""Canonical JSON: one value, one byte string, after RFC 8785 (JSON Canonicalization Scheme).

Keys sorted by UTF-16 code units, no spaces, shortest escapes, numbers as ECMAScript prints them. Standard library only.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

_EXACT = 1 << 53
_WORDS = {None: "null", True: "true", False: "false"}


def canonical(value: Any) -> bytes:
    """The one UTF-8 form of a JSON value. Raises ValueError on NaN, infinities, lone surrogates and integers beyond
    2^53.

    >>> canonical({"b": 1.0, "a": [1e21, 0.000001, -0.0, None]})
    b'{"a":[1e+21,0.000001,0,null],"b":1}'
    """
    return _text(value).encode("utf-8")


def parse_canonical(raw: bytes) -> Any:
    """Read canonical JSON. Raises ValueError when `raw` is not JSON or not in its canonical form."""
    plain = _plain(raw) if raw.isascii() else None
    if plain is not None:
        return plain[0]
    try:
        value = json.loads(raw.decode("utf-8"), parse_int=_whole, parse_constant=_no_constant)
        again = canonical(value)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if again != raw:
        raise ValueError("the body is JSON but not in its canonical form")
    return value


class _NotPlain(Exception):
    """A number that ECMAScript may print in another way than Python."""


def _plain(raw: bytes) -> tuple[Any] | None:
    """Fast path of `parse_canonical` for ASCII text: the value if `raw` is canonical, `None` if the slow path decides.

    Python's encoder gives the canonical form of such text but for some numbers, with which this ends."""
    text = raw.decode("ascii")
    try:
        value = _DECODER.decode(text)
        return (value,) if _ENCODER.encode(value) == text else None
    except (_NotPlain, ValueError, RecursionError):
        return None


def _plain_float(digits: str) -> float:
    if "e" in digits or "E" in digits or digits.endswith(".0"):
        raise _NotPlain
    return float(digits)


def _whole(digits: str) -> int | float:
    # Beyond 2^53 the digits are the shortest that name a double, not that double's exact value.
    value = int(digits)
    return value if abs(value) <= _EXACT else float(digits)


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


_DECODER = json.JSONDecoder(parse_int=_whole, parse_float=_plain_float, parse_constant=_no_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, int):
        if abs(value) > _EXACT:
            raise ValueError("an integer beyond 2^53 has no exact double")
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_text, value)) + "]"
    if isinstance(value, dict):
        # UTF-16 sorts as code points do, but for characters beyond the basic plane.
        plain = all(map(str.isascii, value))
        keys = sorted(value) if plain else sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join([f"{encode_basestring(key)}:{_text(value[key])}" for key in keys]) + "}"
    raise ValueError(f"{type(value).__name__} is not JSON")


def _number(value: float) -> str:
    """ECMAScript's Number::toString, from the shortest digits that read back as the same double."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is not JSON")
    if value == 0:
        return "0"
    short = repr(value)
    if "e" not in short:
        return short.removesuffix(".0")
    sign, digit_tuple, exponent = Decimal(short).as_tuple()
    assert isinstance(exponent, int)
    full = "".join(map(str, digit_tuple))
    digits = full.rstrip("0")
    point = len(full) + exponent  # the decimal point stands after this many digits
    count = len(digits)
    if count <= point <= 21:
        body = digits + "0" * (point - count)
    elif 0 < point <= 21:
        body = digits[:point] + "." + digits[point:]
    elif -6 < point <= 0:
        body = "0." + "0" * -point + digits
    else:
        power = point - 1
        body = digits[0] + ("." + digits[1:] if count > 1 else "") + f"e{'+' if power > 0 else '-'}{abs(power)}"
    return ("-" if sign else "") + body
