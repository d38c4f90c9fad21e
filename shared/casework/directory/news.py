"""Places say about themselves who is there and how many wait; the desks that send read it before they choose."""

from datetime import datetime
from uuid import UUID, uuid5

from pydantic import Field
from sqlalchemy import select
from sqlmodel import col

from shared.casework.cases.commands import Form
from shared.casework.directory.tables import PlaceNews
from shared.casework.here import Actor, Here
from shared.contracts.casework import events
from shared.exchange import outbox
from shared.exchange.registry import Received
from shared.kit.db import Transaction
from shared.kit.errors import Coded, NotFound

PLACES = UUID("6b1c3b7e-52a4-5d8e-9a35-0d7f0e0f6a51")  # the namespace of places' subjects


def place_subject(agency: str, facility: str) -> UUID:
    """What news of a place are about."""
    return uuid5(PLACES, f"{agency}/{facility}")


class SayPlaceNews(Form):
    """Whether a facility of ours is open, who is on duty and how many wait."""

    facility: events.FacilityId
    is_open: bool
    staff: int = Field(ge=0, le=events.STAFF_MAX)
    has_female_staff: bool
    waiting: int = Field(ge=0, le=events.STAFF_MAX)


async def say_place_news(command: SayPlaceNews, tx: Transaction, here: Here, by: Actor) -> PlaceNews:
    """Keeps it and tells every peer that serves: it is about a place, so no consent is needed."""
    by.may_work()
    here.facility(command.facility)
    if not by.sees(command.facility):
        raise NotFound("This account does not work at %(place)s.", place=Coded(command.facility, "place"))
    word = events.PlaceAnnounced.model_validate(command.model_dump())
    subject = place_subject(here.agency, command.facility)
    await outbox.lock_subjects(tx, [subject])
    now = tx.clock.now()
    for peer in here.serving:
        await outbox.add(
            tx,
            outbox.Outgoing(recipient=peer, type=word.type, dataversion=word.version, subject=subject, lane_key=subject,
                            data=events.data_of(word), occurred_at=now),
        )  # fmt: skip
    return await keep_place_news(tx, here.agency, word, now)


async def on_place_announced(received: Received, tx: Transaction, here: Here) -> None:
    """A peer's facility has news; what is older than what is known changes nothing."""
    word: events.PlaceAnnounced = received.data
    await keep_place_news(tx, received.sender, word, received.occurred_at)


async def keep_place_news(tx: Transaction, agency: str, word: events.PlaceAnnounced, said_at: datetime) -> PlaceNews:
    """The newest word of a place stands."""
    query = select(PlaceNews).where(col(PlaceNews.agency) == agency, col(PlaceNews.facility) == word.facility)
    row = (await tx.session.execute(query)).scalar_one_or_none()
    values = {**word.model_dump(), "agency": agency, "said_at": said_at}
    if row is None:
        row = PlaceNews.model_validate(values)
        tx.session.add(row)
    elif row.said_at <= said_at:
        for name, value in values.items():
            setattr(row, name, value)
    await tx.session.flush()
    return row
