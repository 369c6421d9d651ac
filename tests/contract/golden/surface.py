"""What a user types, calls or reads by name: walked from the product itself."""

from __future__ import annotations

import inspect
from typing import Any

import click
import msgspec
from aiohttp import web
from msgspec import inspect as fields_of

from . import names


def commands(group: click.Command, path: str = "sandbox-monitor") -> dict[str, Any]:
    """Every verb with its arguments and flags: how each is written, whether it takes a value, its default."""
    found: dict[str, Any] = {path: {" ".join([*p.opts, *p.secondary_opts]): _parameter(p) for p in group.params}}
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            inner = group.get_command(context, name)
            assert inner is not None, name
            found |= commands(inner, f"{path} {name}")
    return found


def _parameter(parameter: click.Parameter) -> str:
    kind = getattr(parameter.type, "name", "")
    if isinstance(parameter.type, click.Choice):
        kind = "|".join(map(str, parameter.type.choices))
    default = parameter.default
    if callable(default) or ("/" in str(default) and not str(default).startswith(("http", "kafka"))):
        default = "..."  # a path of this machine
    flags = [
        word
        for word, on in (
            ("argument", isinstance(parameter, click.Argument)),
            ("required", parameter.required),
            ("repeatable", parameter.multiple or parameter.nargs != 1),
            ("flag", getattr(parameter, "is_flag", False)),
        )
        if on
    ]
    variable = f" env={parameter.envvar}" if parameter.envvar else ""
    return f"{' '.join(flags)} {kind} default={default!s}{variable}".strip()


def routes(app: web.Application) -> list[str]:
    """Method and path of every route."""
    found = (
        f"{route.method} {route.resource.canonical}"
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    )
    return sorted(found)


def signature(function: Any) -> str:
    """The parameters of a public callable: names, kinds, order and defaults; types are left out."""
    found = inspect.signature(function)
    plain = [p.replace(annotation=p.empty) for p in found.parameters.values() if p.name not in ("self", "cls")]
    return str(found.replace(parameters=plain, return_annotation=found.empty))


def public(kind: type) -> dict[str, str]:
    """The public methods of a class with their parameters."""
    return {"()": signature(kind.__init__)} | {
        name: signature(member) if callable(member) else "property"
        for name, member in sorted(vars(kind).items())
        if not name.startswith("_")
    }


def keys(kind: type) -> dict[str, Any]:
    """The keys of a struct as files and JSON spell them, with defaults, at every depth."""
    info: Any = fields_of.type_info(kind)
    return {field.encode_name: _key(field) for field in info.fields}


def _key(field: Any) -> Any:
    inner = [t for t in _parts(field.type) if isinstance(t, fields_of.StructType)]
    if inner:
        return keys(inner[0].cls)
    if field.required:
        return "required"
    if field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT:
        return "left out"
    if field.default_factory is not msgspec.NODEFAULT:
        return f"default {msgspec.json.encode(field.default_factory()).decode()}"
    return f"default {msgspec.json.encode(field.default).decode()}"


def _parts(info: Any) -> list[Any]:
    """A type and the types inside it."""
    inside = [
        part
        for name in ("type", "item_type", "value_type")
        if (part := getattr(info, name, None)) is not None and isinstance(part, fields_of.Type)
    ]
    return [info, *(deep for part in (*inside, *getattr(info, "types", ())) for deep in _parts(part))]


def metrics() -> dict[str, str]:
    """Name, kind, labels and buckets of every metric."""
    return {
        spec.name: f"{spec.kind} {', '.join(spec.labels)} {', '.join(map(str, spec.buckets))}".strip()
        for spec in names.CATALOGUE
    }
