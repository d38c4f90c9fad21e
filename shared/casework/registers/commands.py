"""Writing in a register of the profile, correcting what stands there, and reading it. Nothing of it is told to another agency."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, exists, or_, select, true
from sqlalchemy.orm import aliased
from sqlmodel import col

from shared.casework import scope
from shared.casework.accounts.tables import Account, Duty
from shared.casework.cases.commands import Form, load_case
from shared.casework.cases.tables import Case, Incident
from shared.casework.cases.views import note_listed, note_read
from shared.casework.directory.news import place_subject
from shared.casework.here import Actor, Forbidden, Here
from shared.casework.holds.commands import holds_of
from shared.casework.holds.tables import Hold
from shared.casework.referrals.tables import Referral
from shared.casework.registers.domain import (
    OF_A_CASE,
    WRONG,
    DoesNotFit,
    Held,
    Known,
    may,
    may_write,
    read_fields,
    readable,
    registers_of,
)
from shared.casework.registers.tables import RegisterEntry, RegisterNumber
from shared.contracts.casework import events
from shared.contracts.casework.lifecycle import MissingDetail
from shared.exchange import outbox
from shared.kit.db import Database, Transaction
from shared.kit.errors import Conflict, NotFound
from shared.kit.ids import new_id
from shared.kit.sealed import shut_shown
from shared.programmes.records import About, RecordType

LISTED_MAX = 100  # entries of one page
FORGOTTEN_AT_ONCE = 100  # entries whose time is over, in one look of the watcher
LOOK = "register"


class Enter(Form):
    """An entry: which case it is of, where the register is of cases; and its fields, as the profile types them."""

    case_id: UUID | None = None
    about: UUID | None = Field(default=None, description="the incident or referral, where the register is about one")
    facility: events.FacilityId | None = None
    fields: dict[str, Any] = Field(max_length=100)


class Correct(Form):
    """What the entry says from now on, whole; what stood before stays."""

    fields: dict[str, Any] = Field(max_length=100)


async def held_by(tx: Transaction, by: Actor, certificates: Collection[str]) -> Held:
    """The posts that an account holds now, with the certificates that its agency knows of."""
    now = tx.clock.now()
    query = select(col(Duty.post)).where(
        col(Duty.account_id) == by.account_id, col(Duty.from_at) <= now, col(Duty.until_at) > now
    )  # fmt: skip
    return Held(frozenset((await tx.session.execute(query)).scalars()), frozenset(certificates))


def register(here: Here, apart: Collection[str], id_: str, by: Actor, held: Held, about: UUID | None = None) -> RecordType:
    """A register that an account may read; one that is not there and one that is not for it are answered alike."""
    found = registers_of(here.programme, here.agency, apart).get(id_)
    if found is None or not may(found.readers, by.role, held):
        raise scope.OutOfSight("There is nothing at this address.", about or place_subject(here.agency, by.facility or id_))
    return found


async def enter(id_: str, record: RecordType, command: Enter, tx: Transaction, here: Here, by: Actor, held: Held) -> RegisterEntry:
    """Adds an entry; raises Forbidden, Conflict, MissingDetail."""
    case = await _case(record, command.case_id, tx, by)
    _may_write(record, by, held)
    if case is not None:
        scope.not_as_guest(by, case.facility, case.id)
    facility = _facility(record, command.facility, case, here, by)
    about = await _about(record, command.about, case, tx)
    said = await _read(record, command.fields, tx, here, by, held, {})
    entry_id, now = new_id(), tx.clock.now()
    if case is None:
        await tx.keys.given([[entry_id]])
    number = await _next_number(tx, id_) if record.numbered else None
    until = here.day_of(now) + timedelta(days=record.keep_days) if record.keep_days is not None else None
    row = RegisterEntry(
        id=entry_id, entry_id=entry_id, version=1, record=id_, number=number, case_id=case.id if case else None, about=about,
        facility=facility, key_name=case.id if case else entry_id, said=said, keep_until=until, recorded_at=now,
        recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    return row


async def correct(
    entry: RegisterEntry, record: RecordType, command: Correct, tx: Transaction, here: Here, by: Actor, held: Held
) -> RegisterEntry:
    """Writes an entry anew; what stood before stays, and so does what whoever corrects may not see."""
    _may_write(record, by, held)
    if entry.case_id is not None:
        scope.not_as_guest(by, entry.facility, entry.case_id)
    await outbox.lock_subjects(tx, [entry.entry_id])
    last = await _last(tx, entry.entry_id)
    said = await _read(record, command.fields, tx, here, by, held, last.said or {})
    row = RegisterEntry(
        id=new_id(), entry_id=last.entry_id, version=last.version + 1, record=last.record, number=last.number,
        case_id=last.case_id, about=last.about, facility=last.facility, key_name=last.key_name, said=said,
        keep_until=last.keep_until, recorded_at=tx.clock.now(), recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    return row


def _may_write(record: RecordType, by: Actor, held: Held) -> None:
    by.may_work()
    if not may_write(record, by.role, held):
        raise Forbidden("This account reads this register and does not write in it; ask a colleague who does.")


async def _case(record: RecordType, case_id: UUID | None, tx: Transaction, by: Actor) -> Case | None:
    if case_id is None:
        if record.about in OF_A_CASE:
            raise MissingDetail("case_id", "This register is of cases; say of which.")
        return None
    case = await load_case(tx, case_id, by, lock=True)
    if record.about not in OF_A_CASE:
        raise MissingDetail("case_id", "This register is of no case; leave the case out.")
    return case


def _facility(record: RecordType, chosen: str | None, case: Case | None, here: Here, by: Actor) -> str:
    facility = chosen or by.facility or (case.facility if case is not None else next(iter(here.entry.facilities)))
    here.facility(facility)
    if not by.sees(facility):
        raise NotFound("This account does not work at %(place)s.", place=facility)
    if not is_kept_at(record, here, facility):
        raise Conflict("This programme keeps this register at other places.")
    return facility


def places_of(record: RecordType, here: Here, by: Actor) -> list[str]:
    """The places at which an account may write in a register, its own first."""
    found = [id_ for id_ in here.entry.facilities if by.sees(id_) and is_kept_at(record, here, id_)]
    return sorted(found, key=lambda id_: id_ != by.facility)


def is_kept_at(record: RecordType, here: Here, facility: str | None) -> bool:
    """Whether the profile has a register kept at a place."""
    return not record.kept_at or here.kind_of_place(facility) in record.kept_at


async def _about(record: RecordType, about: UUID | None, case: Case | None, tx: Transaction) -> UUID | None:
    if case is None or record.about not in (About.INCIDENT, About.REFERRAL):
        if about is not None:
            raise MissingDetail("about", "This register is about no incident and no referral; leave it out.")
        return None
    if about is None:
        raise MissingDetail("about", "Say which incident or referral of the case it is about.")
    table: Any = Incident if record.about is About.INCIDENT else Referral
    found = await tx.session.get(table, about)
    if found is None or found.case_id != case.id:
        raise scope.OutOfSight("There is no such thing on this case.", about)
    return about


async def _read(
    record: RecordType, said: Mapping[str, Any], tx: Transaction, here: Here, by: Actor, held: Held, before: Mapping[str, Any]
) -> dict[str, Any]:
    """The fields that somebody may see, read; what she may not see stays as it was."""
    seen = readable(record, by.role, held)
    hidden = {id_: value for id_, value in before.items() if id_ not in seen}
    staff = frozenset((await tx.session.execute(select(col(Account.id)))).scalars())
    try:
        stands = map(str, before.values())  # a place that has left the network since is no mistake of who corrects
        return {**read_fields(seen, said, Known([*places(here), *stands], staff)), **hidden}
    except DoesNotFit as wrong:
        if wrong.kind is None:
            raise MissingDetail(wrong.field, "The register asks for this, or does not know it; look at its fields.") from None
        raise MissingDetail(wrong.field, WRONG[wrong.kind]) from None


def places(here: Here) -> list[str]:
    """Every place of the network, as agency/facility."""
    return [f"{agency}/{id_}" for agency, entry in here.network.agencies.items() for id_ in entry.facilities]


async def _next_number(tx: Transaction, id_: str) -> int:
    """The agency's next: a number is given once, also where the entry that had it has reached the end of its time."""
    await tx.in_turn(f"register:{id_}")
    counter = await tx.session.get(RegisterNumber, id_, populate_existing=True) or RegisterNumber(record=id_)
    counter.last += 1
    tx.session.add(counter)
    await tx.session.flush()
    return counter.last


# --- reading ---------------------------------------------------------------------------------------------------------------


def seen_by(by: Actor) -> ColumnElement[bool]:
    """Entries of cases that an account may see, and those of no case at its desks."""
    at_desk = true() if by.facility is None else col(RegisterEntry.facility).in_(by.desks)
    return or_(
        col(RegisterEntry.case_id).is_not(None) & scope.sees_case(by, col(RegisterEntry.case_id)),
        col(RegisterEntry.case_id).is_(None) & at_desk,
    )


async def entries(
    tx: Transaction, id_: str, by: Actor, case_id: UUID | None = None, after: UUID | None = None
) -> Sequence[RegisterEntry]:
    """The entries of a register as they stand now, the newest first: of one case, or all that are seen. Looks are kept."""
    newer = aliased(RegisterEntry)
    is_old = exists().where(col(newer.entry_id) == col(RegisterEntry.entry_id), col(newer.version) > col(RegisterEntry.version))
    query = select(RegisterEntry).where(col(RegisterEntry.record) == id_, ~is_old, seen_by(by))
    if case_id is not None:
        query = query.where(col(RegisterEntry.case_id) == case_id)
    if after is not None:
        query = query.where(col(RegisterEntry.entry_id) < after)
    with shut_shown():
        found = (await tx.session.execute(query.order_by(col(RegisterEntry.entry_id).desc()).limit(LISTED_MAX))).scalars().all()
    if case_id is not None:
        await note_read(tx, case_id, by, LOOK)
    else:
        await note_listed(tx, [row.case_id for row in found if row.case_id is not None], by)
    return found


async def load_entry(tx: Transaction, entry_id: UUID, by: Actor) -> RegisterEntry:
    """An entry as it stands now; raises OutOfSight."""
    by.may_work()
    query = select(RegisterEntry).where(col(RegisterEntry.entry_id) == entry_id, seen_by(by))
    row = (await tx.session.execute(query.order_by(col(RegisterEntry.version).desc()).limit(1))).scalar_one_or_none()
    if row is None:
        raise scope.OutOfSight("There is no such entry.", entry_id)
    return row


async def _last(tx: Transaction, entry_id: UUID) -> RegisterEntry:
    query = select(RegisterEntry).where(col(RegisterEntry.entry_id) == entry_id).order_by(col(RegisterEntry.version).desc())
    return (await tx.session.execute(query.limit(1))).scalar_one()


async def before(tx: Transaction, row: RegisterEntry) -> Sequence[RegisterEntry]:
    """What an entry said before it was corrected, oldest first."""
    query = select(RegisterEntry).where(
        col(RegisterEntry.entry_id) == row.entry_id, col(RegisterEntry.version) < row.version
    )  # fmt: skip
    with shut_shown():
        return (await tx.session.execute(query.order_by(col(RegisterEntry.version)))).scalars().all()


# --- the end of their time -----------------------------------------------------------------------------------------------------


async def forget_entries(database: Database, here: Here) -> None:
    """Entries whose days are over go, but for what a court keeps; a watcher calls it."""
    async with database.read() as tx:
        today = here.day_of(tx.clock.now())
        kept = exists().where(col(Hold.case_id) == col(RegisterEntry.case_id), col(Hold.lifted_at).is_(None))
        due = select(col(RegisterEntry.entry_id), col(RegisterEntry.case_id)).where(col(RegisterEntry.keep_until) < today, ~kept)
        found = (await tx.session.execute(due.distinct().limit(FORGOTTEN_AT_ONCE))).tuples().all()
    for entry_id, case_id in found:
        async with database.write() as tx:
            if case_id is not None and await holds_of(tx, case_id):
                continue
            query = select(RegisterEntry).where(col(RegisterEntry.entry_id) == entry_id)
            with shut_shown():
                for row in (await tx.session.execute(query)).scalars().all():
                    await tx.session.delete(row)


def moment_of(value: str) -> datetime:
    """A moment as it is kept."""
    return datetime.fromisoformat(value)
