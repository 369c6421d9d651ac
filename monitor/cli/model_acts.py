"""Acts on the file of a model, as commands: each sends one act, as `monitor/cli/control.py` does, with the same options
and exit codes. There is one command for each kind of entry; its options are the fields of the content."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import click
import msgspec

from monitor.charter.model_acts import (
    ChainRole,
    DataCompliance,
    DataPurpose,
    KnownLimitation,
    ModelContent,
    ModelEntry,
    ModelEntryWithdrawal,
    ModelEvaluation,
    ModelInspection,
    ModelScenario,
    ModelVersion,
    Supplier,
)
from monitor.cli.control import act_options, fresh, send
from monitor.model.events import Harm
from monitor.model.refusals import REFUSALS, Refusal
from monitor.model.subjects import is_model, model_subject


@click.group()
def add() -> None:
    """Add an entry to the file of a model: a supplier, a version, data, a scenario, an evaluation, a limitation, an
    inspection.

    An officer may add every kind, and names the suppliers of a model. A supplier adds to its own model all but
    suppliers and inspections, an evaluator adds evaluations. Versions and scenarios come before what refers to them.

    \b
    Example:
      sandbox-monitor model add version triage-base --version 7.1 --digest sha256:4f2a --author maker --key maker.key
    """


version_option = click.option("--version", default="", help="version or digest that it is about [default: all]")
day_option = click.option("--day", default="", metavar="YYYY-MM-DD", help="day on which it was done")
reference_option = click.option("--reference", default="", help="where its documentation is: an address, a file number")
sha256_option = click.option("--sha256", default="", help="SHA-256 of its documentation, 64 hex digits")
licence_option = click.option("--licence", default="", help="SPDX id of the licence")


def _command(name: str, content: type[ModelContent]) -> Callable[[Callable[[], None]], click.Command]:
    """A command that adds an entry with this content; the function gives its help and the options of its fields."""

    def made(function: Callable[..., Any]) -> click.Command:
        def run(model_id: str, words: str, to: str, prefix: str, author: str, id_: str, **fields: Any) -> None:
            results = fields.get("results")
            if results is not None:
                fields["results"] = _results(results)
            try:
                said = msgspec.convert({"type": str(content.__struct_config__.tag), **fields}, content)
            except msgspec.ValidationError as error:
                raise click.BadParameter(str(error).replace("$.", "--")) from error
            act = ModelEntry(id=id_ or fresh(), pilot=subject_of(model_id), author=author, content=said, words=words)
            send(to, prefix, act)

        run.__doc__ = function.__doc__
        command: Any = act_options(run)
        command.__click_params__ += getattr(function, "__click_params__", [])  # listed first in the help
        words_help = "what else there is to say; the ledger holds a commitment to it"
        command = click.option("--words", default="", help=words_help)(command)
        return add.command(name)(click.argument("model_id", metavar="ID")(command))

    return made


def subject_of(name: str) -> str:
    """The key of the file of a model. Raises click.BadParameter."""
    if not is_model(model_subject(name)):
        raise click.BadParameter(f"{name}: {REFUSALS[Refusal.BAD_MODEL_ID]}", param_hint="ID")
    return model_subject(name)


def _results(texts: tuple[str, ...]) -> dict[str, float]:
    found = {}
    for text in texts:
        measure, _, value = text.rpartition("=")
        try:
            found[measure] = float(value)
        except ValueError:
            measure = ""
        if not measure:
            raise click.BadParameter(f"{text}: write measure=number", param_hint="--result")
    return found


@_command("supplier", Supplier)
@click.option("--supplier", required=True, help="id of the supplier; a person of the sandbox with the role supplier")
@click.option("--role", required=True, type=click.Choice(get_args(ChainRole)), help="its role in the chain")
@click.option("--name", default="", help="name of the company")
@click.option("--country", default="", help="its country, ISO 3166-1, two letters")
def _supplier() -> None:
    """Name a supplier of the model (an officer). It may add to this file from now on."""


@_command("version", ModelVersion)
@click.option("--version", required=True, help="version, as charters name it")
@click.option("--digest", required=True, help="digest, as charters and telemetry name it")
@click.option("--released", default="", metavar="YYYY-MM-DD", help="day of its release")
@click.option("--base", default="", help="id of the model that it was made from")
@click.option("--base-version", default="", help="version of that model")
@click.option("--architecture", default="", help="family of the architecture")
@licence_option
@click.option("--sha256", default="", help="SHA-256 of the weights, 64 hex digits")
def _version() -> None:
    """Register a version of the model."""


@_command("data", DataCompliance)
@click.option("--dataset", required=True, help="id of the data set")
@click.option("--purpose", required=True, type=click.Choice(get_args(DataPurpose)), help="what it was used for")
@click.option("--personal/--no-personal", required=True, help="whether it has personal data")
@click.option("--special/--no-special", default=False, help="whether it has special categories of personal data")
@version_option
@click.option("--legal-basis", default="", help="legal basis of the processing")
@licence_option
@click.option("--origin", default="", help="where the data comes from")
@reference_option
@sha256_option
def _data() -> None:
    """Document data that a version was made or tested with."""


@_command("scenario", ModelScenario)
@click.option("--scenario", required=True, help="name; evaluations refer to it")
@click.option("--intended/--excluded", default=True, help="whether the model is meant for it, or not to be used for it")
@click.option("--sector", default="", help="sector")
@click.option("--group", "groups", multiple=True, help="group of users; repeatable")
def _scenario() -> None:
    """Add a scenario of use."""


@_command("evaluation", ModelEvaluation)
@click.option("--version", required=True, help="version or digest that was evaluated")
@click.option("--scenario", required=True, help="scenario of the file")
@click.option("--result", "results", multiple=True, required=True, metavar="MEASURE=VALUE", help="result; repeatable")
@click.option("--passed/--failed", required=True, help="whether it passed")
@day_option
@reference_option
@sha256_option
def _evaluation() -> None:
    """Record an evaluation of a version. The record says in which role its author spoke."""


@_command("limitation", KnownLimitation)
@click.option("--limitation", required=True, help="name of the limitation")
@click.option("--harm", default="none", type=click.Choice([harm.value for harm in Harm]), help="gravest harm")
@version_option
@reference_option
def _limitation() -> None:
    """State a known limitation; --words say what it is."""


@_command("inspection", ModelInspection)
@click.option("--scope", multiple=True, required=True, help="id of what was looked at; repeatable")
@click.option("--finding", "findings", multiple=True, help="name of what was found wrong; repeatable")
@version_option
@day_option
@reference_option
def _inspection() -> None:
    """Record an inspection of the model (an officer)."""


@click.command()
@click.argument("model_id", metavar="ID")
@click.option("--entry", required=True, help="id of the act that added the entry (`model show`)")
@click.option("--reason", required=True, help="reason; recorded in the ledger")
@act_options
def withdraw(model_id: str, entry: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Withdraw an entry of the file of a model. It stays in the ledger, marked as withdrawn.

    An officer may withdraw every entry, suppliers and evaluators their own.
    """
    act = ModelEntryWithdrawal(id=id_ or fresh(), pilot=subject_of(model_id), author=author, entry=entry, reason=reason)
    send(to, prefix, act)
