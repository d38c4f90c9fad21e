"""Whether an agreement of the programme covers what is asked of a partner on a day; where none does, why. Pure rules.

A partner for which the programme names no agreement is not narrowed by one. Nothing here ends anything: an agreement that is over
stops new requests, and what is open goes on until a person decides.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from shared.contracts.casework.codes import ServicePackage
from shared.programmes.places import Agreement

ENDS_SOON = timedelta(days=30)  # from then on the partner's post and a supervisor's are told (the ministry's own time to renew one)


class Standing(StrEnum):
    """Where an agreement stands on a day."""

    NOT_YET = "not_yet"
    IN_FORCE = "in_force"
    ENDS_SOON = "ends_soon"
    ENDED = "ended"


class Why(StrEnum):
    """Why what is asked is not covered; the first of these that is so, of the agreement that comes nearest."""

    ENDED = "ended"
    NOT_YET = "not_yet"
    SERVICE = "service"  # not among its services
    PLACE = "place"  # among the facilities of none
    AGENCY = "agency"  # signed with others


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: by which agency, of which partner and its facility (with its kind), for what, on which day."""

    by: str
    partner: str
    facility: str
    facility_kind: str | None
    services: frozenset[ServicePackage]
    on: date


@dataclass(frozen=True, slots=True)
class Uncovered:
    """Services that no agreement covers, and why. `day`: when the nearest one ended, or begins."""

    why: Why
    services: tuple[ServicePackage, ...]
    day: date | None = None


def standing(agreement: Agreement, on: date) -> Standing:
    """Where an agreement stands; it holds on its first and on its last day."""
    if on < agreement.begins_on:
        return Standing.NOT_YET
    if agreement.ends_on is None:
        return Standing.IN_FORCE
    if on > agreement.ends_on:
        return Standing.ENDED
    return Standing.ENDS_SOON if agreement.ends_on - on <= ENDS_SOON else Standing.IN_FORCE


def is_named(agreement: Agreement, facility: str, kind: str | None) -> bool:
    """Whether it covers a facility of the partner."""
    return not agreement.facilities or facility in agreement.facilities or kind in agreement.facilities


def uncovered(agreements: Mapping[str, Agreement], asked: Asked) -> Uncovered | None:
    """What of it no agreement covers; None where all is covered, or the programme names no agreement with this partner."""
    own = [one for one in agreements.values() if one.partner == asked.partner]
    if not own:
        return None
    holds = [one for one in own if _is_between(one, asked) and standing(one, asked.on) not in (Standing.NOT_YET, Standing.ENDED)]
    covered = {service for one in holds for service in one.services}
    missing = tuple(sorted(asked.services - covered))
    return _why(own, asked, missing) if missing else None


def _is_between(agreement: Agreement, asked: Asked) -> bool:
    return asked.by in agreement.signed_with and is_named(agreement, asked.facility, asked.facility_kind)


def _why(own: Sequence[Agreement], asked: Asked, missing: tuple[ServicePackage, ...]) -> Uncovered:
    fitting = [one for one in own if _is_between(one, asked)]
    of_service = [one for one in fitting if set(missing) & set(one.services)]
    if ended := _days(one.ends_on for one in of_service if standing(one, asked.on) is Standing.ENDED):
        return Uncovered(Why.ENDED, missing, max(ended))
    if begins := _days(one.begins_on for one in of_service if standing(one, asked.on) is Standing.NOT_YET):
        return Uncovered(Why.NOT_YET, missing, min(begins))
    if fitting:
        return Uncovered(Why.SERVICE, missing)
    named = any(is_named(one, asked.facility, asked.facility_kind) for one in own)
    return Uncovered(Why.AGENCY if named else Why.PLACE, missing)


def _days(found: Iterable[date | None]) -> list[date]:
    return [day for day in found if day is not None]
