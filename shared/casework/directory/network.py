"""The network file: which agencies there are, with their facilities and posts, and who may send to whom.

Public reference data, the same at every agency: no person is named in it, and no secret.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from shared.contracts.casework.codes import PROVIDED_BY, AgencyKind, FacilityMode, ServicePackage
from shared.contracts.casework.events import AgencyId, Code, FacilityId
from shared.contracts.wire.topics import Direction
from shared.kit.bodies import Body
from shared.kit.errors import RefnetError
from shared.programmes.terms import EVERY_DAY, DayOfWeek

PARTITIONS_MAX = 64  # as many as there are lanes
DAY_AND_NIGHT = "24 h"
PORT_MAX = 65_535
EXCHANGE_URL = re.compile(r"https://(?:[A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")
Label = Annotated[str, StringConstraints(min_length=1, max_length=120)]


class _Part(Body):
    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))


class Journey(_Part):
    """The way from another facility."""

    km: float = Field(ge=0)
    minutes: int = Field(ge=0)


class Facility(_Part):
    """A station, clinic or office. `posts` is the ladder of alarms, lowest first."""

    name: Label
    district: Code
    kind: Code | None = None  # the kind of facility of the programme; left out: what the programme says of a place of this name
    is_planned: bool = False  # it stands in the directory, and nothing is sent to it
    mode: FacilityMode = FacilityMode.ONLINE
    at: FacilityId | None = None  # the station of this agency that it is a desk of: two desks of one are one station
    hub: FacilityId | None = None  # the facility whose desk writes for it, where it works on paper or by phone
    services: tuple[ServicePackage, ...] = ()
    posts: tuple[Code, ...] = Field(min_length=1)
    duty_number: str | None = Field(default=None, max_length=40)
    open_hours: str = Field(default=DAY_AND_NIGHT, pattern=r"^(24 h|[0-2]\d:[0-5]\d-[0-2]\d:[0-5]\d)$")
    open_days: tuple[DayOfWeek, ...] = Field(default=EVERY_DAY, min_length=1)
    journeys: dict[FacilityId, Journey] = Field(default_factory=dict)  # from which facility of any agency
    places: int | None = Field(default=None, ge=0)

    @property
    def never_closes(self) -> bool:
        """Whether it is open day and night, every day."""
        return self.open_hours == DAY_AND_NIGHT and set(self.open_days) == set(EVERY_DAY)


def shows_area_only(kind: AgencyKind, services: Iterable[ServicePackage]) -> bool:
    """Whether a facility is a shelter, of which nothing is told but its area: from two distances anybody finds a house."""
    return kind is AgencyKind.PARTNER and ServicePackage.SHELTER in services


class AgencyEntry(_Part):
    """One organisation."""

    kind: AgencyKind
    name: Label
    root: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")  # the fingerprint of its root, compared in person
    mother: AgencyId | None = None  # of a mobile or outlying station, which is usually offline: the agency that looks after it
    exchange_url: str | None = None  # where its direct line listens, for the agencies it is paired with
    facilities: dict[FacilityId, Facility] = Field(min_length=1)

    @field_validator("exchange_url")
    @classmethod
    def _address(cls, url: str | None) -> str | None:
        match = EXCHANGE_URL.fullmatch(url) if url is not None else None
        if url is not None and not (match and 1 <= int(match[1]) <= PORT_MAX):
            raise ValueError("it is written https://host:port, with nothing after the port")
        return url

    @property
    def exchange_port(self) -> int | None:
        """The port of its direct line."""
        return int(self.exchange_url.rpartition(":")[2]) if self.exchange_url else None


class Network(_Part):
    """The whole file."""

    purpose: Literal["demo", "simulation", "test", "trial", "production"]
    programme: str
    partitions: int = Field(default=1, ge=1, le=PARTITIONS_MAX)
    agencies: dict[AgencyId, AgencyEntry] = Field(min_length=2)
    pairs: tuple[tuple[AgencyId, AgencyId], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> "Network":
        for pair in self.pairs:
            for name in pair:
                if name not in self.agencies:
                    raise ValueError(f"pairs: '{name}' is not one of the agencies")
            if pair[0] == pair[1]:
                raise ValueError(f"pairs: '{pair[0]}' is paired with itself")
        urls = [agency.exchange_url for agency in self.agencies.values() if agency.exchange_url]
        if len(set(urls)) < len(urls):
            raise ValueError("two agencies have the same exchange_url; each has a port of its own")
        for agency_id, agency in self.agencies.items():
            for facility_id, facility in agency.facilities.items():
                foreign = set(facility.services) - PROVIDED_BY[agency.kind]
                hub = agency.facilities.get(facility.hub) if facility.hub else None
                if facility.hub and (hub is None or hub.mode is not FacilityMode.ONLINE):
                    raise ValueError(f"{agency_id}.{facility_id}: its hub '{facility.hub}' is no online facility of this agency")
                if foreign:
                    raise ValueError(
                        f"{agency_id}.{facility_id}: a {agency.kind} agency does not provide {', '.join(sorted(foreign))}"
                    )
        return self

    @model_validator(mode="after")
    def _desks_are_at_stations(self) -> "Network":
        for agency_id, agency in self.agencies.items():
            for facility_id, facility in agency.facilities.items():
                if facility.at is not None and facility.at not in agency.facilities.keys() - {facility_id}:
                    raise ValueError(f"{agency_id}.{facility_id}: its station '{facility.at}' is no other facility of this agency")
        return self

    def _way_to_shelter(self, agency: AgencyEntry, facility: Facility) -> str | None:
        """What a journey would tell of where a shelter is: this facility itself, or one from which the way here is given."""
        if facility.journeys and shows_area_only(agency.kind, facility.services):
            return "it"
        places = {id_: (one.kind, place) for one in self.agencies.values() for id_, place in one.facilities.items()}
        return next(
            (
                f"'{start}'"
                for start in facility.journeys
                if start in places and shows_area_only(places[start][0], places[start][1].services)
            ),
            None,
        )

    @model_validator(mode="after")
    def _hides_shelters(self) -> "Network":
        for agency_id, agency in self.agencies.items():
            for facility_id, facility in agency.facilities.items():
                if found := self._way_to_shelter(agency, facility):
                    where = f"{agency_id}.{facility_id}"
                    raise ValueError(f"{where}: {found} is a shelter, which shows an area only; leave its ways out")
        return self

    @model_validator(mode="after")
    def _stations_have_mothers(self) -> "Network":
        for name, agency in self.agencies.items():
            if agency.mother is None:
                continue
            mother = self.agencies.get(agency.mother)
            if agency.kind is not AgencyKind.POLICE or mother is None or mother.kind is not AgencyKind.POLICE or mother.mother:
                raise ValueError(f"{name}: its mother '{agency.mother}' is no police agency that is no station itself")
            if agency.mother not in self.peers_of(name):
                raise ValueError(f"{name}: it is not paired with its mother '{agency.mother}'")
        return self

    @model_validator(mode="after")
    def _pins_every_root(self) -> "Network":
        unpinned = [name for name, agency in self.agencies.items() if agency.root is None]
        if self.purpose == "production" and unpinned:
            raise ValueError(f"{unpinned[0]}: a production network names the fingerprint of every agency's root")
        return self

    def peers_of(self, agency: str) -> tuple[str, ...]:
        """The agencies that `agency` is paired with."""
        found = {b if a == agency else a for a, b in self.pairs if agency in (a, b)}
        return tuple(sorted(found))

    def direct_lines_of(self, agency: str) -> dict[str, str]:
        """The exchange_url of each peer that `agency` has a direct line with: where both ends have one."""
        if self.agencies[agency].exchange_url is None:
            return {}
        urls = {peer: self.agencies[peer].exchange_url for peer in self.peers_of(agency)}
        return {peer: url for peer, url in urls.items() if url is not None}

    def directions(self) -> tuple[Direction, ...]:
        """Every direction in which something may travel."""
        ways = {Direction(*way) for a, b in self.pairs for way in ((a, b), (b, a))}
        return tuple(sorted(ways, key=lambda d: (d.sender, d.recipient)))

    def topics(self) -> tuple[str, ...]:
        """Every topic, two a direction."""
        return tuple(topic for d in self.directions() for topic in (d.topic, d.express_topic))

    def facility(self, agency: str, facility: str) -> Facility | None:
        """A facility, or None where there is no such one."""
        entry = self.agencies.get(agency)
        return entry.facilities.get(facility) if entry else None


def load_network(path: Path) -> Network:
    """Reads and checks the file; raises RefnetError with one sentence."""
    try:
        return parse_network(yaml.safe_load(path.read_text()), str(path))
    except OSError as error:
        raise RefnetError(f"REFNET_NETWORK names {path}, which cannot be read ({error.strerror}); name a network file.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RefnetError(f"REFNET_NETWORK names {path}, which is not YAML; correct it, or start from the demo's.") from error


def parse_network(content: Any, name: str) -> Network:
    """Checks what was read; raises RefnetError."""
    try:
        return Network.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise RefnetError(f"The network file {name} is wrong at {_place(first['loc'])}: {_plain(first)}.") from None


def _place(loc: Iterable[object]) -> str:
    return ".".join(str(part) for part in loc) or "its top"


# What a checker of types calls a mistake, in words for whoever wrote the file.
PLAIN = {
    "missing": "it is missing", "extra_forbidden": "there is no such field; look at its spelling",
    "model_type": "fields with their values belong here", "dict_type": "fields with their values belong here",
    "tuple_type": "a list belongs here", "string_type": "a text belongs here", "int_parsing": "a whole number belongs here",
    "int_type": "a whole number belongs here", "float_parsing": "a number belongs here", "float_type": "a number belongs here",
}  # fmt: skip


def _plain(error: Mapping[str, Any]) -> str:
    if error["type"] in PLAIN:
        return PLAIN[error["type"]]
    if error["type"] in ("literal_error", "enum"):
        return f"'{error['input']}' is none of {error['ctx']['expected']}".replace(" or ", ", ")
    words = str(error["msg"]).removeprefix("Value error, ")
    return f"'{error['input']}' does not fit: {words[:1].lower()}{words[1:]}" if error["type"].startswith("string_") else words
