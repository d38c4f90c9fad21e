"""Acts on her things: taken in one by one, handed over between officers, asked for, given back against her sign.

That she asked starts a clock; a no, or the clock's end, is a breach of the protocol.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import StringConstraints, model_validator
from sqlalchemy import func, select
from sqlmodel import col

from services.police.property import domain
from services.police.property.domain import RECORD, Act, Entry, HerSign, Standing, Thing, WhyRefused
from services.police.property.tables import Property, PropertyEntry
from shared.casework import scope
from shared.casework.acts import ask_first
from shared.casework.breaches.commands import RecordBreach, record_breach
from shared.casework.breaches.domain import BreachCode, ByWhom
from shared.casework.cases.commands import Form, happened, load_case
from shared.casework.here import Actor, Here
from shared.casework.scope import OutOfSight
from shared.contracts.casework import events
from shared.exchange import outbox
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, NotFound
from shared.kit.ids import new_id
from shared.programmes.situation import Situation
from shared.programmes.terms import Act as ProgrammeAct
from shared.programmes.terms import Fact

NAME_CHARACTERS_MAX = 80  # of whoever signs, as it stands in the book on paper; it stays here, sealed
NOTE_CHARACTERS_MAX = 400  # what the thing looks like, and how many there are
THINGS_MAX = 200  # of one case; more are a mistake
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=NAME_CHARACTERS_MAX)]
Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=NOTE_CHARACTERS_MAX)]
NEEDED: Mapping[Act, frozenset[str]] = {
    Act.HANDED_OVER: frozenset({"post", "name", "other_post", "other_name"}), Act.ASKED_BACK: frozenset(),
    Act.REFUSED: frozenset({"reason"}), Act.RETURNED: frozenset({"post", "name", "her_sign"}),
}  # fmt: skip


class TakeIn(Form):
    """One thing, and who takes it in: a post of this place, with the name as signed in the book."""

    kind: Thing
    note: Note | None = None
    post: events.Code
    name: Name
    occurred_at: events.Moment | None = None


class AddEntry(Form):
    """What happens to it. Which fields go with which act says `NEEDED`."""

    act: Act
    post: events.Code | None = None
    name: Name | None = None
    other_post: events.Code | None = None
    other_name: Name | None = None
    reason: WhyRefused | None = None
    her_sign: HerSign | None = None
    occurred_at: events.Moment | None = None

    @model_validator(mode="after")
    def _says_what_goes_with_it(self) -> "AddEntry":
        if self.act is Act.TAKEN_IN:
            raise ValueError("'act' is one of handed_over, asked_back, refused, returned; a thing is taken in once")
        given = {name for name in FIELDS if getattr(self, name) is not None}
        if given != NEEDED[self.act]:
            raise ValueError(f"'{self.act}' says {', '.join(sorted(NEEDED[self.act])) or 'nothing more'}")
        return self


FIELDS = ("post", "name", "other_post", "other_name", "reason", "her_sign")


def has_register(here: Here) -> bool:
    """Whether the programme keeps her things."""
    return RECORD in here.programme.records


def needs_register(here: Here) -> None:
    """Raises NotFound where it does not."""
    if not has_register(here):
        raise NotFound("This programme keeps no register of property.")


async def take_in(case_id: UUID, command: TakeIn, tx: Transaction, here: Here, by: Actor) -> Property:
    """Lists one thing."""
    by.may_work()
    circle = (await load_case(tx, case_id, by)).circle
    needs_register(here)
    await outbox.lock_subjects(tx, [circle])  # numbers of a case are given one by one
    case = await load_case(tx, case_id, by, lock=True)
    facility = by.facility or case.facility
    _known_post(command.post, facility, here)
    last = (await tx.session.execute(select(func.max(col(Property.number))).where(col(Property.case_id) == case.id))).scalar_one()
    if (last or 0) >= THINGS_MAX:
        raise Conflict("So many things of one case are a mistake; look at the list.")
    now = tx.clock.now()
    row = Property(
        id=new_id(), case_id=case.id, facility=facility, number=(last or 0) + 1, kind=command.kind, note=command.note,
        recorded_at=now, recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    at = happened("occurred_at", command.occurred_at, now)
    await _add(row, Act.TAKEN_IN, {"post": command.post, "name": command.name}, at, tx, by)
    return row


async def add_entry(property_id: UUID, command: AddEntry, tx: Transaction, here: Here, by: Actor) -> Property:
    """What happens to a thing, now or late; a no to her is written down as a breach in the same moment."""
    by.may_work()
    row = await load_property(tx, property_id, by, lock=True)
    needs_register(here)
    scope.not_as_guest(by, row.facility, row.case_id)
    for post in (command.post, command.other_post):
        if post is not None:
            _known_post(post, row.facility, here)
    before = domain.standing(await entries_of(tx, row))
    if command.act is Act.RETURNED and before.returned_at is not None:
        raise Conflict("This has been given back already.")
    now = tx.clock.now()
    at = happened("occurred_at", command.occurred_at, now)
    if command.act is Act.RETURNED:
        asked = frozenset({Fact.RETURN_ASKED_FOR}) if before.asked_at is not None else frozenset()
        returned = Situation(
            ProgrammeAct.RETURN_PROPERTY, now, facts=frozenset({Fact.HANDED_BACK, Fact.SIGNED}) | asked,
            not_so=frozenset({Fact.RETURN_ASKED_FOR}) - asked, facility_kind=here.kind_of_place(row.facility),
        )  # fmt: skip
        await ask_first(tx, here, by.account_id, returned, row.facility, row.id, row.case_id)
    said = {name: str(getattr(command, name)) for name in FIELDS if getattr(command, name) is not None}
    stands = await _add(row, command.act, said, at, tx, by)
    if command.act is Act.REFUSED and stands.returned_at is None:
        await breach(row, now, tx, here, by)
    return row


async def breach(row: Property, now: datetime, tx: Transaction, here: Here, by: Actor) -> None:
    """She asked, and has not got it: once for each thing and asking."""
    if row.breached_at is None:
        row.breached_at = now
        await tx.session.flush()
        await record_breach(row.case_id, RecordBreach(code=BreachCode.PROPERTY_NOT_RETURNED, by_whom=ByWhom.POLICE), tx, here, by)


async def _add(row: Property, act: Act, said: dict[str, Any], at: datetime, tx: Transaction, by: Actor) -> Standing:
    entry = PropertyEntry(
        id=new_id(), property_id=row.id, case_id=row.case_id, act=act, said=said, occurred_at=at, recorded_at=tx.clock.now(),
        recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(entry)
    await tx.session.flush()
    stands = domain.standing(await entries_of(tx, row))
    row.asked_at, row.returned_at = stands.asked_at, stands.returned_at
    await tx.session.flush()
    return stands


def _known_post(post: str, facility: str, here: Here) -> None:
    if post not in here.posts(facility):
        raise Conflict("This place has no such post; choose one of its own.")


async def load_property(tx: Transaction, property_id: UUID, by: Actor, *, lock: bool = False) -> Property:
    """A thing of a case that the account may see; raises OutOfSight."""
    query = select(Property).where(col(Property.id) == property_id, scope.sees_case(by, col(Property.case_id)))
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = (await tx.session.execute(query)).scalar_one_or_none()
    if row is None:
        raise OutOfSight("There is no such thing in the register.", property_id)
    return row


async def lines_of(tx: Transaction, row: Property) -> list[PropertyEntry]:
    """The book of a thing, by its entries' own times."""
    query = select(PropertyEntry).where(col(PropertyEntry.property_id) == row.id)
    return list((await tx.session.execute(query.order_by(col(PropertyEntry.occurred_at), col(PropertyEntry.id)))).scalars())


async def entries_of(tx: Transaction, row: Property) -> list[Entry]:
    """The same, for the pure rules."""
    return [
        Entry(Act(one.act), one.occurred_at, (one.said or {}).get("post", ""), (one.said or {}).get("other_post"))
        for one in await lines_of(tx, row)
    ]


async def things_of(tx: Transaction, case_id: UUID) -> list[Property]:
    """The things of a case, by their numbers."""
    query = select(Property).where(col(Property.case_id) == case_id).order_by(col(Property.number))
    return list((await tx.session.execute(query)).scalars())
