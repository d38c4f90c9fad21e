"""Answering a station's request out of the clinic's store, and keeping a visit to it. Stock and counts only."""

from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from pydantic import Field
from sqlalchemy import select
from sqlmodel import col

from services.health.supplies.tables import StationRequest, StoreEntry, SupervisionVisit
from shared.casework.cases.commands import Form, happened
from shared.casework.directory.news import place_subject
from shared.casework.here import Actor, Here
from shared.casework.scope import OutOfSight
from shared.casework.stock import commands as stock
from shared.casework.stock.domain import EntryKind
from shared.contracts.casework import codes, events
from shared.contracts.casework.codes import AgencyKind, CareProduct, Role
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.ids import new_id

VISITED_WITHIN = timedelta(days=90)  # a visit that is entered later is looked up in the paper


class Check(StrEnum):
    """The points of the checklist of a visit."""

    BOX_LOCKED = "box_locked"
    KEY_WITH_CERTIFIED = "key_with_certified"
    BOOK_COMPLETE = "book_complete"
    COUNTS_BY_TWO = "counts_by_two"
    CERTIFICATES_VALID = "certificates_valid"
    LEAFLETS_THERE = "leaflets_there"
    CARE_ALWAYS_OFFERED = "care_always_offered"
    PRIVATE_ROOM = "private_room"


class Finding(StrEnum):
    """How a point was found."""

    RIGHT = "right"
    WRONG = "wrong"
    NOT_SEEN = "not_seen"


class WriteStoreEntry(stock.ByHand):
    """A line of the store's ledger that is written by hand. `quantity` is more than 0; of a correction it has a sign."""


class SendSupplies(Form):
    """What is handed over, by batch."""

    batches: tuple[events.Batch, ...] = Field(min_length=1, max_length=events.BATCHES_MAX)


class DeclineSupplies(Form):
    """Why nothing is."""

    reason: codes.SupplyDecline


class KeepVisit(Form):
    """A visit to a station. `counted` is what lay in its box, by batch; 0 where a batch that was told of was not there."""

    agency: events.AgencyId
    station: events.FacilityId
    visited_on: date
    findings: dict[Check, Finding]
    counted: tuple[events.Batch, ...] = Field(default=(), max_length=events.BATCHES_MAX)
    facility: events.FacilityId | None = None


def store_at(here: Here, by: Actor, facility: str | None) -> str:
    """The place whose store is meant: the one that is named, else the account's own. Raises OutOfSight."""
    by.may_work()
    place = facility or by.facility or next(iter(here.entry.facilities))
    if place not in here.entry.facilities or not by.sees(place):
        raise OutOfSight("There is nothing at this address.", place_subject(here.agency, place))
    return place


def may_supervise_boxes(here: Here, by: Actor, facility: str | None) -> str:
    """The place whose stations are looked at: by its supervisors alone; to everybody else there is nothing, and that she asked is
    kept. Raises OutOfSight."""
    place = store_at(here, by, facility)
    if by.role is not Role.SUPERVISOR:
        raise OutOfSight("There is nothing at this address.", place_subject(here.agency, place))
    return place


async def write_entry(command: WriteStoreEntry, tx: Transaction, here: Here, by: Actor) -> StoreEntry:
    """Writes a line; raises Conflict."""
    facility = store_at(here, by, command.facility)
    at = happened("occurred_at", command.occurred_at, tx.clock.now())
    change = stock.Change(command.product, command.batch, command.expires_on, command.kind, command.quantity, at, command.reason)
    return await stock.write(tx, StoreEntry, facility, change, by.account_id)


async def load_request(tx: Transaction, request_id: UUID, by: Actor, *, lock: bool = False) -> StationRequest:
    """A request to one of the account's places; raises OutOfSight."""
    by.may_work()
    query = select(StationRequest).where(col(StationRequest.id) == request_id)
    query = query.with_for_update().execution_options(populate_existing=True) if lock else query
    row = (await tx.session.execute(query)).scalar_one_or_none()
    if row is None or not by.sees(row.facility):
        raise OutOfSight("There is no such request.", request_id)
    return row


async def _to_answer(tx: Transaction, request_id: UUID, by: Actor) -> StationRequest:
    row = await load_request(tx, request_id, by, lock=True)
    if row.state != "asked":
        raise Conflict("This request has been answered already.")
    return row


async def send(request_id: UUID, command: SendSupplies, tx: Transaction, here: Here, by: Actor) -> StationRequest:
    """Hands doses over: they leave the store, and the station counts them. Raises Conflict, also where a batch has expired."""
    row = await _to_answer(tx, request_id, by)
    now = tx.clock.now()
    on = here.day_of(now)
    if any(one.quantity == 0 or one.expires_on < on for one in command.batches):
        raise Conflict("A parcel holds doses of batches that have not expired.")
    product = CareProduct(row.product)
    for one in command.batches:
        change = stock.Change(product, one.batch, one.expires_on, EntryKind.ISSUED, one.quantity, now, about=row.id)
        await stock.write(tx, StoreEntry, row.facility, change, by.account_id)
    row.state, row.answered_at, row.answered_by = "sent", now, by.account_id
    row.sent = [one.model_dump(mode="json") for one in command.batches]
    await tx.session.flush()
    word = events.SuppliesSent(
        facility=row.facility, to_facility=row.station, request=row.id, product=product, batches=command.batches
    )
    await stock.tell(tx, here, row.agency, word, now)
    return row


async def decline(request_id: UUID, command: DeclineSupplies, tx: Transaction, here: Here, by: Actor) -> StationRequest:
    """Sends none, and says why; the station asks another place."""
    row = await _to_answer(tx, request_id, by)
    now = tx.clock.now()
    row.state, row.answered_at, row.answered_by, row.declined_because = "declined", now, by.account_id, command.reason
    await tx.session.flush()
    word = events.SuppliesDeclined(
        facility=row.facility, to_facility=row.station, request=row.id, product=CareProduct(row.product), reason_code=command.reason
    )
    await stock.tell(tx, here, row.agency, word, now)
    return row


def stations(here: Here) -> list[tuple[str, str]]:
    """Stations of the police that this agency speaks to: agency and place."""
    return [
        (peer, id_) for peer in here.peers if here.known_kind(peer) is AgencyKind.POLICE
        for id_ in here.network.agencies[peer].facilities
    ]  # fmt: skip


async def keep_visit(command: KeepVisit, tx: Transaction, here: Here, by: Actor) -> SupervisionVisit:
    """Keeps a visit; raises Conflict where the place is no station, or the day cannot be."""
    facility = may_supervise_boxes(here, by, command.facility)
    now = tx.clock.now()
    on = here.day_of(now)
    if (command.agency, command.station) not in stations(here):
        raise Conflict("This is no station of the police in this network.")
    if not on - VISITED_WITHIN <= command.visited_on <= on:
        raise Conflict("A visit lies in the last three months; look at the day.")
    if set(command.findings) != set(Check):
        raise Conflict("Answer every point of the list; “not seen” is an answer too.")
    row = SupervisionVisit(
        id=new_id(), facility=facility, agency=command.agency, station=command.station, visited_on=command.visited_on,
        findings={str(point): str(found) for point, found in command.findings.items()},
        counted=[one.model_dump(mode="json") for one in command.counted], recorded_at=now, recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    return row
