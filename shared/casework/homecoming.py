"""After a restore: our own words, which peers gave back, are put into our own records as if they had never been lost.

A word holds only what its recipient was allowed to know, so a record that is made from it is thinner than the one that was lost:
what only the lost database knew is named on the page of the restore, and asked of paper or people.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlmodel import col

from shared.casework import sharing
from shared.casework.cases.commands import case_for_circle
from shared.casework.cases.tables import TOLD_PARTS, Case
from shared.casework.circles.commands import note_off
from shared.casework.circles.tables import CircleMember, Progress
from shared.casework.consents.commands import await_receipt, note_line
from shared.casework.consents.tables import Consent
from shared.casework.directory.news import keep_place_news
from shared.casework.here import Here
from shared.casework.holds.commands import is_held, keep_unsent
from shared.casework.messages.tables import Message
from shared.casework.referrals import story
from shared.casework.referrals.story import Told
from shared.casework.referrals.tables import Referral, ReferralFact
from shared.casework.reports import records as reports
from shared.contracts.casework import codes, events, minimal_data
from shared.contracts.casework.codes import ConsentItem
from shared.exchange import outbox
from shared.exchange.answers import is_settled
from shared.exchange.erasing import erase_said
from shared.exchange.inbox import lay_tombstone, may_stand, refuse_parked
from shared.exchange.registry import Returned
from shared.exchange.tables import DONE, InboxRow, InboxState, OutboxRow, ReceivedHead, Recovery, Tombstone
from shared.kit.bulk import among
from shared.kit.db import Transaction

NOBODY = UUID(int=0)  # who explained a consent that is known only from what was said under it
ISSUERS = frozenset({events.CancelRequested.type, events.SetOut.type, events.ToldByPhone.type})
SAID_AGAIN_WITHIN = timedelta(hours=1)  # a peer that was restored too numbers what it had left unsaid within seconds


async def put_back(recipient: str, words: list[Returned], tx: Transaction, here: Here) -> frozenset[UUID]:
    """Each word as if it had never been lost. Returns the ids of those that wait for a peer's word, which it says again.

    What can never be put here, because its referral was never opened, waits for nothing.
    """
    unplaced: list[Returned] = []
    touched: dict[UUID, Referral] = {}
    for word in words:
        fact = events.read(word.type, word.data)
        if isinstance(fact, events.REFERRAL_EVENTS) and not isinstance(fact, events.ReferralIssued):
            referral = await tx.session.get(Referral, word.subject, populate_existing=True)
            if referral is None:
                unplaced.append(word)
            elif await _put_fact(tx, here, referral, fact, word):
                touched[referral.id] = referral
        elif not await _OTHERS[type(fact)](recipient, fact, word, tx, here):
            unplaced.append(word)
    for referral in touched.values():
        await story.refold(tx, here, referral)
    await _not_said_again(tx, here, words)
    return frozenset({word.id for word in unplaced} - await _never_opened(tx, recipient, unplaced))


async def _not_said_again(tx: Transaction, here: Here, words: Sequence[Returned]) -> None:
    """What rests on a consent that was taken back is in our records now, and goes no further."""
    under = {word.consent_id for word in words if word.consent_id is not None}
    query = (
        select(Consent).where(among(tx, col(Consent.id), under), col(Consent.taken_back_at).is_not(None)).order_by(col(Consent.id))
    )
    for consent in (await tx.session.execute(query)).scalars().all() if under else ():
        # Locked before it is asked: a hold that is being placed comes before, or after.
        case = await tx.session.get_one(Case, consent.case_id, with_for_update=True, populate_existing=True)
        is_kept = await is_held(tx, case.id)
        if is_kept:
            await keep_unsent(tx, here, case, consent.id)
        await outbox.withhold_consent(tx, consent.id)
        await erase_said(tx, consent.id, events.OVER, {word.id for word in words}, keeps_words=is_kept)


async def _never_opened(tx: Transaction, peer: str, words: Sequence[Returned]) -> set[UUID]:
    """Those of our words whose referral will not come again. Waiting for it would keep the recovery open for ever.

    Its consent was taken back since, or its first word is done and opened no record here; or nobody has that first word any more.
    """
    if not words:
        return set()
    under = {word.consent_id for word in words if word.consent_id is not None}
    given_here = select(col(Consent.id)).where(col(Consent.id).in_(under))
    laid = select(col(Tombstone.consent_id)).where(
        col(Tombstone.sender) == peer, col(Tombstone.consent_id).in_(under), col(Tombstone.consent_id).not_in(given_here)
    )
    closed = select(col(InboxRow.subject)).where(
        col(InboxRow.sender) == peer, col(InboxRow.type) == events.ReferralIssued.type,
        col(InboxRow.state).in_(DONE - {InboxState.APPLIED}), col(InboxRow.subject).in_({w.subject for w in words}),
    )  # fmt: skip
    consents = set((await tx.session.execute(laid)).scalars())
    subjects = set((await tx.session.execute(closed)).scalars())
    lost = await _lost(tx, peer, words)
    return {word.id for word in words if word.consent_id in consents or word.subject in subjects or word.id in lost}


async def _lost(tx: Transaction, peer: str, words: Sequence[Returned]) -> set[UUID]:
    """Words about a referral that both ends lost: of ours, where it is not among what came home, which is all here by now; of
    the peer's, where we hold everything that it says it has said, and it has had time to say again what it had."""
    ours = [word for word in words if word.type in ISSUERS]
    query = select(col(OutboxRow.subject)).where(
        col(OutboxRow.recipient) == peer, col(OutboxRow.type) == events.ReferralIssued.type, col(OutboxRow.is_withheld).is_(False),
        col(OutboxRow.subject).in_({word.subject for word in ours}),
    )  # fmt: skip
    said = set((await tx.session.execute(query)).scalars()) if ours else set()
    lost = {word.id for word in ours if word.subject not in said}
    if await _has_said_all(tx, peer, {word.subject for word in words}):
        lost |= {word.id for word in words if word.type not in ISSUERS}
    return lost


async def _has_said_all(tx: Transaction, peer: str, subjects: set[UUID]) -> bool:
    recovery = await tx.session.get(Recovery, peer, populate_existing=True)
    if recovery is None or tx.clock.now() - recovery.opened_at < SAID_AGAIN_WITHIN:
        return False
    behind = select(ReceivedHead).where(col(ReceivedHead.sender) == peer, col(ReceivedHead.upto) < col(ReceivedHead.announced))
    for head in (await tx.session.execute(behind)).scalars().all():
        if not await is_settled(tx, peer, head.incarnation, head.announced):
            return False
    waiting = select(col(InboxRow.event_id)).where(
        col(InboxRow.sender) == peer, col(InboxRow.type) == events.ReferralIssued.type, among(tx, col(InboxRow.subject), subjects),
        col(InboxRow.state).in_([InboxState.WAITING, InboxState.PARKED]),
    )  # fmt: skip
    return (await tx.session.execute(waiting.limit(1))).first() is None


async def _put_fact(tx: Transaction, here: Here, referral: Referral, fact: events.Event, word: Returned) -> bool:
    query = select(col(ReferralFact.position)).where(
        col(ReferralFact.referral_id) == referral.id, col(ReferralFact.event_id) == word.id
    )
    if (await tx.session.execute(query)).first() is not None:
        return False
    await story.keep(tx, here, referral, fact, Told(here.agency, True, word.occurred_at, event_id=word.id), is_home=True)
    return True


async def _issued(recipient: str, fact: events.Event, word: Returned, tx: Transaction, here: Here) -> bool:
    assert isinstance(fact, events.ReferralIssued)
    if await tx.session.get(Referral, word.subject) is not None:
        return True
    case = await case_for_circle(tx, here, fact.circle, fact.from_facility)
    consent = await _consent(tx, here, case, recipient, fact, word)
    referral = story.new_referral(
        word.subject, case, "out", here.agency, recipient, fact, word.id, word.consent_id, word.occurred_at
    )
    referral.sent_at = referral.delivered_at = tx.clock.now()  # its recipient gave it back
    tx.session.add(referral)
    for name in TOLD_PARTS:
        part = getattr(fact, name)
        if part is not None and getattr(case, name) is None:
            setattr(case, name, part.model_dump(mode="json", exclude_none=True))
    await tx.session.flush()
    await story.keep(tx, here, referral, story.said_to_story(fact), Told(here.agency, True, word.occurred_at, event_id=word.id))
    if consent is not None and consent.taken_back_at is not None:
        taken = events.ConsentTakenBack(consent=consent.id, circle=case.circle)
        await story.take_back(tx, here, referral, taken, Told(here.agency, True, consent.taken_back_at))
    if fact.report_form is not None:
        await reports.ask_along(tx, referral.id, case.id, referral.desk, word.occurred_at)
    await _home_again(tx, recipient, word.subject)
    return True


async def _home_again(tx: Transaction, recipient: str, referral: UUID) -> None:
    """Words about a request that came home before it, from a peer that did not hold it yet, counted as lost with it: not so."""
    early = (
        col(OutboxRow.recipient) == recipient, col(OutboxRow.subject) == referral, col(OutboxRow.type).in_(ISSUERS),
        col(OutboxRow.is_home), col(OutboxRow.returned_at).is_not(None), ~col(OutboxRow.is_withheld), ~col(OutboxRow.is_forked),
    )  # fmt: skip
    await tx.session.execute(update(OutboxRow).where(*early).values(is_home=False))


async def _consent(
    tx: Transaction, here: Here, case: Case, recipient: str, fact: events.ReferralIssued, word: Returned
) -> Consent | None:
    """The consent that a referral rests on, with the items that what was said needed: no more is known of it."""
    if word.consent_id is None:
        return None
    rows = minimal_data.CROSSES.get((here.kind, here.kind_of(recipient)), {})
    items = {ConsentItem.REQ, *(item for field, item in rows.items() if getattr(fact, field) is not None)}
    items |= {ConsentItem.FB} if fact.feedback_agreed else set()
    known = await tx.session.get(Consent, word.consent_id)
    kind = here.kind_of(recipient)
    if known is not None:
        if known.how == codes.ConsentHow.NOT_KNOWN:
            known.items = sorted({*known.items, *map(str, items)})
            if not sharing.ASKED_FOR[codes.Purpose(known.purpose)].issuperset(fact.services):
                known.purpose = sharing.THERE_FOR[kind]
        return known
    duty = fact.child.legal_duty if fact.child is not None else None
    if fact.basis is codes.Basis.LEGAL_BASIS and duty is None:
        duty = codes.LegalDuty.CHILD_PROTECTION_LAW  # the one that pages record, and the narrowest: it opens one service
    language = fact.needs.language if fact.needs is not None else codes.UNDETERMINED
    consent = Consent(
        id=word.consent_id, case_id=case.id, recipient=recipient, purpose=_purpose(fact, kind), items=sorted(map(str, items)),
        basis=fact.basis, legal_duty=duty, how=codes.ConsentHow.NOT_KNOWN, language=language, explained_by=NOBODY,
        given_at=word.occurred_at,
    )  # fmt: skip
    await _keep_consent(tx, here, case, consent)
    return consent


def _purpose(fact: events.ReferralIssued, kind: codes.AgencyKind) -> codes.Purpose:
    """What a yes was for that let these services be asked for: the purpose that lets least else be, as no more is known of it."""
    if fact.basis is not codes.Basis.CONSENT:
        return codes.Purpose.PROTECTION if fact.basis is codes.Basis.LEGAL_BASIS else sharing.THERE_FOR[kind]
    covering = [purpose for purpose, services in sharing.ASKED_FOR.items() if services.issuperset(fact.services)]
    return min(
        covering, key=lambda purpose: len(sharing.ASKED_FOR[purpose] & codes.PROVIDED_BY[kind]), default=sharing.THERE_FOR[kind]
    )


async def _keep_consent(tx: Transaction, here: Here, case: Case, consent: Consent) -> None:
    """In its table and in the diary, as one that was recorded here: whoever asks for a case's consents finds it."""
    tx.session.add(consent)
    await tx.session.flush()
    await note_line(tx, here, case, consent, "consent.recorded", consent.given_at)


async def _taken_back(recipient: str, fact: events.Event, word: Returned, tx: Transaction, here: Here) -> bool:
    """Before everything else that comes home: from now on nothing is said under it."""
    assert isinstance(fact, events.ConsentTakenBack)
    case = await case_for_circle(tx, here, fact.circle, here.first_place())
    consent = await tx.session.get(Consent, fact.consent, populate_existing=True)
    if consent is None:
        consent = _known_by_its_end(fact.consent, case, here, recipient, word)
        await _keep_consent(tx, here, case, consent)
    if consent.taken_back_at is None:
        consent.taken_back_at, consent.version = word.occurred_at, consent.version + 1
        await note_line(tx, here, case, consent, "consent.taken_back", word.occurred_at)
    await tx.session.flush()
    await await_receipt(tx, case.id, consent, word.occurred_at)
    await _try_again(tx, recipient, consent.id)
    await lay_tombstone(tx, recipient, consent.id)
    await story.end_resting(tx, here, fact, Told(here.agency, True, word.occurred_at, event_id=word.id))
    return True


async def _try_again(tx: Transaction, recipient: str, consent_id: UUID) -> None:
    """What they said of what went with a consent may have come first, and was parked: it is about nothing here."""
    about = or_(col(InboxRow.consent_id) == consent_id, col(InboxRow.subject) == consent_id)  # a receipt rests on no consent
    parked = (col(InboxRow.sender) == recipient, about, col(InboxRow.state) == InboxState.PARKED, may_stand())
    again = update(InboxRow).where(*parked).values(state=InboxState.WAITING)
    await tx.session.execute(again.execution_options(synchronize_session=False))


async def _ended(recipient: str, fact: events.Event, word: Returned, tx: Transaction, here: Here) -> bool:
    """Before everything else that comes home, too: its day has passed, whatever is known of it."""
    assert isinstance(fact, events.ConsentEnded)
    case = await case_for_circle(tx, here, fact.circle, here.first_place())
    consent = await tx.session.get(Consent, fact.consent, populate_existing=True)
    if consent is None:
        consent = _known_by_its_end(fact.consent, case, here, recipient, word)
        await _keep_consent(tx, here, case, consent)
    consent.expires_at = consent.expires_at or word.occurred_at
    await tx.session.flush()
    await await_receipt(tx, case.id, consent, word.occurred_at)
    await _try_again(tx, recipient, consent.id)
    return True


def _known_by_its_end(consent_id: UUID, case: Case, here: Here, recipient: str, word: Returned) -> Consent:
    purpose = sharing.THERE_FOR[here.kind_of(recipient)]
    return Consent(
        id=consent_id, case_id=case.id, recipient=recipient, purpose=purpose, items=[str(ConsentItem.REQ)],
        basis=codes.Basis.CONSENT, how=codes.ConsentHow.NOT_KNOWN, language=codes.UNDETERMINED, explained_by=NOBODY,
        given_at=word.occurred_at,
    )  # fmt: skip


async def _announced(recipient: str, fact: events.Event, word: Returned, tx: Transaction, here: Here) -> bool:
    assert isinstance(fact, events.CircleAnnounced)
    case = await case_for_circle(tx, here, word.subject, here.first_place())
    case.circle_version = max(case.circle_version, fact.circle_version)
    own = await tx.session.get(CircleMember, (word.subject, here.agency), populate_existing=True)
    if own is None:
        own = CircleMember(
            circle=word.subject, agency=here.agency, circle_version=fact.circle_version, shares_with=[],
            announced_at=word.occurred_at,
        )  # fmt: skip
        tx.session.add(own)
    if fact.circle_version >= own.circle_version:
        own.circle_version, own.shares_with = fact.circle_version, sorted({*own.shares_with, recipient, *fact.shares_with})
    await tx.session.flush()
    return True


async def _progress(_recipient: str, fact: events.Event, word: Returned, tx: Transaction, here: Here) -> bool:
    assert isinstance(fact, events.CaseProgress)
    case = await case_for_circle(tx, here, word.subject, here.first_place())
    query = select(col(Progress.position)).where(
        col(Progress.case_id) == case.id, col(Progress.agency) == here.agency, col(Progress.code) == str(fact.code),
        col(Progress.occurred_at) == word.occurred_at,
    )  # fmt: skip
    if (await tx.session.execute(query)).first() is None:  # it was told to each member by a word of its own
        row = Progress(
            case_id=case.id, agency=here.agency, code=fact.code, on_date=fact.on_date, is_ahead=fact.on_date is not None,
            occurred_at=word.occurred_at, recorded_at=tx.clock.now(),
        )  # fmt: skip
        tx.session.add(row)
        await tx.session.flush()
    return True


async def _hearing_off(_recipient: str, fact: events.Event, word: Returned, tx: Transaction, here: Here) -> bool:
    assert isinstance(fact, events.HearingOff)
    case = await case_for_circle(tx, here, word.subject, here.first_place())
    await note_off(tx, case.id, here.agency, fact.on_date, word.occurred_at)
    return True


async def _message_asked(_recipient: str, fact: events.Event, word: Returned, tx: Transaction, here: Here) -> bool:
    assert isinstance(fact, events.MessageAsked)
    referral = await tx.session.get(Referral, word.subject)
    if referral is None:
        return False
    if await tx.session.get(Message, fact.message) is None:
        message = Message(
            id=fact.message, referral_id=referral.id, case_id=referral.case_id, direction="out", code=fact.code, on_at=fact.on_at,
            asked_at=word.occurred_at,
        )  # fmt: skip
        tx.session.add(message)
        await tx.session.flush()
    return True


async def _message_answered(_recipient: str, fact: events.Event, word: Returned, tx: Transaction, here: Here) -> bool:
    assert isinstance(fact, events.MessageAnswered)
    message = await tx.session.get(Message, fact.message, populate_existing=True)
    if message is None:
        return False
    message.answer, message.answered_at = fact.answer, word.occurred_at
    await tx.session.flush()
    return True


async def _place(_recipient: str, fact: events.Event, word: Returned, tx: Transaction, here: Here) -> bool:
    assert isinstance(fact, events.PlaceAnnounced)
    await keep_place_news(tx, here.agency, fact, word.occurred_at)
    return True


async def _refused(recipient: str, fact: events.Event, _word: Returned, tx: Transaction, _here: Here) -> bool:
    assert isinstance(fact, events.ExchangeRefused)
    await refuse_parked(tx, recipient, fact.event_id)
    return True


async def _nothing(_recipient: str, _fact: events.Event, _word: Returned, _tx: Transaction, _here: Here) -> bool:
    return True  # how a referral of ours stands is told by the referral itself; and what was erased here is gone


PutBack = Callable[[str, events.Event, Returned, Transaction, Here], Awaitable[bool]]
_OTHERS: dict[type[events.Event], PutBack] = {
    events.ReferralIssued: _issued,
    events.ConsentTakenBack: _taken_back,
    events.ConsentEnded: _ended,
    events.ConsentErased: _nothing,
    events.CircleAnnounced: _announced,
    events.CircleReferralProgress: _nothing,
    events.CirclePlaceClosed: _nothing,
    events.CaseProgress: _progress,
    events.HearingOff: _hearing_off,
    events.MessageAsked: _message_asked,
    events.MessageAnswered: _message_answered,
    events.PlaceAnnounced: _place,
    events.ExchangeRefused: _refused,
    # What the oversight body publishes is put back by it alone; what agencies tell it registers itself.
    **dict.fromkeys(events.OVERSIGHT_EVENTS, _nothing),
    events.StationRegistered: _nothing,  # of a kind of agency that has stations it is put back
    # What a box or a store came to is counted again, by people: its book is not made up from what was told of it.
    **dict.fromkeys(events.SUPPLY_EVENTS, _nothing),
}


def comes_home(event: type[events.Event], put: PutBack) -> None:
    """Registers how an agency's own kind of word is put back into its records."""
    _OTHERS[event] = put
