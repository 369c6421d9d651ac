"""Goals: erased texts cannot be recovered while every root and proof holds; logs are the same however they were read;
bytes of a pilot-year."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from click.testing import CliRunner
from msgspec import structs

from monitor.charter.spec import Charter, charter_hash
from monitor.cli.ledger import ledger
from monitor.engine.replay import replay_charters, timed_records
from monitor.model.records import Closed, Command, Decision, Evidence, Finding, Outputs, Reason
from monitor.notary.charters import CharterKey
from monitor.notary.commitment import Plaintext, commitment, salt
from monitor.notary.encoding import encode
from monitor.notary.evidence_entries import EvidenceGatherer, EvidenceGroup
from monitor.notary.format import LedgerReader
from monitor.notary.notary import Notary
from monitor.notary.plaintexts import KEY, PlaintextStore, plaintext_dir
from monitor.notary.rebuild import rebuild
from monitor.notary.store import file_name
from monitor.notary.verify import entries, verify
from monitor.simulation.fleet import Fleet
from monitor.testing.records import decision, evidence
from monitor.tlog.merkle import inclusion_proof, leaf_hash, verify_inclusion
from tests.ledger.goal import QUICK, Goal, none_of

PILOTS, ACTS = (2, 6) if QUICK else (10, 40)
ORDERS = 4 if QUICK else 200
HOURS = 24 * 2 if QUICK else 24 * 60
YEAR_HOURS = 24 * 365
LOG = "evidence/0"
MAIN_MB, EVIDENCE_MB = 10.0, 100.0


def run() -> Iterator[Goal]:
    """The goals of charters, evidence and erasure."""
    yield from erasure()
    yield none_of("entries.order", sum(not same_files(seed) for seed in range(ORDERS)), ORDERS)
    yield from growth()


# ---- erasure


def erasure() -> Iterator[Goal]:
    """Every text of several pilots is erased one by one, through the command line."""
    dice = random.Random(15)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        directory = home / "ledger"
        roots, proofs = recorded(directory, dice)
        store = PlaintextStore(plaintext_dir(directory))
        erased = [one for path in sorted(directory.glob("*.ledger")) for one in store.of(path.stem).values()]
        dice.shuffle(erased)
        missed = [one for one in erased if not erase(directory, one)]
        found = [one for one in erased if one in missed or recoverable(home, directory, one)]
        yield none_of("erasure.recoverable", len(found), len(erased))
        kept = {path: verify(path, roots[path]).found for path in roots}
        lost = sum(root not in kept[path] for path, mine in roots.items() for root in mine)
        yield none_of("erasure.roots_lost", lost, sum(map(len, roots.values())))
        broken = sum(not proved(*proof) for proof in proofs)
        yield none_of("erasure.proofs_broken", broken, len(proofs))


def recorded(directory: Path, dice: random.Random) -> tuple[dict[Path, list[str]], list[tuple[Path, int, int, str]]]:
    """Ledgers with acts and charters of random words. Returns every root that each had, and proofs as file, entry,
    size, root."""
    notary = Notary(directory)
    roots: dict[Path, list[str]] = {}
    for number in range(PILOTS):
        pilot = f"p-{number}"
        path = directory / file_name(pilot)
        for standing in range(1, ACTS + 1):
            charters: dict[CharterKey, Charter] = {}
            if standing % 5 == 1:
                charter, act = put_in_force(pilot, standing, dice)
                charters[act.cause.removeprefix("control:"), act.charter] = charter
            else:
                act = decision(
                    standing, pilot, kind="act", cause=f"control:{standing}", author=word(dice),
                    finding=Finding(rule="override", detail=word(dice)),
                )  # fmt: skip
            notary.record([act], charters=charters)
            head = notary.head(pilot)
            assert head is not None
            roots.setdefault(path, []).append(head.root)
    notary.close()
    proofs = []
    for path, mine in roots.items():
        size = verify(path).entries
        proofs += [(path, entry, size, mine[-1]) for entry in range(size)]
    return roots, proofs


def put_in_force(pilot: str, standing: int, dice: random.Random) -> tuple[Charter, Decision]:
    """A charter with people and confidential parts, and the decision that puts it in force."""
    fleet = Fleet(1, pilots=1, hours=24)
    plain = fleet.charter_for(fleet.pilots[0])
    authority = structs.replace(plain.authorities[0], officers=(word(dice),), approvers=(word(dice), word(dice)))
    charter = structs.replace(
        plain, pilot=pilot, version=standing, authorities=(authority,), objects=(word(dice),), confidential=("objects",)
    )
    reason = Reason.ADMITTED if standing == 1 else Reason.AMENDED
    act = decision(standing, pilot, kind="act", reason=reason, cause=f"control:{standing}", author=word(dice))
    return charter, structs.replace(act, charter=charter_hash(charter))


def word(dice: random.Random) -> str:
    """A text that stands nowhere else."""
    return f"{dice.choice(('Ada', 'Bo', 'Cem', 'Dua'))} {dice.randbytes(8).hex()}"


def erase(directory: Path, text: Plaintext) -> bool:
    """Erase one text as an operator would."""
    file = str(directory / file_name(text.pilot))
    arguments = ["erase", file, "--entry", text.id, "--field", text.field, "--renew-key"]
    return CliRunner().invoke(ledger, arguments).exit_code == 0


def recoverable(home: Path, directory: Path, text: Plaintext) -> bool:
    """Whether text or salt is in any file, or a right guess can be recognized with all that is left."""
    told = [part for part in text.text.split('"') if any(character.isdigit() for character in part)]
    secrets = [bytes.fromhex(text.salt), text.salt.encode(), *(one.encode() for one in told)]
    files = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    if not told or any(secret in whole for whole in files for secret in secrets):
        return True
    key = (plaintext_dir(directory) / KEY).read_bytes()
    guess = commitment(salt(key, text.id, text.field), text.field, text.text)
    return guess.encode() in b"".join(files)


def proved(path: Path, entry: int, size: int, root: str) -> bool:
    """Whether an entry can still be proved against a root from before."""
    leaves = [leaf_hash(encode(one)) for one in entries(path)]
    verify_inclusion(leaves[entry], entry, size, inclusion_proof(leaves, entry, size), bytes.fromhex(root))
    return True


# ---- the same files, however the logs were read


def same_files(seed: int) -> bool:
    """Whether a notary that ends, is started again, reads parts twice and is rebuilt makes the files of one that reads
    the evidence of several pilots once, each pilot alone."""
    dice = random.Random(seed)
    stories = {f"p-{number}": story(f"p-{number}", dice) for number in range(3)}
    with tempfile.TemporaryDirectory() as name:
        alone, cut = Path(name) / "alone", Path(name) / "cut"
        notary = Notary(alone)
        for mine in stories.values():
            for group in gathered([*mine, Closed(partition=0, through=1 << 50)]):
                notary.record_evidence([group])
        notary.close()
        log = interleaved(list(stories.values()), dice)
        for _ in range(3):
            notary = Notary(cut)
            feed(notary, log[: dice.randrange(len(log))])
            notary.close()
            if dice.random() < 0.5:
                list(rebuild(cut))
        notary = Notary(cut)
        feed(notary, log)
        notary.close()
        made = [{path.name: path.read_bytes() for path in one.glob("*.ledger")} for one in (alone, cut)]
        return made[0] == made[1] and len(made[0]) >= len(stories)


def story(pilot: str, dice: random.Random) -> list[Evidence | Closed]:
    """Periods of several indicators over two New Years, with late revisions."""
    rows: list[Evidence | Closed] = []
    at = dice.randrange(20)
    for _ in range(dice.randrange(3, 12)):
        at += dice.choice((1, 2, 24, 4_000))
        rows += [
            evidence(at, pilot, indicator=f"i-{n}", k=float(dice.randrange(9))) for n in range(dice.randrange(1, 4))
        ]
        if dice.random() < 0.3:
            rows.append(evidence(dice.randrange(at), pilot, late=True, k=float(len(rows))))
    return rows


def gathered(log: list[Evidence | Closed]) -> list[EvidenceGroup]:
    """All records of a log."""
    gatherer = EvidenceGatherer()
    return [group for place, row in enumerate(log) for group in gatherer.take(place, row)]


def interleaved(stories: list[list[Evidence | Closed]], dice: random.Random) -> list[Evidence | Closed]:
    """One log of all pilots, as a partition may have it: everything that is closed is closed for all of them."""
    rows: list[Evidence | Closed] = []
    left = [list(mine) for mine in stories]
    while any(left):
        mine = dice.choice([one for one in left if one])
        rows.append(mine.pop(0))
        pending = [row.end for one in left for row in one if isinstance(row, Evidence) and not row.late]
        if dice.random() < 0.2:
            rows.append(Closed(partition=0, through=min(pending, default=1 << 50) - 1))
    return [*rows, Closed(partition=0, through=1 << 50)]


def feed(notary: Notary, log: list[Evidence | Closed]) -> None:
    """Record the log from where the notary stands, one by one."""
    done = notary.gathered(LOG)
    gatherer = EvidenceGatherer(done)
    for place in range(done.resume, len(log)):
        groups = gatherer.take(place, log[place])
        if groups:
            notary.record_evidence(groups, log=LOG, gathered=gatherer.gathered)


# ---- growth


def growth() -> Iterator[Goal]:
    """Bytes of both logs of a pilot-year: the simulated fleet, four indicators in hourly periods."""
    fleet = Fleet(3, pilots=8, start=1_767_571_200_000, hours=HOURS, period="1h")
    charters = [fleet.charter_for(pilot) for pilot in fleet.pilots]
    out = Outputs()
    for found in replay_charters(charters, timed_records(iter(fleet))):
        out.extend(found)
    with tempfile.TemporaryDirectory() as name:
        notary = Notary(Path(name))
        notary.record(out.decisions, _once(out.commands))
        rows = [*out.evidence, Closed(partition=0, through=1 << 50)]
        notary.record_evidence(gathered(rows))
        notary.close()
        sizes = {"evidence": 0, "decisions": 0}
        for path in Path(name).glob("*.ledger"):
            with path.open("rb") as file:
                sizes[LedgerReader(path, file).name.log] += path.stat().st_size
    for log, limit in (("decisions", MAIN_MB), ("evidence", EVIDENCE_MB)):
        year = sizes[log] / len(charters) * YEAR_HOURS / HOURS / 1e6
        yield Goal(f"growth.{log}", f"{year:.2f}", f"<= {limit:g} MB per pilot-year", 0 < year <= limit)


def _once(commands: list[Command]) -> list[Command]:
    return list({command.id: command for command in reversed(commands)}.values())
