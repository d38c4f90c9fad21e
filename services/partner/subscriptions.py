"""This agency's table of contents: which events it takes. Progress of others is not its business: such an event is parked."""

from shared.casework.vocabulary import (
    ANSWERS_TO_OURS,
    ASKED_TO_CONFERENCES,
    CONSENT_AND_CIRCLE,
    MESSAGES_AND_PLACES,
    PROTOCOLS,
    REFERRALS_SENT_TO_US,
    THE_LINE,
    Contents,
)

SUBSCRIPTIONS: Contents = {
    **REFERRALS_SENT_TO_US, **ANSWERS_TO_OURS, **CONSENT_AND_CIRCLE, **MESSAGES_AND_PLACES, **ASKED_TO_CONFERENCES,
    **PROTOCOLS, **THE_LINE,
}  # fmt: skip
