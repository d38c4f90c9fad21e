"""Who there is and where: agencies with their mandates, kinds of facility, named places, assets, readiness and the hotline."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from shared.contracts.casework.codes import FacilityMode, IncidentContext, IncidentType, ServicePackage
from shared.programmes.terms import (
    EVERY_DAY,
    OPEN_DAY_AND_NIGHT,
    Context,
    Count,
    CountryCode,
    Day,
    Hours,
    Id,
    Incident,
    KindOfAgency,
    Km,
    Language,
    Minutes,
    Mode,
    Named,
    OneOf,
    OpenDay,
    OpenHours,
    Package,
    Part,
    Phone,
    Seconds,
    Sourced,
    YesNo,
    said,
)


class Mandate(Sourced):
    """What an agency, or a kind of its facilities, is there for. A list that is left out is not known, and narrows nothing.

    A mandate never lets anybody be turned away: what lies outside it is handed on warmly (`mandate_transfer`).
    """

    incidents: tuple[Incident, ...] | None = None
    packages: tuple[Package, ...] | None = None
    contexts: tuple[Context, ...] | None = (
        None  # of the incident: one of them is enough; where nobody said one, nothing is narrowed
    )
    law: Named | None = None  # where it is written

    def takes(
        self, incident: IncidentType | None, packages: frozenset[ServicePackage] = frozenset(),
        contexts: frozenset[IncidentContext] = frozenset(),
    ) -> bool | None:  # fmt: skip
        """Whether it covers this; None where the mandate or the incident is not known."""
        said = contexts - {IncidentContext.CHILD_SEXUAL_ABUSE}  # which pages add by her age: nobody said it, and it narrows nothing
        if self.contexts is not None and said and not contexts & set(self.contexts):
            return False
        if self.incidents is not None and incident is not None and incident not in self.incidents:
            return False
        if self.packages is not None and packages - set(self.packages):
            return False
        is_known = (self.incidents is None or incident is not None) and (self.incidents, self.packages) != (None, None)
        return True if is_known else None


class Agency(Sourced):
    """One organisation of the programme: its own database, keys and accounts."""

    kind: KindOfAgency
    name: Named
    country: CountryCode | None = None  # where it is not the programme's
    languages: tuple[Language, ...] = ()  # where they are not the programme's
    mandate: Mandate | None = None  # None: not known


class Agreement(Sourced):
    """What a partner has signed: with whom, from when until when, for which services. Nobody asks it for anything beyond that; what
    is open when it ends goes on until somebody who looks after her decides."""

    figures: ClassVar[tuple[str, ...]] = ("begins_on", "ends_on", "signed_with", "services", "facilities")

    partner: Id  # the agency
    signed_with: tuple[Id, ...] = Field(min_length=1)  # the agencies that may ask it
    begins_on: Day
    ends_on: Day | None = None  # the last day on which it holds; None: until somebody ends it
    services: tuple[Package, ...] = Field(min_length=1)
    facilities: tuple[Id, ...] = ()  # kinds of facility or named places of the partner; empty: all of them


class Asset(Part):
    """A thing that a desk may have: a room, a vehicle, a computer."""

    name: Named
    is_room: YesNo = False  # in which she can speak alone
    is_transport: YesNo = False  # asked of a desk only where somebody must be fetched, or driven


class FacilityStatus(StrEnum):
    """Whether something may be sent there."""

    OPEN = "open"
    PLANNED = "planned"  # counted, shown, and never routed to
    PAST = "past"


class FacilityKind(Sourced):
    """One kind of station, clinic or office, and how many there are."""

    figures: ClassVar[tuple[str, ...]] = ("count", "places", "sync_within_h")

    agency: Id
    name: Named
    count: Count
    status: Annotated[FacilityStatus, BeforeValidator(OneOf(FacilityStatus, "status of a facility"))] = FacilityStatus.OPEN
    mode: Mode = FacilityMode.ONLINE
    hub: Id | None = None  # the kind whose desk writes for it, where it works on paper or by phone
    services: tuple[Package, ...] = ()
    posts: tuple[Id, ...] = Field(min_length=1)  # the ladder of alarms, lowest first
    open_hours: OpenHours = OPEN_DAY_AND_NIGHT
    open_days: tuple[OpenDay, ...] = Field(default=EVERY_DAY, min_length=1)  # on which it opens; left out: on every day
    assets: tuple[Id, ...] = ()
    staff: tuple[Id, ...] = ()
    places: Count | None = None  # beds, at each
    colocated_with: Id | None = None  # the kind that it shares a roof with, and no file
    is_specialist: YesNo = False  # made for survivors; the others' share is watched, so that these do not become isolated
    mandate: Mandate | None = None  # where it differs from its agency's
    sync_within_h: Hours | None = None  # a station that is usually offline: in what time its words are to arrive


class Journey(Part):
    """The way from another place."""

    km: Km
    minutes: Minutes


class Place(Sourced):
    """A facility by its name, where a programme names some; the rest of each kind gets names when a network is made."""

    kind: Id
    name: Named
    district: Id
    mode: Mode | None = None  # where it differs from its kind's
    duty_number: Phone | None = None
    open_hours: OpenHours | None = None
    open_days: tuple[OpenDay, ...] | None = Field(default=None, min_length=1)
    journeys: dict[Id, Journey] = Field(default_factory=dict)  # from which other place


class Readiness(Sourced):
    """What a desk to which calls go must have at once to be ready: a desk says itself what it has. A rule `readiness_required` says
    what comes of it."""

    kind: Id  # of facility
    assets: tuple[Id, ...] = ()
    certificates: tuple[Id, ...] = ()  # somebody on duty holds each; that somebody is there is always asked
    female_staff: YesNo = False


class Channel(StrEnum):
    """How a hotline is reached."""

    VOICE = "voice"
    SMS = "sms"


class RoutingKey(StrEnum):
    """By what a call or a request finds its desk."""

    DISTRICT = "district"
    MANDATE = "mandate"
    READINESS = "readiness"


class FallBack(StrEnum):
    """Where a call goes next, so that none is left unrouted."""

    SAME_DISTRICT = "same_district"  # another desk of it
    NEIGHBOUR = "neighbour"  # the nearest that is ready
    ANY_OPEN = "any_open"  # the nearest that is open, ready or not
    LAST_RESORT = "last_resort"  # the hotline's own agency keeps it, and its ladder is told


def _never(value: object) -> object:
    if value is not False:
        raise said("the number that she calls from is kept nowhere; write false, or leave it out")
    return value


class Hotline(Sourced):
    """A number for the whole programme."""

    figures: ClassVar[tuple[str, ...]] = ("number", "answer_s", "dispatch_min")

    number: Phone
    agency: Id
    channels: tuple[Annotated[Channel, BeforeValidator(OneOf(Channel, "channel"))], ...] = Field(min_length=1)
    caller_id_stored: Annotated[YesNo, BeforeValidator(_never)] = False
    at: tuple[Id, ...] = Field(min_length=1)  # kinds of facility where it is answered; where a call goes, a rule `route_by` says
    answer_s: Seconds | None = None
    dispatch_min: Minutes | None = None
    others: dict[Id, Phone] = Field(default_factory=dict)  # numbers that a caller may be told of
