"""This agency's table of contents: which events it takes. Its workers follow a case across agencies, so it also hears progress."""

from shared.casework.vocabulary import (
    ANSWERS_TO_OURS,
    ASKED_TO_CONFERENCES,
    CONFERENCES_OF_OURS,
    CONSENT_AND_CIRCLE,
    MESSAGES_AND_PLACES,
    PROGRESS,
    PROTOCOLS,
    REFERRALS_SENT_TO_US,
    THE_LINE,
    Contents,
)

SUBSCRIPTIONS: Contents = {
    **REFERRALS_SENT_TO_US,
    **ANSWERS_TO_OURS,
    **CONSENT_AND_CIRCLE,
    **MESSAGES_AND_PLACES,
    **ASKED_TO_CONFERENCES,
    **CONFERENCES_OF_OURS,
    **PROGRESS,
    **PROTOCOLS,
    **THE_LINE,
}
