"""The catalogue of clauses: scores, digest, strict loader, and the sample that ships."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from monitor.basis.catalogue import LEAST_APE, MOST_APE, WEAK_BELOW, Authority, Strength, catalogue_digest
from monitor.charter.clauses import LegalBasis
from monitor.compile.load_basis import catalogue_of, check_in_force, read_catalogue, shipped_catalogue
from monitor.deadlines.shipped import example_table
from monitor.errors import BasisError
from tests.unit.basis.small import SMALL, small

ROOT = Path(__file__).parents[3]


@given(st.integers(1, 5), st.sampled_from([1, 3, 5]), st.sampled_from([1, 3, 5]))
def test_ape_is_da_times_the_sum_of_as_and_mi_and_lies_between_2_and_50(da: int, aim: int, measures: int) -> None:
    """APE = DA x (AS + MI) for every combination of scores."""
    first = small().clauses[0]
    clause = structs.replace(
        first,
        da=Authority(da, "why"),
        as_=Strength(aim, "why"),
        mi=Strength(measures, "why"),  # type: ignore[arg-type]
    )
    catalogue = structs.replace(small(), clauses=(clause,))
    assert catalogue.ape(clause) == da * (aim + measures)
    assert LEAST_APE <= catalogue.ape(clause) <= MOST_APE


def test_the_extremes_of_the_scales_give_2_and_50_and_the_middle_gives_the_threshold() -> None:
    """The bounds are reached, and a clause in the middle of each scale is not weak."""
    catalogue = small()
    apes = {clause.id: catalogue.ape(clause) for clause in catalogue.clauses}
    assert apes == {"law-1": 50, "law-2": 18, "notice-1": 2, "old-1": 30, "draft-1": 10}
    assert WEAK_BELOW == 18


def test_a_clause_of_an_instrument_that_is_not_in_force_is_not_in_force() -> None:
    """A clause inherits the status of its instrument, and may be repealed alone."""
    catalogue = small()
    status = {clause.id: catalogue.status(clause) for clause in catalogue.clauses}
    assert status == {
        "law-1": "in_force", "law-2": "in_force", "notice-1": "in_force", "old-1": "repealed", "draft-1": "draft",
    }  # fmt: skip


def test_the_digest_does_not_depend_on_comments_and_formatting() -> None:
    """What is hashed is the content of a catalogue; another score is another digest."""
    commented = "# another comment\n" + SMALL.replace("title: A law", 'title: "A law"   # quoted')
    assert catalogue_digest(catalogue_of(commented.encode(), "x.yaml")) == catalogue_digest(small())
    other = SMALL.replace("score: 5, reason: who and when", "score: 3, reason: who and when")
    assert catalogue_digest(catalogue_of(other.encode(), "x.yaml")) != catalogue_digest(small())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("as: {score: 5,", "as: {score: 4,", "as.score"),
        ("da: {score: 5,", "da: {score: 6,", "instruments[0].da.score"),
        ("as: {score: 5, reason: who and when}", "as: {score: 5}", "clauses[0].as.reason: the field is missing"),
        ("objective: safety", "objective: safetey", "clauses[0].objective: there is no objective 'safetey'; write one"),
        ("instrument: law", "instrument: lwa", "clauses[0].instrument: there is no instrument 'lwa'; write one of"),
        ("level: law", "level: statute", "instruments[0].level"),
        ("- id: law-2", "- id: law-1", "clauses[1].id: law-1 is also clauses[0]; write another id"),
        ("place: Art. 1", "plaace: Art. 1", "clauses[0].plaace: unknown field; did you mean place?"),
        ("issued: 2020-01-02", "issued: 2020-13-02", "instruments[0].issued: 2020-13-02 is not a day"),
        ("in_force: 2020-02-01", "in_force: 2019-02-01", "instruments[0].in_force: is before it was issued"),
        ("replaced_by: law-1", "replaced_by: law-9", "clauses[3].replaced_by: 'law-9' is no other clause"),
        ("version: 3", "version: 0", "version"),
        ("schema: sandbox-basis/1", "schema: sandbox-basis/2", "schema"),
    ],
)  # fmt: skip
def test_each_mistake_in_a_catalogue_names_its_line_field_and_fix(old: str, new: str, said: str) -> None:
    """A catalogue is read strictly: a wrong value is refused with its place."""
    assert old in SMALL
    with pytest.raises(BasisError) as refused:
        catalogue_of(SMALL.replace(old, new, 1).encode(), "mine.yaml")
    assert said in str(refused.value)
    assert str(refused.value).startswith("mine.yaml:")


def test_all_mistakes_of_a_catalogue_are_reported_at_once() -> None:
    """One reading finds every mistake of a kind."""
    text = SMALL.replace("objective: safety", "objective: nothing").replace("instrument: law\n", "instrument: none\n")
    with pytest.raises(BasisError) as refused:
        catalogue_of(text.encode(), "mine.yaml")
    assert len(str(refused.value).splitlines()) > 3


def test_bytes_that_are_no_text_and_large_files_are_refused() -> None:
    """Neither ends in a traceback."""
    for raw, said in ((b"\xff\xfe", "not UTF-8"), (b"#" * (1 << 21), "larger"), (b"", "empty")):
        with pytest.raises(BasisError, match=said):
            catalogue_of(raw, "mine.yaml")


def test_a_catalogue_is_in_force_only_with_its_digest() -> None:
    """Another content under the same id and version is refused."""
    catalogue = small()
    basis = LegalBasis(id=catalogue.id, version=catalogue.version, digest=catalogue_digest(catalogue))
    check_in_force(catalogue, basis)
    with pytest.raises(BasisError, match=r"legal_basis\.digest"):
        check_in_force(catalogue, structs.replace(basis, digest="0" * 64))


class TestShipped:
    """The sample of clauses of EU and Chinese law."""

    def test_it_is_the_file_in_the_package(self) -> None:
        """The sample is read strictly, like every catalogue."""
        assert read_catalogue(ROOT / "monitor/basis/catalogues/eu-cn.yaml") == shipped_catalogue()

    def test_it_has_the_articles_that_this_program_names(self) -> None:
        """Each clause of the EU AI Act that the code, the clock table and the documents refer to is there."""
        places = {clause.place for clause in shipped_catalogue().clauses if clause.instrument == "eu-aia"}
        named = {"Art. 3(49)", "Art. 5(1)", "Art. 9", "Art. 10", "Art. 14", "Art. 15", "Art. 19(1)", "Art. 26(5)",
                 "Art. 57(11)", "Art. 57(12)", "Art. 57(16)", "Art. 58(2)(a)", "Art. 59(1)", "Art. 60(4)", "Art. 73(2)",
                 "Art. 73(6)", "Annex VIII", "Annex IX"}  # fmt: skip
        assert named <= places

    def test_each_clause_of_the_shipped_clock_table_is_in_it(self) -> None:
        """Clock table and catalogue are one set: no rule cites what is not there."""
        cited = {c for rule in example_table().rules for one in (rule, *rule.shorter) for c in one.clauses or ()}
        assert cited
        assert not {name for name in cited if shipped_catalogue().clause(name) is None}
        assert all(rule.clauses for rule in example_table().rules)

    def test_each_objective_and_instrument_is_used(self) -> None:
        """Nothing in it is there for nothing."""
        catalogue = shipped_catalogue()
        assert {clause.objective for clause in catalogue.clauses} == {one.id for one in catalogue.objectives}
        assert {clause.instrument for clause in catalogue.clauses} == {one.id for one in catalogue.instruments}

    def test_its_digest_changes_only_with_its_version(self) -> None:
        """Sandboxes name the sample by its digest: a changed sample needs a new version."""
        digest = "49e451a4f2e65d94161a6685b35b5bd3b85f4c3a568b837dabcfd8cd3484633b"
        assert (shipped_catalogue().version, catalogue_digest(shipped_catalogue())) == (1, digest)
