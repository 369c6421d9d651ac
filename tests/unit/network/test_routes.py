"""Routes of alerts per authority: merged into a base, every alert reaches the receivers of whom it names."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, structs

from monitor.cli.alerts import alerts
from monitor.compile.sandbox_file import sandbox_yaml
from monitor.errors import SandboxConfigError
from monitor.lifecycle.sandbox import SandboxAuthority
from monitor.network.contacts import address_of
from monitor.network.routes import routed
from tests.unit.network.alert_cases import AUTHORITIES, NETWORK, RECEIVERS, Case, cases

SHIPPED = Path(__file__).parents[3] / "deploy" / "alertmanager" / "alertmanager.yaml"
BASE: dict[str, Any] = yaml.load(SHIPPED.read_text(), yaml.CSafeLoader)
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"')


def receivers(config: dict[str, Any], labels: dict[str, str]) -> list[str]:
    """Who receives an alert, by the rules of Alertmanager: the deepest routes that match; the next sibling only after
    one with `continue`. A test with amtool holds this model against the real one."""

    def below(route: dict[str, Any], inherited: str) -> list[str]:
        own, found = route.get("receiver", inherited), []
        for child in route.get("routes") or ():
            if all(matches(text, labels) for text in child.get("matchers") or ()):
                found += below(child, own)
                if not child.get("continue"):
                    break
        return found or [own]

    return below(config["route"], "")


def matches(text: str, labels: dict[str, str]) -> bool:
    found = MATCHER.fullmatch(text)
    assert found, text
    name, how, quoted = found.groups()
    value, wanted = labels.get(name, ""), quoted.encode().decode("unicode_escape") if "\\" in quoted else quoted
    equal = value == wanted if how in ("=", "!=") else re.fullmatch(wanted, value, re.DOTALL) is not None
    return equal == how.startswith("=")


CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_an_alert_reaches_those_who_must_learn_of_it(case: Case) -> None:
    found = receivers(routed(BASE, NETWORK).config, case.labels)
    assert sorted(found) == sorted(RECEIVERS[letter] for letter in case.receivers), "each of them once"


def test_the_table_has_forty_cases() -> None:
    assert len(CASES) == 40
    assert {label for case in CASES for label in case.labels} >= {"tier", "sector", "region", "authority"}


def test_what_names_no_authority_takes_the_routes_of_the_base() -> None:
    made = routed(BASE, NETWORK).config
    assert receivers(made, {"alertname": "Watchdog", "severity": "none"}) == ["dead-man"]
    assert receivers(made, {"alertname": "SandboxDown", "severity": "critical"}) == ["on-call"]
    assert receivers(made, {"alertname": "SandboxPilotHalted", "via": "push", "severity": "critical"}) == ["on-call"]


def test_the_base_keeps_everything_else() -> None:
    made = routed(BASE, NETWORK).config
    assert made["inhibit_rules"] == BASE["inhibit_rules"]
    assert made["global"] == BASE["global"]
    assert made["receivers"][:2] == BASE["receivers"]
    kept = [one for one in made["route"]["routes"] if one.get("matchers") != ['authority!=""']]
    assert kept == BASE["route"]["routes"]
    assert {**made["route"], "routes": 0} == {**BASE["route"], "routes": 0}


def test_authorities_are_notified_in_the_rhythm_of_the_base() -> None:
    group = routed(BASE, NETWORK).config["route"]["routes"][1]
    north = next(one for one in group["routes"] if one["receiver"] == "authority-north")
    usual = [one for one in BASE["route"]["routes"] if one["receiver"] == "on-call"]
    assert [one | {"receiver": "on-call"} for one in north["routes"]] == usual
    assert {one["receiver"] for one in north["routes"]} == {"authority-north"}


def test_the_default_receiver_may_have_a_copy_of_all() -> None:
    made = routed(BASE, NETWORK, also_default=True).config
    for case in CASES:
        expected = {RECEIVERS[letter] for letter in case.receivers} | {"on-call"}
        assert sorted(receivers(made, case.labels)) == sorted(expected)


def test_an_authority_that_the_configuration_does_not_know_leaves_its_alert_to_the_default_receiver() -> None:
    made = routed(BASE, NETWORK).config
    assert receivers(made, {"authority": "north,later"}) == ["authority-north", "on-call"]
    assert receivers(made, {"authority": "north2"}) == ["on-call"], "an id is matched as a whole"
    assert receivers(made, {"authority": "healthxn"}) == ["on-call"], "a dot is a dot"


def test_other_receivers_of_the_base_get_what_they_got() -> None:
    """Also those of routes that come after one of the default receiver."""
    base = copy.deepcopy(BASE)
    base["route"]["routes"] += [
        {"matchers": ['severity="warning"'], "receiver": "dead-man", "continue": True},
        {"matchers": ['tier="high"'], "receiver": "pager"},
    ]
    base["receivers"].append({"name": "pager"})
    labels = {"severity": "warning", "tier": "high", "alertname": "A"}
    assert receivers(base, labels) == ["dead-man", "pager"]
    made = routed(base, NETWORK).config
    assert receivers(made, labels) == ["dead-man", "pager"]
    assert receivers(made, labels | {"authority": "north"}) == ["authority-north", "dead-man", "pager"]


def test_without_any_address_the_base_stays_as_it_is() -> None:
    made = routed(BASE, structs.replace(NETWORK, authorities=(AUTHORITIES[2],)))
    assert made.config == BASE
    assert made.notes == (
        "authorities[0].contacts[0]: '+49 89 1234' of south is no address; "
        "write a mail address or the URL of a webhook",
        "authorities[0].contacts: south has no address; its alerts go to on-call",
    )


texts = st.sampled_from(["", "North", 'a"b', "new\nline", "back\\slash", "ü", "(x|y)", "{{ x }}", "ok.com"])
ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True)
contacts = st.sampled_from(["http://a.example/x", "a@b.example", "+49 1", "x y", "http://{{x}}/", "mailto:a@b.example"])
anyone = st.builds(
    SandboxAuthority, id=ids, level=st.sampled_from(["central", "provincial", "sectoral"]), region=texts,
    sectors=st.lists(texts.filter(bool), max_size=2).map(tuple), contacts=st.lists(contacts, max_size=2).map(tuple),
)  # fmt: skip
MAIL_BASE = BASE | {"global": BASE["global"] | {"smtp_smarthost": "127.0.0.1:25", "smtp_from": "sandbox@x.example"}}


@settings(deadline=None)
@given(
    st.lists(anyone, max_size=6, unique_by=lambda one: one.id.casefold()), st.data(), st.sampled_from(["push", "rule"]),
    st.sampled_from(["critical", "warning"]), texts,
)  # fmt: skip
def test_no_alert_is_lost(those: list[SandboxAuthority], data: st.DataObject, via: str, how: str, region: str) -> None:
    """Whatever the authorities and their contacts are: each one that is named and has an address receives the alert
    once, and if one is named that has none, the default receiver does."""
    known = [one.id for one in those]
    named = data.draw(st.lists(st.sampled_from([*known, "stranger"]), max_size=4, unique=True))
    made = routed(MAIL_BASE, structs.replace(NETWORK, authorities=tuple(those))).config
    labels = {"authority": ",".join(named), "via": via, "severity": how, "region": region, "alertname": "SandboxX"}
    reached = {one.id for one in those if any(address_of(contact) for contact in one.contacts)}
    expected = {f"authority-{name}" for name in named if name in reached}
    if not named or set(named) - reached:
        expected.add("on-call")
    assert sorted(receivers(made, labels)) == sorted(expected)
    assert len({one["name"] for one in made["receivers"]}) == len(made["receivers"])


# ---- contacts


@pytest.mark.parametrize(
    ("contact", "to"),
    [
        ("duty@north.example", "duty@north.example"),
        ("mailto:duty@north.example", "duty@north.example"),
        ("https://north.example:8443/a?b=c", "https://north.example:8443/a?b=c"),
        ("http://[::1]:9095/x", "http://[::1]:9095/x"),
        ("+49 30 1234", None),
        ("Office, room 4", None),
        ("duty@north.example, boss@north.example", None),
        ("duty@north.example\nBcc: x@y.example", None),
        ("{{ .CommonLabels.pilot }}@north.example", None),
        ("https://north.example/{{ .x }}", None),
        ("https://user:secret@north.example/", None),
        ("ftp://north.example/", None),
        ("", None),
    ],
)
def test_a_contact_is_an_address_or_is_said_to_be_none(contact: str, to: str | None) -> None:
    found = address_of(contact)
    assert (None if found is None else found.to) == to


def test_mail_needs_a_server_in_the_base() -> None:
    by_mail = structs.replace(NETWORK, authorities=(SandboxAuthority("a", "central", contacts=("a@b.example",)),))
    with pytest.raises(SandboxConfigError, match=r"global\.smtp_smarthost: is missing"):
        routed(BASE, by_mail)
    made = routed(MAIL_BASE, by_mail).config
    assert made["receivers"][-1] == {
        "name": "authority-a",
        "email_configs": [{"to": "a@b.example", "send_resolved": True}],
    }


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ({}, r"route\.receiver: is missing"),
        ({"route": {"receiver": "x"}}, "receivers: is no list"),
        ({"route": {"receiver": "x", "routes": [1]}, "receivers": []}, r"route\.routes: is no list"),
        ({"route": {"receiver": "x"}, "receivers": [{"name": "authority-north"}]}, "is there already"),
    ],
)
def test_a_base_that_cannot_carry_them_is_refused(base: dict[str, Any], words: str) -> None:
    with pytest.raises(SandboxConfigError, match=words):
        routed(base, NETWORK)


def test_many_authorities_make_a_configuration_of_bounded_size() -> None:
    many = tuple(
        SandboxAuthority(f"{n:064d}", "provincial", contacts=(f"http://a{n}.example/",)) for n in range(256)
    )  # fmt: skip
    made = routed(BASE, structs.replace(NETWORK, authorities=many)).config
    assert receivers(made, {"authority": ",".join(one.id for one in many[:16])}) == [
        f"authority-{one.id}" for one in many[:16]
    ]
    assert len(yaml.safe_dump(made)) < 1 << 20


# ---- the command


def run(tmp_path: Path, network: Any, base: Path = SHIPPED, *more: str) -> Any:
    file = tmp_path / "sandbox.yaml"
    file.write_text(sandbox_yaml(network))
    return CliRunner().invoke(alerts, ["routes", str(file), "--base", str(base), *more])


def test_the_command_prints_the_configuration_and_says_what_is_no_address(tmp_path: Path) -> None:
    done = run(tmp_path, NETWORK)
    assert done.exit_code == 0, done.output
    assert yaml.load(done.stdout, yaml.CSafeLoader) == routed(BASE, NETWORK).config
    assert "'+49 89 1234' of south is no address" in done.stderr
    assert "south has no address; its alerts go to on-call" in done.stderr
    assert "responsibility" not in done.stderr


def test_the_command_says_where_alerts_name_no_authority(tmp_path: Path) -> None:
    done = run(tmp_path, structs.replace(NETWORK, responsibility=UNSET))
    assert "responsibility: alerts have no label authority" in done.stderr


def test_the_command_refuses_a_base_that_is_no_configuration(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("a: [")
    assert isinstance(run(tmp_path, NETWORK, bad).exception, SandboxConfigError)
    bad.write_text("- a\n")
    assert "no configuration of Alertmanager" in str(run(tmp_path, NETWORK, bad).exception)
