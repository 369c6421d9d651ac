"""What other systems see of records: alerts, the board as data, refusals of the guard. Their names and keys stay."""

from __future__ import annotations

import re
from typing import Any

from . import parts, story
from .pins import pinned
from .test_streams import played

RULE = "A name that other systems read never changes."


def test_alerts_keep_their_labels() -> None:
    """Routes, silences and inhibitions match on labels; whatever is a label is pinned, sentences are not."""
    out = played("in batches").out
    lines, standing = [], {}
    for decision in out.decisions:
        before = standing.get(decision.pilot, parts.AlertStanding())
        standing[decision.pilot] = now = parts.alerts_after(before, decision)
        begun, ended = parts.alert_changes(before, now)
        lines += [f"+ {alert.identity}".replace("\n", " | ") for alert in begun]
        lines += [f"- {alert.identity}".replace("\n", " | ") for alert in ended]
    pinned("alerts", RULE, {"lines": lines, "labels": parts.alert_labels()})


def test_the_board_as_data_keeps_its_keys() -> None:
    """`/api/board.json` is read by programs."""
    pinned(
        "board_json", RULE, keys_of(parts.board_data(played("in batches").out, iter(story.script().charters.values())))
    )


def test_refusals_of_the_guard_keep_their_words() -> None:
    """Problem details for clients of a guarded service, and what a standing says."""
    pinned("guard", RULE, parts.guard_problems())


def test_records_on_kafka_keep_their_topics_keys_and_headers() -> None:
    """Readers tell records apart by them, and check signatures."""
    pinned("kafka", RULE, parts.kafka_lines())


def test_answers_to_a_regulator_keep_their_keys() -> None:
    """What became of an act, and how a pilot stands."""
    pinned("answers", RULE, parts.answers())


def test_grants_and_digests_of_charters_stay() -> None:
    """A cluster's access rules name these resources; both sides agreed on a charter by its digest."""
    pinned("grants", RULE, {"grants": parts.granted(), "charters": parts.charter_hashes()})


def test_alert_rules_and_dashboards_keep_their_names() -> None:
    """Names of alerts, and identities of dashboards, under `deploy/` and `dashboards/`."""
    rules = (parts.REPOSITORY / "deploy" / "prometheus" / "rules.yaml").read_text("utf-8")
    found = {
        "alerts": sorted(set(re.findall(r"alert: (\S+)", rules))),
        "recorded": sorted(set(re.findall(r"record: (\S+)", rules))),
        "dashboards": {
            path.name: parts.dashboard(path) for path in sorted((parts.REPOSITORY / "dashboards").glob("*.json"))
        },
    }
    pinned("rules", RULE, found)


def keys_of(value: Any) -> Any:
    """The keys of an object at every depth; of a list, those of its first entry."""
    if isinstance(value, dict):
        return {name: keys_of(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [keys_of(value[0])] if value else []
    return type(value).__name__
