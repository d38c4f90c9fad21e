"""A place confirms that it works by a protocol, by whoever holds a post there; and the text of one is brought here and compared."""

from sqlalchemy import select
from sqlmodel import col

from shared.casework.accounts.tables import Duty
from shared.casework.cases.commands import Form
from shared.casework.directory.news import place_subject
from shared.casework.here import Actor, Forbidden, Here
from shared.casework.protocols.domain import digest_of, plain
from shared.casework.protocols.tables import Adoption, Protocol
from shared.casework.protocols.views import standing
from shared.contracts.casework import codes, events
from shared.contracts.casework.codes import Role
from shared.exchange import outbox
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict, NotFound
from shared.kit.ids import new_id


class Adopt(Form):
    """Which place, and as which of its posts."""

    facility: events.FacilityId
    post: events.Code


async def load_protocol(tx: Transaction, agency: str, topic: str) -> Protocol:
    """The version that stands of a protocol; raises NotFound."""
    found = next((one for one in await standing(tx) if (one.agency, one.topic) == (agency, topic)), None)
    if found is None:
        raise NotFound("There is no such protocol here.")
    return found


async def adopt(
    agency: str, topic: codes.ProtocolTopic, version: int, command: Adopt, tx: Transaction, here: Here, by: Actor
) -> Adoption:
    """Keeps that a place works by a version, and tells the oversight body: which place, which version, which post, on which day."""
    by.may_work()
    facility = here.facility(command.facility)
    if not by.sees(command.facility):
        raise NotFound("This account does not work at %(place)s.", place=Coded(command.facility, "place"))
    if command.post not in facility.posts:
        place, post = Coded(command.facility, "place"), Coded(command.post, "post")
        raise Conflict("%(place)s has no post “%(post)s”; the network file names its posts.", place=place, post=post)
    await _holds(tx, command, by)
    await outbox.lock_subjects(tx, [place_subject(here.agency, command.facility)])
    protocol = await load_protocol(tx, agency, topic)
    if protocol.version != version:
        raise Conflict("A newer version of this protocol has come; read that one.")
    of_place = select(Adoption).where(
        col(Adoption.agency) == agency, col(Adoption.topic) == str(topic), col(Adoption.version) == version,
        col(Adoption.facility) == command.facility,
    )  # fmt: skip
    known = (await tx.session.execute(of_place)).scalar_one_or_none()
    if known is not None:
        return known
    now = tx.clock.now()
    row = Adoption(
        id=new_id(), agency=agency, topic=topic, version=version, facility=command.facility, digest=protocol.digest,
        post=command.post, adopted_on=here.day_of(now), recorded_at=now, recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    await _tell(tx, here, row)
    return row


async def _holds(tx: Transaction, command: Adopt, by: Actor) -> None:
    """A supervisor confirms for each post of a place; whoever else, for the one that the roster says is theirs now."""
    if by.role is Role.SUPERVISOR:
        return
    now = tx.clock.now()
    query = select(col(Duty.id)).where(
        col(Duty.account_id) == by.account_id, col(Duty.facility) == command.facility, col(Duty.post) == command.post,
        col(Duty.from_at) <= now, col(Duty.until_at) > now,
    )  # fmt: skip
    if (await tx.session.execute(query.limit(1))).first() is None:
        raise Forbidden("This post is not yours on the roster now; whoever holds it confirms, or a supervisor.")


async def _tell(tx: Transaction, here: Here, row: Adoption) -> None:
    word = events.ProtocolAdopted(
        facility=row.facility, topic=codes.ProtocolTopic(row.topic), protocol_version=row.version, digest=row.digest, post=row.post,
        adopted_on=row.adopted_on,
    )  # fmt: skip
    subject = place_subject(here.agency, row.facility)
    await outbox.add(
        tx,
        outbox.Outgoing(recipient=row.agency, type=word.type, dataversion=word.version, subject=subject, lane_key=subject,
                        data=events.data_of(word), occurred_at=row.recorded_at),
    )  # fmt: skip


async def bring_text(agency: str, topic: str, text: str, tx: Transaction, here: Here, by: Actor) -> Protocol:
    """Keeps the public text of a protocol where it is the one that was published; raises Conflict."""
    by.may_work()
    protocol = await load_protocol(tx, agency, topic)
    if digest_of(text) != protocol.digest:
        raise Conflict("This is not the text that was published: its digest differs. Take all of it from the oversight body.")
    protocol.text = plain(text)
    await tx.session.flush()
    return protocol
