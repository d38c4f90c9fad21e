"""This agency: its id and kind, the network around it, its programme, and the account that acts. Handed to every command."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.casework.directory.network import AgencyEntry, Facility, Network
from shared.contracts.casework.authority import SERVING
from shared.contracts.casework.codes import AgencyKind, FacilityMode, Role
from shared.kit.errors import Conflict, NotFound, RefnetError
from shared.programmes.profile import Programme

# In place of a facility: of a case that another agency's word has opened without naming one. No facility is called so. Supervisors
# see it, wherever they sit, until one of them says where it is looked after, or a request for her comes to a desk.
NOWHERE = "-"


class Forbidden(RefnetError):
    """The account's role does not allow this."""


def lies_nowhere() -> Conflict:
    """The refusal of what needs a place, of a case that has none yet."""
    return Conflict("No place looks after this case yet; a supervisor says on its page which one does.")


class SeesNoCase(Forbidden):
    """No case is for an account of this role."""


@dataclass(frozen=True, slots=True)
class Here:
    """Where the code runs. `secret` is this agency's own: lanes and tokens are derived from it."""

    agency: str
    network: Network
    programme: Programme
    secret: bytes

    @property
    def entry(self) -> AgencyEntry:
        """This agency in the network file."""
        return self.network.agencies[self.agency]

    @property
    def kind(self) -> AgencyKind:
        """What kind of agency this is."""
        return self.entry.kind

    @property
    def peers(self) -> tuple[str, ...]:
        """Whom this agency may speak to."""
        return self.network.peers_of(self.agency)

    @property
    def serving(self) -> tuple[str, ...]:
        """Those of them who serve people: whom a survivor may be asked about, and who may be told of her."""
        return tuple(peer for peer in self.peers if self.kind_of(peer) in SERVING)

    @property
    def overseers(self) -> tuple[str, ...]:
        """Those of them who watch over the programme and see no case."""
        return tuple(peer for peer in self.peers if self.kind_of(peer) is AgencyKind.OVERSIGHT)

    @property
    def stations(self) -> tuple[str, ...]:
        """The mobile and outlying stations of which this agency is the mother station."""
        return tuple(name for name, entry in sorted(self.network.agencies.items()) if entry.mother == self.agency)

    def kind_of(self, agency: str) -> AgencyKind:
        """The kind of a peer; raises NotFound."""
        kind = self.known_kind(agency)
        if kind is None:
            raise NotFound("There is no agency “%(agency)s” in this network.", agency=agency)
        return kind

    def known_kind(self, agency: str) -> AgencyKind | None:
        """The kind of an agency; None of one that has left the network, though records and stories still name it."""
        entry = self.network.agencies.get(agency)
        return entry.kind if entry is not None else None

    def facility(self, facility: str) -> Facility:
        """One of this agency's facilities; raises NotFound."""
        found = self.entry.facilities.get(facility)
        if facility == NOWHERE:
            raise lies_nowhere()
        if found is None:
            known = tuple(sorted(self.entry.facilities))
            raise NotFound("This agency has no facility “%(place)s”; its facilities are: %(known)s.", place=facility, known=known)
        return found

    def kind_of_place(self, facility: str | None) -> str | None:
        """The kind of facility that the programme means: as the network file says, else of the programme's place of this name."""
        return self.kind_at(self.agency, facility)

    def kind_at(self, agency: str, facility: str | None) -> str | None:
        """The same of a facility of any agency."""
        named, found = self.programme.places.get(facility or ""), self.network.facility(agency, facility or "")
        return (found.kind if found is not None else None) or (named.kind if named is not None else None)

    def has_other_desks(self, agency: str) -> bool:
        """Whether an agency has desks, of a kind that is known, that were not made for survivors."""
        open_now = [id_ for id_, place in self.network.agencies[agency].facilities.items() if not place.is_planned]
        kinds = [self.programme.facilities.get(self.kind_at(agency, id_) or "") for id_ in open_now]
        return any(kind is not None and not kind.is_specialist for kind in kinds)

    def district_of(self, facility: str | None) -> str | None:
        """In which district one of this agency's facilities is."""
        found = self.entry.facilities.get(facility or "")
        return found.district if found is not None else None

    def posts(self, facility: str) -> Sequence[str]:
        """The ladder of one of this agency's facilities, of the first for what lies nowhere yet; empty where the network file has
        dropped it."""
        found = self.entry.facilities.get(self.first_place() if facility == NOWHERE else facility)
        return found.posts if found is not None else ()

    def opened_at(self) -> str:
        """Where a case lies that a word opens which names no facility: nowhere, unless this agency has one place alone."""
        return NOWHERE if len(self.entry.facilities) > 1 else self.first_place()

    def first_place(self) -> str:
        """The first of this agency's facilities: where what is its own lies that nothing else places."""
        return next(iter(self.entry.facilities))

    def on_paper(self, facility: str) -> str | None:
        """The facility where it works on paper or by phone, so that what is entered here is entered for it; None otherwise."""
        return None if self.facility(facility).mode is FacilityMode.ONLINE else facility

    def actor(self, account_id: UUID, name: str, role: Role, facility: str | None) -> "Actor":
        """An account of this agency, with the places on paper or by phone that its own place works for."""
        places = self.entry.facilities.items() if facility is not None else ()
        return Actor(account_id, name, role, facility, frozenset(id_ for id_, place in places if place.hub == facility))

    def begin_of(self, day: date) -> datetime:
        """The moment at which a day begins on the walls of this agency."""
        return datetime.combine(day, time(), ZoneInfo(self.programme.time_zone))

    def day_of(self, moment: datetime) -> date:
        """The day on the walls of this agency at a moment."""
        return moment.astimezone(ZoneInfo(self.programme.time_zone)).date()

    def lane_secret(self, peer: str) -> bytes:
        """What the lane of a case to `peer` is derived under: known to nobody else, the broker included."""
        return hmac.new(self.secret, f"lane:{peer}".encode(), hashlib.sha256).digest()


@dataclass(frozen=True, slots=True)
class Actor:
    """The account that acts: `facility` None sees the whole agency."""

    account_id: UUID
    name: str
    role: Role
    facility: str | None
    hub_of: frozenset[str] = frozenset()  # facilities without a line of their own that this one works for
    opened: frozenset[UUID] = frozenset()  # cases beyond its desks that are open to it just now, because a life was in danger
    never: frozenset[UUID] = frozenset()  # cases that it may not see whatever else holds: its own, a relative's

    @property
    def is_barred(self) -> bool:
        """Whether there are cases that it may never see."""
        return bool(self.never)

    @property
    def desks(self) -> list[str]:
        """The facilities in scope of an account that has one; a supervisor also sees what lies nowhere yet."""
        if self.facility is None:
            return []
        return [self.facility, *sorted(self.hub_of), *((NOWHERE,) if self.role is Role.SUPERVISOR else ())]

    def sees(self, facility: str | None) -> bool:
        """Whether something at a facility is within the account's scope."""
        return self.facility is None or facility in self.desks

    def may_work(self) -> None:
        """Raises Forbidden for accounts that never see a case."""
        if self.role is Role.ADMINISTRATOR:
            raise SeesNoCase("An administrator looks after accounts and lines, and sees no case; sign in with another account.")

    def may_supervise(self) -> None:
        """Raises Forbidden below a supervisor."""
        if self.role not in {Role.SUPERVISOR, Role.ADMINISTRATOR}:
            raise Forbidden("Only a supervisor or an administrator may do this.")

    @property
    def may_see_counts(self) -> bool:
        """Whether it is a supervisor's, who is shown what the agency counts, exact as it is."""
        return self.role is Role.SUPERVISOR

    def may_let_out(self) -> None:
        """Raises Forbidden for whoever may not let anything leave the agency in a file or in figures."""
        if self.role is not Role.SUPERVISOR:
            raise Forbidden("Only a supervisor may let figures and files out of the agency.")


SYSTEM = Actor(UUID(int=0), "system", Role.SUPERVISOR, None)  # the watcher and what arrives from other agencies
