"""The register of offenders: entering somebody, adding what was done, and reading it. Nothing here looks at a survivor's file."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints
from sqlalchemy import ColumnElement, select, true
from sqlmodel import col

from services.police.offenders.tables import Offender, OffenderEntry, OffenderLook
from shared.casework.acts import ask_first
from shared.casework.cases.commands import Form
from shared.casework.here import Actor, Here
from shared.casework.scope import OutOfSight
from shared.contracts.casework import events
from shared.kit.bulk import keep_looks
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, NotFound
from shared.kit.ids import new_id
from shared.kit.sealed import shut_shown
from shared.programmes.profile import Programme
from shared.programmes.records import RecordType
from shared.programmes.situation import Situation
from shared.programmes.terms import Act, Named
from shared.programmes.vocabulary import BlockedAct

RECORD = "offender"  # the register's name in a profile; a programme that has none has no such pages (Afghanistan's must not)
WHAT = "what"  # its field that says what was done
WHO_CHARACTERS_MAX = 120  # a name and what tells two of one name apart
LISTED_MAX = 200  # of one station's page, newest first: older ones are found on the paper register
BACK_MAX = timedelta(days=366)  # an entry of the paper register is carried over within a year
Who = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=WHO_CHARACTERS_MAX)]


class EnterOffender(Form):
    """Somebody who is not in the register yet, and what was done."""

    who: Who
    what: events.Code
    on: date
    facility: events.FacilityId | None = None


class AddEntry(Form):
    """What was done with somebody who is in it."""

    what: events.Code
    on: date


def register_of(here: Here) -> RecordType:
    """The programme's register of offenders; raises NotFound where it has none."""
    record = here.programme.records.get(RECORD)
    if record is None or WHAT not in record.fields or _is_forbidden(here.programme):
        raise NotFound("This programme keeps no register of offenders.")
    return record


def has_register(here: Here) -> bool:
    """Whether the programme keeps one."""
    record = here.programme.records.get(RECORD)
    return record is not None and WHAT in record.fields and not _is_forbidden(here.programme)


def _is_forbidden(programme: Programme) -> bool:
    """Whether a rule forbids to record a suspect at all. Whether somebody is a complainant too is never asked: to compare the two
    registers would be the link between them (decision 43)."""
    blocked = (rule for rule in programme.rules.values() if isinstance(rule, BlockedAct))
    return any(rule.act is Act.RECORD_SUSPECT and rule.when is None for rule in blocked)


def choices(here: Here) -> dict[str, Named]:
    """What may have been done, as the programme says it."""
    return dict(register_of(here).fields[WHAT].choices)


async def enter(command: EnterOffender, tx: Transaction, here: Here, by: Actor) -> Offender:
    """Enters somebody with what was done; raises Conflict where the station or the choice is none of ours."""
    by.may_work()
    facility = _station(command.facility, here, by)
    _checked(command.what, command.on, tx, here)
    id_ = new_id()
    situation = Situation(Act.RECORD_SUSPECT, tx.clock.now(), facility_kind=here.kind_of_place(facility))
    await ask_first(tx, here, by.account_id, situation, facility, id_)
    await tx.keys.given([[id_]])
    offender = Offender(id=id_, who=command.who, facility=facility, entered_at=tx.clock.now(), entered_by=by.account_id)
    tx.session.add(offender)
    await tx.session.flush()
    _add(offender, command.what, command.on, tx, by)
    await tx.session.flush()
    return offender


def _station(chosen: str | None, here: Here, by: Actor) -> str:
    facility = chosen or by.facility
    if facility is None or facility not in here.entry.facilities or not by.sees(facility):
        raise Conflict("Choose the station at which it was done; it is one of this account's own.")
    kinds = register_of(here).kept_at
    if kinds and here.kind_of_place(facility) not in kinds:
        raise Conflict("This programme keeps no register of offenders at this station.")
    return facility


def _checked(what: str, on: date, tx: Transaction, here: Here) -> None:
    if what not in choices(here):
        raise Conflict("“%(what)s” is none of the things that this programme's register knows.", what=what)
    today = here.day_of(tx.clock.now())
    if not today - BACK_MAX <= on <= today:
        raise Conflict("Choose a day of the last year, and none that is still to come.")


async def add_entry(offender_id: UUID, command: AddEntry, tx: Transaction, here: Here, by: Actor) -> OffenderEntry:
    """Adds what was done with somebody who is in the register."""
    by.may_work()
    offender = await load(tx, offender_id, here, by)
    _checked(command.what, command.on, tx, here)
    entry = _add(offender, command.what, command.on, tx, by)
    await tx.session.flush()
    return entry


def _add(offender: Offender, what: str, on: date, tx: Transaction, by: Actor) -> OffenderEntry:
    entry = OffenderEntry(
        id=new_id(), offender_id=offender.id, what=what, on_date=on, recorded_at=tx.clock.now(), recorded_by=by.account_id
    )
    tx.session.add(entry)
    return entry


async def load(tx: Transaction, offender_id: UUID, here: Here, by: Actor) -> Offender:
    """Somebody of the account's own stations; raises OutOfSight."""
    register_of(here)
    by.may_work()
    query = select(Offender).where(col(Offender.id) == offender_id, _seen_by(by))
    offender = (await tx.session.execute(query)).scalar_one_or_none()
    if offender is None:
        raise OutOfSight("There is no such entry.", offender_id)
    return offender


def _seen_by(by: Actor) -> ColumnElement[bool]:
    return true() if by.facility is None else col(Offender.facility).in_(by.desks)


async def open_one(tx: Transaction, offender_id: UUID, here: Here, by: Actor) -> tuple[Offender, list[OffenderEntry]]:
    """Somebody with everything that was done, oldest first."""
    offender = await load(tx, offender_id, here, by)
    query = (
        select(OffenderEntry).where(col(OffenderEntry.offender_id) == offender.id)
        .order_by(col(OffenderEntry.on_date), col(OffenderEntry.id))
    )  # fmt: skip
    return offender, list((await tx.session.execute(query)).scalars())


async def note_look(tx: Transaction, offender_id: UUID, by: Actor) -> None:
    """Keeps who opened it."""
    row = {"id": new_id(), "offender_id": offender_id, "account_id": by.account_id, "read_at": tx.clock.now()}
    await keep_looks(tx, OffenderLook, [row])


async def listed(tx: Transaction, here: Here, by: Actor) -> Sequence[Offender]:
    """Who stands in the register of the account's stations, newest first."""
    register_of(here)
    by.may_work()
    query = (
        select(Offender).where(_seen_by(by)).order_by(col(Offender.entered_at).desc(), col(Offender.id).desc()).limit(LISTED_MAX)
    )
    with shut_shown():
        return (await tx.session.execute(query)).scalars().all()
