"""The sandbox is founded and changed by the command line on both runtimes; roles then come from it everywhere."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec import structs

import monitor.toolkits
from monitor.__main__ import cli
from monitor.charter.spec import Responses
from monitor.compile.sandbox_file import read_sandbox, sandbox_yaml
from monitor.files.key_file import new_key
from monitor.lifecycle.acts import Role
from monitor.lifecycle.sandbox import Person
from monitor.sdk.kafka_link import partition_of
from monitor.testing.environments import ENVIRONMENTS, Environment
from monitor.toolkits.load import load_toolkit

WORLD = [pytest.param("embedded"), pytest.param("kafka", marks=pytest.mark.kafka)]


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


@pytest.mark.parametrize("name", WORLD)
def test_a_sandbox_is_founded_and_its_people_act_on_pilots_of_every_partition(tmp_path: Path, name: str) -> None:
    """Founded in one step with keys; a proposal needs a second person; people that a charter names lose their rights,
    and an added officer has them."""
    environment: Environment = ENVIRONMENTS[name](tmp_path, 6, Responses())
    try:
        pilots = [environment.next().pilot for _ in range(6)]
        to = ["--to", str(environment.settings(environment.proxy())["to"])]
        to += ["--prefix", "halt"] if name == "kafka" else []
        people = tmp_path / "people"

        def act(command: list[str], author: str, key: str = "") -> Result:
            signed = ["--key", str(people / f"{key or author}.key")] if key != "none" else []
            return ran(*command, *to, "--author", author, *signed)

        founded = ran("sandbox", "init", str(people), *to, "--authority", "sandbox-authority")
        assert founded.exit_code == 0, founded.output
        assert "taken: sandbox_founded" in founded.stdout
        assert {stat.S_IMODE(path.stat().st_mode) for path in people.glob("*.key")} == {0o600}
        again = ran("sandbox", "init", str(people), *to)
        assert "already in force: version 1" in again.stdout

        made = read_sandbox(people / "sandbox.yaml")
        public = new_key(people / "olga.key").public
        association = new_key(people / "association.key").public
        publisher = Person("association", (Role.PUBLISHER,), "", (association,))
        olga = Person("olga", (Role.OFFICER,), "sandbox-authority", (public,))
        (tmp_path / "new.yaml").write_text(sandbox_yaml(structs.replace(made, people=(*made.people, olga, publisher))))
        proposed = act(["sandbox", "propose", str(tmp_path / "new.yaml"), "--id", "c1"], "officer")
        assert proposed.exit_code == 0, proposed.output
        assert act(["sandbox", "approve", "c1"], "officer").exit_code == 1
        assert act(["sandbox", "approve", "c1"], "approver-1", "approver-2").exit_code == 1
        approved = act(["sandbox", "approve", "c1"], "approver-1")
        assert approved.exit_code == 0, approved.output

        shown = ran("sandbox", "show", *to)
        (tmp_path / "shown.yaml").write_text(shown.stdout)
        assert read_sandbox(tmp_path / "shown.yaml") == structs.replace(
            made, people=(*made.people, olga, publisher), version=2
        )
        assert "version 1 sandbox_founded" in shown.stderr
        assert "version 2 configuration_changed" in shown.stderr
        first = ran("sandbox", "show", *to, "--version", "1")
        assert first.stdout == (people / "sandbox.yaml").read_text()
        assert ran("sandbox", "sync", *to).exit_code == 0

        own = tmp_path / "micro_credit"
        shutil.copytree(Path(monitor.toolkits.__file__).parent / "consumer_finance", own)
        about = (own / "toolkit.yaml").read_text().replace("id: consumer_finance", "id: micro_credit")
        (own / "toolkit.yaml").write_text(about)
        published = act(["toolkit", "publish", str(own), "--id", "t1"], "association")
        assert published.exit_code == 0, published.output
        assert act(["sandbox", "approve", "t1"], "association").exit_code == 1
        assert act(["sandbox", "approve", "t1"], "approver-1").exit_code == 0
        (tmp_path / "shown.yaml").write_text(ran("sandbox", "show", *to).stdout)
        toolkits = read_sandbox(tmp_path / "shown.yaml").toolkits or ()
        assert toolkits == (*(made.toolkits or ()), load_toolkit(own).ref)
        assert len(toolkits) > 1

        for pilot in pilots:
            override = ["override", pilot, "watch", "--reason", "x"]
            assert act(override, "regulator-1", "none").exit_code == 1
            assert act(override, "approver-1").exit_code == 1
            assert act(override, "olga", "officer").exit_code == 1
            taken = act(override, "olga")
            assert taken.exit_code == 0, taken.output

        # A halt in any partition keeps the people of its release, unless an approver insists.
        away = next((pilot for pilot in pilots if name == "kafka" and partition_of(pilot, 2)), pilots[0])
        assert act(["override", away, "halt", "--reason", "x"], "olga").exit_code == 0
        spare = Person("spare", (Role.APPROVER,), "sandbox-authority", (new_key(people / "spare.key").public,))
        kept = tuple(one for one in (*made.people, olga) if one.id != "approver-2")
        (tmp_path / "less.yaml").write_text(sandbox_yaml(structs.replace(made, people=(*kept, spare))))
        assert act(["sandbox", "propose", str(tmp_path / "less.yaml"), "--id", "c2"], "officer").exit_code == 0
        refused = act(["sandbox", "approve", "c2"], "approver-1")
        assert refused.exit_code == 1
        assert f"{away} is halted" in refused.output
        insists = act(["sandbox", "approve", "c2", "--despite-halts"], "approver-1")
        assert insists.exit_code == (0 if name == "kafka" else 1), insists.output
    finally:
        environment.close()
