"""Harmless deviations that are corrected before validation: byte order marks and leap seconds.

Applied only to bytes that could not be decoded as they are, so a good record costs nothing. Pure: the result depends on
the bytes alone, and a replay corrects the same bytes.
"""

from __future__ import annotations

import re

from monitor.errors import Refused

BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff", b"{\0", b"[\0", b"\0{", b"\0[")
_LEAP = re.compile(
    rb'("(?:time|filed|about|recordedtime)"\s*:\s*"\d{4}-\d\d-\d\d[Tt ])'
    rb'(\d\d):(\d\d):60(?:\.\d+)?([Zz]|[+-]\d\d:?\d\d)(?=")'
)
_DAY = 1440  # minutes


def without_bom(value: bytes) -> bytes:
    """`value` without a leading UTF-8 byte order mark; RFC 8259, section 8.1 allows a reader to ignore one."""
    return value.removeprefix(BOM)


def is_utf16(value: bytes) -> bool:
    """Whether bytes look like JSON in UTF-16: its byte order mark, or a bracket of two bytes at the beginning."""
    return value[:2] in _UTF16


def refuse_utf16(name: str, first: bytes) -> None:
    """Raise Refused when a file that begins with the bytes `first` is UTF-16: none of its lines could be read."""
    if is_utf16(first):
        raise Refused(f"{name} is UTF-16; save it as UTF-8 without a byte order mark (PowerShell: `-Encoding utf8`)")


def without_leap_seconds(value: bytes) -> bytes:
    """`value` with each leap second of an event's times (23:59:60 UTC, RFC 3339 section 5.6) as the last millisecond
    before it.

    >>> without_leap_seconds(b'{"time": "2016-12-31T23:59:60Z"}')
    b'{"time": "2016-12-31T23:59:59.999Z"}'
    >>> without_leap_seconds(b'{"time": "2017-01-01T00:59:60+01:00"}')
    b'{"time": "2017-01-01T00:59:59.999+01:00"}'
    >>> without_leap_seconds(b'{"time": "2016-12-31T12:00:60Z"}')  # no minute of UTC but the last of a day has one
    b'{"time": "2016-12-31T12:00:60Z"}'
    """
    return _LEAP.sub(_last_millisecond, value)


def _last_millisecond(found: re.Match[bytes]) -> bytes:
    day, hour, minute, zone = found.groups()
    offset = 0
    if len(zone) > 1:
        offset = (int(zone[1:3]) * 60 + int(zone[-2:])) * (-1 if zone[:1] == b"-" else 1)
    if (int(hour) * 60 + int(minute) - offset) % _DAY != _DAY - 1:
        return found[0]
    return b"%b%b:%b:59.999%b" % (day, hour, minute, zone)
