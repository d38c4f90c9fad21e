"""Hearing from stations: they ask for doses, count what came, tell what a month came to, and report what went wrong. And our own
words that come home."""

from uuid import UUID

from services.health.supplies.tables import StationMonth, StationReport, StationRequest
from shared.casework import homecoming
from shared.casework.alarms.commands import raise_alarm
from shared.casework.here import Here
from shared.casework.stock.domain import same_parcel
from shared.contracts.casework import events
from shared.contracts.casework.codes import Urgency
from shared.exchange.registry import Received, Returned, Unauthorised
from shared.kit.db import Transaction


async def on_supplies_requested(received: Received, tx: Transaction, here: Here) -> None:
    """A station asks for doses."""
    word: events.SuppliesRequested = received.data
    _is_ours(here, word.to_facility)
    row = await _request(word.request, received, word.to_facility, word.facility, word.product, tx)
    row.quantity, row.reason, row.asked_at = word.quantity, word.reason_code, received.occurred_at
    await tx.session.flush()


async def on_supplies_received(received: Received, tx: Transaction, here: Here) -> None:
    """A station has counted what came: where it is not what was sent, a post is told here as there."""
    word: events.SuppliesReceived = received.data
    _is_ours(here, word.to_facility)
    row = await _request(word.request, received, word.to_facility, word.facility, word.product, tx)
    row.state, row.received_at = "received", received.occurred_at
    row.received = [one.model_dump(mode="json") for one in word.batches]
    await tx.session.flush()
    if not same_parcel(row.sent, row.received):
        detail = {"product": row.product, "peer": row.agency}
        await raise_alarm(tx, here, "parcel_differs", row.id, row.facility, Urgency.URGENT, None, detail, to_supervisor=True)


async def on_supplies_stated(received: Received, tx: Transaction, here: Here) -> None:
    """What a month of a box came to; what is told anew stands."""
    word: events.SuppliesStated = received.data
    _is_ours(here, word.to_facility)
    key = (received.sender, word.facility, word.product, word.month)
    row = await tx.session.get(StationMonth, key, populate_existing=True)
    if row is None:
        row = StationMonth(
            agency=received.sender, station=word.facility, product=word.product, month=word.month, facility=word.to_facility,
            data={}, said_at=received.occurred_at,
        )  # fmt: skip
        tx.session.add(row)
    row.data, row.said_at, row.facility = events.data_of(word), received.occurred_at, word.to_facility
    await tx.session.flush()


async def on_safety_reported(received: Received, tx: Transaction, here: Here) -> None:
    """Something was noticed of a product or a box: its batch may have to be called back."""
    word: events.SafetyReported = received.data
    _is_ours(here, word.to_facility)
    if await tx.session.get(StationReport, word.report) is not None:
        raise Unauthorised("A report with this id is known already.")
    row = StationReport(
        id=word.report, facility=word.to_facility, agency=received.sender, station=word.facility, product=word.product,
        code=word.code, batch=word.batch, said_at=received.occurred_at,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    detail = {"product": word.product, "code": word.code, "peer": received.sender}
    await raise_alarm(tx, here, "station_reported", row.id, word.to_facility, Urgency.URGENT, None, detail, to_supervisor=True)


def _is_ours(here: Here, facility: str) -> None:
    if facility not in here.entry.facilities:
        raise Unauthorised("This agency has no facility “%(place)s”.", place=facility)


async def _request(request: UUID, received: Received, facility: str, station: str, product: str, tx: Transaction) -> StationRequest:
    row = await tx.session.get(StationRequest, request, populate_existing=True, with_for_update=True)
    if row is not None and (row.agency, row.station) != (received.sender, station):
        raise Unauthorised("A request with this id is another's.")
    if row is None:
        row = StationRequest(
            id=request, facility=facility, agency=received.sender, station=station, product=product, state="asked",
            asked_at=received.occurred_at,
        )  # fmt: skip
        tx.session.add(row)
        await tx.session.flush()
    return row


async def _answered_again(recipient: str, fact: events.Event, word: Returned, tx: Transaction, _here: Here) -> bool:
    assert isinstance(fact, events.SuppliesSent | events.SuppliesDeclined)
    row = await tx.session.get(StationRequest, fact.request, populate_existing=True)
    if row is None:
        row = StationRequest(
            id=fact.request, facility=fact.facility, agency=recipient, station=fact.to_facility, product=fact.product,
            state="asked", asked_at=word.occurred_at,
        )  # fmt: skip
        tx.session.add(row)
    if row.state == "asked":
        row.answered_at = word.occurred_at
        if isinstance(fact, events.SuppliesSent):
            row.state, row.sent = "sent", [one.model_dump(mode="json") for one in fact.batches]
        else:
            row.state, row.declined_because = "declined", fact.reason_code
    await tx.session.flush()
    return True


homecoming.comes_home(events.SuppliesSent, _answered_again)
homecoming.comes_home(events.SuppliesDeclined, _answered_again)
