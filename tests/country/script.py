"""The scripted truth: which pilots the country has, what is wrong with each, from when, and how firms and authorities
behave. Values only: nothing here knows the monitor. The same seed gives the same script."""

from __future__ import annotations

from random import Random
from typing import Literal, NamedTuple, TypeAlias

from msgspec import Struct, structs

from tests.country.nation import AUTHORITIES, PROVINCES, REGIONS, SECTORS, SUPPLIERS

Manner: TypeAlias = Literal["prompt", "late", "never"]
Entry: TypeAlias = Literal["prompt", "late", "never", "withdrawn", "refused"]
FAULTS = (
    "rates", "silence", "model", "serious", "death", "late", "contradicted", "suspended", "complaints", "cheating",
)  # fmt: skip
HALTING = ("rates", "death", "contradicted", "suspended", "cheating")
REPORTED = ("serious", "death", "contradicted")  # faults with a serious incident
SHARE_FAULTY = 0.45


class Calendar(NamedTuple):
    """Lengths of the run, in days: the interval of assessments and the time for one; when an application is decided
    promptly and late; the day from which a silent authority does nothing."""

    days: int
    assess_every: int
    assess_within: int
    screened: tuple[int, int]
    late_screened: int
    silent_from: int
    last_application: int


YEAR = Calendar(365, 90, 30, (3, 25), 110, 60, 120)
QUICK = Calendar(60, 15, 8, (2, 4), 110, 20, 5)


class Pilot(Struct, frozen=True, kw_only=True):
    """One pilot. Days count from the start of the run; `None` means never. `entry` says what becomes of its
    application, `assesses` how its authority treats each assessment in turn (the last one for all that follow)."""

    id: str
    firm: str
    region: str
    sector: str
    tier: Literal["limited", "high"]
    supplier: str
    applies: int
    entry: Entry
    screened: int | None
    admitted: int | None
    fault: str = ""
    fault_day: int | None = None
    firm_reports: Manner = "prompt"
    firm_rectifies: Manner = "prompt"
    assesses: tuple[Manner, ...] = ("prompt",)
    inspected: int | None = None
    guided: int | None = None
    changes: int | None = None
    exits: int | None = None
    exit_report: Manner = "prompt"
    skips_drill: int | None = None  # the number of the drill that its service ignores, from 1

    @property
    def authority(self) -> str:
        """The authority that acts: that of the province, or the central one."""
        return self.region if self.region in PROVINCES else "national"

    @property
    def named(self) -> tuple[str, ...]:
        """The authorities that its charter names: the one that acts, and every second time that of the sector."""
        sectoral = SECTORS[self.sector]
        return (self.authority, sectoral) if sectoral and int(self.id[-1]) % 2 else (self.authority,)

    @property
    def halts_on_death(self) -> bool:
        """Whether its charter has a hard rule on deaths. In health the tier would be critical with one."""
        return self.sector in ("driving", "finance")

    @property
    def officer(self) -> str:
        """Who acts for its authorities."""
        return f"{self.authority}-officer"

    @property
    def approvers(self) -> tuple[str, str]:
        """Who approves for its authorities."""
        return f"{self.authority}-approver-1", f"{self.authority}-approver-2"


class Script(NamedTuple):
    """The whole script; `silent` is the authority that does nothing from `calendar.silent_from` on."""

    seed: int
    calendar: Calendar
    pilots: tuple[Pilot, ...]
    silent: str = ""

    def acts(self, author: str, day: int) -> bool:
        """Whether this author does anything on that day."""
        if not self.silent or day < self.calendar.silent_from:
            return True
        return author not in {f"{self.silent}-{role}" for role in ("officer", "approver-1", "approver-2")}


def script(seed: int, *, pilots: int, firms: int, calendar: Calendar = YEAR, silent: str = "") -> Script:
    """The script of a country. Raises ValueError for an unknown silent authority."""
    if silent and silent not in AUTHORITIES:
        raise ValueError(f"{silent} is no authority; choose of {', '.join(AUTHORITIES)}")
    made = tuple(_pilot(seed, number, firms, calendar) for number in range(pilots))
    return Script(seed, calendar, made, silent)


def manner_of_firm(seed: int, firm: str) -> Manner:
    """How a firm keeps its deadlines: it is one character for all of its pilots."""
    return Random(f"{seed}/{firm}").choices(("prompt", "late", "never"), (6, 2, 2))[0]  # type: ignore[return-value]


def _pilot(seed: int, number: int, firms: int, calendar: Calendar) -> Pilot:
    rng = Random(f"{seed}/pilot/{number}")
    firm = f"firm-{number % firms + 1:02d}"
    sector = tuple(SECTORS)[number % len(SECTORS)]
    applies = rng.randint(0, calendar.last_application)
    entry: Entry = rng.choices(("prompt", "late", "never", "withdrawn", "refused"), (88, 4, 2, 3, 3))[0]
    soon, late = applies + rng.randint(*calendar.screened), applies + calendar.late_screened
    screened = {"prompt": soon, "late": late}.get(entry)
    admitted = None if screened is None else screened + 2
    manner = manner_of_firm(seed, firm)
    faulty = number % len(FAULTS) if rng.random() < SHARE_FAULTY else None
    fault = "" if faulty is None else FAULTS[(number // 2 + faulty) % len(FAULTS)]
    pilot = Pilot(
        id=f"pilot-{number + 1:04d}", firm=firm, region=REGIONS[number // 4 % 13 % 4], sector=sector,
        tier="limited" if sector == "media" else "high", supplier=SUPPLIERS[number % 7 % 4], applies=applies,
        entry=entry, screened=screened, admitted=admitted, firm_reports=manner, firm_rectifies=manner,
    )  # fmt: skip
    if admitted is None or admitted > calendar.days * 3 // 4:
        return pilot
    return _with_story(pilot, fault, rng, calendar)


def _with_story(pilot: Pilot, fault: str, rng: Random, calendar: Calendar) -> Pilot:
    """The pilot with its fault, its inspections, guidance and exit. A tier without the hard rule on deaths has none."""
    assert pilot.admitted is not None
    if not pilot.halts_on_death:
        fault = {"death": "rates", "contradicted": "rates"}.get(fault, fault)
    if pilot.tier == "limited":
        fault = {"serious": "silence"}.get(fault, fault)
    rest = calendar.days - pilot.admitted
    fault_day = pilot.admitted + rng.randint(rest // 6 + 1, rest // 3 + 2) if fault else None
    manners: list[Manner] = [rng.choices(("prompt", "late", "never"), (7, 2, 1))[0] for _ in range(4)]  # type: ignore
    more: dict[str, object] = {"fault": fault, "fault_day": fault_day, "assesses": tuple(manners)}
    calm = fault in ("", "late", "complaints", "silence", "model")
    if calm and rng.random() < 0.35:
        more["inspected"] = pilot.admitted + rest // 5
    if rng.random() < 0.3:
        more["guided"] = pilot.admitted + rest // 10 + 2
    if fault == "" and rng.random() < 0.4:
        more["changes"] = pilot.admitted + rest // 4
    if fault == "" and rng.random() < 0.4:
        more["exits"] = pilot.admitted + rest // 2
        more["exit_report"] = rng.choices(("prompt", "late", "never"), (7, 2, 1))[0]
    if pilot.tier == "high" and not fault and rng.random() < 0.15:
        more["skips_drill"] = 1
    return structs.replace(pilot, **more)
