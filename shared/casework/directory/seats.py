"""Seats of workers whom another agency has posted under this one's roof: which there are, and where to go instead of an empty one.

Whether somebody sits there is reported by the place itself, day by day, and never assumed; what is kept of it is that agency's own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.casework.directory.places import Place
from shared.casework.here import Here
from shared.contracts.casework.codes import ServicePackage
from shared.programmes.profile import Programme
from shared.programmes.rules import answers
from shared.programmes.situation import Message, Situation
from shared.programmes.terms import Act

UNDER_ONE_ROOF_KM = 0.0


@dataclass(frozen=True, slots=True)
class SeatsNow:
    """The seats of one place today: which were reported empty, and of which nobody has said anything."""

    absent: frozenset[str] = frozenset()
    unsaid: frozenset[str] = frozenset()


NO_SEATS = SeatsNow()


@dataclass(frozen=True, slots=True)
class Instead:
    """An empty seat, and the kinds of facility that the programme proposes instead."""

    staff: str
    to_kinds: tuple[str, ...]


def seats_at(programme: Programme, kind: str | None) -> dict[str, tuple[str, ...]]:
    """Staff of other agencies whose seat is under the roof of a kind of facility, each with the kinds that the seat is."""
    own = programme.facilities.get(kind or "")
    found: dict[str, tuple[str, ...]] = {}
    for id_, other in programme.facilities.items():
        if own is not None and other.colocated_with == kind and other.agency != own.agency:
            for staff in other.staff:
                if programme.staff[staff].is_seconded:
                    found[staff] = (*found.get(staff, ()), id_)
    return found


def instead_of(
    programme: Programme, kind: str | None, now: SeatsNow, packages: Iterable[ServicePackage], at: datetime
) -> Sequence[Instead]:
    """What the programme's rules propose for the seats that are empty. It is proposed and nothing more: the desk asks and sends."""
    situation = Situation(act=Act.REFER, now=at, facility_kind=kind, packages=frozenset(packages), absent=now.absent)
    said = [one for one in answers(programme, situation) if one.message is Message.SEAT_ABSENT]
    return [Instead(one.missing[0], one.to_kinds) for one in said]


def by_seats(here: Here, found: list[Place], desk: str | None, instead: Sequence[Instead]) -> list[Place]:
    """The same places, those that are proposed before an empty seat first, and an empty seat last: nothing is taken away."""
    if not instead:
        return found
    kinds = seats_at(here.programme, here.kind_of_place(desk))
    empty = {kind for one in instead for kind in kinds.get(one.staff, ())}
    proposed = {kind for one in instead for kind in one.to_kinds}

    def turn(place: Place) -> int:
        if place.facility.kind in empty and is_under_this_roof(place):
            return 2
        return 0 if place.facility.kind in proposed else 1

    return sorted(found, key=lambda place: (not place.is_open, not place.path.takes_now, turn(place)))


def is_under_this_roof(place: Place) -> bool:
    """Whether there is no way to go."""
    return place.journey is not None and place.journey.km == UNDER_ONE_ROOF_KM
