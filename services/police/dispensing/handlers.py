"""Hearing from the place of care that supplies a box: it has sent doses, or sends none. And our own words that come home."""

from uuid import UUID

from services.police.dispensing.tables import Resupply
from shared.casework import homecoming
from shared.casework.here import Here
from shared.contracts.casework import events
from shared.exchange.registry import Received, Returned, Unauthorised
from shared.kit.db import Transaction


async def on_supplies_sent(received: Received, tx: Transaction, here: Here) -> None:
    """A parcel is on its way: it counts for nothing before it has been counted here. Also where this agency was restored and has
    lost its request: the doses are on their way whatever it remembers."""
    word: events.SuppliesSent = received.data
    row = await _request(word.request, received, word.facility, word.to_facility, word.product, tx, here)
    if row.state in {"asked", "declined"}:
        row.state, row.sent = "sent", [one.model_dump(mode="json") for one in word.batches]
        row.answered_at = received.occurred_at
        await tx.session.flush()


async def on_supplies_declined(received: Received, tx: Transaction, here: Here) -> None:
    """It sends none; another place is asked."""
    word: events.SuppliesDeclined = received.data
    row = await _request(word.request, received, word.facility, word.to_facility, word.product, tx, here)
    if row.state == "asked":
        row.state, row.declined_because, row.answered_at = "declined", word.reason_code, received.occurred_at
        await tx.session.flush()


async def _request(
    request: UUID, received: Received, supplier: str, station: str, product: str, tx: Transaction, here: Here
) -> Resupply:
    if station not in here.entry.facilities:
        raise Unauthorised("This agency has no facility “%(place)s”.", place=station)
    row = await tx.session.get(Resupply, request, populate_existing=True, with_for_update=True)
    if row is not None and (row.agency, row.facility) != (received.sender, station):
        raise Unauthorised("This agency asked the sender for no such supplies.")
    if row is None:
        row = Resupply(
            id=request, facility=station, agency=received.sender, to_facility=supplier, product=product, state="asked",
            asked_at=received.occurred_at,
        )  # fmt: skip
        tx.session.add(row)
        await tx.session.flush()
    return row


async def _asked_again(recipient: str, fact: events.Event, word: Returned, tx: Transaction, _here: Here) -> bool:
    assert isinstance(fact, events.SuppliesRequested)
    row = await tx.session.get(Resupply, fact.request, populate_existing=True)
    if row is None:
        row = Resupply(
            id=fact.request, facility=fact.facility, agency=recipient, to_facility=fact.to_facility, product=fact.product,
            state="asked", asked_at=word.occurred_at,
        )  # fmt: skip
        tx.session.add(row)
    row.quantity, row.reason = fact.quantity, fact.reason_code
    await tx.session.flush()
    return True


homecoming.comes_home(events.SuppliesRequested, _asked_again)
