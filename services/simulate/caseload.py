"""A synthetic caseload: who came where and when, drawn from a seed. A pure function of what is given; it is given no indicator
and no expected figure, so that none can steer it.

How many come to each place in each year are the numbers of the programme's `replay`. Everything else is made up here: days, ages,
hours since, what she agrees to, who answers late, who comes, who is written down on paper, who comes again. Shares are assumptions
about what desks see, chosen so that every path is walked; no report gives them.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shared.casework.agreements.domain import Asked, uncovered
from shared.casework.directory.network import Network
from shared.contracts.casework.codes import CHILD_BANDS, AgeBand, AgencyKind, IncidentType, ServicePackage, Sex
from shared.kit.errors import RefnetError
from shared.programmes.indicators import REPLAYED, Measure, Series
from shared.programmes.places import Hotline
from shared.programmes.profile import Programme
from shared.programmes.vocabulary import AgeRoutesTo, RouteBy, StayLimit

REPORTS = (Measure.REPORTS_SEXUAL_VIOLENCE, Measure.REPORTS)  # of which a replay has one
SEXUAL = (IncidentType.RAPE, IncidentType.SEXUAL_ASSAULT)
OTHER = (IncidentType.PHYSICAL_ASSAULT, IncidentType.PSYCHOLOGICAL_ABUSE, IncidentType.DENIAL_OF_RESOURCES)
AGES = {  # most who come are children and young women (practice guide, P8)
    AgeBand.A0_9: 14, AgeBand.A10_14: 26, AgeBand.A15_17: 24, AgeBand.A18_24: 16, AgeBand.A25_49: 17, AgeBand.A50: 3,
}  # fmt: skip
OF_AGE_FOR_A_DOSE = tuple(age for age in AGES if age is not AgeBand.A0_9)
FIRST_DAY, LAST_DAY = 2, 350  # of a year: what began is answered within it
DESK_HOURS = (7, 9, 9, 11, 14, 14, 16, 20)  # at which people come
STEP_MIN = 30  # a replay's clock goes on in half hours: what happens in one of them happens together, as at busy desks
IN_TIME_H, LATE_H = (1, 110), (122, 700)  # from the incident; nobody stands on the limit itself, which tests ask to the second
LONG_TERM = (  # what a partner is asked for where she has a roof: the last of these that it offers
    ServicePackage.LEGAL_AID,
    ServicePackage.PSYCHOSOCIAL,
    ServicePackage.MENTAL_HEALTH_CARE,
    ServicePackage.REINTEGRATION,
)
CHILDREN_WITH_HER = (AgeBand.A0_9, AgeBand.A10_14)
DAY_H = 24
PLAN_FROM_H = 18  # of a stay: nobody decides where to on the first evening
BEFORE_H = 12  # before a day that is a limit: partners answer within hours
TOURS_IN = ((10, 160), (190, 340))  # days of a year between which a mobile unit leaves: once in each half
LEAVES_AT = time(6, 0)
WITHOUT_A_LINE = timedelta(hours=40)  # of a tour (domain guide, 4.6): it is back on the second evening
TOUR_H = (3, 5, 8, 11, 13, 27, 29, 32, 35)  # after it has left: in the hours of two days at which somebody comes to it
TOUR_REPORTS = (3, 5)
TOURS_FROM = 90_000  # of a year's numbers: beyond those of its desks, which are thousands
NEXT_H = 24  # from a plan until she leaves, at the least: time to find another place where the first one falls


@dataclass(frozen=True, slots=True)
class Ground:
    """What a caseload is drawn upon: the numbers of the replay, and the network's places by their kinds."""

    programme: str
    time_zone: str
    languages: tuple[str, ...]
    series: Mapping[str, Series]
    places: Mapping[str, tuple[str, ...]]  # by kind, in their order
    district_of: Mapping[str, str]
    clinics: tuple[str, ...]  # that offer care
    for_ages: Mapping[AgeBand, tuple[str, ...]]  # ages that go straight to some of them
    others_come_to: tuple[str, ...] = ()  # desks that no series counts
    channels: tuple[str, ...] = ()  # of the hotline; none: there is none
    desks: tuple[str, ...] = ()  # where its calls go
    stay_days: tuple[int, int] | None = None  # until where to afterwards is to be agreed, and of a stay; None: nobody stays
    partners: Mapping[ServicePackage, tuple[str, ...]] = field(default_factory=dict)  # their places, as far as agreements go
    units: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # places of each agency that is a mobile unit
    legal_aid: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by kind of desk: partners' places that it may ask


@dataclass(frozen=True, slots=True)
class Stay:
    """Somebody who stays at a centre. `where` is the stay register's word; spans are from her coming, and nights in hospital come
    on top of them. Partners are `asked` for `service` one after the other, each with her yes: all but the last have no place."""

    with_her: tuple[AgeBand, ...]
    where: str
    service: ServicePackage
    asked: tuple[str, ...]
    planned_after: timedelta
    leaves_after: timedelta
    nights: int = 0  # in hospital
    falls: bool = False  # the first partner accepts and then has no place after all: a supervisor extends, another is found


@dataclass(frozen=True, slots=True)
class Report:
    """Somebody who comes to a desk. `clinic` None: she says no to care; `comes_after` None: she does not arrive there."""

    number: int
    place: str
    came_at: datetime
    age: AgeBand
    sex: Sex
    language: str
    incident: IncidentType
    hours_since: int
    clinic: str | None
    dose: bool
    dose_declined: bool = False
    to_welfare: bool = False
    legal_aid: str | None = None  # the partner's place that she wants it of
    has_safe_adult: bool = True
    is_told_back: bool = True
    tells_back_at_clinic: bool = True
    has_card: bool = True
    is_redirected: bool = False
    seen_after: timedelta = timedelta(minutes=STEP_MIN)
    comes_after: timedelta | None = timedelta(minutes=2 * STEP_MIN)
    is_on_paper: bool = False  # the clinic writes it down, and enters it the next morning
    complains: bool = True
    withdraws_after: timedelta | None = None
    is_pressed: bool = False
    takes_back_after: timedelta | None = None
    again_after: timedelta | None = None  # it happens again while the first is open
    by_call: bool = False  # her call opened the case, where one waits at the desk
    is_beyond: bool = False  # at a desk that no series counts
    stay: Stay | None = None
    hand_over_share: float = 0.0  # of the time within which a complaint is to be handed over

    @property
    def is_sexual(self) -> bool:
        """Whether it is sexual violence."""
        return self.incident in SEXUAL

    @property
    def is_child(self) -> bool:
        """Whether she is a child."""
        return self.age in CHILD_BANDS


@dataclass(frozen=True, slots=True)
class LineCall:
    """A call or message to the hotline. `again_of` is the number of the call that it repeats."""

    number: int
    came_at: datetime
    what: str
    channel: str
    district: str | None
    language: str
    need: ServicePackage | None
    is_child: bool = False
    needs_vehicle: bool = False
    may_call_back: bool = False
    seen_after: timedelta = timedelta(minutes=5)
    again_of: int | None = None


@dataclass(frozen=True, slots=True)
class Tour:
    """A mobile unit is away, for WITHOUT_A_LINE, and somebody comes to it; no series counts them."""

    agency: str
    begins_at: datetime
    reports: tuple[Report, ...]


@dataclass(frozen=True, slots=True)
class Caseload:
    """Everybody who comes and calls, in order of time."""

    years: tuple[int, ...]
    reports: tuple[Report, ...]
    calls: tuple[LineCall, ...]
    tours: tuple[Tour, ...] = ()


def ground_of(programme: Programme, network: Network) -> Ground:
    """What of a programme and its network a caseload is drawn upon. Indicators and what is expected of them are not among it."""
    places: dict[str, list[str]] = {}
    district_of, clinics = {}, []
    for entry in network.agencies.values():
        for id_, place in entry.facilities.items():
            if place.is_planned:
                continue
            places.setdefault(place.kind or "", []).append(id_)
            district_of[id_] = place.district
            if entry.kind is AgencyKind.HEALTH and ServicePackage.ACUTE_CARE in place.services:
                clinics.append(id_)
    by_age = {
        age: tuple(id_ for kind in rule.to for id_ in places.get(kind, ()))
        for rule in programme.rules.values() if isinstance(rule, AgeRoutesTo) for age in rule.ages
    }  # fmt: skip
    replayed = {
        programme.facilities[one.kind].agency for one in programme.replay.values()
    }  # police of another country have another
    specialists = [
        id_ for id_, kind in programme.facilities.items() if kind.is_specialist and id_ in places and kind.agency in replayed
    ]
    counted = {one.kind for one in programme.replay.values()}
    to = next((rule.to for rule in programme.rules.values() if isinstance(rule, RouteBy)), ())
    limit = next((rule for rule in programme.rules.values() if isinstance(rule, StayLimit)), None)
    return Ground(
        programme.id, programme.time_zone, programme.languages, programme.replay, {k: tuple(v) for k, v in places.items()},
        district_of, tuple(clinics), {age: found for age, found in by_age.items() if found},
        tuple(id_ for kind in specialists if kind not in counted for id_ in places[kind]),
        _channels(programme.hotline), tuple(id_ for kind in to for id_ in places.get(kind, ())),
        (limit.plan_by_days, limit.days) if limit else None, _partners(programme, network), _units(network),
        _legal_aid(programme, network),
    )  # fmt: skip


def _partners(programme: Programme, network: Network) -> Mapping[ServicePackage, tuple[str, ...]]:
    """The places of partners that the police may ask for each service from the first day of the replay on."""
    years = [year for one in programme.replay.values() for year in one.numbers]
    police = next((id_ for id_, entry in network.agencies.items() if entry.kind is AgencyKind.POLICE), None)
    found: dict[ServicePackage, list[str]] = {}
    for agency, entry in network.agencies.items():
        if entry.kind is not AgencyKind.PARTNER or police is None or not years:
            continue
        for id_, place in entry.facilities.items():
            for service in place.services:
                asked = Asked(police, agency, id_, place.kind, frozenset({service}), date(min(years), 1, 1))
                if uncovered(programme.agreements, asked) is None:
                    found.setdefault(service, []).append(id_)
    return {service: tuple(ids) for service, ids in found.items()}


def _legal_aid(programme: Programme, network: Network) -> Mapping[str, tuple[str, ...]]:
    """By kind of desk, the places of partners that a pathway leads to from there for legal aid."""
    covered = _partners(programme, network).get(ServicePackage.LEGAL_AID, ())
    kinds = {id_: place.kind for entry in network.agencies.values() for id_, place in entry.facilities.items()}
    found: dict[str, list[str]] = {}
    for way in programme.pathways.values():
        if ServicePackage.LEGAL_AID in way.packages:
            for kind in way.from_:
                found.setdefault(kind, []).extend(id_ for id_ in covered if kinds[id_] in way.to)
    return {kind: tuple(places) for kind, places in found.items() if places}


def _units(network: Network) -> Mapping[str, tuple[str, ...]]:
    """Agencies that are usually offline, because another looks after them."""
    return {id_: tuple(entry.facilities) for id_, entry in network.agencies.items() if entry.mother is not None}


def _channels(hotline: Hotline | None) -> tuple[str, ...]:
    return tuple(map(str, hotline.channels)) if hotline else ()


def years_of(ground: Ground, most: int | None = None) -> tuple[int, ...]:
    """The years that are replayed; only the first `most` of them where that is said."""
    return tuple(sorted({year for one in ground.series.values() for year in one.numbers}))[:most]


def draw(ground: Ground, seed: int, most_years: int | None = None) -> Caseload:
    """The caseload of a seed; raises RefnetError where the numbers of the replay do not fit each other or the places."""
    _check(ground)
    years = years_of(ground, most_years)
    reports = [one for year in years for one in _reports_of(ground, seed, year)]
    calls = [one for year in years for one in _calls_of(ground, seed, year)]
    in_order = sorted(reports, key=lambda one: (one.came_at, one.number))
    tours = tuple(one for year in years for one in _tours_of(ground, seed, year))
    return Caseload(years, tuple(in_order), tuple(sorted(calls, key=lambda one: (one.came_at, one.number))), tours)


def number_of(ground: Ground, measure: Measure, year: int, place: str) -> int | None:
    """How many the replay has of something at a place in a year; None where it says nothing of it."""
    found = None
    for one in ground.series.values():
        places = ground.places.get(one.kind, ())
        if one.measure is measure and place in places and year in one.numbers:
            found = (found or 0) + one.numbers[year][places.index(place)]
    return found


def _check(ground: Ground) -> None:
    if not ground.series:
        raise RefnetError(f"Programme '{ground.programme}' has no `replay`, so there is nothing to simulate; add its numbers.")
    for name, one in ground.series.items():
        places = ground.places.get(one.kind, ())
        if one.measure not in REPLAYED:
            raise RefnetError(
                f"The replay's series '{name}' counts {one.measure}; what can be replayed is {', '.join(sorted(REPLAYED))}."
            )
        _check_needed(ground, name, one.measure)
        for year, numbers in one.numbers.items():
            if len(numbers) != len(places):
                raise RefnetError(
                    f"The replay's series '{name}' has {len(numbers)} numbers for {year}, and there are {len(places)} places of "
                    f"kind {one.kind}; write one for each."
                )
    for one in ground.series.values():
        for year in one.numbers:
            for place in ground.places[one.kind]:
                _check_place(ground, year, place)


def _check_needed(ground: Ground, name: str, measure: Measure) -> None:
    if measure is Measure.CALLS and not ground.channels:
        raise RefnetError(f"The replay's series '{name}' counts calls, and the programme has no hotline.")
    if measure is Measure.STAYS and (ground.stay_days is None or not 1 < ground.stay_days[0] < ground.stay_days[1]):
        raise RefnetError(
            f"The replay's series '{name}' counts stays; that needs a rule `stay_limit` with a plan by the second day or later, "
            "and a limit after it."
        )


def _check_place(ground: Ground, year: int, place: str) -> None:
    came = sum(number_of(ground, measure, year, place) or 0 for measure in REPORTS)
    for measure in (Measure.CASES_REFERRED_TO_HEALTH, Measure.DOSES, Measure.STAYS):
        if (number_of(ground, measure, year, place) or 0) > came:
            raise RefnetError(f"The replay has more {measure} than reports at {place} in {year}; correct its numbers.")


# --- who comes to a desk -------------------------------------------------------------------------------------------------------


def _chance(ground: Ground, seed: int, *about: object) -> random.Random:
    """A stream of chance of its own: a place that is added changes nothing at the others."""
    return random.Random(":".join(map(str, (ground.programme, seed, *about))))  # noqa: S311 — nobody's secret


def _reports_of(ground: Ground, seed: int, year: int) -> list[Report]:
    found: list[Report] = []
    kinds = list(dict.fromkeys(one.kind for one in ground.series.values() if one.measure in REPORTS))
    for place in [place for kind in kinds for place in ground.places[kind]]:
        chance = _chance(ground, seed, "reports", year, place)
        sexual = number_of(ground, Measure.REPORTS_SEXUAL_VIOLENCE, year, place) or 0
        of_any_kind = number_of(ground, Measure.REPORTS, year, place) or 0
        count = sexual + of_any_kind
        with_dose = set(chance.sample(range(count), number_of(ground, Measure.DOSES, year, place) or 0))
        referred = _referred(ground, chance, year, place, count)
        beds = _chance(ground, seed, "stays", year, place)
        staying = set(beds.sample(range(count), number_of(ground, Measure.STAYS, year, place) or 0))
        again = _again(chance, with_dose | staying, referred, count)
        stays: list[Stay] = []
        for turn in (turn for turn in range(count) if turn not in again):
            is_sexual = turn < sexual or turn in with_dose or chance.random() < 0.4
            one = _report(ground, chance, year, place, is_sexual=is_sexual, dose=turn in with_dose, cared=turn in referred)
            if turn in staying:
                stays.append(_stay(ground, beds, one, stays))
                one = replace(one, stay=stays[-1], sex=one.sex if one.is_child else Sex.FEMALE)  # a house for women and children
                if stays[-1].where == "family":  # nobody is planned home where no adult is safe
                    one = replace(one, has_safe_adult=True)
            found.append(replace(one, again_after=timedelta(hours=chance.randint(3, 20)) if turn in again.values() else None))
    for place in ground.others_come_to:  # so few that no figure of the programme hangs on them, and of no kind that it counts
        chance = _chance(ground, seed, "beyond", year, place)
        for _ in range(chance.randint(3, 6)):
            one = _report(ground, chance, year, place, is_sexual=False, dose=False, cared=chance.random() < 0.7)
            found.append(replace(one, is_beyond=True))
    shares, law = _chance(ground, seed, "hand-overs", year), _chance(ground, seed, "legal aid", year)
    lawyers = {place: ground.legal_aid[kind] for kind in ground.legal_aid for place in ground.places.get(kind, ())}
    return [
        replace(
            one, number=year * 100_000 + turn, hand_over_share=shares.random(),
            legal_aid=law.choice(lawyers[one.place]) if one.place in lawyers and _wants_a_lawyer(law, one) else None,
        )
        for turn, one in enumerate(found)
    ]  # fmt: skip


def _wants_a_lawyer(law: random.Random, one: Report) -> bool:
    return law.random() < 0.5 and one.stay is None  # partners of whoever stays are asked in the stay


def _referred(ground: Ground, chance: random.Random, year: int, place: str, count: int) -> AbstractSet[int]:
    told = number_of(ground, Measure.CASES_REFERRED_TO_HEALTH, year, place)
    if told is not None:
        return set(chance.sample(range(count), told))
    return {turn for turn in range(count) if chance.random() < 0.85}


def _again(chance: random.Random, with_dose: AbstractSet[int], referred: AbstractSet[int], count: int) -> dict[int, int]:
    """Which report is of somebody who came before, and of whom: it happened again while the first was open. It is one of the
    number all the same, because a report is of an incident; at most one a place and year, of whoever was sent to care."""
    others = [turn for turn in range(count) if turn not in with_dose and turn not in referred]
    if not others or not referred or chance.random() < 0.4:
        return {}
    return {chance.choice(others): chance.choice(sorted(referred))}


def _report(ground: Ground, chance: random.Random, year: int, place: str, *, is_sexual: bool, dose: bool, cared: bool) -> Report:
    age = _age(chance, OF_AGE_FOR_A_DOSE if dose else tuple(AGES))
    sex = Sex.MALE if not dose and chance.random() < 0.12 else Sex.FEMALE
    incident = chance.choices(SEXUAL if is_sexual else OTHER, (8, 2) if is_sexual else (6, 3, 1))[0]
    hours = chance.randint(*(IN_TIME_H if dose or chance.random() < 0.7 else LATE_H))
    may_have = is_sexual and not dose and sex is Sex.FEMALE and age in OF_AGE_FOR_A_DOSE and hours <= IN_TIME_H[1]
    clinic = _clinic(ground, chance, place, age) if cared else None
    complains = chance.random() < 0.7
    return Report(
        number=0, place=place, came_at=_moment(ground, chance, year), age=age, sex=sex, language=_language(ground, chance),
        incident=incident, hours_since=hours, clinic=clinic, dose=dose,
        dose_declined=may_have and chance.random() < 0.3,
        to_welfare=chance.random() < (0.5 if age in CHILD_BANDS else 0.25),
        has_safe_adult=chance.random() < 0.8, is_told_back=chance.random() < 0.8, tells_back_at_clinic=chance.random() < 0.9,
        has_card=chance.random() < 0.7, is_redirected=age not in ground.for_ages and chance.random() < 0.03,
        seen_after=timedelta(minutes=STEP_MIN * (1 if chance.random() < 0.9 else chance.randint(3, 20))),
        comes_after=_comes(chance), is_on_paper=chance.random() < 0.1, complains=complains,
        withdraws_after=timedelta(days=chance.randint(5, 60)) if complains and chance.random() < 0.2 else None,
        is_pressed=chance.random() < 0.4,
        takes_back_after=timedelta(days=chance.randint(1, 20)) if chance.random() < 0.02 else None,
        by_call=chance.random() < 0.5,
    )  # fmt: skip


def _age(chance: random.Random, among: Sequence[AgeBand]) -> AgeBand:
    return chance.choices(among, [AGES[one] for one in among])[0]


def _comes(chance: random.Random) -> timedelta | None:
    """Issued is not arrived: some never come, and most of those who do come at once."""
    if chance.random() < 0.12:
        return None
    return timedelta(minutes=STEP_MIN * (chance.randint(2, 4) if chance.random() < 0.85 else chance.randint(20, 66)))


def _clinic(ground: Ground, chance: random.Random, place: str, age: AgeBand) -> str:
    """A place of care: of those for her age where the programme names some; of her district, or at times another."""
    among = ground.for_ages.get(age) or ground.clinics
    near = tuple(id_ for id_ in among if ground.district_of[id_] == ground.district_of[place])
    return chance.choice(near if near and chance.random() < 0.8 else among)


def _language(ground: Ground, chance: random.Random) -> str:
    return chance.choices(ground.languages, [3, 5, *[1] * (len(ground.languages) - 2)][: len(ground.languages)])[0]


def _moment(ground: Ground, chance: random.Random, year: int) -> datetime:
    """Some moment of a year, on the clocks of its walls, as UTC."""
    day = date(year, 1, 1) + timedelta(days=chance.randint(FIRST_DAY, LAST_DAY) - 1)
    at = time(chance.choice(DESK_HOURS))
    return datetime.combine(day, at, ZoneInfo(ground.time_zone)).astimezone(UTC)


# --- who comes to a mobile unit ------------------------------------------------------------------------------------------------


def _tours_of(ground: Ground, seed: int, year: int) -> list[Tour]:
    """Tours of each unit in a year. Whoever comes first on each was raped or assaulted and wants care, so that each way is walked;
    everybody complains."""
    found: list[Tour] = []
    number = year * 100_000 + TOURS_FROM
    for agency, places in ground.units.items():
        chance = _chance(ground, seed, "tours", year, agency)
        for between in TOURS_IN:
            day = date(year, 1, 1) + timedelta(days=chance.randint(*between) - 1)
            leaves = datetime.combine(day, LEAVES_AT, ZoneInfo(ground.time_zone)).astimezone(UTC)
            reports: list[Report] = []
            for hours in sorted(chance.sample(TOUR_H, chance.randint(*TOUR_REPORTS))):
                is_sexual, cared = not reports or chance.random() < 0.4, not reports or chance.random() < 0.9
                one = _report(ground, chance, year, chance.choice(places), is_sexual=is_sexual, dose=False, cared=cared)
                reports.append(
                    replace(one, number=number, came_at=leaves + timedelta(hours=hours), is_beyond=True, to_welfare=False,
                            dose_declined=False, is_redirected=False, is_on_paper=False, by_call=False, complains=True,
                            withdraws_after=None, takes_back_after=None, hand_over_share=chance.random())
                )  # fmt: skip
                number += 1
            found.append(Tour(agency, leaves, tuple(reports)))
    return found


# --- who stays -----------------------------------------------------------------------------------------------------------------


def _stay(ground: Ground, chance: random.Random, one: Report, before: Sequence[Stay]) -> Stay:
    """A stay within what the programme's rule allows. The first two of a place and year walk the paths that are rare."""
    assert ground.stay_days is not None
    plan_by, days = ground.stay_days
    busy = Counter(place for stay in before for place in stay.asked)
    everyone = _by_turn(chance, sorted({place for places in ground.partners.values() for place in places}), busy)
    houses = [place for place in everyone if place in ground.partners.get(ServicePackage.SHELTER, ())]
    # Once one has fallen through, another does where it is a house's turn: else some partner is never asked.
    falls = len(houses) > 1 and (not any(stay.falls for stay in before) or (chance.random() < 0.1 and everyone[0] in houses))
    if houses and (falls or everyone[0] in houses):
        where, service, asked = "agency", ServicePackage.SHELTER, houses[: 2 if falls or chance.random() < 0.3 else 1]
    else:
        where = "family" if one.is_child or chance.random() < 0.6 else "own_choice"
        offers = {place: service for service in LONG_TERM for place in ground.partners.get(service, ())}
        asked = [place for place in everyone if place in offers][:1]
        service = offers[asked[0]] if asked else ServicePackage.SHELTER
    planned = chance.randint(PLAN_FROM_H, plan_by * DAY_H - BEFORE_H)
    leaves = chance.randint(planned + NEXT_H, days * DAY_H - BEFORE_H // 2)
    in_hospital = one.clinic is not None and (not any(stay.nights for stay in before) or chance.random() < 0.15)
    return Stay(
        tuple(chance.choice(CHILDREN_WITH_HER) for _ in range(0 if one.is_child else chance.choice((0, 0, 1, 2)))), where, service,
        tuple(asked), timedelta(hours=planned), timedelta(hours=leaves), nights=chance.randint(1, 2) if in_hospital else 0,
        falls=falls,
    )  # fmt: skip


def _by_turn(chance: random.Random, places: Sequence[str], busy: Mapping[str, int]) -> list[str]:
    """Whoever was asked least comes first; among equals chance decides."""
    return sorted(chance.sample(places, len(places)), key=lambda place: busy.get(place, 0))


# --- who calls -----------------------------------------------------------------------------------------------------------------


def _calls_of(ground: Ground, seed: int, year: int) -> list[LineCall]:
    found: list[LineCall] = []
    kinds = list(dict.fromkeys(one.kind for one in ground.series.values() if one.measure is Measure.CALLS))
    for place in [place for kind in kinds for place in ground.places[kind]]:
        chance = _chance(ground, seed, "calls", year, place)
        for _ in range(number_of(ground, Measure.CALLS, year, place) or 0):
            number = year * 100_000 + len(found)
            before = found[-1] if found and found[-1].district == ground.district_of[place] else None
            found.append(_call(ground, chance, year, place, number, before))
    return found


def _call(ground: Ground, chance: random.Random, year: int, place: str, number: int, before: LineCall | None) -> LineCall:
    if before is not None and before.what == "report" and before.again_of is None and chance.random() < 0.04:
        return replace(  # the same person, a little later, by the other way
            before, number=number, came_at=before.came_at + timedelta(minutes=STEP_MIN), channel=ground.channels[-1],
            again_of=before.number,
        )  # fmt: skip
    what = chance.choices(("report", "information", "cut", "wrong_number"), (72, 12, 8, 8))[0]
    needs = (ServicePackage.REPORT_TO_POLICE, ServicePackage.PROTECTION)
    is_late = chance.random() < 0.08
    return LineCall(
        number=number, came_at=_moment(ground, chance, year), what=what, channel=chance.choice(ground.channels),
        district=ground.district_of[place] if what != "wrong_number" else None,
        language=_language(ground, chance), need=chance.choice(needs) if what == "report" else None,
        is_child=what == "report" and chance.random() < 0.3, needs_vehicle=what == "report" and chance.random() < 0.3,
        may_call_back=what == "report" and chance.random() < 0.4,
        seen_after=timedelta(minutes=30 if is_late else chance.choice((5, 10))),
    )  # fmt: skip
