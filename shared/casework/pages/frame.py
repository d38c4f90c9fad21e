"""What every page of an agency has around it: its header, its ways, who is signed in, what the line says. Nothing here decides."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from shared.casework.accounts.sessions import IDLE_LOCK
from shared.casework.arrivals.commands import CareKept
from shared.casework.cases.tables import Case
from shared.casework.directory.places import Place
from shared.casework.directory.seats import SeatsNow
from shared.casework.eyes.look_up import OwnNumber
from shared.casework.figures.counting import Count
from shared.casework.here import Actor, Here
from shared.casework.lines.local_facts import LocalFacts
from shared.casework.pages import words
from shared.casework.referrals.tables import Referral
from shared.casework.registers.domain import has_registers
from shared.contracts.casework.authority import SERVING
from shared.contracts.casework.codes import IncidentType, ProgressCode, Role, SafeHours
from shared.kit.calendars import written_solar
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Said, filled
from shared.kit.forms import Filled
from shared.kit.i18n import SOURCE, Times, catalogue, comma, is_rtl, language_name, named_in
from shared.kit.i18n import mark as _
from shared.kit.ids import new_id
from shared.kit.pages import Templates, as_source, html
from shared.kit.sealed import is_shut
from shared.programmes.profile import Calendar, Status

if TYPE_CHECKING:
    from shared.casework.accounts.sessions import Kept, Visit

ROOM = Path(__file__).parent
STATIC = ROOM / "static"
LOCALES = Path(__file__).parents[1] / "locales"
PAGE_LANGUAGES = ("en", "fr", "fa_AF", "ps")  # what the catalogues hold; a programme's spoken languages are more
REVIEWED = frozenset({"en"})  # the others are drafts, and their pages say so; `shared.kit.catalogues` says how far each is
LEAVES_WITHIN = timedelta(minutes=1)  # with an open line a word leaves in a second; one that lies longer than this is stuck
REFRESH_S = 120  # how often a list fetches itself again where nothing tells it to, in a browser without JavaScript
ISOLATE, ISOLATE_END = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"  # where no element can stand
KEPT = "kept"  # in the address where a form shall stand as it stood when its page was hidden, and in the form that stands so
PLAIN_PARAMS = {"needed": "field", "state": "state"}  # in a refusal of the published language, which knows no screen words
DAY = "day"  # what a refusal calls a day, as programs write it
MONTH = "month"  # and a month, as 2026-05
SHORT_CHARACTERS = 4  # of a referral's short name; it is looked for by eye, never by program
SHORT_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # without what is read wrongly

# Browsers keep style and script for good: another content has another address.
STATIC_VERSION = hashlib.sha256(b"".join(p.read_bytes() for p in sorted(STATIC.iterdir()))).hexdigest()[:12]

Way = tuple[str, str]  # address, words
CertificatesOf = Callable[[Transaction, Here, Actor], Awaitable[frozenset[str]]]
WaysHere = Callable[[Here, Actor], Sequence[Way]]
Load = Callable[[Transaction, Here, Actor], Awaitable[Sequence[Any]]]
ToldBefore = Callable[[Transaction, UUID], Awaitable[IncidentType | None]]
CaseFacts = Callable[[Transaction, UUID], Awaitable[Sequence[tuple[str, str | None, str]]]]  # words, value, where it is entered

CaseWays = Callable[[Transaction, Here, Actor, Case], Awaitable[Sequence[Way]]]
WorkLines = Callable[[Transaction, Here, Actor], Awaitable[Sequence[tuple[str, Said]]]]  # address, what is to be done there

SeatsOf = Callable[[Transaction, Here, str | None], Awaitable[SeatsNow]]

WAYS: dict[Role, tuple[Way, ...]] = {
    Role.SUPERVISOR: (
        ("/alarms", _("Alarms")), ("/overdue", _("Overdue")), ("/cases", _("Cases")), ("/look-up", _("Find a case")),
        ("/posts", _("Posts and roster")), ("/accounts", _("Accounts")),
        ("/eyes", _("Who may see what")), ("/figures", _("Figures")), ("/parked", _("Messages that wait")),
    ),
    Role.ADMINISTRATOR: (("/accounts", _("Accounts")), ("/parked", _("Messages that wait")), ("/lines", _("Lines"))),
}  # fmt: skip


PROTOCOLS_WAY = ("/protocols", _("Protocols"))  # where an oversight body publishes some


@dataclass(frozen=True, slots=True)
class StepToTell:
    """One thing of it: its code, the group of words that says it, and the day that goes with it."""

    code: str
    group: str
    day: date | None


@dataclass(frozen=True, slots=True)
class ToTell:
    """What somebody is to be told of her case, by her safe way only: `hours` None where she is told when she comes."""

    case: Case
    steps: Sequence[StepToTell]
    hours: SafeHours | None


@dataclass(frozen=True, slots=True)
class KeptLine:
    """One line of what was given: its codes, and until when it works best elsewhere where it is out of stock here."""

    care: str
    result: str
    still_until: datetime | None


@dataclass(frozen=True, slots=True)
class KeptList:
    """What was kept of the care on a referral, when last, and the nearest other place of this agency for what is still due."""

    kept_at: datetime
    lines: Sequence[KeptLine]
    elsewhere: Place | None

    @property
    def due(self) -> Sequence[KeptLine]:
        """What is out of stock here while there is time for it elsewhere."""
        return [one for one in self.lines if one.still_until is not None]


KeptListOf = Callable[[Transaction, Here, Referral, datetime], Awaitable[KeptList | None]]  # at a local time
ToTellAll = Callable[[Transaction, Here, Actor], Awaitable[tuple[Sequence[ToTell], int]]]  # by case, and how many steps in all


@dataclass(frozen=True, slots=True)
class Look:
    """What one kind of agency brings to the pages: its ways, its rooms of templates and its own words."""

    ways: Sequence[Way]
    rooms: Mapping[str, Path] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    supervises: Sequence[Way] = ()  # what a supervisor of this kind of agency has beside every supervisor's ways
    case_ways: Sequence[CaseWays] = ()  # what this agency alone does with a case, as far as an account may
    work_lines: Sequence[WorkLines] = ()  # what stands on a work list beside cases, as far as it is the account's
    ways_here: Sequence[WaysHere] = ()  # ways that only some programmes have
    work_first: Sequence[tuple[str, Load]] = ()  # what a work list begins with: a template, and its `rows`
    told_before: ToldBefore | None = None  # which kind of violence was told of a case before anything of it was recorded
    case_facts: CaseFacts | None = None  # what this agency alone keeps of a case, for its page
    care_kept: CareKept | None = None  # whether this agency has kept care on an arrival: then somebody had come
    kept_list: KeptListOf | None = None  # what this agency has kept of the care on a referral
    own_number: str | None = None  # what a number is called by which this agency alone knows a case, and how it is found by it
    find_own: OwnNumber | None = None
    to_tell: ToTellAll | None = None  # whom a desk of this agency has something to tell
    steps_apart: frozenset[ProgressCode] = frozenset()  # steps with a page of their own, because something is asked with each
    counts: Sequence[Count] = ()  # what a kind of agency counts of a programme's measures
    agreement_more: Sequence[tuple[str, Load]] = ()  # what the page of agreements has beside them here: a template, and its `rows`
    seats: SeatsOf | None = None  # who of another agency sits at a place today, as this agency was told
    registers_apart: frozenset[str] = frozenset()  # registers of a profile that a feature of this agency keeps, with its own pages
    certificates: CertificatesOf | None = None  # which an account holds, and are valid today
    sheet_lines: Sequence[str] = ()  # what a paper sheet of this agency asks, beside when and who sent
    local_facts: Sequence[LocalFacts] = ()  # what this kind of agency writes down and tells nobody: no peer gives it back


class Pages:
    """The pages of one agency."""

    def __init__(self, here: Here, look: Look, *, is_secure: bool) -> None:
        self.here, self.look, self.is_secure = here, look, is_secure
        casework = Path(__file__).parents[1]
        rooms = {folder.parent.name: folder for folder in casework.glob("*/templates")}
        self._templates = Templates({**rooms, **look.rooms}, LOCALES, GLOBALS)
        self._zone = ZoneInfo(here.programme.time_zone)

    @property
    def cookie(self) -> str:
        """The session cookie's name: the agency is in it, because one computer may serve three on one host."""
        return f"{'__Host-' if self.is_secure else ''}refnet-{self.here.agency}"

    def language(self, request: Request, chosen: str | None = None) -> str:
        """The language that is chosen, else the browser's first that the catalogues hold, else the source."""
        if chosen in PAGE_LANGUAGES:
            return str(chosen)
        kept = request.cookies.get("refnet-language")
        if kept in PAGE_LANGUAGES:
            return str(kept)
        for part in request.headers.get("accept-language", "").split(","):
            tag = part.split(";")[0].strip().lower()
            for language in PAGE_LANGUAGES:
                if tag == language.lower().replace("_", "-") or tag.split("-")[0] == language.split("_")[0]:
                    return language
        return SOURCE

    def times(self, language: str, now: datetime) -> Times:
        """Times as this agency's wall clock and the page's language show them."""
        return Times(language, self._zone, now, is_solar=self.is_solar)

    @property
    def is_solar(self) -> bool:
        """Whether days are shown and typed in the Solar Hijri calendar. What is kept and sent is Gregorian."""
        return self.here.programme.calendar is Calendar.SOLAR_HIJRI

    def show(self, request: Request, name: str, visit: "Visit | None" = None, *, status: int = 200, **context: Any) -> HTMLResponse:
        """A page."""
        language = self.language(request, visit.language if visit else None)
        edge = request.app.state.edge
        now: datetime = edge.database.clock.now()
        base = {
            "request": request, "path": request.url.path, "here": self.here, "agency": self.here.entry, "visit": visit,
            "actor": visit.actor if visit else None, "language": language, "direction": "rtl" if is_rtl(language) else "ltr",
            "languages": [(tag, language_name(tag)) for tag in PAGE_LANGUAGES], "now": now, "t": self.times(language, now),
            "kept": getattr(request.state, "kept", None), "is_kept_shown": KEPT in request.query_params,
            "ways": self._ways(visit.actor) if visit else (), "line_words": edge.broker_words(),
            "line_known": edge.exchange is not None, "leaves_within": LEAVES_WITHIN, "banner": self._banner(edge),
            "is_full": edge.database.room.is_lacking, "is_draft": language not in REVIEWED,
            "facility": self._facility(visit.actor) if visit else None, "opened_until": opened_until(visit, context),
            "form": kept_form(request),
            "words": partial(self._shown_word, language=language),
            "person": lambda needs: self._shown(words.person(needs), language),
            "tell": partial(self.tell, language=language, marks=True),
            "end_words": lambda outcome, needs: self._shown(words.end(outcome, needs), language),
            "arrived_words": partial(self._arrived_words, language=language), "new_key": new_id, "is_shut": is_shut,
            "static_version": STATIC_VERSION, "refresh_s": REFRESH_S,
            "idle_ms": int(IDLE_LOCK / timedelta(milliseconds=1)), "here_now": None, "notice": None, "live": None,
            "is_solar": self.is_solar, "written_solar": written_solar,
            "as_moment": datetime.fromisoformat, "as_date": as_date,
            "short": short, "place": self.place, "place_of": self.place_of, "agency_name": self.agency_name,
            "options": partial(self._options, language=language), "places_of_here": self._places_of_here(visit, language),
            "hours": hours_left, "errors": None, **marks(language), "posts": self._posts(visit.actor) if visit else (),
            "language_name": partial(named_in, language), "languages_here": self._languages_here(language),
        }  # fmt: skip
        return html(self._templates.render(name, language, {**base, **context}), status)

    def word(self, code: object, group: str, language: str) -> str:
        """The word for a code in a language."""
        return self.say(self._source_word(code, group), language)

    def _source_word(self, code: object, group: str) -> str:
        return self.look.words.get(group, {}).get(str(code)) or words.word(code, group)

    def _shown_word(self, code: object, group: str, language: str) -> str:
        return self._shown(self._source_word(code, group), language)

    def _shown(self, text: str, language: str) -> str:
        """A marked text as a page shows it: what has no translation in a language from right to left stands as what it is."""
        return as_source(text, catalogue(LOCALES, language)) if is_rtl(language) else self.say(text, language)

    def say(self, text: str, language: str) -> str:
        """A marked text in a language."""
        return str(catalogue(LOCALES, language).gettext(text))

    def tell(self, said: str | Said, language: str, *, marks: bool = False) -> str:
        """A marked text, or what a refusal says, in a language: with words for the codes in it. `marks`: for a page."""
        say = self._shown if marks else self.say
        if isinstance(said, str):
            return say(said, language)
        params = {name: self._in_words(name, value, language) for name, value in said.params.items()}
        if is_rtl(language):  # a number or a name among words that run the other way keeps its own order
            params = {name: f"{ISOLATE}{value}{ISOLATE_END}" for name, value in params.items()}
        return filled(say(said.sentence, language), params)

    def _in_words(self, name: str, value: object, language: str) -> str:
        if isinstance(value, list | tuple):
            return comma(language).join(self._in_words(name, one, language) for one in value)
        if name == DAY:
            return self._day_in_words(str(value), language)
        if name == MONTH:
            return self.times(language, datetime.combine(date(2000, 1, 1), time(), UTC)).month_of(str(value))
        group = PLAIN_PARAMS.get(name) or (value.group if isinstance(value, Coded) else words.GROUP_OF.get(type(value)))
        match group:
            case None:
                return str(value)
            case "agency":
                return self.agency_name(str(value))
            case "place":
                agency, _slash, facility = str(value).rpartition("/")
                return self.place(agency or self.here.agency, facility)
        return self.word(value, group, language)

    def _day_in_words(self, text: str, language: str) -> str:
        try:
            day = date.fromisoformat(text)
        except ValueError:  # none is known, and a dash stands for it
            return text
        return self.times(language, datetime.combine(day, time(), UTC)).dated(day)

    def _arrived_words(self, needs: dict[str, Any] | None, language: str) -> str:
        sex = (needs or {}).get("sex")
        return self._shown(_("She is here") if sex == "female" else _("He is here") if sex == "male" else _("Is here"), language)

    def _options(self, values: Sequence[object], group: str, language: str) -> list[tuple[str, str]]:
        return [(str(value), self._shown_word(value, group, language)) for value in values]

    def _places_of_here(self, visit: "Visit | None", language: str) -> list[tuple[str, str]]:
        own = visit.actor.facility if visit else None
        places = [(id_, one.name) for id_, one in self.here.entry.facilities.items() if own in (None, id_)]
        return places if own else [("", self.say(_("The whole agency"), language)), *places]

    def _languages_here(self, language: str) -> list[tuple[str, str]]:
        spoken = [tag for tag in self.here.programme.languages if tag != SOURCE]
        names = [(tag, named_in(language, tag)) for tag in (*spoken, SOURCE)]
        return [(tag, name[:1].upper() + name[1:]) for tag, name in names]  # in a list each stands alone

    def _ways(self, actor: Actor) -> Sequence[Way]:
        if self.here.kind not in SERVING:  # nobody there works on cases, a supervisor neither
            return WAYS[actor.role] if actor.role is Role.ADMINISTRATOR else self.look.ways
        own = self.look.supervises if actor.role is Role.SUPERVISOR else ()
        more = [way for ways in self.look.ways_here for way in ways(self.here, actor)]
        if has_registers(self.here.programme, self.here.agency, self.look.registers_apart):
            more.append(("/registers", _("Registers")))
        more += [PROTOCOLS_WAY] if self.here.overseers and actor.role is not Role.ADMINISTRATOR else []
        return (*((*WAYS[actor.role], *own) if actor.role in WAYS else self.look.ways), *more)

    def _banner(self, edge: Any) -> dict[str, bool] | None:
        is_historical = self.here.programme.status is Status.HISTORICAL_SIMULATION_ONLY
        if self.here.network.purpose == "production" and not is_historical:
            return None
        return {"is_trial": bool(edge.forgets), "is_historical": is_historical}

    def _facility(self, actor: Actor) -> Any:
        return self.here.entry.facilities.get(actor.facility) if actor.facility else None

    def _posts(self, actor: Actor) -> Sequence[str]:
        facility = self._facility(actor)
        return facility.posts if facility else ()

    def place(self, agency: str, facility: str | None) -> str:
        """The name of a place, or of its agency where the place is not known here."""
        found = self.here.network.facility(agency, facility) if facility else None
        return found.name if found else self.agency_name(agency)

    def place_of(self, agency: str, facility: str) -> Any:
        """A facility as the network file has it."""
        return self.here.network.facility(agency, facility)

    def agency_name(self, agency: str) -> str:
        """The name of an agency."""
        entry = self.here.network.agencies.get(agency)
        return entry.name if entry else agency


def marks(language: str) -> dict[str, str]:
    """The marks between a name and what is said of it, and between the parts of a list, as a language writes and spaces them:
    templates write these, because French puts a space that does not break before each, and Dari has a comma of its own."""
    say = catalogue(LOCALES, language).gettext
    return {"colon": say(_(": ")), "semicolon": say(_("; ")), "comma": comma(language)}


def opened_until(visit: "Visit | None", context: Mapping[str, Any]) -> datetime | None:
    """Until when the case that a page is about is open to whoever looks, beyond her desks; None where it is her desk's."""
    about = {"case": "id", "r": "case_id", "walk_in": "case_id"}
    ids: list[Any] = [getattr(context.get(name), attribute, None) for name, attribute in about.items()]  # supplies have none
    return next((visit.opened_until[id_] for id_ in ids if id_ in visit.opened_until), None) if visit else None


def kept_form(request: Request) -> Filled[Any]:
    """The form as it stood when its page was hidden, where the address asks for it: never unasked, it may be another person's."""
    kept: Kept | None = getattr(request.state, "kept", None)
    return Filled(kept.fields) if kept is not None and KEPT in request.query_params else Filled()


def short(id_: UUID) -> str:
    """A short name for eye and voice, as R-4K7P: the id's random end in an alphabet that is not misread."""
    number, text = id_.int & ((1 << 40) - 1), ""
    for _place in range(SHORT_CHARACTERS):
        number, digit = divmod(number, len(SHORT_ALPHABET))
        text += SHORT_ALPHABET[digit]
    return text


def as_date(text: str | None) -> date | None:
    """A date out of a line's detail."""
    return date.fromisoformat(text) if text else None


def hours_left(until: datetime | None, now: datetime) -> tuple[int, int] | None:
    """Whole hours and minutes until a time; None where it has passed or is not known. Never hours late."""
    if until is None or until <= now:
        return None
    minutes = int((until - now) / timedelta(minutes=1))
    return divmod(minutes, 60)


_DISC = '<circle cx="10" cy="10" r="8.7" fill="#fff" stroke="#0b0c0c" stroke-width="1.8"/>'
_PHONE = "M5 1.5 8 2l1 4-2 1.6c.9 2.2 2.5 4 4.8 5.2L13.5 11l4 1.2.5 3.3c-1 2-3 2.5-5 2C7 16 3 11 2.5 6c-.2-2 .5-3.5 2.5-4.5Z"
ICONS = {  # 20 px, drawn for this project
    "alarm": '<path d="M10 1 19.5 18.5H.5Z"/><path fill="#fff" d="M9 7h2v6H9zm0 7.5h2v2H9z"/>',
    "done": '<circle cx="10" cy="10" r="9.5"/><path fill="none" stroke="#fff" stroke-width="2.2" d="m5.5 10.2 3 3 6-6.4"/>',
    "next": _DISC + '<path fill="none" stroke="#0b0c0c" stroke-width="1.8" d="M5 10h9M10.5 6l4 4-4 4"/>',
    "open": '<circle cx="10" cy="10" r="8.5" fill="none" stroke="#6b747c" stroke-width="1.8" stroke-dasharray="3.4 2.4"/>',
    "clock": _DISC + '<path fill="none" stroke="#0b0c0c" stroke-width="1.8" d="M10 4.500V10l3 2"/>',
    "phone": f'<path d="{_PHONE}"/>',
    "check": '<path fill="none" stroke="currentColor" stroke-width="2.4" d="m3 10.5 4.5 4.5L17 5"/>',
}


def icon(name: str, size: int = 20) -> Markup:
    """An icon beside a word; it says nothing by itself."""
    box = f'width="{size}" height="{size}" viewBox="0 0 20 20" aria-hidden="true" focusable="false"'
    return Markup(f'<svg class="app-icon app-icon--{name}" {box}>{ICONS[name]}</svg>')  # noqa: S704 — our own constants


def ltr(number: object) -> Markup:
    """A code, phone, case or sheet number as every page shows it: its groups stand from left to right in every language."""
    return Markup('<bdi class="app-code" dir="ltr">{}</bdi>').format(number)


GLOBALS = {"icon": icon, "ltr": ltr}  # what templates draw with; macros that are imported see it too
