"""`sandbox-monitor firm`: the record of a firm over all its pilots, and its class."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import quote

import click
import msgspec
from msgspec import Struct

from monitor.cli.addresses import TO_VARIABLE, to_option
from monitor.cli.control import act_options, fresh, seen, send
from monitor.cli.sandbox_link import Server, brokers, copy_to_partitions, open_server
from monitor.cli.terminal import echo
from monitor.cli.trust_keys import trust_option, trusted_here
from monitor.client.gateway import FirmIdentity, GatewayLink
from monitor.compile.firm_rules_file import read_rules, rules_yaml
from monitor.errors import Refused
from monitor.firms.classes import Classified, Ground, firm_class, ground_words
from monitor.firms.content import record_of, rules_of
from monitor.firms.record import YEAR_MS, FirmRecord, record_digest
from monitor.firms.rules import SHIPPED_RULES, FirmRules, reference_to
from monitor.lifecycle.firm_acts import Annulment, Classification
from monitor.model.records import Content, Decision
from monitor.model.refusals import REFUSALS, Refusal
from monitor.model.subjects import firm_of, firm_subject
from monitor.projections.firm_words import AGAINST, RECORD, class_name, ground_line
from monitor.projections.formats import stamp
from monitor.sdk.http_link import HttpLink
from monitor.translation import current, tr

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
TO = to_option("kafka://host:port or http://host:port")
PREFIX = click.option("--prefix", default="sandbox", show_default=True, help="prefix of the Kafka topic names")
RULES = click.option("--rules", type=FILE, help="file with the rules [default: those that are shipped]")
RECOMPUTE = click.option(
    "--recompute", is_flag=True, help="on Kafka: fold the logs again instead of reading what the second stage has kept"
)
JSON = click.option("--json", "as_json", is_flag=True, help="one JSON object per firm and line")
_records = msgspec.json.Decoder(list[FirmRecord]).decode


class Shown(Struct, frozen=True, kw_only=True):
    """What `--json` prints of a firm: its record with its digest, and the class that follows from it by the rules."""

    record: FirmRecord
    digest: str
    computed: Classified


@click.group()
def firm() -> None:
    """The record of a firm over all its pilots, and the class that follows from it by rule.

    A class changes how often the firm's pilots are drilled and assessed and how many it may have, as the configuration
    of the sandbox says, and nothing else. It takes effect by an officer's act. A firm has no act here: it may ask for
    guidance, or appeal to the authority, which annuls what was wrong.

    \b
    Exit codes of all commands:
      0  done
      1  no effect, a file is wrong, or nothing is known of the firm
      2  usage error
      3  the server is unavailable
    """


@firm.command()
@click.argument("name", metavar="ID")
@RULES
@RECOMPUTE
@JSON
@TO
@PREFIX
@trust_option
def show(
    name: str, rules: Path | None, recompute: bool, as_json: bool, to: str, prefix: str, trusted: tuple[str, ...]
) -> None:
    """Print the record of the firm ID, with the class that follows from it and the numbers that decide (marked *).

    On Kafka the second stage (`sandbox-monitor pool`) keeps the records; --recompute reads the logs instead, and with
    --trust-key counts signed decisions and evidence only.

    \b
    Example:
      sandbox-monitor firm show firm-1 --to http://127.0.0.1:8321
    """
    record = _record(Server(to, prefix, trusted_here()), name, recompute)
    found = firm_class(record, _rules(rules))
    if as_json:
        _json(record, found)
        return
    for line in _lines(record, found):
        echo(line)


@firm.command()
@click.argument("pilot")
@click.option(
    "--to",
    metavar="URL",
    required=True,
    envvar=TO_VARIABLE,
    show_envvar=True,
    help="https:// address of the gateway for firms",
)
@click.option("--author", required=True, help="the firm by its participant.id")
@click.option("--key", type=FILE, required=True, help="key file of the firm")
@click.option("--json", "as_json", is_flag=True, help="the decision as one JSON object")
def own(pilot: str, to: str, author: str, key: Path, as_json: bool) -> None:
    """For a firm: print its class in force, with the record and the numbers that it follows from.

    PILOT is one of its pilots, whose charter names the key. The gateway answers about the firm that runs it, and no
    other. The embedded monitor (`serve`) has no gateway: use `firm show` there.

    \b
    Example:
      sandbox-monitor firm own pilot-0001 --to https://GATEWAY:8322 --author firm-1 --key firm.key
    """
    link = GatewayLink(to, FirmIdentity.of(author, key))
    try:
        raw = link.get(f"/v1/firm/{quote(pilot, safe='')}")
    except Refused as error:
        if "/v1/session: status 404" not in str(error):
            raise
        said = tr("{to} is no gateway for firms; on `serve` use `firm show {author}`", to=to, author=author)
        raise click.ClickException(said) from error
    finally:
        link.close()
    if not raw:
        raise click.ClickException(tr("no class of {author} was set yet", author=author))
    if as_json:
        echo(raw.decode())
        return
    decision = msgspec.json.decode(raw, type=Decision)
    content = decision.finding.content or {}
    record = record_of(content)
    gives, since = str(content["class"]), stamp(decision.at)
    said = tr(
        "class {gives} since {time}, decision {number} of {subject}",
        gives=_class(gives), time=since, number=decision.standing, subject=decision.pilot,
    )  # fmt: skip
    echo(said)
    for line in recorded_grounds(content):
        echo(f"  * {line}")
    for line in _numbers(record):
        echo(line)


@firm.command(name="list")
@RULES
@RECOMPUTE
@JSON
@TO
@PREFIX
@trust_option
def list_firms(
    rules: Path | None, recompute: bool, as_json: bool, to: str, prefix: str, trusted: tuple[str, ...]
) -> None:
    """Print one line for each firm: computed class, pilots, pilot-years, and what counts against it."""
    chosen = _rules(rules)
    for record in _read(Server(to, prefix, trusted_here()), recompute):
        found = firm_class(record, chosen)
        if as_json:
            _json(record, found)
            continue
        named = [(tr(words), getattr(record, name)) for name, words in AGAINST.items()]
        against = ", ".join(f"{name} {number}" for name, number in named if number) or tr("nothing against it")
        said = tr(
            "{firm}: {gives}; {pilots} pilots, {years} pilot-years; {against}",
            firm=record.firm, gives=_class(found.gives.value), pilots=record.pilots, years=_years(record),
            against=against,
        )  # fmt: skip
        echo(said)


@firm.command()
@click.argument("name", metavar="ID")
@RULES
@RECOMPUTE
@act_options
def classify(name: str, rules: Path | None, recompute: bool, to: str, prefix: str, author: str, id_: str) -> None:
    """Put the class of the firm ID in force that follows from its record now. By an officer.

    The act carries the record, with the entry of each pilot that it was computed through, and the rules; the machine
    refuses a class that does not follow. There is no other class to choose: a decision that was wrong is annulled
    (`firm annul`), rules are changed by proposal and approval. On Kafka the class is copied to every partition.

    \b
    Example:
      sandbox-monitor firm classify firm-1 --author officer --key officer.key
    """
    server = Server(to, prefix, trusted_here())
    record, chosen = _record(server, name, recompute), _rules(rules)
    subject = firm_subject(name)
    known = seen(to, prefix, subject, author)
    if known is not None and record.subject < known.standing:
        raise click.ClickException(
            tr("the record does not have the last act on the firm yet; try again in some seconds")
        )
    found = firm_class(record, chosen)
    for ground in found.deciding:
        echo(_ground(ground), err=True)
    act = Classification(
        id=id_ or fresh(), pilot=subject, author=author, firm_class=found.gives, record=record, rules=chosen
    )
    send(to, prefix, act)
    echo(tr("class {gives}; record {digest}", gives=_class(found.gives.value), digest=record_digest(record)))
    _copy(server)


@firm.command()
@click.argument("name", metavar="ID")
@click.argument("pilot")
@click.argument("decision")
@click.option("--reason", required=True, help="why; the ledger holds a commitment to it")
@act_options
def annul(name: str, pilot: str, decision: str, reason: str, to: str, prefix: str, author: str, id_: str) -> None:
    """Annul a DECISION (its id, 32 hex digits) on a PILOT of the firm ID: it counts no longer against the firm. By an
    approver.

    For a halt that was wrong, as found on appeal, and for any other decision. Nothing of the pilot changes, and the
    decision stays in its ledger. Who annuls may not set the class of this firm. Afterwards set its class again.
    """
    fields = {"id": id_ or fresh(), "pilot": _subject(name), "author": author, "of": pilot, "decision": decision}
    try:
        act = msgspec.convert({"type": "sandbox.control.annulment", "reason": reason, **fields}, Annulment)
    except msgspec.ValidationError as error:
        raise click.BadParameter(str(error)) from error
    send(to, prefix, act)
    _copy(Server(to, prefix, trusted_here()))


@firm.command()
@click.argument("file", required=False, type=FILE)
def rules(file: Path | None) -> None:
    """Print the shipped rules as YAML; with FILE, check it. Either way the reference for the configuration of the
    sandbox (`firm_rules`) is printed on stderr."""
    chosen = _rules(file)
    if file is None:
        echo(rules_yaml(chosen), nl=False)
    made = reference_to(chosen)
    echo(f"firm_rules: {{id: {made.id}, version: {made.version}, digest: {made.digest}}}", err=True)


def _rules(path: Path | None) -> FirmRules:
    return SHIPPED_RULES if path is None else read_rules(path)


def _subject(name: str) -> str:
    if firm_of(firm_subject(name)) is None:
        raise click.BadParameter(f"{name}: {REFUSALS[Refusal.BAD_FIRM_ID]}", param_hint="ID")
    return firm_subject(name)


def _record(server: Server, name: str, recompute: bool) -> FirmRecord:
    _subject(name)
    found = next((one for one in _read(server, recompute) if one.firm == name), None)
    if found is None:
        raise click.ClickException(tr("no pilot of a firm {name} is known at {to}", name=name, to=server.to))
    return found


def _read(server: Server, recompute: bool) -> list[FirmRecord]:
    """The records at a server. Raises Unavailable, LogBroken."""
    link = open_server(server)
    try:
        if isinstance(link, HttpLink):
            return _records(link.get("/v1/firms") or b"[]")
    finally:
        link.close()
    from monitor.kafka.firm_stage import folded_firms, kept_firms

    where = brokers(server)
    fold = folded_firms(where, server.prefix, server.trusted) if recompute else kept_firms(where, server.prefix)
    return asyncio.run(fold).records()


def _copy(server: Server) -> None:
    copied = sum(copy_to_partitions(server).values())
    if copied:
        echo(tr("copied {n} acts to other partitions", n=copied), err=True)


def _json(record: FirmRecord, found: Classified) -> None:
    echo(msgspec.json.encode(Shown(record=record, digest=record_digest(record), computed=found)).decode())


def _years(record: FirmRecord) -> str:
    return f"{record.operated_ms / YEAR_MS:.2f}"


def _lines(record: FirmRecord, found: Classified) -> list[str]:
    head = tr(
        "firm {firm}: {pilots} pilots, {open} in the sandbox, {years} pilot-years; since {first}, through {through}",
        firm=record.firm, pilots=record.pilots, open=record.open, years=_years(record), first=stamp(record.first),
        through=stamp(record.through),
    )  # fmt: skip
    gives, digest = _class(found.gives.value), record_digest(record)
    return [
        head,
        *_numbers(record),
        tr("class {gives} by the rules; record {digest}", gives=gives, digest=digest),
        *(f"  {'*' if one in found.deciding else ' '} {_class(one.gives.value)}: {_ground(one)}"
          for one in found.grounds),
    ]  # fmt: skip


def _numbers(record: FirmRecord) -> list[str]:
    """The numbers of a record, one for each line."""
    listed = (name for name in record.__struct_fields__ if name in RECORD)
    return [f"    {tr(RECORD[name])}: {getattr(record, name)}" for name in listed]


# In English the words of the record, which acts and `--json` also have; in other languages those of the board.


def _class(gives: str) -> str:
    return gives if current() == "en" else class_name(gives)


def _ground(ground: Ground) -> str:
    return ground_words(ground) if current() == "en" else ground_line(ground)


def recorded_grounds(content: Content) -> list[str]:
    """The grounds of the act that set a class; in other languages than English computed again from what it holds."""
    recorded = content.get("grounds", ())
    rules = None if current() == "en" else rules_of(content)
    if rules is None:
        return [str(one) for one in recorded] if isinstance(recorded, tuple) else []
    return [ground_line(one) for one in firm_class(record_of(content), rules).deciding]
