"""A programme is a country profile: who there is, what is asked of whom and by when, which rules hold, and what came of it.

Data, never code: everything that differs between countries stands in YAML (`profiles/`, written as docs/programmes says), each
figure with its source. `load_programme` gives it whole; `check_file` says everything that is wrong with one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar
from zoneinfo import available_timezones

from pydantic import BeforeValidator, Field, ValidationError

from shared.contracts.casework.codes import AgencyKind, FacilityMode
from shared.programmes.care import Limits, PackageHere, Pathway, ReportForm, VisitsAfterCare, Window
from shared.programmes.indicators import Expected, Indicator, Series
from shared.programmes.mistakes import mistakes_of
from shared.programmes.places import Agency, Agreement, Asset, FacilityKind, FacilityStatus, Hotline, Place, Readiness
from shared.programmes.reading import Mistake, Mistaken, Text, laid, read_text
from shared.programmes.records import RecordType
from shared.programmes.references import mistakes_between
from shared.programmes.staff import Certificate, StaffRole
from shared.programmes.terms import (
    Act,
    Care,
    CountryCode,
    Days,
    Id,
    Item,
    KindOfAgency,
    Language,
    Named,
    OneOf,
    Package,
    Sourced,
    Year,
    matching,
    said,
    shown,
)
from shared.programmes.terms import Text as OneText
from shared.programmes.vocabulary import AnyRule, CertificateRequired

PROFILES = Path(__file__).parent / "profiles"
CONSENT_DAYS = (30, 91, 182, 365)  # how long she may say that what she agrees to holds: few and plain, read to her
EXTENDS_MAX = 5  # profiles above one another; a longer chain is a circle or a mistake
MADE_UP = frozenset({"demo", "simulation", "test"})  # purposes of a network on which nobody is real


class ProfileError(Exception):
    """The profile cannot be used: every mistake with its file, line and field; as a sentence, the first of them."""

    def __init__(self, *mistakes: Mistake) -> None:
        more = len(mistakes) - 1
        rest = (
            f" There {'is one more' if more == 1 else f'are {more} more'}; `refnet programme validate` lists all." if more else ""
        )
        super().__init__(f"The profile is wrong at {mistakes[0]}{rest}")
        self.mistakes = mistakes


class UnknownProgramme(ProfileError):
    """No programme of ours is called so, and no file was named."""

    def __init__(self, name: str, known: list[str]) -> None:
        listed = ", ".join(known)
        self.mistakes = (Mistake(name, 1, (), f"there is no such programme; known are: {listed}"),)
        Exception.__init__(self, f"There is no programme “{name}”; known are: {listed}. Or name a file that ends in .yaml.")


class Status(StrEnum):
    """Where a programme may run."""

    ACTIVE = "active"
    HISTORICAL_SIMULATION_ONLY = "historical_simulation_only"  # never on a network with real people; said on every page


class WritingDirection(StrEnum):
    """Of the programme's first language."""

    LTR = "ltr"
    RTL = "rtl"


class Calendar(StrEnum):
    """In which dates are shown. What is kept and sent is Gregorian."""

    GREGORIAN = "gregorian"
    SOLAR_HIJRI = "solar_hijri"


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _zone(value: object) -> object:
    if not isinstance(value, str) or value not in _zones():
        raise said(f"{shown(value)} is not the IANA name of a time zone, as Africa/Lusaka is")
    return value


def _asked_for(value: object) -> object:
    if value is not None and (value not in CONSENT_DAYS or isinstance(value, bool)):
        raise said(f"{shown(value)} is none of {', '.join(map(str, CONSENT_DAYS))}, which the page that asks her offers")
    return value


def _period(value: object) -> object:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise said(f"{shown(value)} is no period; write its first and last year, as [2005, 2008]")
    return value


PROGRAMME_ID = r"[a-z][a-z0-9-]{0,39}"
ProgrammeId = Annotated[
    str, BeforeValidator(matching(PROGRAMME_ID, "is no programme's name; write small letters, digits and -, as zm-vsu-ec"))
]
SourceTag = Annotated[
    str, BeforeValidator(matching(r"S\d{0,2}|[OP]\d{1,3}", "is no source's tag; write S, or O and a number, as O19"))
]


class Programme(Sourced):
    """One profile, with everything that it extends merged in."""

    figures: ClassVar[tuple[str, ...]] = ("period", "languages", "consent_days", "consent_presets", "return_visit_days")

    id: ProgrammeId
    name: Named
    extends: ProgrammeId | None = None
    status: Annotated[Status, BeforeValidator(OneOf(Status, "status of a programme"))] = Status.ACTIVE
    period: Annotated[tuple[Year, Year], BeforeValidator(_period)] | None = None
    country: CountryCode | None = None
    languages: tuple[Language, ...] = Field(min_length=1)  # spoken; the first is the one that desks begin with
    direction: Annotated[WritingDirection, BeforeValidator(OneOf(WritingDirection, "direction of writing"))] = WritingDirection.LTR
    calendar: Annotated[Calendar, BeforeValidator(OneOf(Calendar, "calendar"))] = Calendar.GREGORIAN
    time_zone: Annotated[str, BeforeValidator(_zone)]  # what the clocks on the walls show
    sources: dict[SourceTag, OneText]  # what each published source is
    agencies: dict[Id, Agency] = Field(default_factory=dict)
    agreements: dict[Id, Agreement] = Field(default_factory=dict)
    districts: dict[Id, Named] = Field(default_factory=dict)
    facilities: dict[Id, FacilityKind] = Field(default_factory=dict)
    places: dict[Id, Place] = Field(default_factory=dict)
    staff: dict[Id, StaffRole] = Field(default_factory=dict)
    certificates: dict[Id, Certificate] = Field(default_factory=dict)
    assets: dict[Id, Asset] = Field(default_factory=dict)
    readiness: dict[Id, Readiness] = Field(default_factory=dict)
    packages: dict[Package, PackageHere] = Field(default_factory=dict)
    pathways: dict[Id, Pathway] = Field(default_factory=dict)
    limits: Limits
    windows: dict[Care, Window]
    visits_after_care: VisitsAfterCare
    report_forms: dict[Id, ReportForm] = Field(default_factory=dict)
    rules: dict[Id, AnyRule] = Field(default_factory=dict)
    records: dict[Id, RecordType] = Field(default_factory=dict)
    hotline: Hotline | None = None
    consent_presets: dict[KindOfAgency, tuple[Item, ...]]
    # What her answer holds for unless she says otherwise, of CONSENT_DAYS; None: until she takes it back.
    consent_days: Annotated[int | None, BeforeValidator(_asked_for)] = None
    return_visit_days: tuple[Days, ...] = ()  # so many days after she went back to her family or community she is seen again
    indicators: dict[Id, Indicator] = Field(default_factory=dict)
    expect: dict[Id, Expected] = Field(default_factory=dict)  # by indicator
    expect_unmanned: dict[Id, Expected] = Field(default_factory=dict)  # on the day after a replay, on which one desk has nobody
    replay: dict[Id, Series] = Field(default_factory=dict)

    def check_purpose(self, purpose: str) -> None:
        """Raises ValueError where a network of this purpose may not run it."""
        if self.status is Status.HISTORICAL_SIMULATION_ONLY and purpose not in MADE_UP:
            raise ValueError(
                f"Programme '{self.id}' is historical and for simulation only; it does not run on a network whose purpose is "
                f"{purpose}. Name another programme, or write `purpose: simulation` where nobody is real."
            )

    @property
    def uses_contexts(self) -> bool:
        """Whether anything depends on an incident's context: a rule, a pathway or a mandate. Only then are people asked for it."""
        conditions = [getattr(one, "when", None) for one in (*self.rules.values(), *self.pathways.values())]
        mandates = [*(one.mandate for one in self.facilities.values()), *(one.mandate for one in self.agencies.values())]
        return any(one is not None and one.contexts for one in (*conditions, *mandates))

    def records_of(self, agency: str) -> Mapping[str, RecordType]:
        """The registers that an agency keeps."""
        return {id_: record for id_, record in self.records.items() if record.agency == agency}

    def needed_for(self, certificate: str) -> tuple[Act, ...]:
        """The acts for which a certificate is needed, as the rules say."""
        rules = self.rules.values()
        return tuple(rule.act for rule in rules if isinstance(rule, CertificateRequired) and rule.certificate == certificate)

    def agencies_of(self, kind: AgencyKind) -> tuple[str, ...]:
        """The agencies of a kind."""
        return tuple(id_ for id_, agency in self.agencies.items() if agency.kind is kind)

    def kinds_of(self, agency: str, *, routable: bool = True) -> tuple[str, ...]:
        """An agency's kinds of facility; only those that something may be sent to, unless all are asked for."""
        return tuple(
            id_ for id_, one in self.facilities.items()
            if one.agency == agency and (not routable or one.status is FacilityStatus.OPEN)
        )  # fmt: skip

    def pathways_from(self, kind: str) -> Mapping[str, Pathway]:
        """The ways that begin at a kind of facility."""
        return {id_: way for id_, way in self.pathways.items() if kind in way.from_}

    def mode_of(self, place: str) -> FacilityMode:
        """How a named place is reached."""
        found = self.places[place]
        return found.mode or self.facilities[found.kind].mode


@dataclass(frozen=True, slots=True)
class Checked:
    """A file that was looked at: the programme where it can be used, else everything that is wrong."""

    programme: Programme | None
    mistakes: tuple[Mistake, ...]
    is_whole: bool = True  # False: what parts say of each other was not looked at yet


def check_file(file: Path) -> Checked:
    """Reads a profile, with what it extends (beside it, else among ours), and says everything that is wrong with it."""
    try:
        text = _layers(file, 0)
    except Mistaken as error:
        return Checked(None, error.mistakes, is_whole=False)
    mistakes, programme = list(text.mistakes), None
    try:
        programme = Programme.model_validate(text.value)
        mistakes += mistakes_between(programme, text)
    except ValidationError as error:
        mistakes += mistakes_of(error, text, Programme)
    if mistakes:
        found = tuple(sorted(dict.fromkeys(mistakes), key=lambda one: (one.file, one.line)))
        return Checked(None, found, is_whole=programme is not None)
    return Checked(programme, ())


def load_programme(programme_id: str, folder: Path = PROFILES) -> Programme:
    """The profile by its id, or by its file where the name ends in .yaml; raises ProfileError."""
    if programme_id.endswith(".yaml"):
        return _usable(Path(programme_id))
    return _of_ours(programme_id) if folder == PROFILES else _usable(_file_of(programme_id, folder))


@cache
def _of_ours(programme_id: str) -> Programme:
    """A programme of the package, whose files do not change under it."""
    return _usable(_file_of(programme_id, PROFILES))


def _usable(file: Path) -> Programme:
    checked = check_file(file)
    if checked.programme is None:
        raise ProfileError(*checked.mistakes)
    return checked.programme


def known_profiles(folder: Path = PROFILES) -> list[str]:
    """The ids of the profiles of a folder, the package's unless another is named; the base, which others extend, among them."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def _file_of(programme_id: str, folder: Path) -> Path:
    known = known_profiles(folder)
    if programme_id not in known:
        raise UnknownProgramme(programme_id, known)
    return folder / f"{programme_id}.yaml"


@cache
def _text_of_ours(file: Path) -> Text:
    """A file of the package; nobody changes what was read."""
    return read_text(file)


def _layers(file: Path, depth: int) -> Text:
    """A file over everything that it extends; raises Mistaken."""
    own = _text_of_ours(file) if file.parent == PROFILES else read_text(file)
    extends, id_ = own.value.get("extends"), own.value.get("id")
    is_found_by_name = depth > 0 or file.parent == PROFILES
    if is_found_by_name and isinstance(id_, str) and id_ != file.stem:
        words = f"its file is called {shown(file.stem)}, and by that it is found; call both alike"
        own = replace(own, mistakes=[*own.mistakes, Mistake(file.name, own.mark(("id",)).line, ("id",), words)])
    if extends is None:
        return own
    mark = own.mark(("extends",))
    if depth >= EXTENDS_MAX or extends == own.value.get("id"):
        raise Mistaken(
            Mistake(mark.file, mark.line, ("extends",), "it extends itself in a circle; name a profile that stands by itself")
        )
    is_name = isinstance(extends, str) and re.fullmatch(PROGRAMME_ID, extends) is not None
    at = [one for folder in dict.fromkeys((PROFILES, file.parent)) if is_name and (one := folder / f"{extends}.yaml").is_file()]
    if len(at) > 1:
        words = (
            f"{shown(extends)} is a profile of this software, and one beside this file is called the same; give that another name"
        )
        raise Mistaken(Mistake(mark.file, mark.line, ("extends",), words))
    if not at:
        known = ", ".join(sorted({path.stem for folder in (file.parent, PROFILES) for path in folder.glob("*.yaml")} - {file.stem}))
        raise Mistaken(Mistake(mark.file, mark.line, ("extends",), f"{shown(extends)} is no profile; known are: {known}"))
    return laid(_layers(at[0], depth + 1), own)
