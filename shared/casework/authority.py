"""Whether what was said was its sender's to say: looked at once for every event, before its handler, by what the event declares.

A signature is not enough: only the right kind of agency, and only a party to what an event is about, may say it. Whatever else
comes is parked, shown and alarmed, and nothing of it is applied.
"""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from sqlalchemy import or_, select
from sqlmodel import col

from shared.casework.cases.tables import Case
from shared.casework.circles.tables import CircleMember
from shared.casework.conferences.tables import Conference, Invitation
from shared.casework.consents.tables import Consent, Erasure
from shared.casework.directory.news import place_subject
from shared.casework.directory.stations import station_subject
from shared.casework.here import Here
from shared.casework.own_words import subject_of
from shared.casework.referrals.tables import Referral
from shared.contracts.casework import codes, events, minimal_data
from shared.contracts.casework.authority import Party, Way
from shared.contracts.casework.codes import AgencyKind
from shared.exchange.erasing import is_of_a_key
from shared.exchange.incarnations import ended_lives, is_awaited
from shared.exchange.registry import NotForHere, Received, Unauthorised, Unready
from shared.exchange.tables import UNKNOWN, InboxRow, InboxState, OutboxRow
from shared.kit.bulk import among
from shared.kit.db import Transaction
from shared.kit.errors import Coded
from shared.kit.i18n import mark as _

MAY_NOT_TELL = _("An agency of its kind may not tell this one: %(what)s.")


def never(event: type[events.Event], sender: str, here: Here) -> NotForHere | None:
    """The refusal of what is never said to one of this kind, known before a word is read: what an oversight body is told by mistake
    may be of a case, and it holds nothing of any. None of everything else."""
    kind = here.known_kind(sender)
    if here.kind is not AgencyKind.OVERSIGHT or kind is None or (kind, here.kind) in event.authority.ways:
        return None
    return NotForHere(MAY_NOT_TELL, what=Coded(event.type, "line"))


async def check(event: type[events.Event], received: Sequence[Received], tx: Transaction, here: Here) -> None:
    """Raises Unauthorised where any of these, all of one type, was not its sender's to say; Unready where this is not known yet."""
    for one in received:
        kind = here.known_kind(one.sender)
        if kind is None:  # it has left, and what it had said waited here
            raise Unauthorised("There is no agency “%(agency)s” in this network.", agency=one.sender)
        way = (kind, here.kind)
        if way not in event.authority.ways:
            raise never(event, one.sender, here) or Unauthorised(MAY_NOT_TELL, what=Coded(event.type, "line"))
        _check_words(one, way, here)
        if event is events.ConsentEnded:
            await _may_end(one, tx)
    await _PARTIES[event.authority.party](received, tx, here)


async def _may_end(one: Received, tx: Transaction) -> None:
    """What is open under a consent that has ended goes on: so its end is heard after whatever may open something under it."""
    if await is_awaited(tx, one.sender):
        raise Unready("This agency was restored, and what the sender has asked for is still coming home.")
    unread = select(col(InboxRow.event_id)).where(
        col(InboxRow.sender) == one.sender, col(InboxRow.consent_id) == one.subject,
        col(InboxRow.type) == events.ReferralIssued.type, col(InboxRow.state).in_([InboxState.WAITING, InboxState.PARKED]),
    )  # fmt: skip
    if (await tx.session.execute(unread.limit(1))).first() is not None:
        raise Unready("What the sender has asked for under this consent could not be taken yet, and is tried again.")


# --- what an agency of one kind may tell one of another -----------------------------------------------------------------


def _check_words(one: Received, way: Way, here: Here) -> None:
    if isinstance(one.data, events.ReferralIssued):
        _check_request(one.data, way, here)
    elif isinstance(one.data, events.CaseProgress):
        code = one.data.code
        if code not in codes.PROGRESS_OF[way[0]] or code not in minimal_data.PROGRESS_CROSSES[way]:
            raise Unauthorised(MAY_NOT_TELL, what=Coded(code, "progress"))
    elif isinstance(one.data, events.ConferenceCalled | events.ConferenceDecided):
        _check_agenda(one, way, here)


def _check_agenda(one: Received, way: Way, here: Here) -> None:
    word: events.ConferenceCalled | events.ConferenceDecided = one.data
    items = {each.item for each in word.decisions} if isinstance(word, events.ConferenceDecided) else set(word.agenda)
    if unlisted := items - minimal_data.AGENDA_CROSSES[way]:
        what = tuple(Coded(item, "item") for item in sorted(unlisted))
        raise Unauthorised(MAY_NOT_TELL, what=what)
    if isinstance(word, events.ConferenceCalled) and here.network.facility(one.sender, word.facility) is None:
        raise Unauthorised("The network file knows no facility “%(place)s” of the sender.", place=word.facility)


def _check_request(said: events.ReferralIssued, way: Way, here: Here) -> None:
    if said.to_facility not in here.entry.facilities:
        raise Unauthorised("This agency has no facility “%(place)s”.", place=said.to_facility)
    rows = minimal_data.CROSSES.get(way, {})
    unlisted = sorted(said.model_fields_set & (minimal_data.FIELD_CLASS.keys() - rows.keys()))
    if unlisted:
        what = tuple(Coded(name, "field") for name in unlisted)
        raise Unauthorised(MAY_NOT_TELL, what=what)
    foreign = set(said.services) - codes.PROVIDED_BY[here.kind]
    if foreign:
        raise Unauthorised(
            "This agency does not provide: %(services)s.", services=tuple(Coded(s, "service") for s in sorted(foreign))
        )


# --- what the sender is to what it speaks of ----------------------------------------------------------------------------


async def _opener(received: Sequence[Received], tx: Transaction, _here: Here) -> None:
    _rests_on_something(received)
    if any(is_of_a_key(id_) for one in received for id_ in (one.subject, one.data.circle)):
        raise Unauthorised("An id that it gives is none of a referral or of a case.")
    ids = [one.subject for one in received]
    known = await tx.session.execute(select(col(Referral.id)).where(among(tx, col(Referral.id), set(ids))).limit(1))
    if len(set(ids)) < len(ids) or known.first() is not None:
        raise Unauthorised("A referral with this id is known already; an issuer may not issue it twice.")


def _rests_on_something(received: Sequence[Received]) -> None:
    if any(one.consent_id is None for one in received):
        raise Unauthorised("It names no consent, legal duty or vital interest that it rests on.")


async def _issuer(received: Sequence[Received], tx: Transaction, _here: Here) -> None:
    for one in received:
        referral = await tx.session.get(Referral, one.subject, populate_existing=True)
        # Said before the restored issuer learned that it had cancelled its request: it is about nothing here, and the issuer's.
        if referral is not None or not await was_never_told(one, tx):
            await _party_to(one, referral, "in", tx)


async def _recipient(received: Sequence[Received], tx: Transaction, _here: Here) -> None:
    for one in received:
        referral = await tx.session.get(Referral, one.subject, populate_existing=True)
        if referral is not None or not await went_with_its_consent(one, tx):
            await _party_to(one, referral, "out", tx)


async def _party_to(one: Received, referral: Referral | None, direction: str, tx: Transaction) -> None:
    if referral is None:
        if await is_awaited(tx, one.sender):
            raise Unready("The referral is not here yet: this agency was restored, and its records are still coming home.")
        raise Unauthorised("No referral with this id is known here.")
    if one.sender not in {referral.issuer, referral.recipient}:
        raise Unauthorised("The sender is no party to this referral.")
    if referral.direction != direction:
        raise Unauthorised("The sender is the other party to this referral: this was not for it to say.")


async def went_with_its_consent(one: Received, tx: Transaction) -> bool:
    """Whether what this speaks of went with a consent of ours that is over: after a restore nobody gives its words back."""
    consent = await tx.session.get(Consent, one.consent_id) if one.consent_id is not None else None
    if consent is None or consent.recipient != one.sender:
        return False
    erasure = await tx.session.get(Erasure, (consent.id, one.sender), populate_existing=True)
    return consent.taken_back_at is not None or (erasure is not None and erasure.outcome is not None)


async def was_never_told(one: Received, tx: Transaction) -> bool:
    """Whether the sender issued this referral and blanked that before it left."""
    query = select(col(InboxRow.event_id)).where(
        col(InboxRow.subject) == one.subject, col(InboxRow.sender) == one.sender,
        col(InboxRow.type) == events.ReferralIssued.type, col(InboxRow.state) == InboxState.WITHHELD,
    )  # fmt: skip
    return (await tx.session.execute(query.limit(1))).first() is not None


async def _holder(received: Sequence[Received], tx: Transaction, _here: Here) -> None:
    # It never waits, so the words that rest on it may still be to come. Of another's it would stop nothing: it is forged.
    for one in received:
        consent: UUID = one.data.consent
        if one.subject != consent:
            raise Unauthorised("The consent that it names is not the one that it is about.")
        resting = await tx.session.execute(select(col(Referral.issuer)).where(col(Referral.consent_id) == consent).distinct())
        holders = set(resting.scalars())
        if await tx.session.get(Consent, consent) is not None or (holders and one.sender not in holders):
            raise Unauthorised("The consent that it takes back is another agency's.")


async def _named(received: Sequence[Received], tx: Transaction, _here: Here) -> None:
    for one in received:
        if one.subject != one.data.consent:
            raise Unauthorised("The consent that it names is not the one that it is about.")
        consent = await tx.session.get(Consent, one.data.consent, populate_existing=True)
        if consent is not None and consent.recipient != one.sender:
            raise Unauthorised("The consent that it speaks of names another agency.")
        has_ended = await tx.session.get(Erasure, (one.data.consent, one.sender)) is not None
        if consent is None or (consent.taken_back_at is None and not has_ended):
            if await is_awaited(tx, one.sender):
                raise Unready("The consent is not here yet: this agency was restored, and its records are still coming home.")
            if consent is None and await ended_lives(tx):
                continue  # it was given and taken back in a life that is lost, and nobody has those words any more
            raise Unauthorised("No consent with this id was taken back here, and none that has ended.")


async def _joiner(received: Sequence[Received], _tx: Transaction, _here: Here) -> None:
    _rests_on_something(received)


async def _member(received: Sequence[Received], tx: Transaction, _here: Here) -> None:
    _rests_on_something(received)
    for one in received:
        if isinstance(one.data, events.CircleReferralProgress):
            told = await tx.session.get(Referral, one.data.referral, populate_existing=True)
            if told is not None and told.issuer != one.sender:
                raise Unauthorised("The referral that it tells of is another agency's.")
        if await tx.session.get(CircleMember, (one.subject, one.sender)) is not None:
            continue
        query = (
            select(col(Referral.id))
            .join(Case, col(Case.id) == col(Referral.case_id))
            .where(col(Case.circle) == one.subject, or_(col(Referral.issuer) == one.sender, col(Referral.recipient) == one.sender))
        )
        if (await tx.session.execute(query.limit(1))).first() is None:
            raise Unauthorised("The sender is not known here as one of those who work together on this case.")


async def _keeper(received: Sequence[Received], _tx: Transaction, here: Here) -> None:
    for one in received:
        place: str = one.data.facility
        if here.network.facility(one.sender, place) is None:
            raise Unauthorised("The network file knows no facility “%(place)s” of the sender.", place=place)
        if one.subject != place_subject(one.sender, place):
            raise Unauthorised("It is about another place than it names.")


async def _station(received: Sequence[Received], _tx: Transaction, here: Here) -> None:
    for one in received:
        if one.sender not in here.stations or one.subject != station_subject(one.sender):
            raise Unauthorised("The network file names this agency as no mother station of the sender.")


async def _invited(received: Sequence[Received], tx: Transaction, here: Here) -> None:
    for one in received:
        row = await _conference(one, tx)
        if row.caller != here.agency or await tx.session.get(Invitation, (row.id, one.sender)) is None:
            raise Unauthorised("The sender was not asked to this conference.")


async def _caller(received: Sequence[Received], tx: Transaction, _here: Here) -> None:
    for one in received:
        if (await _conference(one, tx)).caller != one.sender:
            raise Unauthorised("The sender did not call this conference.")


async def _conference(one: Received, tx: Transaction) -> Conference:
    row = await tx.session.get(Conference, one.data.conference, populate_existing=True)
    if row is None and await is_awaited(tx, one.sender):
        raise Unready("The conference is not here yet: this agency was restored, and its records are still coming home.")
    case = await tx.session.get(Case, row.case_id) if row is not None else None
    if row is None or case is None or case.circle != one.subject:
        raise Unauthorised("No conference with this id is known here.")
    return row


async def _reader(received: Sequence[Received], tx: Transaction, _here: Here) -> None:
    for one in received:
        query = select(col(OutboxRow.subject), col(OutboxRow.type)).where(
            col(OutboxRow.event_id) == one.data.event_id, col(OutboxRow.recipient) == one.sender
        )
        told = (await tx.session.execute(query)).tuples().all()
        if not told and await is_awaited(tx, one.sender):
            raise Unready("Our word that it refuses is not here yet: this agency was restored, and its records are coming home.")
        if not any(subject == one.subject or kind == UNKNOWN for subject, kind in told):
            raise Unauthorised("This agency told the sender no such thing.")


async def _itself(received: Sequence[Received], _tx: Transaction, _here: Here) -> None:
    for one in received:
        if one.subject != subject_of(one.sender, one.data):
            raise Unauthorised("It is about something else than its sender says of itself.")


_PARTIES: dict[Party, Callable[[Sequence[Received], Transaction, Here], Awaitable[None]]] = {
    "opener": _opener,
    "issuer": _issuer,
    "recipient": _recipient,
    "holder": _holder,
    "named": _named,
    "joiner": _joiner,
    "member": _member,
    "keeper": _keeper,
    "reader": _reader,
    "itself": _itself,
    "station": _station,
    "invited": _invited,
    "caller": _caller,
}
