"""Every event that an agency may take, with its handler, in groups: agencies make their own tables of contents from these.

What is in no table of contents is nobody's to tell that agency, and says so where it is parked.
"""

from collections.abc import Awaitable, Callable, Sequence

from shared.casework import authority
from shared.casework.circles.handlers import (
    on_case_progress,
    on_circle_announced,
    on_circles_announced,
    on_hearing_off,
    on_place_closed,
    on_referral_progress,
)
from shared.casework.conferences.handlers import on_conference_answered, on_conference_called, on_conference_decided
from shared.casework.consents.handlers import on_consent_ended, on_consent_erased, on_consent_taken_back
from shared.casework.directory.news import on_place_announced
from shared.casework.here import Here
from shared.casework.lines.handlers import on_exchange_refused
from shared.casework.messages.handlers import on_message_answered, on_message_asked
from shared.casework.protocols.handlers import on_protocol_published
from shared.casework.referrals.handlers import on_issuers_fact, on_recipients_fact, on_referral_issued, on_referrals_issued
from shared.contracts.casework import events
from shared.exchange.registry import Received, Subscription, Unauthorised
from shared.kit.db import Transaction
from shared.kit.errors import Coded

CaseworkHandler = Callable[[Received, Transaction, Here], Awaitable[None]]
CaseworkManyHandler = Callable[[Sequence[Received], Transaction, Here], Awaitable[None]]
Contents = dict[type[events.Event], CaseworkHandler]

REFERRALS_SENT_TO_US: Contents = {
    events.ReferralIssued: on_referral_issued,
    events.CancelRequested: on_issuers_fact,
    events.SetOut: on_issuers_fact,
    events.ToldByPhone: on_issuers_fact,
}
ANSWERS_TO_OURS: Contents = {
    events.Acknowledged: on_recipients_fact,
    events.Accepted: on_recipients_fact,
    events.Declined: on_recipients_fact,
    events.Redirected: on_recipients_fact,
    events.Suggested: on_recipients_fact,
    events.Arrived: on_recipients_fact,
    events.ArrivedInError: on_recipients_fact,
    events.InService: on_recipients_fact,
    events.OnHold: on_recipients_fact,
    events.Resumed: on_recipients_fact,
    events.NotAttended: on_recipients_fact,
    events.Closed: on_recipients_fact,
    events.Cancelled: on_recipients_fact,
    events.CancelRefused: on_recipients_fact,
    events.CameWithoutReferral: on_recipients_fact,
    events.NoFeedbackByChoice: on_recipients_fact,
    events.EndedUndisclosed: on_recipients_fact,
    events.TransitionRefused: on_recipients_fact,
}
CONSENT_AND_CIRCLE: Contents = {
    events.ConsentTakenBack: on_consent_taken_back,
    events.ConsentEnded: on_consent_ended,
    events.ConsentErased: on_consent_erased,
    events.CircleAnnounced: on_circle_announced,
    events.CirclePlaceClosed: on_place_closed,
}
MESSAGES_AND_PLACES: Contents = {
    events.MessageAsked: on_message_asked,
    events.MessageAnswered: on_message_answered,
    events.PlaceAnnounced: on_place_announced,
}
PROGRESS: Contents = {
    events.CircleReferralProgress: on_referral_progress,
    events.CaseProgress: on_case_progress,
    events.HearingOff: on_hearing_off,
}
PROTOCOLS: Contents = {events.ProtocolPublished: on_protocol_published}  # of every agency that serves
ASKED_TO_CONFERENCES: Contents = {
    events.ConferenceCalled: on_conference_called,
    events.ConferenceDecided: on_conference_decided,
}
CONFERENCES_OF_OURS: Contents = {events.ConferenceAnswered: on_conference_answered}
THE_LINE: Contents = {events.ExchangeRefused: on_exchange_refused}

# What a backlog consists of, where it is a backlog: taken many at once.
TOGETHER: dict[type[events.Event], CaseworkManyHandler] = {
    events.ReferralIssued: on_referrals_issued,
    events.CircleAnnounced: on_circles_announced,
}


def subscribe(here: Here, contents: Contents) -> list[Subscription]:
    """The registry's entries for a table of contents, each handler told where it runs; then for what is not in it."""
    others = (event for event in events.EVENTS if event not in contents)
    return [_bound(here, event, handler) for event, handler in contents.items()] + [_bound(here, one, _not_ours) for one in others]


async def _not_ours(received: Received, tx: Transaction, here: Here) -> None:
    raise Unauthorised("This agency is told of no such thing: %(what)s.", what=Coded(received.type, "line"))


def _bound(here: Here, event: type[events.Event], handler: CaseworkHandler) -> Subscription:
    async def check(received: Sequence[Received], tx: Transaction) -> None:
        await authority.check(event, received, tx, here)

    async def on_event(received: Received, tx: Transaction) -> None:
        await handler(received, tx, here)

    together = TOGETHER.get(event)

    async def on_events(received: Sequence[Received], tx: Transaction) -> None:
        assert together is not None
        await together(received, tx, here)

    return Subscription(
        event.type, event.version, event, check, on_event, waits=not event.never_waits,
        many=None if together is None else on_events, never=lambda sender: authority.never(event, sender, here),
    )  # fmt: skip
