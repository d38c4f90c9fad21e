"""How far a protocol is adopted: which places have confirmed its newest version, which are in time still, and which are overdue."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

Place = tuple[str, str]  # agency, facility


class Standing(StrEnum):
    """Whether a place has confirmed a version."""

    CONFIRMED = "confirmed"
    WAITED_FOR = "waited_for"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a place has said: as which post, on which day, and of which text."""

    post: str
    on: date
    digest: str


@dataclass(frozen=True, slots=True)
class Line:
    """One place. `is_other_text`: what it confirmed is another text than was published, so it has confirmed nothing."""

    place: Place
    standing: Standing
    confirmed: Confirmed | None
    is_other_text: bool = False


def adoption(places: list[Place], confirmed: Mapping[Place, Confirmed], digest: str, adopt_by: date, today: date) -> list[Line]:
    """Every place in the order in which they are given: nothing is ranked."""
    found = []
    for place in places:
        said = confirmed.get(place)
        is_other = said is not None and said.digest != digest
        if said is not None and not is_other:
            standing = Standing.CONFIRMED
        else:
            standing = Standing.OVERDUE if today > adopt_by else Standing.WAITED_FOR
        found.append(Line(place, standing, said, is_other))
    return found
