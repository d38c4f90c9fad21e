"""A network made from a programme, for simulations, demos and tests: its kinds of facility as often as it counts them, named where
it names them, spread over its districts, and a pair wherever a pathway leads from one agency to another.

What is made here is made up, and says so by its purpose; a real network is written by those who run it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from shared.casework.directory.network import Network, parse_network, shows_area_only
from shared.contracts.casework.codes import AgencyKind, FacilityMode
from shared.kit.errors import RefnetError
from shared.programmes.places import FacilityKind, FacilityStatus
from shared.programmes.profile import MADE_UP, Programme

ANYWHERE = "district"  # where a programme names no district
KIND_IN_ID_MAX = 34  # characters of a kind within a facility's id, which has 40 and ends in a number
NAME_MAX = 120
OVERSIGHT_OFFICE, OVERSIGHT_POSTS, OVERSIGHT_HOURS = "national_office", ("protocol_officer", "director"), "08:00-17:00"  # made up
UNDER_ONE_ROOF = {"km": 0, "minutes": 0}


@dataclass(frozen=True, slots=True)
class _Made:
    id: str
    agency: str
    kind: str
    fields: dict[str, Any]


def network_of(programme: Programme, purpose: str = "simulation", only: Collection[AgencyKind] = tuple(AgencyKind)) -> Network:
    """The network, of these kinds of agency; raises RefnetError where the programme makes none, or where people are real."""
    if purpose not in MADE_UP:
        raise RefnetError(f"A network that is made from a programme is for {', '.join(sorted(MADE_UP))}; write a real one by hand.")
    made = [one for one in _facilities(programme) if programme.agencies[one.agency].kind in only]
    with_places = list(dict.fromkeys(one.agency for one in made))
    pairs = _pairs(programme, frozenset(with_places))
    watching = [id_ for id_, one in programme.agencies.items() if one.kind is AgencyKind.OVERSIGHT and one.kind in only]
    watching = watching if pairs else []
    if not watching:  # whoever has nobody to speak to has no line, and no agency of its own is started for it
        with_places = [id_ for id_ in with_places if any(id_ in pair for pair in pairs)]
    if not pairs:
        raise RefnetError(
            f"Programme '{programme.id}' has no pathway from one agency to another, so there is no network to make; add `pathways`."
        )
    first = programme.languages[0]
    shown = frozenset(one.id for one in made if not _is_shelter(one, programme))
    agencies: dict[str, Any] = {
        id_: {"kind": str(programme.agencies[id_].kind), "name": programme.agencies[id_].name.in_(first, "en")[:NAME_MAX],
              "facilities": _complete([one for one in made if one.agency == id_], shown, programme)}
        for id_ in with_places
    }  # fmt: skip
    districts = list(programme.districts) or [ANYWHERE]
    for id_ in (one for one in watching if one not in agencies):  # it serves nobody, so no programme counts its places
        name = programme.agencies[id_].name.in_(first, "en")[:NAME_MAX]
        office = {"name": name, "district": districts[0], "posts": [*OVERSIGHT_POSTS], "open_hours": OVERSIGHT_HOURS}
        agencies[id_] = {"kind": str(AgencyKind.OVERSIGHT), "name": name, "facilities": {OVERSIGHT_OFFICE: office}}
    for id_, entry in agencies.items():
        if (mother := _mother(programme, id_, pairs)) is not None:
            entry["mother"] = mother
    pairs = sorted([*pairs, *(sorted((id_, other)) for id_ in watching for other in with_places if other not in watching)])
    content = {"purpose": purpose, "programme": programme.id, "agencies": agencies, "pairs": pairs}
    return parse_network(content, f"of programme '{programme.id}'")


def _is_usually_offline(programme: Programme, agency: str) -> bool:
    own = [kind for kind in programme.facilities.values() if kind.agency == agency]
    return bool(own) and all(kind.sync_within_h is not None for kind in own)


def _mother(programme: Programme, agency: str, pairs: list[list[str]]) -> str | None:
    """Who looks after an agency all of whose places are usually offline: the police with a line that it has a pathway to."""
    if programme.agencies[agency].kind is not AgencyKind.POLICE or not _is_usually_offline(programme, agency):
        return None
    beside = [other for pair in pairs if agency in pair for other in pair if other != agency]
    police = [other for other in beside if programme.agencies[other].kind is AgencyKind.POLICE]
    return next((other for other in police if not _is_usually_offline(programme, other)), None)


def _pairs(programme: Programme, there: frozenset[str]) -> list[list[str]]:
    agency = {kind: one.agency for kind, one in programme.facilities.items()}
    ways = {
        frozenset((agency[start], agency[end]))
        for way in programme.pathways.values() for start in way.from_ for end in way.to if agency[start] != agency[end]
    }  # fmt: skip
    return sorted(sorted(pair) for pair in ways if pair <= there)


def _facilities(programme: Programme) -> Iterator[_Made]:
    """The named ones of each kind, then as many as lack. What is planned stands in the directory; what is past is left out."""
    districts = list(programme.districts) or [ANYWHERE]
    named = {place.district for place in programme.places.values()}
    where: dict[str, list[tuple[str, str]]] = defaultdict(list)  # each kind's facilities and their districts, in their order
    taken = set(programme.places)
    # What shares a roof comes after what it shares it with, and what is open before what is not: an agency's first place works.
    order = {
        id_: (one.status is not FacilityStatus.OPEN, one.colocated_with is not None) for id_, one in programme.facilities.items()
    }
    for id_, kind in sorted(programme.facilities.items(), key=lambda item: order[item[0]]):
        if kind.status is FacilityStatus.PAST:
            continue
        own = [name for name, place in programme.places.items() if place.kind == id_]
        for name in own:
            where[id_].append((name, programme.places[name].district))
            yield _Made(name, kind.agency, id_, _named(programme, kind, name))
        beside = where.get(kind.colocated_with or "", [])
        rest = sorted(districts, key=lambda district: (district in named, districts.index(district)))
        for number in range(len(own), kind.count):
            roof, district = beside[number] if number < len(beside) else (None, rest[number % len(rest)])
            name = _free(id_, number + 1, taken)
            where[id_].append((name, district))
            fields = _numbered(programme, kind, district, number + 1)
            if roof is not None and programme.facilities[str(kind.colocated_with)].agency != kind.agency:
                fields["journeys"] = {roof: UNDER_ONE_ROOF}
            elif roof is not None:
                fields["at"] = roof
            yield _Made(name, kind.agency, id_, fields)


def _free(kind: str, number: int, taken: set[str]) -> str:
    name = f"{kind[:KIND_IN_ID_MAX]}_{number}"
    while name in taken:
        name = f"{kind[:KIND_IN_ID_MAX]}_{(number := number + 1)}"
    taken.add(name)
    return name


def _common(programme: Programme, kind: FacilityKind) -> dict[str, Any]:
    named = next(id_ for id_, one in programme.facilities.items() if one is kind)
    return {
        "kind": named,
        "services": [str(package) for package in kind.services], "posts": list(kind.posts), "open_hours": kind.open_hours,
        "open_days": [str(day) for day in kind.open_days],
        "mode": str(kind.mode), "places": kind.places, "is_planned": kind.status is FacilityStatus.PLANNED,
    }  # fmt: skip


def _named(programme: Programme, kind: FacilityKind, name: str) -> dict[str, Any]:
    place = programme.places[name]
    journeys = {start: {"km": way.km, "minutes": round(way.minutes)} for start, way in place.journeys.items()}
    return {
        **_common(programme, kind), "name": place.name.in_(programme.languages[0], "en")[:NAME_MAX], "district": place.district,
        "mode": str(programme.mode_of(name)), "open_hours": place.open_hours or kind.open_hours,
        "open_days": [str(day) for day in place.open_days or kind.open_days],
        "duty_number": place.duty_number, "journeys": journeys,
    }  # fmt: skip


def _numbered(programme: Programme, kind: FacilityKind, district: str, number: int) -> dict[str, Any]:
    first = programme.languages[0]
    where = f", {programme.districts[district].in_(first, 'en')}" if district in programme.districts else ""
    count = f" {number}" if kind.count > 1 else ""
    return {**_common(programme, kind), "name": f"{kind.name.in_(first, 'en')}{count}{where}"[:NAME_MAX], "district": district}


def _is_shelter(one: _Made, programme: Programme) -> bool:
    return shows_area_only(programme.agencies[one.agency].kind, programme.facilities[one.kind].services)


def _complete(made: list[_Made], there: frozenset[str], programme: Programme) -> dict[str, Any]:
    """Each facility with the ways to it; on paper or by phone also with a desk that writes for it, of the kind that the programme
    says, and near where one is."""
    online = [one for one in made if one.fields["mode"] == FacilityMode.ONLINE and not one.fields["is_planned"]]
    for one in made:
        ways = one.fields.get("journeys", {}) if one.id in there else {}  # of a shelter nothing but its area is told
        one.fields["journeys"] = {start: way for start, way in ways.items() if start in there}
        if one.fields["mode"] != FacilityMode.ONLINE:
            wanted = programme.facilities[one.kind].hub
            fitting = sorted(
                online, key=lambda hub: (hub.kind != (wanted or one.kind), hub.fields["district"] != one.fields["district"])
            )
            one.fields["hub"] = fitting[0].id if fitting else None
    return {one.id: one.fields for one in made}
