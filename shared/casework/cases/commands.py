"""Opening cases and adding to them, at a desk of ours or because another agency spoke of a circle."""

import hashlib
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import Uuid, select, text
from sqlmodel import col

from shared.casework import scope
from shared.casework.cases.tables import Case, CaseNumber, Incident, Note
from shared.casework.here import Actor, Here
from shared.contracts.casework import codes, events
from shared.exchange import feed
from shared.exchange.erasing import received_key
from shared.exchange.incarnations import ended_lives
from shared.exchange.outbox import insert_if_absent
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict, NotFound
from shared.kit.i18n import mark as _
from shared.kit.ids import new_id
from shared.kit.sealed import blank

NOTE_CHARACTERS_MAX = 4_000  # about two pages
FUTURE_MAX = timedelta(minutes=5)  # clocks of desks differ by less; a later time is a typing mistake
ENTERED_WITHIN = timedelta(days=365)  # paper that waited longer is an archive; an earlier time is a mistyped year

# On PostgreSQL they come from a sequence: a row that counts is locked by a batch until it commits, and meanwhile nobody could open
# a case, nor what is acute come in. One that is not used leaves a gap, which nobody sees, because they are shuffled.
NUMBER_CASES = "SELECT nextval('casework_case_number') FROM generate_series(1, $1)"


class WrongTime(ValueError):
    """A time at which it cannot have happened; `field` names it, and `part` what of it a page asks about."""

    part = "at_time"
    said = ""

    def __init__(self, field: str) -> None:
        self.field, self.sentence = field, self.said
        self.params: dict[str, object] = {}
        super().__init__(self.sentence)


class InTheFuture(WrongTime):
    """A time that has not come yet."""

    said = _("This lies in the future; give the time at which it happened.")


class TooLongAgo(WrongTime):
    """A time that lies longer ago than anything is entered afterwards."""

    part = "on_date"
    said = _("This lies more than a year back; look at the year.")


class Form(Body):
    """A body of the API: unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


NoteText = Annotated[str, Field(min_length=1, max_length=NOTE_CHARACTERS_MAX)]


class OpenCase(Form):
    """A new file. Nothing in it names a person."""

    facility: events.FacilityId | None = None
    needs: events.PersonNeeds | None = None
    child: events.ChildFacts | None = None
    safety: events.Safety | None = None
    relay: events.Relay | None = None
    dependants: events.Dependants | None = None
    came_with: events.Code | None = None
    note: NoteText | None = None


class AddIncident(Form):
    """What happened, within a range of time; without one where nobody knows."""

    incident_type: codes.IncidentType
    contexts: tuple[codes.IncidentContext, ...] = Field(default=(), max_length=len(codes.IncidentContext))
    earliest_at: events.Moment | None = None
    latest_at: events.Moment | None = None
    given: tuple[events.Given, ...] = Field(default=(), max_length=events.GIVEN_MAX)
    urgent_mental_health: bool | None = None
    hurt_now: bool | None = None
    note: NoteText | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "AddIncident":
        if (self.earliest_at is None) != (self.latest_at is None):
            raise ValueError("'earliest_at' and 'latest_at' go together")
        if self.earliest_at is not None and self.latest_at is not None and self.earliest_at > self.latest_at:
            raise ValueError("'earliest_at' must not be later than 'latest_at'")
        return self


def not_future(field: str, moment: datetime | None, now: datetime) -> datetime:
    """The moment, or now where none was given; raises InTheFuture."""
    if moment is not None and moment > now + FUTURE_MAX:
        raise InTheFuture(field)
    return moment or now


def happened(field: str, moment: datetime | None, now: datetime) -> datetime:
    """When something happened that is entered now or afterwards, from a screen as from a sheet; raises WrongTime."""
    if moment is not None and moment < now - ENTERED_WITHIN:
        raise TooLongAgo(field)
    return not_future(field, moment, now)


async def open_case(
    command: OpenCase, tx: Transaction, here: Here, by: Actor, written_at: datetime | None = None, id_: UUID | None = None
) -> Case:
    """Opens a case at the actor's facility, or at the one named by an account that sees the whole agency. `written_at`: when it was
    written on the sheet that it is entered from; `id_`: its id, where it is to be of another time."""
    by.may_work()
    facility = command.facility or by.facility or next(iter(here.entry.facilities))
    here.facility(facility)
    if not by.sees(facility):
        raise NotFound("This account does not work at %(place)s.", place=Coded(facility, "place"))
    parts = {name: _json(getattr(command, name)) for name in ("needs", "child", "safety", "relay", "dependants")}
    case = await _add_case(
        tx, here, written_at, id=id_ or new_id(), circle=new_id(), facility=facility, opened_by=by.account_id,
        came_with=command.came_with, **parts,
    )  # fmt: skip
    await add_note(tx, case.id, case.id, command.note, by)
    return case


def was_not_asked(case: Case) -> bool:
    """Whether nobody has said yet how old she or he is, as of a case that was opened from a call."""
    return not case.is_received and (case.needs or {}).get("age_band") == codes.AgeBand.UNKNOWN


async def say_who(case_id: UUID, age_band: codes.AgeBand, sex: codes.Sex | None, tx: Transaction, by: Actor) -> None:
    """Age group and sex of a case of ours of which they were not asked when it was opened; what was known of a child stays."""
    by.may_work()
    await load_case(tx, case_id, by)
    query = select(Case).where(col(Case.id) == case_id).with_for_update().execution_options(populate_existing=True)
    case = (await tx.session.execute(query)).scalar_one()
    if not was_not_asked(case):
        raise Conflict("The age group of this case is known already; open the case to see it.")
    case.needs = {**(case.needs or {}), "age_band": str(age_band)} | ({"sex": str(sex)} if sex is not None else {})
    if age_band in codes.CHILD_BANDS:
        unknown = events.ChildFacts(assent=codes.Ternary.UNKNOWN, safe_adult_present=codes.Ternary.UNKNOWN)
        case.child = case.child or _json(unknown)
    elif age_band is not codes.AgeBand.UNKNOWN:
        case.child = case.adult = None
    await tx.session.flush()


async def case_for_circle(tx: Transaction, here: Here, circle: UUID, facility: str) -> Case:
    """This agency's case for a circle; the first word about a circle opens one, at `facility`."""
    query = select(Case).where(col(Case.circle) == circle)
    known = (await tx.session.execute(query)).scalar_one_or_none()
    if known is not None:
        return known
    return await _add_case(tx, here, id=new_id(), circle=circle, facility=facility, is_received=True, opened_by=None)


def _json(part: BaseModel | None) -> dict[str, Any] | None:
    return None if part is None else part.model_dump(mode="json", exclude_none=True)


async def _add_case(tx: Transaction, here: Here, written_at: datetime | None = None, **fields: Any) -> Case:
    now = tx.clock.now()
    opened_at = written_at or now
    case = Case(number=(await next_numbers(tx, here, now.year, 1))[0], opened_at=opened_at, **fields)
    await tx.keys.given([[case.id, case.circle]])
    tx.session.add(case)
    await tx.session.flush()
    await feed.record(tx, opened_line(here, case.id, case.facility, opened_at))
    return case


def opened_line(here: Here, case_id: UUID, facility: str, now: datetime) -> feed.Line:
    """What the diary says of a new case."""
    return feed.Line(
        kind="case.opened", subject=case_id, agency=here.agency, is_own=True, occurred_at=now, case_id=case_id, facility=facility
    )


async def next_numbers(tx: Transaction, here: Here, year: int, count: int) -> list[str]:
    """The next `count` numbers of this agency's cases, of six digits. They tell neither how many cases there are nor which came
    first: who is told one on a card, and whoever looks for a case that was put among others, learns nothing by it.

    After a restore seven digits follow: what stands on the card of somebody whose case is in no backup is not given again."""
    beyond = await ended_lives(tx) * NUMBERS
    if tx.dialect == "postgresql":
        given = [row[0] for row in await (await tx.driver()).fetch(NUMBER_CASES, count)]
    else:  # one writer at a time
        await tx.session.execute(insert_if_absent(tx, CaseNumber), [{"year": year, "last": 0}])
        query = text("UPDATE casework_case_numbers SET last = last + :count WHERE year = :year RETURNING last")
        last = (await tx.session.execute(query, {"year": year, "count": count})).scalar_one()
        given = list(range(last - count + 1, last + 1))
    key, letter = tx.keys.index("casework_cases.number", str(year)), here.kind.value[0].upper()
    return [f"{letter}-{year}-{shuffled(beyond + number, key)}" for number in given]


FIRST_NUMBER, NUMBERS = 100_000, 900_000  # a year's numbers of six digits; those of before had five, so that none comes twice
HALF_BITS, ROUNDS = 10, 4  # of a Feistel network over twenty bits (Luby and Rackoff, 1988); what falls outside is put through again


def shuffled(count: int, key: bytes) -> int:
    """The `count`-th number under a year's key, from 1: each comes once, in an order that only the key tells. Past the last of six
    digits seven follow."""
    block, place = divmod(count - 1, NUMBERS)
    half = (1 << HALF_BITS) - 1
    while True:
        left, right = place >> HALF_BITS, place & half
        for turn in range(ROUNDS):
            mixed = hashlib.blake2b(bytes([turn]) + right.to_bytes(2, "big"), key=key, digest_size=2).digest()
            left, right = right, left ^ (int.from_bytes(mixed, "big") & half)
        place = left << HALF_BITS | right
        if place < NUMBERS:
            return FIRST_NUMBER + block * NUMBERS + place


async def load_case(tx: Transaction, case_id: UUID, by: Actor, *, lock: bool = False) -> Case:
    """A case that the account may see; FOR SHARE where something will be said about it. Raises OutOfSight."""
    query = select(Case).where(col(Case.id) == case_id, scope.this_case(by))
    if lock:
        query = query.with_for_update(read=True).execution_options(populate_existing=True)
    case = (await tx.session.execute(query)).scalar_one_or_none()
    if case is None:
        raise scope.OutOfSight("There is no such case.", case_id)
    return case


async def add_incident(
    case_id: UUID, command: AddIncident, tx: Transaction, here: Here, by: Actor, written_at: datetime | None = None
) -> Incident:
    """Adds an incident to a case; a repeated assault is one of its own. `written_at`: when it was said, if on paper."""
    by.may_work()
    case = await load_case(tx, case_id, by, lock=True)
    now = tx.clock.now()
    not_future("latest_at", command.latest_at, now)
    incident = Incident(
        id=new_id(),
        case_id=case.id,
        incident_type=command.incident_type,
        contexts=[str(context) for context in command.contexts],
        earliest_at=command.earliest_at,
        latest_at=command.latest_at,
        given=[given.model_dump(mode="json") for given in command.given],
        urgent_mental_health=command.urgent_mental_health,
        hurt_now=command.hurt_now,
        recorded_at=now,
        recorded_by=by.account_id,
    )
    tx.session.add(incident)
    await tx.session.flush()
    await feed.record(
        tx, feed.Line(kind="incident.recorded", subject=incident.id, agency=here.agency, is_own=True,
                      occurred_at=written_at or now, case_id=case.id, facility=case.facility),
    )  # fmt: skip
    await add_note(tx, case.id, incident.id, command.note, by)
    return incident


async def keep_safe_hours(case_id: UUID, hours: codes.SafeHours, tx: Transaction, by: Actor) -> None:
    """Keeps when a message may be passed on, as she says it here; what another agency told of it before gives way."""
    await load_case(tx, case_id, by)
    query = select(Case).where(col(Case.id) == case_id).with_for_update().execution_options(populate_existing=True)
    case = (await tx.session.execute(query)).scalar_one()
    case.relay = _json(events.Relay(safe_hours=hours))
    case.told_under = {name: under for name, under in case.told_under.items() if name != "relay"}
    await tx.session.flush()


async def add_note(tx: Transaction, case_id: UUID, about: UUID, words: str | None, by: Actor) -> None:
    """Keeps free text here; it never crosses."""
    if words:
        now = tx.clock.now()
        tx.session.add(Note(id=new_id(), case_id=case_id, about=about, text=words, written_at=now, written_by=by.account_id))
        await tx.session.flush()


def forget_parts(case: Case, consent_id: UUID) -> None:
    """What a case knows only by a consent that was taken back is blanked."""
    blank(case, *(name for name, under in case.told_under.items() if under == str(consent_id)))
    case.told_under = {name: under for name, under in case.told_under.items() if under != str(consent_id)}


async def key_names(tx: Transaction, case_id: UUID) -> set[UUID]:
    """Every name that a key of a case may have in the keystore: what they sealed is erased once all of them are destroyed.

    Records and the outbox have the one key of the case. What peers say of its referrals may have come before the case was known: it
    has a key under the referral's own id then. Whatever was told under a consent has the key that goes with that.
    """
    key = case_id.hex if tx.dialect == "sqlite" else case_id
    circles = (await tx.session.execute(select(col(Case.circle)).where(col(Case.id) == case_id))).scalars().all()
    found = text(REFERRALS_OF).columns(id=Uuid(), consent_id=Uuid())
    referrals = (await tx.session.execute(found, {"case": key})).all()
    told = text(TOLD_OF).columns(consent_id=Uuid())
    circle = circles[0].hex if circles and tx.dialect == "sqlite" else next(iter(circles), None)
    others = (await tx.session.execute(told, {"case": key, "circle": circle})).all()
    under = {received_key(row.other, row.consent_id) for row in (*referrals, *others) if row.consent_id is not None}
    return {case_id, *circles, *(row.id for row in referrals), *under}


# In SQL: the tables of other features, which are built on cases.
REFERRALS_OF = """
    SELECT id, consent_id, CASE direction WHEN 'in' THEN issuer ELSE recipient END AS other
    FROM casework_referrals WHERE case_id = :case
"""
TOLD_OF = """
    SELECT consent_id, agency AS other FROM casework_progress WHERE case_id = :case AND consent_id IS NOT NULL
    UNION SELECT consent_id, agency FROM casework_circle_members WHERE circle = :circle AND consent_id IS NOT NULL
    UNION SELECT consent_id, caller FROM casework_conferences WHERE case_id = :case AND consent_id IS NOT NULL
    UNION SELECT consent_id, sender FROM casework_held_copies WHERE case_id = :case
"""
