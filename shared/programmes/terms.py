"""What a profile is made of: numbers with their unit, codes of closed lists, texts by language, and where a figure comes from.

Each elementary type says in a plain sentence what is wrong with what was written; nothing of the library beneath reaches a reader.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer, model_validator
from pydantic_core import PydanticCustomError

from shared.contracts.casework import codes

HOURS_MAX = 100_000.0  # eleven years; a longer limit is a mistyped one
COUNT_MAX = 1_000_000  # of anything a profile counts
DAYS_MAX = 36_600  # a hundred years
TEXT_MAX = 400  # characters of one text
LISTED_MAX = 12  # codes that a sentence lists before it stops

SAID = "said"  # the type of a mistake that brings its own sentence


def said(words: str) -> PydanticCustomError:
    """A mistake in our own words."""
    return PydanticCustomError(SAID, "{words}", {"words": words})


def shown(value: object) -> str:
    """What was written, as a sentence quotes it: short, whatever it was."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{text[:40]}…'" if len(text) > 40 else f"'{text}'"


def near(word: object, known: list[str]) -> str:
    """The end of a sentence about a word that is not known: the likeliest one, or all where they are few."""
    close = get_close_matches(str(word).lower(), known, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    listed = ", ".join(sorted(known)[:LISTED_MAX])
    return f"write one of: {listed}{', …' if len(known) > LISTED_MAX else ''}" if known else "there is none to name yet"


@dataclass(frozen=True)
class Number:
    """Reads a number between two bounds; `noun` is what a sentence calls it."""

    noun: str
    example: str
    low: float
    high: float
    whole: bool = False
    above: bool = False  # whether it must be more than `low`

    def __call__(self, value: object) -> object:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or (self.whole and value != int(value)):  # type: ignore[call-overload]
            raise said(f"{shown(value)} is no {self.noun}; write one, as {self.example}")
        if value < self.low or value > self.high or (self.above and value == self.low):  # type: ignore[operator]
            least = f"more than {self.low:g}" if self.above else f"{self.low:g} or more"
            raise said(f"{shown(value)} is too small or too large; write {least}, and {self.high:,.0f} at most")
        return value


@dataclass(frozen=True)
class OneOf:
    """Reads one code of a closed list."""

    codes: type[StrEnum]
    noun: str

    def __call__(self, value: object) -> object:
        known = [str(code) for code in self.codes]
        if not isinstance(value, str) or value not in known:
            raise said(f"{shown(value)} is no {self.noun}; {near(value, known)}")
        return self.codes(value)


def _text(value: object) -> object:
    if not isinstance(value, str) or not value.strip():
        raise said(f"{shown(value)} is no text; write some words, in quotation marks where they hold a colon")
    if len(value) > TEXT_MAX:
        raise said(f"the text has {len(value)} characters; {TEXT_MAX} is the most")
    return value.strip()


def matching(pattern: str, sentence: str) -> Callable[[object], object]:
    """Reads a text of a shape; `sentence` goes on from what was written."""
    compiled = re.compile(pattern)

    def check(value: object) -> object:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise said(f"{shown(value)} {sentence}")
        return value

    return check


def _yes_no(value: object) -> object:
    if not isinstance(value, bool):
        raise said(f"{shown(value)} is neither true nor false; write one of the two")
    return value


def _day(value: object) -> object:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise said(f"{shown(value)} is no day; write year, month and day, as 2010-03-31") from None


Hours = Annotated[float, BeforeValidator(Number("number of hours", "1 or 0.5", 0, HOURS_MAX, above=True))]
Days = Annotated[int, BeforeValidator(Number("whole number of days", "5", 1, DAYS_MAX, whole=True))]
Minutes = Annotated[float, BeforeValidator(Number("number of minutes", "15", 0, HOURS_MAX, above=True))]
Seconds = Annotated[float, BeforeValidator(Number("number of seconds", "30", 0, HOURS_MAX, above=True))]
Count = Annotated[int, BeforeValidator(Number("whole number", "5", 0, COUNT_MAX, whole=True))]
Year = Annotated[int, BeforeValidator(Number("year", "2007", 1900, 2199, whole=True))]
Day = Annotated[date, BeforeValidator(_day)]
Km = Annotated[float, BeforeValidator(Number("number of kilometres", "4", 0, 5_000))]
Fee = Annotated[float, BeforeValidator(Number("sum of money", "0", 0, COUNT_MAX))]
Figure = Annotated[float, BeforeValidator(Number("number", "48 or 0.95", -COUNT_MAX, COUNT_MAX))]
Version = Annotated[int, BeforeValidator(Number("version (a whole number)", "1", 1, 10_000, whole=True))]
YesNo = Annotated[bool, BeforeValidator(_yes_no)]
Text = Annotated[str, BeforeValidator(_text)]
Id = Annotated[
    str, BeforeValidator(matching(r"[a-z][a-z0-9_]{1,39}", "is no short name; write small letters, digits and _, as vsu_station"))
]
LANGUAGE = r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?"
Language = Annotated[str, BeforeValidator(matching(LANGUAGE, "is no language tag (BCP 47); write one, as en, fa-AF or uz-Arab"))]
CountryCode = Annotated[str, BeforeValidator(matching(r"[A-Z]{2}", "is no country code (ISO 3166-1); write two capitals, as ZM"))]
Phone = Annotated[
    str, BeforeValidator(matching(r"\+?[0-9 ]{2,20}", 'is no telephone number; write digits in quotation marks, as "3512"'))
]
OPEN_DAY_AND_NIGHT = "24 h"


def _some_hours(value: str) -> str:
    begins, _dash, ends = value.partition("-")
    if begins == ends:
        raise said(f'{shown(value)} ends when it begins; write "24 h" for day and night, or as "08:00-16:00"')
    return value


OpenHours = Annotated[
    str,
    BeforeValidator(
        matching(r"24 h|([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", 'is no opening time; write "24 h", or as "08:00-16:00"')
    ),
    AfterValidator(_some_hours),
]

# --- where a figure comes from -----------------------------------------------------------------------------------------

WHOLE = "*"  # in Sources: said of every figure of the part
TAG = re.compile(r"(S\d{0,2}|O\d{1,3}|P\d{1,3}|K|D)(: (.+))?")
FACT_LETTERS = frozenset("SOP")  # the programme's own report, another published source, accounts of practice


@dataclass(frozen=True, slots=True)
class Because:
    """One source of a figure: its tag and, where it says more, words."""

    tag: str
    words: str | None = None

    @property
    def is_fact(self) -> bool:
        """Whether a published source says so; else it is an assumption (K) or was chosen by the design (D)."""
        return self.tag[0] in FACT_LETTERS

    def __str__(self) -> str:
        return f"{self.tag}: {self.words}" if self.words else self.tag


def _because(value: object) -> Because:
    match = TAG.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise said(
            f"{shown(value)} is no source; write S (the programme's report), O and a number (another published source), "
            "K (an assumption) or D (our design), and words after a colon where they help"
        )
    return Because(match[1], match[3])


def _several(value: object) -> tuple[Because, ...]:
    listed = value if isinstance(value, list | tuple) else [value]
    if not listed:
        raise said("it is empty; write where the figure comes from, as S or D")
    return tuple(one if isinstance(one, Because) else _because(one) for one in listed)


def _sources(value: object) -> dict[str, tuple[Because, ...]]:
    if isinstance(value, Mapping):
        return {str(figure): _several(tags) for figure, tags in value.items()}
    return {WHOLE: _several(value)}


def _written(sources: Mapping[str, tuple[Because, ...]]) -> dict[str, list[str]]:
    return {figure: [str(one) for one in several] for figure, several in sources.items()}


Sources = Annotated[Mapping[str, tuple[Because, ...]], BeforeValidator(_sources), PlainSerializer(_written)]


class Part(BaseModel):
    """A piece of a profile: frozen, and nothing in it is passed over."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True)


class Sourced(Part):
    """A piece that states figures. `source` names where they come from: one for all, or one for each figure."""

    figures: ClassVar[tuple[str, ...]] = ()  # what of it is a figure that somebody may ask the source of
    source: Sources

    def because(self, figure: str = WHOLE) -> tuple[Because, ...]:
        """Where a figure comes from; of the whole piece, every source in it."""
        if figure != WHOLE:
            return self.source.get(figure, self.source.get(WHOLE, ()))
        return tuple(dict.fromkeys(one for several in self.source.values() for one in several))

    def is_assumption(self, figure: str = WHOLE) -> bool:
        """Whether a figure (or any of the piece's) is no fact of a published source: screens say so beside it."""
        return not all(one.is_fact for one in self.because(figure))

    @model_validator(mode="after")
    def _says_where_from(self) -> "Sourced":
        if WHOLE in self.source:
            return self
        fields = [field.alias or name for name, field in type(self).model_fields.items() if name != "source"]
        for figure in self.source:
            if figure not in fields:
                raise said(f"its source speaks of '{figure}', which it does not have; {near(figure, fields)}")
        unsaid = [f for f in self.figures if f not in self.source and getattr(self, f) not in (None, ())]
        if unsaid:
            raise said(f"its source does not say where {', '.join(unsaid)} comes from; add it, as {{{unsaid[0]}: D}}")
        return self


# --- texts by language ------------------------------------------------------------------------------------------------

SOURCE_LANGUAGE = "en"  # of a text that names no language


class Words(Part):
    """A text in one or more languages."""

    by_language: Mapping[str, str]

    def in_(self, *languages: str) -> str:
        """The text in the first of these languages that it has; else as it was written first."""
        return next((self.by_language[tag] for tag in languages if tag in self.by_language), next(iter(self.by_language.values())))

    def __str__(self) -> str:
        return self.in_(SOURCE_LANGUAGE)


def _words(value: object) -> object:
    if isinstance(value, Words):
        return value
    if isinstance(value, Mapping):
        if not value:
            raise said("it is empty; write a text, or one for each language, as {en: Clinic, fr: Clinique}")
        for tag, text in value.items():
            if not isinstance(tag, str) or not re.fullmatch(LANGUAGE, tag):
                raise said(f"{shown(tag)} is no language tag (BCP 47); write one, as en, fa-AF or uz-Arab")
            _text(text)
        return Words(by_language=dict(value))
    return Words(by_language={SOURCE_LANGUAGE: str(_text(value))})


def _unworded(words: Words) -> dict[str, str]:
    return dict(words.by_language)


Named = Annotated[Words, BeforeValidator(_words), PlainSerializer(_unworded)]

# --- codes of the published language, each with what a sentence calls it ----------------------------------------------


class DayOfWeek(StrEnum):
    """A day of the week, in the order of `date.weekday()`."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"

    @classmethod
    def of(cls, day: date) -> "DayOfWeek":
        """That of a date."""
        return EVERY_DAY[day.weekday()]


EVERY_DAY = tuple(DayOfWeek)
OpenDay = Annotated[DayOfWeek, BeforeValidator(OneOf(DayOfWeek, "day of the week"))]
KindOfAgency = Annotated[codes.AgencyKind, BeforeValidator(OneOf(codes.AgencyKind, "kind of agency"))]
Package = Annotated[codes.ServicePackage, BeforeValidator(OneOf(codes.ServicePackage, "package of services"))]
Mode = Annotated[codes.FacilityMode, BeforeValidator(OneOf(codes.FacilityMode, "way to reach a facility"))]
HowSoon = Annotated[codes.Urgency, BeforeValidator(OneOf(codes.Urgency, "urgency"))]
RoleCode = Annotated[codes.Role, BeforeValidator(OneOf(codes.Role, "role of an account"))]
Product = Annotated[codes.CareProduct, BeforeValidator(OneOf(codes.CareProduct, "product that a desk gives"))]
Care = Annotated[codes.CareClock, BeforeValidator(OneOf(codes.CareClock, "care that has a window"))]
Incident = Annotated[codes.IncidentType, BeforeValidator(OneOf(codes.IncidentType, "type of incident"))]
Context = Annotated[codes.IncidentContext, BeforeValidator(OneOf(codes.IncidentContext, "context of an incident"))]
Age = Annotated[codes.AgeBand, BeforeValidator(OneOf(codes.AgeBand, "age group"))]
SexCode = Annotated[codes.Sex, BeforeValidator(OneOf(codes.Sex, "sex"))]
Item = Annotated[codes.ConsentItem, BeforeValidator(OneOf(codes.ConsentItem, "item of consent"))]


class Act(StrEnum):
    """What somebody may be about to do when a rule is asked."""

    REGISTER_COMPLAINT = "register_complaint"
    TAKE_STATEMENT = "take_statement"
    DISPENSE_EMERGENCY_CONTRACEPTION = "dispense_emergency_contraception"
    DISPENSE_PEP_STARTER = "dispense_pep_starter"
    REFER = "refer"  # to send her, or a request, to a place
    RECEIVE = "receive"  # somebody is at the door, or on the telephone
    CLOSE = "close"  # to end a referral in service
    EXAMINE = "examine"  # a forensic examination
    SIGN_MEDICAL_REPORT = "sign_medical_report"
    TAKE_MEDICAL_REPORT = "take_medical_report"  # to take in a report that somebody brings
    CHARGE_FEE = "charge_fee"
    ADMIT_TO_STAY = "admit_to_stay"
    CONTINUE_STAY = "continue_stay"
    RETURN_TO_FAMILY = "return_to_family"
    RETURN_PROPERTY = "return_property"
    TELL_STATUS = "tell_status"  # somebody asks how a case stands
    CALL_BACK = "call_back"
    ROUTE_CALL = "route_call"
    MEDIATE = "mediate"
    RECORD_SUSPECT = "record_suspect"  # in a survivor's file
    RECORD_MORAL_OFFENCE = "record_moral_offence"
    STORE_ADDRESS = "store_address"
    LINK_FILES = "link_files"
    HAND_OVER_TO_PROSECUTOR = "hand_over_to_prosecutor"
    TRAIN_OTHERS = "train_others"


class Fact(StrEnum):
    """What may be known of a situation, beside its coded needs: true, not true, or not known."""

    HURT_NOW = "hurt_now"
    SHE_AGREES = "she_agrees"  # to this act, asked and said yes
    ASSENT = "assent"  # a child's own yes
    SAFE_ADULT = "safe_adult"
    CAREGIVER_SUSPECTED = "caregiver_suspected"
    RISK_CHECKED = "risk_checked"
    MARKED_SAFE = "marked_safe"  # she said that she may be called
    OWN_WORD = "own_word"  # whoever asks has said the word that she chose
    SAFE_PHONE = "safe_phone"
    RETURN_ASKED_FOR = "return_asked_for"  # she asked for her property
    HANDED_BACK = "handed_back"
    ONWARD_PLANNED = "onward_planned"  # a place after the stay is agreed: `stay_limit` looks at it
    SUPERVISOR_AGREES = "supervisor_agrees"
    POLICE_ORDER = "police_order"
    SIGNED = "signed"
    REQUEST_RECORDED = "request_recorded"  # that she came here is written down
    POLICE_REPORT_DEMANDED = "police_report_demanded"  # before care
    IS_ACCUSED = "is_accused"  # the person is also accused of something: `files_apart` looks at it


ActCode = Annotated[Act, BeforeValidator(OneOf(Act, "act"))]
FactCode = Annotated[Fact, BeforeValidator(OneOf(Fact, "fact"))]
