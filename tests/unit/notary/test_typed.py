"""Entries of format version 3: charters with what they withhold, and evidence; published bytes, parts, places."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from monitor.charter.spec import Charter, charter_hash
from monitor.compile.lint import lint
from monitor.errors import LedgerBroken
from monitor.files.durable import RealDisk
from monitor.model.canonical import canonical
from monitor.model.records import Closed, Evidence, Reason
from monitor.notary.charter_entries import charter_entries, entry_of_body, public_and_withheld
from monitor.notary.commitment import Plaintext, commitment
from monitor.notary.encoding import LONGEST, TYPED, Entry, EntryType, Malformed, check, encode
from monitor.notary.evidence_entries import PART_BYTES, EvidenceGatherer, EvidenceGroup, Gathered, evidence_entries
from monitor.notary.format import EVIDENCE, Damage, LogName, header
from monitor.notary.notary import Notary
from monitor.notary.plaintexts import KEY, PlaintextStore, plaintext_dir
from monitor.notary.store import LedgerFile, file_name
from monitor.notary.typed import joined
from monitor.notary.verify import CommitmentMismatch, entries, verify
from monitor.simulation.fleet import Fleet
from monitor.testing.records import decision
from monitor.tlog.merkle import leaf_hash
from tests.unit.notary.typed_records import SECRET, amended, charter, key, period, puts

VECTORS = json.loads((Path(__file__).parents[2] / "data" / "ledger" / "typed.json").read_text())
ADMISSION, AMENDMENT = puts(1, charter()), puts(2, amended(), Reason.AMENDED)
CHARTERS = {key(1, charter()): charter(), key(2, amended()): amended()}
CLOSED = Closed(partition=0, through=1 << 50)


def opened(directory: Path) -> Notary:
    """A notary with the key of the vectors."""
    words = plaintext_dir(directory)
    words.mkdir(parents=True, exist_ok=True)
    (words / KEY).write_bytes(SECRET)
    return Notary(directory)


def groups(values: list[Any]) -> list[EvidenceGroup]:
    gatherer = EvidenceGatherer()
    return [group for place, value in enumerate(values) for group in gatherer.take(place, value)]


def kinds(path: Path) -> list[str]:
    return [entry.type.name.lower() for entry in entries(path)]


@pytest.mark.parametrize("case", VECTORS["entries"], ids=lambda case: case["says"])
def test_published_entries(case: dict[str, Any]) -> None:
    """An entry's bytes and leaf hash are those published, in both directions."""
    raw = bytes.fromhex(case["entry_hex"])
    entry = check(raw)
    assert entry == Entry(
        EntryType(case["type"]), case["id"], case["pilot"], case["at"], case["standing"], case["epoch"],
        case["body"].encode(), TYPED,
    )  # fmt: skip
    assert encode(entry) == raw
    assert leaf_hash(raw).hex() == case["leaf_hash"]


def test_published_headers() -> None:
    """The headers of further logs and shards are those published."""
    assert {one["log"] or "-": one["header_hex"] for one in VECTORS["headers"]} == {
        one["log"] or "-": header(LogName(one["pilot"], one["log"], one["year"])).hex() for one in VECTORS["headers"]
    }


def test_published_entries_are_made_of_the_records() -> None:
    """The records of the vectors give the published entries."""
    first, _ = charter_entries(ADMISSION, charter(), None, SECRET)
    second, _ = charter_entries(AMENDMENT, amended(), charter(), SECRET)
    made = [*first, *second, *evidence_entries(EvidenceGroup(0, period(0)))]
    assert [encode(entry).hex() for entry in made] == [case["entry_hex"] for case in VECTORS["entries"][: len(made)]]


def test_published_commitments() -> None:
    """What a charter withholds opens its commitments, with the salts published."""
    withheld = VECTORS["entries"][0]
    record = json.loads(withheld["body"])
    for one in VECTORS["withheld"]:
        text = Plaintext(**one)
        path = text.field.removeprefix("withheld.")
        assert record["withheld"][path] == {"commitment": commitment(bytes.fromhex(text.salt), text.field, text.text)}
    assert {one["field"] for one in VECTORS["withheld"]} == {f"withheld.{path}" for path in record["withheld"]}


def test_what_is_confidential_is_withheld_and_nothing_else() -> None:
    """The parts that a charter lists, and the people it names, are commitments; every other field stands in clear."""
    whole = json.loads(msgspec.json.encode(charter()))
    public, withheld = public_and_withheld(charter())
    assert set(withheld) == {"users", "objects", "authorities.0.officers", "authorities.0.approvers"}
    assert withheld["objects"] == ["lung nodules"]
    assert whole["indicators"][0]["name"] == public["indicators"][0]["name"]
    text = canonical(public).decode()
    assert not any(secret in text for secret in ("ward 7", "lung", "Lovelace", "Babbage"))


def test_no_withheld_word_is_in_any_file_of_the_ledger(tmp_path: Path) -> None:
    """The directory of the ledgers can be given to anybody; the words are in the directory next to it."""
    notary = opened(tmp_path / "ledger")
    notary.record([ADMISSION, AMENDMENT], charters=CHARTERS)
    whole = b"".join(file.read_bytes() for file in (tmp_path / "ledger").iterdir() if file.is_file())
    assert b"version" in whole
    assert not any(word in whole for word in (b"ward 7", b"ward 8", b"lung", b"Lovelace", b"Babbage"))
    texts = PlaintextStore(plaintext_dir(tmp_path / "ledger")).of(Path(file_name("p-1")).stem)
    assert any("ward 8" in text.text for text in texts.values())
    sound = verify(tmp_path / "ledger" / file_name("p-1"), disclosed=texts.values())
    assert sound.shown == len(texts)
    forged = [one._replace(text='{"groups":["everybody"]}') for one in texts.values() if one.field == "withheld.users"]
    with pytest.raises(CommitmentMismatch):
        verify(tmp_path / "ledger" / file_name("p-1"), disclosed=forged)


def test_an_amendment_says_what_changed() -> None:
    """The difference names each public field with both values, and each withheld part only as changed."""
    (entry,), _ = charter_entries(AMENDMENT, amended(), charter(), SECRET)
    found = {one["field"]: one for one in entry.record()["difference"]}
    assert found["version"] == {"field": "version", "was": 1, "now": 2}
    (limit,) = [one for field, one in found.items() if field.endswith(".limit")]
    assert limit["now"] == 0.5
    assert found["users"] == {"field": "users", "withheld": True}
    assert "objects" not in found


def test_a_charter_stands_behind_its_decision(tmp_path: Path) -> None:
    """Admission and amendment are followed by the charter that they put in force; repeats add nothing."""
    notary = opened(tmp_path)
    assert notary.charters_wanted([ADMISSION, AMENDMENT]) == set(CHARTERS)
    notary.record([ADMISSION, AMENDMENT, decision(3)], charters=CHARTERS)
    head = notary.head("p-1")
    assert kinds(tmp_path / file_name("p-1")) == ["act", "charter", "act", "charter", "decision"]
    assert notary.record([ADMISSION, AMENDMENT, decision(3)], charters=CHARTERS) == 0
    notary.close()
    again = opened(tmp_path)
    assert again.record([ADMISSION, AMENDMENT, decision(3)], charters=CHARTERS) == 0
    assert again.head("p-1") == head


def test_the_charter_before_an_amendment_is_known_after_a_restart(tmp_path: Path) -> None:
    """In one run or in two, the entries of an amendment are the same."""
    for name, runs in (("one", [[ADMISSION, AMENDMENT]]), ("two", [[ADMISSION], [AMENDMENT]])):
        for records in runs:
            notary = opened(tmp_path / name)
            wanted = notary.charters_wanted(records)
            notary.record(records, charters={name: CHARTERS[name] for name in wanted})
            notary.close()
    one, two = ((tmp_path / name / file_name("p-1")).read_bytes() for name in ("one", "two"))
    assert one == two


def test_a_crash_between_decision_and_charter_loses_neither(tmp_path: Path) -> None:
    """A decision that was entered without its charter gets it when it is resent; an older ledger gets none between
    its entries."""
    notary = opened(tmp_path)
    notary.record([ADMISSION])
    notary.record([ADMISSION], charters=CHARTERS)
    assert kinds(tmp_path / file_name("p-1")) == ["act", "charter"]
    notary.close()
    older = opened(tmp_path / "older")
    older.record([ADMISSION, decision(2)])
    assert older.record([ADMISSION, decision(2)], charters=CHARTERS) == 0
    assert older.record([puts(3, amended(), Reason.AMENDED)], charters={key(3, amended()): amended()}) == 2
    assert kinds(tmp_path / "older" / file_name("p-1")) == ["act", "decision", "act", "charter"]


def test_a_charter_that_is_not_known_stops_nothing(tmp_path: Path) -> None:
    """The decision is entered; that its charter is missing is logged."""
    notary = opened(tmp_path)
    assert notary.record([ADMISSION], charters={}) == 1
    assert verify(tmp_path / file_name("p-1")).entries == 1


def test_a_large_charter_is_cut_into_parts_and_joined_again(tmp_path: Path) -> None:
    """The parts of a charter that no entry can hold give the whole document, and none exceeds an entry."""
    large = charter(scenario="".join(random.Random(1).choices('"\\é\u2028x\n', k=90_000)))
    admission = puts(1, large)
    parts, _ = charter_entries(admission, large, None, SECRET)
    assert len(parts) > 2
    assert all(len(encode(entry)) <= LONGEST for entry in parts)
    whole = joined([check(encode(entry)).record() for entry in parts])
    assert whole["document"] == public_and_withheld(large)[0]
    notary = opened(tmp_path)
    notary.record([admission, decision(2)], charters={key(1, large): large})
    assert kinds(tmp_path / file_name("p-1")) == ["act", *["charter"] * len(parts), "decision"]


def test_one_entry_for_each_period_end() -> None:
    """Observations of one end are one record, which is complete with the next end, or once its periods are closed."""
    found = groups([*period(0), *period(0, pilot="p-2"), *period(1), CLOSED])
    assert [(group.pilot, group.end, len(group.observations)) for group in found] == [
        ("p-1", period(0)[0].end, 2), ("p-2", period(0)[0].end, 2), ("p-1", period(1)[0].end, 2),
    ]  # fmt: skip
    assert groups([*period(0), Closed(partition=0, through=period(0)[0].end - 1)]) == []


def test_a_late_revision_is_a_record_by_itself() -> None:
    """It ends the record before it, and keeps its period."""
    late = msgspec.structs.replace(period(0)[0], late=True)
    found = groups([*period(1), late, late, CLOSED])
    assert [(group.observations[0].late, len(group.observations)) for group in found] == [
        (False, 2), (True, 1), (True, 1),
    ]  # fmt: skip
    assert evidence_entries(found[1]) == evidence_entries(found[2])  # the repeat has the same id, and is dropped


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3), st.booleans()), max_size=12), st.randoms())
def test_other_pilots_and_closed_periods_do_not_change_a_record(
    story: list[tuple[int, int, bool]], dice: random.Random
) -> None:
    """However a pilot shares its partition, its evidence gives the same entries: the runtimes agree."""
    mine: list[Evidence] = []
    ends = sorted(number for number, _, late in story if not late)
    for number, indicators, late in story:
        rows = period(number, indicators) if late else period(ends.pop(0), indicators)
        mine += [msgspec.structs.replace(row, late=True, k=float(len(mine))) for row in rows[:1]] if late else rows
    mixed: list[Any] = []
    for at, row in enumerate(mine):
        mixed.append(row)
        regular = [one.end for one in mine[at + 1 :] if not one.late]
        if dice.random() < 0.5:
            mixed.append(Closed(partition=0, through=min(regular, default=1 << 50) - 1))
        if dice.random() < 0.5:
            mixed += period(dice.randrange(4), 1, pilot="p-2")
    alone = [entry for group in groups([*mine, CLOSED]) for entry in evidence_entries(group)]
    shared = [entry for group in groups([*mixed, CLOSED]) if group.pilot == "p-1" for entry in evidence_entries(group)]
    assert alone == shared


@settings(max_examples=60)
@given(st.randoms(), st.integers(0, 40))
def test_reading_resumes_without_loss_or_repeat(dice: random.Random, stop: int) -> None:
    """A gatherer that ends anywhere is continued by another one that reads from `resume`: together they give the same
    records, though records of several pilots lie one over another."""
    left = [[*period(0, 3, name), *period(1, 2, name), *period(2, 3, name)] for name in ("p-1", "p-2", "p-3")]
    values: list[Any] = []
    while any(left):
        values.append(dice.choice([mine for mine in left if mine]).pop(0))
    values.append(CLOSED)
    whole = [group.observations for group in groups(values)]
    first = EvidenceGatherer()
    found = [group for place, value in enumerate(values[:stop]) for group in first.take(place, value)]
    gathered = first.gathered
    again = EvidenceGatherer(gathered)
    for place in range(gathered.resume, len(values)):
        found += again.take(place, values[place])
    assert [group.observations for group in found] == whole


@pytest.mark.parametrize("indicators", [2, 600, 4_000])
def test_evidence_of_a_large_pilot_is_cut_into_parts(tmp_path: Path, indicators: int) -> None:
    """A record that no entry can hold is cut into parts, always the same ones; none is larger than an entry."""
    group = EvidenceGroup(0, [])
    group.observations = period(0, indicators)
    parts = evidence_entries(group)
    raws = [encode(entry) for entry in parts]
    assert (len(parts) > 1) == (indicators > 2)
    assert max(map(len, raws)) <= PART_BYTES + 2_000 <= LONGEST
    assert joined([check(raw).record() for raw in raws])["observations"] == [
        row for entry in parts for row in entry.record()["observations"]
    ]
    notary = opened(tmp_path)
    assert notary.record_evidence([group]) == len(parts)
    assert notary.record_evidence([group]) == 0
    assert verify(tmp_path / file_name(LogName("p-1", EVIDENCE))).entries == len(parts)


def test_evidence_that_no_entry_can_hold_stops_nothing(tmp_path: Path) -> None:
    """An observation with a name of 70,000 bytes is reported and left out; the others are entered."""
    notary = opened(tmp_path)
    bad = EvidenceGroup(0, [msgspec.structs.replace(period(0)[0], segment="x" * 70_000)])
    assert notary.record_evidence([bad, EvidenceGroup(1, period(1))]) == 1


def test_the_position_of_evidence_survives_with_that_of_decisions(tmp_path: Path) -> None:
    """Both logs keep their own place, and the cursor knows how many entries each file holds."""
    notary = opened(tmp_path)
    notary.record([decision(1)], position={"seq": 4})
    gathered = Gathered(7, {"p-2": 3}, 1)
    notary.record_evidence(groups([*period(0), CLOSED]), log="evidence", gathered=gathered)
    notary.close()
    again = opened(tmp_path)
    assert again.position == {"seq": 4, "evidence": 7}
    assert again.gathered("evidence") == gathered
    again.close()
    path = tmp_path / file_name(LogName("p-1", EVIDENCE))
    path.unlink()
    path.with_suffix(".index").unlink()
    with pytest.raises(LedgerBroken, match=r"evidence-p-1-[0-9a-f]+\.ledger is missing, cursor\.json knows 1"):
        opened(tmp_path)


def test_a_missing_part_is_damage(tmp_path: Path) -> None:
    """Parts stand together, in order: a ledger in which one is missing or another entry stands between is refused."""
    parts = evidence_entries(EvidenceGroup(0, period(0, 800)))
    assert len(parts) > 2
    other = evidence_entries(EvidenceGroup(0, period(1)))
    for number, wrong in enumerate((parts[1:], [parts[0], parts[2]], [parts[0], *other])):
        name = LogName(f"p-{number}", EVIDENCE)
        moved = [entry_of_body(entry.record() | {"pilot": name.subject}) for entry in wrong]
        LedgerFile(tmp_path / file_name(name), name, RealDisk()).append(moved)
        with pytest.raises(Damage, match="part"):
            verify(tmp_path / file_name(name))


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "opinion"}, {"part": 2}, {"parts": 0}, {"observations": []}, {"observations": [{}]},
        {"observations": ["x"]}, {"model": None}, {"part": True},
    ],
    ids=str,
)  # fmt: skip
def test_a_body_that_is_no_evidence_is_malformed(change: dict[str, Any]) -> None:
    """The fields of a body of version 3 are checked by name and type."""
    entry = evidence_entries(EvidenceGroup(0, period(0)))[0]
    with pytest.raises(Malformed):
        check(encode(entry._replace(body=canonical(entry.record() | change))))


@pytest.mark.parametrize(
    "change",
    [{"withheld": {"users": "patients"}}, {"document": []}, {"version": "1"}, {"difference": {}}],
    ids=str,
)
def test_a_body_that_is_no_charter_is_malformed(change: dict[str, Any]) -> None:
    """A withheld part is a commitment and nothing else."""
    entry = charter_entries(ADMISSION, charter(), None, SECRET)[0][0]
    with pytest.raises(Malformed):
        check(encode(entry._replace(body=canonical(entry.record() | change))))


def test_evidence_stands_in_its_own_log(tmp_path: Path) -> None:
    """Evidence among decisions, or a decision among evidence, is damage."""
    LedgerFile(tmp_path / file_name("p-1"), LogName("p-1"), RealDisk()).append(
        evidence_entries(EvidenceGroup(0, period(0)))
    )
    with pytest.raises(Damage, match="evidence in the log decisions"):
        verify(tmp_path / file_name("p-1"))


def test_the_hash_in_a_charter_entry_is_that_of_the_whole_charter() -> None:
    """Public part and withheld parts together give the charter that both sides signed."""
    (entry,), texts = charter_entries(ADMISSION, charter(), None, SECRET)
    whole = entry.record()["document"]
    for text in texts:
        *parents, last = text.field.removeprefix("withheld.").split(".")
        inner: Any = whole
        for name in parents:
            inner = inner[int(name)] if isinstance(inner, list) else inner[name]
        inner[last] = json.loads(text.text)
    assert charter_hash(charter()) == entry.record()["charter"]
    assert hashlib.sha256(canonical(whole)).hexdigest() == entry.record()["charter"]


def test_the_largest_pilot_that_a_charter_admits_is_entered() -> None:
    """At the bound of the state of a pilot, the evidence of one period end is a few parts, each within an entry."""

    fleet = Fleet(1, pilots=1, hours=24)
    plain = fleet.charter_for(fleet.pilots[0])

    def with_segments(many: int) -> Charter:
        names = tuple(f"region={number:04d}-{'x' * 40}" for number in range(many))
        first = plain.indicators[0]
        spec = structs.replace(first, segments=names, reporting_delay="0s", detectors=first.detectors[:1])
        return structs.replace(plain, indicators=(spec,))

    def admitted(many: int) -> bool:
        return not any(problem.severity == "error" for problem in lint(with_segments(many)))

    low, high = 1, 1 << 14
    assert admitted(low)
    assert not admitted(high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if admitted(middle) else (low, middle)
    (spec,) = with_segments(low).indicators
    scores = {detector.name: (1 / 3 * 1e-300, 1 / 7 * 1e300) for detector in spec.detectors}
    rows = [
        structs.replace(period(0)[0], indicator=spec.name, segment=name, k=1e30, m=1 / 3, allowed=1 / 7, scores=scores)
        for name in spec.segments
    ]
    raws = [encode(entry) for entry in evidence_entries(EvidenceGroup(0, rows))]
    assert low > 50
    assert 1 <= len(raws) < 20
    assert max(map(len, raws)) <= LONGEST
