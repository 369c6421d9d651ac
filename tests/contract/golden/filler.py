"""Whole and least instances of any struct, made from its field types: each value differs from its neighbours, so that
two fields that change places change the bytes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import inspect

FORMS = {
    "sequence": "000000000007",
    "currency": "EUR",
    "country": "DE",
}  # texts that must have a certain form, by field
MOMENT = datetime(2026, 3, 1, 10, 0, 0, 5000, tzinfo=UTC)


def full(kind: type) -> Any:
    """An instance with every field set, at every depth."""
    return _Filler(True).struct(inspect.type_info(kind))


def least(kind: type) -> Any:
    """An instance with only the fields that have no default, at every depth."""
    return _Filler(False).struct(inspect.type_info(kind))


class _Filler:
    def __init__(self, whole: bool) -> None:
        self._whole = whole
        self._numbers: Iterator[int] = itertools.count(1)

    def struct(self, info: Any) -> Any:
        """An instance of the struct that `info` describes."""
        fields = [field for field in info.fields if field.required or self._whole]
        return info.cls(**{field.name: self.value(field.type, field.encode_name) for field in fields})

    def value(self, info: Any, name: str) -> Any:
        """A value of a type; texts repeat the encoded name of their field."""
        number = next(self._numbers)
        match info:
            case inspect.Metadata():
                return self.value(info.type, name)
            case inspect.StructType():
                return self.struct(info)
            case inspect.UnionType():
                # The widest member: an optional field is set, and of several structs the first stands for all.
                kinds = [t for t in info.types if not isinstance(t, inspect.NoneType)]
                return self.value(min(kinds, key=lambda t: not isinstance(t, inspect.StructType)), name)
            case inspect.EnumType():
                return list(info.cls)[1]  # a member that is added at the end changes nothing
            case inspect.LiteralType():
                return min(info.values)
            case inspect.BoolType():
                return True
            case inspect.IntType():
                return int(_within(number, info.le, info.lt))
            case inspect.FloatType():
                return _within(number + 0.5, info.le, info.lt)
            case inspect.StrType():
                return _text(info.pattern or "", name, number)
            case inspect.BytesType() | inspect.RawType():
                return bytes([number % 256])
            case inspect.DateTimeType():
                return MOMENT
            case inspect.DateType():
                return MOMENT.date()
            case inspect.DictType():
                return {self.value(info.key_type, name): self.value(info.value_type, name)}
            case inspect.VarTupleType():
                return (self.value(info.item_type, name),)
            case inspect.ListType():
                return [self.value(info.item_type, name)]
            case inspect.TupleType():
                return tuple(self.value(item, name) for item in info.item_types)
            case inspect.AnyType():
                return f"{name}-{number}"
        raise NotImplementedError(f"{name}: {info}")


def _text(pattern: str, name: str, number: int) -> str:
    """A text that `pattern` allows: a span, a time of day, a date, or any."""
    if "|w)" in pattern:
        return f"{number}h"
    if "{32}" in pattern:
        return f"{number:032x}"
    if "{64}" in pattern:
        return f"{number:064x}"
    if ":[0-5]" in pattern:
        return f"10:{number % 60:02d}"
    if pattern == "^[0-9a-f]{64}$":
        return f"{number:064x}"
    return f"20{number % 100:02d}-01-01" if "[0-9]{4}-" in pattern else FORMS.get(name, f"{name}-{number}")


def _within(value: float, *most: float | None) -> float:
    """`value`, or where it is above a bound, a number that is not."""
    bound = min([b for b in most if b is not None], default=value)
    if bound <= 0:
        return -value
    return value if value <= bound else 1 / value if bound == 1 else value % bound


def as_json(value: Any) -> str:
    """The JSON bytes of a value, as text."""
    return msgspec.json.encode(value).decode()
