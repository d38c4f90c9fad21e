"""This agency's table of contents: which events it takes. Progress of others is not its business: such an event is parked."""

from services.police.dispensing.handlers import on_supplies_declined, on_supplies_sent
from shared.casework.reports.handlers import on_report_moved
from shared.casework.vocabulary import (
    ANSWERS_TO_OURS,
    ASKED_TO_CONFERENCES,
    CONSENT_AND_CIRCLE,
    MESSAGES_AND_PLACES,
    REFERRALS_SENT_TO_US,
    THE_LINE,
    Contents,
)
from shared.contracts.casework import events

SUPPLIES: Contents = {events.SuppliesSent: on_supplies_sent, events.SuppliesDeclined: on_supplies_declined}

REPORTS: Contents = {events.ReportMoved: on_report_moved}

SUBSCRIPTIONS: Contents = {
    **REFERRALS_SENT_TO_US, **ANSWERS_TO_OURS, **CONSENT_AND_CIRCLE, **MESSAGES_AND_PLACES,
    **ASKED_TO_CONFERENCES, **SUPPLIES, **REPORTS, **THE_LINE,
}  # fmt: skip
