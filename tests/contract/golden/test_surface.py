"""What people and programs call by name stays: verbs, flags, paths, keywords, metrics, variables, keys of a charter."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from . import names, surface
from .pins import pinned

RULE = "A name that users type, call or query never changes."


def test_the_command_line_keeps_its_verbs_and_flags() -> None:
    """Every verb and flag is spelt as before, with the same default."""
    pinned("surface_cli", RULE, surface.commands(names.cli))


def test_the_http_interface_keeps_its_paths(tmp_path: Path) -> None:
    """Every path of the ingress and of the board is there, with its method."""

    async def built() -> list[str]:
        return surface.routes(await names.http_application(tmp_path / "log.db"))

    pinned("surface_http", RULE, asyncio.run(built()))


def test_the_library_for_firms_keeps_its_names_and_keywords() -> None:
    """What a firm's service imports and calls has the same names, parameters and defaults."""
    found: dict[str, Any] = {"exports": sorted(names.sdk.__all__)}
    for name in ("Pilot", "Drain"):
        found[name] = surface.public(getattr(names.sdk, name))
    found["Status"] = list(names.sdk.Status.__struct_fields__)
    found["Link"] = surface.public(names.Link)
    found["Harm"] = [member.value for member in names.sdk.Harm]
    found["Severity"] = [member.value for member in names.sdk.Severity]
    found["caught as"] = {
        name: [base for base, kind in names.SDK_ERRORS.items() if issubclass(error, kind)]
        for name, error in names.SDK_ERRORS.items()
    }
    pinned("surface_sdk", RULE, found)


def test_the_client_of_a_regulator_keeps_its_keywords() -> None:
    """Acts are sent and answers read with the same parameters."""
    calls = {"read_standing": names.read_standing, "send_act": names.send_act, "open_bulk": names.open_bulk}
    pinned("surface_client", RULE, {name: surface.signature(call) for name, call in calls.items()})


def test_metrics_keep_their_names_and_labels() -> None:
    """Dashboards and alerts of other people query these."""
    pinned("surface_metrics", RULE, surface.metrics())


def test_a_charter_keeps_its_keys() -> None:
    """A charter that was agreed is read as before: same keys, same defaults."""
    pinned("surface_charter", RULE, surface.keys(names.Charter))


def test_environment_variables_keep_their_names() -> None:
    """Every variable that the product reads is one of these."""
    pinned("surface_environment", RULE, names.environment_variables())


def test_the_asyncapi_page_keeps_the_names_of_its_messages_and_schemas() -> None:
    """Generated clients are named after them."""
    page = names.asyncapi_document()
    found = {
        "channels": {name: sorted(channel["messages"]) for name, channel in page["channels"].items()},
        "messages": sorted(page["components"]["messages"]),
        "schemas": {
            name: list(schema.get("properties", schema.get("prefixItems", schema.get("enum", []))))
            for name, schema in sorted(page["components"]["schemas"].items())
        },
        "operations": sorted(page["operations"]),
    }
    pinned("surface_asyncapi", RULE, found)


def test_topics_keep_their_names_and_settings() -> None:
    """A deployment finds its topics again."""
    one = names.topics(names.TopicNames("sandbox", ("acme", "bolt")), 12, 3)
    found = {
        topic.name: {"partitions": topic.partitions, "replication": topic.replication, **topic.settings}
        for topic in one
    }
    pinned("topics", "A topic keeps its name and settings.", found | {"all": names.TopicNames().telemetry})


def test_the_file_of_an_embedded_monitor_keeps_its_tables(tmp_path: Path) -> None:
    """A file that an older version wrote is opened as it is."""
    pinned("store_schema", "The tables of the embedded store never change.", names.store_schema(tmp_path / "log.db"))
